//! A table of every body that there is, with every member that is documented.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::super::{ARTISTS, GENERATIONS, profile_path};
use crate::{
    document::{content, members, operations, resolved},
    given::body,
    http::{Request, artist},
};

/// Whom bodies name.
pub(super) const BYSTANDER: &str = "Bystander";

/// Of how many elements of an array each is tried.
const ELEMENTS: usize = 2;

/// A body that an operation takes.
pub(super) struct Row {
    method: &'static str,
    template: &'static str,
    target: String,
    /// The body.
    pub(super) body: Value,
}

impl Row {
    /// The operation, without a body.
    pub(super) fn request(&self) -> Request {
        Request::new(self.method, self.target.clone())
    }

    /// The place of every value in the body, from the outside in.
    pub(super) fn places(&self) -> Vec<String> {
        let mut found = Vec::new();
        places(&self.body, "", &mut found);
        found
    }

    /// The body with something else in this place, which need not be JSON.
    pub(super) fn with(&self, place: &str, text: &[u8]) -> anyhow::Result<Vec<u8>> {
        // A text that is nowhere else.
        const MARK: &str = "\u{e000}";

        let mut body = self.body.clone();
        *body.pointer_mut(place).context("a place")? = Value::from(MARK);
        let (body, mark) = (body.to_string(), format!("\"{MARK}\""));
        let (before, after) = body.split_once(&mark).context("the mark")?;
        Ok([before.as_bytes(), text, after.as_bytes()].concat())
    }
}

