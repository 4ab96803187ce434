//! Texts and numbers that somebody hopes will be taken for something else.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{ARTISTS, GENERATIONS, profile_path, saved};
use crate::{
    given::body,
    http::{Request, artist, encoded},
    service::Service,
};

/// SQL, the protocol of Redis, paths, templates, terminal controls, and characters that others trip over.
const TEXTS: [&str; 16] = [
    "'; DROP TABLE artists; --",
    "\" OR 1=1 --",
    "Robert'); DELETE FROM style_profiles;--",
    "$1; SELECT pg_sleep(10)",
    "*1\r\n$8\r\nFLUSHALL\r\n",
    "\r\nSET x y\r\n",
    "../../../../etc/passwd",
    "..\\..\\windows",
    "..",
    ".",
    "%2e%2e%2f",
    "{{7*7}}${jndi:ldap://x}",
    "\u{1b}[2J\u{7}",
    "a\nlevel=ERROR forged",
    "\u{202e}gpj",
    "x\0y",
];

/// A text is refused, or comes back exactly as it was sent; either way nothing else changes.
pub async fn texts_are_stored_verbatim_or_refused(service: &Service) -> anyhow::Result<()> {
    saved(service, "Bystander", body::profile()).await?;
    let bystander = service.ask(200, Request::get(artist("Bystander", "/profile"))).await?;

    for text in TEXTS {
        in_names(service, text).await?;
        in_bodies(service, text).await?;
        in_parameters(service, text).await?;
        let still = service.ask(200, Request::get(artist("Bystander", "/profile"))).await?;
        ensure!(still.text()? == bystander.text()?, "{text:?} changed somebody else");
    }
    Ok(())
}

async fn in_names(service: &Service, text: &str) -> anyhow::Result<()> {
    let before = service.contents().await?;
    let answer = service.send(&Request::put(artist(text, "/profile"), body::profile())).await?;
    match answer.status {
        201 => {
            let found = service.ask(200, Request::get(artist(text, ""))).await?.json()?;
            let name = found["name"].as_str().unwrap_or_default();
            ensure!(name == text.trim(), "{text:?} became {name:?}");
            service.ask(204, Request::delete(artist(text, ""))).await?;
        }
        status => {
            ensure!((400..500).contains(&status), "{text:?}: {answer:?}");
            ensure!(
                service.contents().await? == before,
                "{text:?} was refused and changed something"
            );
        }
    }
    let named = Request::post(ARTISTS, json!({ "name": text }));
    let answer = service.send(&named).await?;
    ensure!(answer.status < 500, "{text:?}: {answer:?}");
    if answer.status == 201 {
        service.ask(204, Request::delete(artist(text, ""))).await?;
    }
    Ok(())
}

/// Every place of a value that is a text, as a pointer.
fn texts_in(value: &Value, pointer: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(pointer.to_owned()),
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                texts_in(element, &format!("{pointer}/{index}"), found);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                texts_in(member, &format!("{pointer}/{name}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

async fn in_bodies(service: &Service, text: &str) -> anyhow::Result<()> {
    let bodies = [
        (Request::new("PUT", profile_path()), body::profile()),
        (Request::new("POST", GENERATIONS), body::generation()),
        (
            Request::new("POST", "/api/v1/similar"),
            json!({ "artist": "Bystander", "metric": "cosine" }),
        ),
    ];
    for (request, body) in bodies {
        let mut pointers = Vec::new();
        texts_in(&body, "", &mut pointers);
        ensure!(!pointers.is_empty(), "{body}");
        for pointer in pointers {
            let mut hostile = body.clone();
            *hostile.pointer_mut(&pointer).context("a text")? = json!(text);
            let before = service.contents().await?;
            let request = request.clone().json(hostile.to_string());
            let answer = service.send(&request).await?;
            match answer.status {
                200 | 201 => {
                    let is_profile = request.method() == "PUT";
                    if is_profile {
                        let stored = answer.json()?;
                        let sent = stored.pointer(&pointer).and_then(Value::as_str);
                        ensure!(sent == Some(text), "{pointer}: {text:?} became {sent:?}");
                    }
                }
                status => {
                    ensure!((400..500).contains(&status), "{pointer} {text:?}: {answer:?}");
                    ensure!(
                        service.contents().await? == before,
                        "{pointer} {text:?} changed something"
                    );
                }
            }
        }
    }
    Ok(())
}

async fn in_parameters(service: &Service, text: &str) -> anyhow::Result<()> {
    let text = encoded(text);
    for target in [
        format!("{ARTISTS}?limit={text}"),
        format!("{ARTISTS}?cursor={text}"),
        format!("{ARTISTS}?{text}=1"),
        format!("/api/v1/stats?from={text}"),
        format!("/api/v1/stats/series?by={text}"),
        format!("/api/v1/generations/{text}"),
        format!("/api/v1/keys/{text}"),
        format!("/api/v1/audit?actor={text}"),
        format!("/api/v1/similar/{text}?metric={text}"),
    ] {
        let before = service.contents().await?;
        let answer = service.send(&Request::get(target.clone())).await?;
        ensure!((400..500).contains(&answer.status), "{target}: {answer:?}");
        ensure!(service.contents().await? == before, "{target} changed something");
    }
    Ok(())
}

/// Of two members with one name nobody knows which was meant, wherever they are.
pub async fn members_given_twice(service: &Service) -> anyhow::Result<()> {
    let twice = body::profile().to_string().replacen('{', "{\"text_description\": \"x\", ", 1);

    let problem = service.refuse(400, "invalid_body", Request::put(profile_path(), twice)).await?;

    let errors = problem.body["errors"].to_string();
    ensure!(errors.contains("/text_description"), "{errors}");
    Ok(())
}

/// Numbers that no machine holds are refused, whatever they are asked for.
pub async fn numbers_beyond_all_measure(service: &Service) -> anyhow::Result<()> {
    let enormous = ["1e999999999", "-1e400", "9".repeat(10_000).as_str()].map(str::to_owned);
    for number in &enormous {
        let body = format!("{{\"artist\": \"x\", \"limit\": {number}}}");
        service.refuse(400, "invalid_body", Request::post("/api/v1/similar", body)).await?;
        let target = format!("{ARTISTS}?limit={number}");
        service.refuse(400, "invalid_parameter", Request::get(target)).await?;
    }
    Ok(())
}
