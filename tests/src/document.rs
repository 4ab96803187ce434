//! The OpenAPI document, to hold the service to what it says.

use std::{collections::BTreeSet, sync::LazyLock};

use anyhow::{Context, ensure};
use serde_json::{Map, Value};

use crate::http::{Answer, Request};

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(&groovebase_api::openapi_json()).unwrap_or_default());

/// An operation of the document.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// The path, with `{…}` for what varies.
    pub path: &'static str,
    /// The method, in lower case.
    pub method: &'static str,
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
        members(Some(item)).map(|(method, about)| Operation { path, method, about })
    })
}

/// Checks that an answer is one that the document promises, if the request is for something in it.
pub fn check(request: &Request, answer: &Answer) -> anyhow::Result<()> {
    let Some(operation) = operations().find(|operation| operation.takes(request)) else {
        return Ok(());
    };
    let status = answer.status.to_string();
    let response = operation.response(&status).with_context(|| {
        format!("{} {} does not document {status}", operation.method, operation.path)
    })?;
    // An answer to HEAD has the headers of a body that is not there, and redirects have none worth a word.
    let promised: BTreeSet<&str> =
        members(response.get("content")).map(|(media_type, _)| without_parameters(media_type)).collect();
    match answer.media_type() {
        Some(found) => ensure!(promised.contains(found), "{request}: {found} is not in {promised:?}"),
        None => ensure!(promised.is_empty(), "{request}: no body, but {promised:?} is documented"),
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
    pub fn responses(&self) -> impl Iterator<Item = (&'static str, &'static Value)> {
        members(self.about.get("responses"))
    }

    fn takes(&self, request: &Request) -> bool {
        let method = if request.is_head() { "GET" } else { request.method() };
        let (mut asked, mut offered) = (request.path().split('/'), self.path.split('/'));
        self.method.eq_ignore_ascii_case(method)
            && asked.by_ref().zip(offered.by_ref()).all(|(asked, offered)| {
                offered.starts_with('{') && !asked.is_empty() || asked == offered
            })
            && request.path().split('/').count() == self.path.split('/').count()
    }
}

/// The members of an object of the document.
pub fn members(
    object: Option<&'static Value>,
) -> impl Iterator<Item = (&'static str, &'static Value)> {
    let members: Option<&'static Map<String, Value>> = object.and_then(Value::as_object);
    members.into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn without_parameters(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}