fn places(value: &Value, pointer: &str, found: &mut Vec<String>) {
    found.push(pointer.to_owned());
    match value {
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate().take(ELEMENTS) {
                places(element, &format!("{pointer}/{index}"), found);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                places(member, &format!("{pointer}/{name}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every body. One that is documented and not here, or not with every member, is an error.
pub(super) fn rows() -> anyhow::Result<Vec<Row>> {
    let (generation, source) = (generation()?, source()?);
    let id = json!("01890a5d-ac96-774b-bcce-b302099a8057");
    let identified = body::changed(body::generation(), "/id", id)?;
    let key = json!({
        "name": "a key", "scopes": ["read", "write"], "expires_at": "2199-01-01T00:00:00Z",
        "limits": {"requests_per_second": 1_000, "burst": 2_000, "requests_per_hour": 1_000_000},
    });
    let around_artists = wishing(json!({ "like": [BYSTANDER], "unlike": ["Other"] }))?;
    let embedding = body::profile_with_embedding(3)?["embedding"].clone();
    let around_embedding = json!({ "embedding": embedding });
    let batch = wishing(json!({ "artists": [BYSTANDER, "Other"] }))?;
    let sources = "/api/v1/artists/{artist}/sources";
    let target = artist(BYSTANDER, "/sources");
    let row = |method, template: &'static str, body| Row {
        method,
        template,
        target: template.to_owned(),
        body,
    };
    let rows = vec![
        Row {
            target: profile_path(),
            ..row("PUT", "/api/v1/artists/{artist}/profile", profile()?)
        },
        row("POST", ARTISTS, json!({ "name": "Somebody" })),
        Row { target: target.clone(), ..row("POST", sources, source.clone()) },
        Row { target, ..row("POST", sources, json!([source, source])) },
        row("POST", GENERATIONS, generation.clone()),
        row("POST", GENERATIONS, identified.clone()),
        row("POST", GENERATIONS, json!([generation, identified])),
        row("POST", "/api/v1/similar", around_artists),
        row("POST", "/api/v1/similar", around_embedding),
        row("POST", "/api/v1/similar/batch", batch),
        row("POST", "/api/v1/keys", key),
    ];
    complete(&rows)?;
    Ok(rows)
}

fn profile() -> anyhow::Result<Value> {
    let templates = json!(["late_snare.mid", {"name": "ghosts", "bars": [{"beats": 4}]}]);
    body::changed(body::profile_with_embedding(2)?, "/midi_templates", templates)
}

fn source() -> anyhow::Result<Value> {
    let mut source = body::source("https://example.org/1");
    for (member, value) in [
        ("/file_path", json!("papers/1.pdf")),
        ("/raw_content", json!("behind the beat")),
        ("/extracted_data", json!({"feel": "late", "parts": [{"swing_percent": 62}]})),
    ] {
        source = body::changed(source, member, value)?;
    }
    Ok(source)
}

fn generation() -> anyhow::Result<Value> {
    let mut generation = body::generation_of(BYSTANDER)?;
    for (member, value) in [
        ("/model", json!("drums-large-2")),
        ("/status", json!("failed")),
        ("/error", json!("out of tokens")),
        ("/steps", json!([{"name": "prompt", "time_ms": 150}])),
        ("/input_tokens", json!(1_900)),
        ("/output_tokens", json!(500)),
        ("/cache_read_tokens", json!(1)),
        ("/cache_write_tokens", json!(2)),
        ("/reasoning_tokens", json!(3)),
        ("/created_at", json!("2026-11-01T12:00:00Z")),
    ] {
        generation = body::changed(generation, member, value)?;
    }
    Ok(generation)
}

/// A search with everything that can be wished for.
fn wishing(search: Value) -> anyhow::Result<Value> {
    let range = json!({ "from": 0.25, "to": 0.75 });
    let mut filter = json!({ "status": ["cached", "pending"], "min_confidence": 0.5 });
    for number in [
        "tempo_min",
        "tempo_max",
        "tempo_avg",
        "swing_percent",
        "ghost_note_prob",
        "syncopation_level",
        "velocity_mean",
        "velocity_std",
    ] {
        filter = body::changed(filter, &format!("/{number}"), range.clone())?;
    }
    let mut search = search;
    for (member, value) in [
        ("/limit", json!(3)),
        ("/metric", json!("cosine")),
        ("/engine", json!("auto")),
        ("/explain", json!(true)),
        ("/filter", filter),
    ] {
        search = body::changed(search, member, value)?;
    }
    Ok(search)
}

fn complete(rows: &[Row]) -> anyhow::Result<()> {
    for operation in operations() {
        let Some(body) = operation.about.get("requestBody") else { continue };
        let mut documented = BTreeSet::new();
        for (_, about) in content(body) {
            members_of(about.get("schema").context("a schema")?, "", &mut documented);
        }
        let mut present = BTreeSet::new();
        for row in rows {
            if row.template == operation.path && row.method.eq_ignore_ascii_case(operation.method) {
                members_in(&row.body, "", &mut present);
            }
        }
        let missing: Vec<_> = documented.difference(&present).collect();
        ensure!(
            missing.is_empty(),
            "{} {}: no row has {missing:?}",
            operation.method,
            operation.path
        );
    }
    Ok(())
}

/// The members that a schema documents; an element of an array is `-`. The body itself is one as well.
fn members_of(schema: &'static Value, place: &str, found: &mut BTreeSet<String>) {
    found.insert(place.to_owned());
    let schema = resolved(schema);
    for choices in ["allOf", "oneOf", "anyOf"] {
        for choice in schema.get(choices).and_then(Value::as_array).into_iter().flatten() {
            members_of(choice, place, found);
        }
    }
    for (name, member) in members(schema.get("properties")) {
        members_of(member, &format!("{place}/{name}"), found);
    }
    if let Some(elements) = schema.get("items") {
        members_of(elements, &format!("{place}/-"), found);
    }
}

fn members_in(value: &Value, place: &str, found: &mut BTreeSet<String>) {
    found.insert(place.to_owned());
    match value {
        Value::Array(elements) => {
            for element in elements {
                members_in(element, &format!("{place}/-"), found);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                members_in(member, &format!("{place}/{name}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
