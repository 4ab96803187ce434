//! The OpenAPI document, to hold the service to what it says.

mod schema;

use std::{collections::BTreeMap, sync::LazyLock};

use anyhow::{Context, ensure};
use serde_json::{Map, Value};

use crate::http::{Answer, Request};

pub use schema::{resolved, violations};

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(&api::openapi_json()).unwrap_or_default());

/// An operation of the document.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// The method, in lower case.
    pub method: &'static str,
    /// The path, with `{…}` for what varies.
    pub path: &'static str,
    /// What the document says about it.
    pub about: &'static Value,
}

/// The document.
#[must_use]
pub fn document() -> &'static Value {
    &DOCUMENT
}

/// Every operation of the document.
pub fn operations() -> impl Iterator<Item = Operation> {
    members(DOCUMENT.get("paths")).flat_map(|(path, item)| {
        members(Some(item)).map(move |(method, about)| Operation { method, path, about })
    })
}

/// Checks that an answer is one that the document promises, if it knows the request's path and method.
pub fn check(request: &Request, answer: &Answer) -> anyhow::Result<()> {
    let Some(operation) = operations().find(|operation| operation.takes(request)) else {
        return Ok(());
    };
    let Operation { method, path, about: _ } = operation;
    let status = answer.status.to_string();
    let response = operation.response(&status);
    let response = response.with_context(|| format!("{method} {path} documents no {status}"))?;
    let promised: BTreeMap<&str, &Value> = content(response).collect();
    let Some(media_type) = answer.media_type() else {
        ensure!(promised.is_empty(), "{method} {path} documents a body of {status}");
        return Ok(());
    };
    let promised = promised.get(media_type);
    let promised = promised
        .with_context(|| format!("{method} {path} documents no {media_type} of {status}"))?;
    if media_type.ends_with("json") && !request.is_head() {
        let schema = promised.get("schema").context("a schema")?;
        let wrong = violations(schema, &answer.json()?);
        ensure!(wrong.is_empty(), "{method} {path}, {status}: not as documented: {wrong:?}");
    }
    Ok(())
}

impl Operation {
    /// What it answers with this status.
    #[must_use]
    pub fn response(&self, status: &str) -> Option<&'static Value> {
        self.about.get("responses")?.get(status)
    }

    /// Its responses by status.
    pub fn responses(&self) -> impl Iterator<Item = (&'static str, &'static Value)> + use<> {
        members(self.about.get("responses"))
    }

    fn takes(&self, request: &Request) -> bool {
        let method = if request.is_head() { "GET" } else { request.method() };
        let asked: Vec<&str> = request.path().split('/').collect();
        let offered: Vec<&str> = self.path.split('/').collect();
        self.method.eq_ignore_ascii_case(method)
            && asked.len() == offered.len()
            && asked.iter().zip(&offered).all(|(asked, offered)| {
                asked == offered || (offered.starts_with('{') && !asked.is_empty())
            })
    }
}

/// The media types of a body, without their parameters, and what is said about each.
pub fn content(body: &'static Value) -> impl Iterator<Item = (&'static str, &'static Value)> {
    members(body.get("content"))
        .map(|(media_type, about)| (media_type.split(';').next().unwrap_or_default().trim(), about))
}

/// The members of an object of the document.
pub fn members(
    object: Option<&'static Value>,
) -> impl Iterator<Item = (&'static str, &'static Value)> {
    let members: Option<&'static Map<String, Value>> = object.and_then(Value::as_object);
    members.into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}
