//! Texts, numbers and bodies that somebody hopes will be taken for something else, or not be taken at all.

mod broken;
mod headers;
mod rows;

use anyhow::{Context, ensure};
use api::{limits::LimitSettings, state::StateSettings};
use domain::{KeyText, Scope};
use serde_json::{Value, json};

use super::{
    ARTISTS, GENERATIONS,
    access::{SECRET, keyed, stored, with_access},
    saved,
};
use crate::{
    document::{Operation, operations},
    given::body,
    http::{Answer, Request, artist, encoded},
    service::Service,
};

pub use broken::bodies_that_break_readers;
pub use headers::headers_that_are_something_else;

use rows::{BYSTANDER, Row, rows};

/// SQL, the protocol of Redis, paths, templates, terminal controls, and characters that others trip over.
pub const TEXTS: [&str; 16] = [
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

/// A service that asks for keys and believes its proxies, and a key that opens everything.
struct Guarded {
    service: Service,
    key: KeyText,
}

impl Guarded {
    async fn start(service: &Service) -> anyhow::Result<Self> {
        saved(service, BYSTANDER, body::profile_with_embedding(1)?).await?;
        saved(service, "Other", body::profile_with_embedding(2)?).await?;
        let key = stored(service, &[Scope::Admin], None).await?;
        let settings = with_access(SECRET)?;
        let limits =
            LimitSettings { trusted_proxies: "127.0.0.0/8".parse()?, ..settings.limits.clone() };
        let service = service.another(StateSettings { limits, ..settings }).await?;
        Ok(Self { service, key })
    }

    fn keyed(&self, request: Request) -> Request {
        keyed(request, &self.key)
    }

    async fn send(&self, request: Request) -> anyhow::Result<Answer> {
        self.service.send(&self.keyed(request)).await
    }

    /// All there is, keys and the newest record of the audit log included.
    async fn contents(&self) -> anyhow::Result<String> {
        let mut keys = self.send(Request::get("/api/v1/keys?limit=500")).await?.json()?;
        for key in keys["keys"].as_array_mut().into_iter().flatten() {
            // Using a key is no change.
            key.as_object_mut().map(|key| key.remove("last_used_at"));
        }
        Ok(format!("{}\n{keys}\n{}", self.service.contents().await?, self.newest().await?))
    }

    /// The newest record of the audit log: each write that changes something leaves one.
    async fn newest(&self) -> anyhow::Result<String> {
        let newest = self.send(Request::get("/api/v1/audit?limit=1")).await?;
        Ok(newest.text()?.to_owned())
    }

    /// Sends something that is taken or refused by whoever asked for it, and in the second case changes nothing.
    async fn try_it(&self, request: Request) -> anyhow::Result<Answer> {
        let before = self.newest().await?;
        let answer = self.send(request.clone()).await.with_context(|| request.to_string())?;
        ensure!(answer.status < 500, "{request}: {answer:?}");
        let is_refused = 400 <= answer.status;
        ensure!(!is_refused || self.newest().await? == before, "{request} changed something");
        Ok(answer)
    }

    async fn stop(self) {
        self.service.stop().await;
    }
}

/// Whether a value is this text, or holds it somewhere.
fn holds(value: &Value, text: &str) -> bool {
    match value {
        Value::String(found) => found == text,
        Value::Array(elements) => elements.iter().any(|element| holds(element, text)),
        Value::Object(members) => members.values().any(|member| holds(member, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Every text of every body is refused, or comes back exactly as it was sent.
pub async fn texts_are_stored_verbatim_or_refused(service: &Service) -> anyhow::Result<()> {
    let guarded = Guarded::start(service).await?;
    let bystander = Request::get(artist(BYSTANDER, "/profile"));
    let untouched = guarded.send(bystander.clone()).await?;

    for row in rows()? {
        for place in row.places() {
            if !row.body.pointer(&place).is_some_and(Value::is_string) {
                continue;
            }
            let (before, mut taken) = (guarded.contents().await?, false);
            for text in TEXTS {
                taken |= in_place(&guarded, &row, &place, text).await?;
            }
            ensure!(taken || guarded.contents().await? == before, "{place} changed something");
        }
    }
    let still = guarded.send(bystander).await?;

    ensure!(still.text()? == untouched.text()?, "somebody else was changed");
    guarded.stop().await;
    Ok(())
}

/// Whether a text is taken in this place.
async fn in_place(guarded: &Guarded, row: &Row, place: &str, text: &str) -> anyhow::Result<bool> {
    let body = row.with(place, Value::from(text).to_string().as_bytes())?;
    let answer = guarded.try_it(row.request().json(body)).await?;
    let is_search = row.request().path().starts_with("/api/v1/similar");
    if 400 <= answer.status || is_search {
        return Ok(answer.status < 400);
    }
    let told = answer.json()?;
    let shown = if row.request().path() == GENERATIONS {
        let index = place.split('/').nth(1).and_then(|index| index.parse::<usize>().ok());
        let one = index.map_or(&told, |index| &told[index]);
        let id = one["id"].as_str().context("an identity")?;
        guarded.send(Request::get(format!("{GENERATIONS}/{id}"))).await?.json()?
    } else {
        told
    };
    // Upper and lower case are the same there.
    let expected =
        if place.ends_with("/provider_used") { text.to_lowercase() } else { text.to_owned() };
    ensure!(holds(&shown, &expected), "{place}: {text:?} became {shown}");
    Ok(true)
}

/// In the place of everything that varies in a path, and of every parameter, the name of one included.
pub async fn targets_that_are_something_else(service: &Service) -> anyhow::Result<()> {
    let guarded = Guarded::start(service).await?;

    for operation in operations() {
        for text in TEXTS {
            for target in targets(operation, &encoded(text))? {
                let request = match operation.method {
                    "get" => Request::get(target),
                    "delete" => Request::delete(target),
                    "put" => Request::put(target, body::profile()),
                    "post" => Request::post(target, body::source("https://example.org/1")),
                    other => anyhow::bail!("{other}"),
                };
                let answer = guarded.try_it(request.clone()).await?;
                if answer.status == 201 {
                    let name = guarded.send(Request::get(artist(text, ""))).await?.at("/name")?;
                    ensure!(name == text.trim(), "{request}: {name}");
                    guarded.send(Request::delete(artist(text, ""))).await?;
                }
            }
        }
    }
    for text in TEXTS {
        for target in [format!("/{}", encoded(text)), format!("/docs/{}", encoded(text))] {
            guarded.try_it(Request::get(target)).await?;
        }
        let named = Request::post(ARTISTS, json!({ text: "x", "name": "x" }));
        let refused = guarded.try_it(named).await?;
        ensure!(refused.status == 400, "{text:?}: {refused:?}");
    }
    guarded.stop().await;
    Ok(())
}

/// Where an operation is asked for something with this text in one place, each in turn.
fn targets(operation: Operation, text: &str) -> anyhow::Result<Vec<String>> {
    let filled = |with: &str| {
        let path = operation.path.replace("{artist}", with).replace("{id}", with);
        ensure!(!path.contains('{'), "{path}");
        Ok(path)
    };
    let mut found = Vec::new();
    let usual = if operation.path.contains("{id}") { "zzzzzzzz" } else { BYSTANDER };
    let usual = filled(usual)?;
    if usual != operation.path {
        found.push(filled(text)?);
    }
    let parameters = operation.about.get("parameters").and_then(Value::as_array);
    for parameter in parameters.into_iter().flatten() {
        if parameter["in"] == "query" {
            let name = parameter["name"].as_str().context("a name")?;
            found.push(format!("{usual}?{name}={text}"));
        }
    }
    if operation.method == "get" {
        found.push(format!("{usual}?{text}=1"));
    }
    Ok(found)
}
