//! Headers that somebody hopes will be taken for something else.

use anyhow::ensure;
use serde_json::json;

use super::{
    super::{ARTISTS, GENERATIONS, STATS, profile_path},
    Guarded, TEXTS,
};
use crate::{given::body, http::Request, service::Service};

/// Every header that the service reads as a text, and a request that has it.
fn headers() -> Vec<(&'static str, Request, bool)> {
    let save = || Request::put(profile_path(), body::profile());
    let search = || Request::post("/api/v1/similar", json!({ "like": [super::BYSTANDER] }));
    vec![
        ("idempotency-key", Request::post(GENERATIONS, body::generation()), true),
        ("if-match", save(), true),
        ("if-none-match", save(), true),
        ("if-none-match", Request::get(profile_path()), true),
        ("if-match", Request::delete(profile_path()), true),
        ("cache-control", Request::get(profile_path()), true),
        ("cache-control", search(), true),
        ("x-request-id", save(), true),
        ("traceparent", save(), true),
        ("tracestate", save(), true),
        ("accept", Request::get(STATS), true),
        ("accept", Request::get("/api/v1/stats/series"), true),
        ("content-encoding", save(), true),
        ("expect", save(), true),
        ("authorization", Request::get(ARTISTS), false),
        ("x-api-key", Request::get(ARTISTS), false),
        ("forwarded", Request::get(ARTISTS), false),
        ("x-forwarded-for", Request::get(ARTISTS), false),
        ("host", Request::get(ARTISTS), true),
    ]
}

/// A header is understood, ignored or refused; what is refused changes nothing.
pub async fn headers_that_are_something_else(service: &Service) -> anyhow::Result<()> {
    let guarded = Guarded::start(service).await?;

    for (name, request, with_key) in headers() {
        for text in TEXTS {
            let request = if with_key { guarded.keyed(request.clone()) } else { request.clone() };
            let (request, before) = (request.with(name, text), guarded.newest().await?);
            // What is no header is refused by the HTTP parser, whose answer has nothing that ours have.
            let answer = guarded.service.client().send(&request).await?;
            ensure!(answer.status < 500, "{request}: {answer:?}");
            ensure!(with_key || 400 <= answer.status, "{request}: {answer:?}");
            if answer.header("x-request-id").is_some() {
                crate::document::check(&request, &answer)?;
            }
            let is_plain = text.chars().all(|character| (' '..='~').contains(&character));
            // An identity of one word of ASCII is the caller's to choose.
            ensure!(is_plain || answer.header("x-request-id") != Some(text), "{answer:?}");
            let now = guarded.newest().await?;
            ensure!(answer.status < 400 || now == before, "{request} changed something");
        }
    }
    guarded.stop().await;
    Ok(())
}
