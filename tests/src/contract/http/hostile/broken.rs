//! Bodies that break readers: members given twice, nesting without a bottom, numbers beyond all measure, and what is no text.

use anyhow::{Context, ensure};
use serde_json::Value;

use super::{
    Guarded,
    rows::{Row, rows},
};
use crate::http::{Problem, Request};

/// Deeper than any reader may follow.
const DEEP: usize = 1_000;

/// As deep as a body can be.
const DEEPEST: usize = 400_000;

/// More than fit into an object that somebody means.
const MANY: usize = 100_000;

/// Of two members with one name nobody knows which was meant, wherever they are.
pub(super) async fn members_given_twice(guarded: &Guarded, row: &Row) -> anyhow::Result<()> {
    for place in row.places() {
        let (outer, name) = place.rsplit_once('/').unwrap_or_default();
        let is_member = row.body.pointer(outer).is_some_and(Value::is_object) && !place.is_empty();
        if !is_member {
            continue;
        }
        let (name, value) = (Value::from(name), row.body.pointer(&place).context("a place")?);
        let twice = row.with(&place, format!("{value},{name}:{value}").as_bytes())?;
        let problem = refused(guarded, row, twice).await?;
        let told = problem.body["errors"].as_array().into_iter().flatten();
        let is_told = told
            .map(|it| (it["pointer"].as_str(), it["detail"].as_str()))
            .any(|it| it == (Some(&place), Some("is given more than once")));
        ensure!(is_told, "{place}: {}", problem.body);
    }
    Ok(())
}

/// In the place of every value.
pub(super) async fn depths_and_heights(guarded: &Guarded, row: &Row) -> anyhow::Result<()> {
    let deepest = format!("{}{}", "[".repeat(DEEPEST), "]".repeat(DEEPEST));
    refused(guarded, row, deepest.into_bytes()).await?;
    let nested = |open: &str, close: &str| format!("{}1{}", open.repeat(DEEP), close.repeat(DEEP));
    let texts = [
        nested("[", "]"),
        nested("{\"a\":", "}"),
        nested("[{\"a\":", "}]"),
        "[".repeat(DEEP),
        "1e999999999".to_owned(),
        "-1e400".to_owned(),
        "9".repeat(400),
        format!("0.{}1e-400e", "0".repeat(400)),
    ];
    for place in row.places() {
        for text in &texts {
            refused(guarded, row, row.with(&place, text.as_bytes())?).await?;
        }
    }
    Ok(())
}

/// In the place of every text.
pub(super) async fn what_is_no_text(guarded: &Guarded, row: &Row) -> anyhow::Result<()> {
    const TEXTS: [&[u8]; 7] = [
        b"\"\xff\"",
        b"\"\xc0\x80\"",
        b"\"\xed\xa0\x80\"",
        b"\"\xf4\x90\x80\x80\"",
        b"\"\xe2\x82\"",
        b"\"\\ud83d\"",
        b"\"\\udc00\\ud800\"",
    ];
    for place in row.places() {
        if row.body.pointer(&place).is_some_and(Value::is_string) {
            for text in TEXTS {
                refused(guarded, row, row.with(&place, text)?).await?;
            }
        }
    }
    Ok(())
}

/// An object with more members than anybody means is read through once, and refused.
pub(super) async fn members_without_end(guarded: &Guarded, row: &Row) -> anyhow::Result<()> {
    let members: Vec<String> = (0..MANY).map(|number| format!("\"{number}\":1")).collect();
    let text = format!("{{{}}}", members.join(","));
    let problem = refused(guarded, row, text.into_bytes()).await?;
    let told = problem.body["errors"].as_array().map_or(0, Vec::len);
    ensure!(told == 100, "{told} errors");
    Ok(())
}

async fn refused(guarded: &Guarded, row: &Row, body: Vec<u8>) -> anyhow::Result<Problem> {
    let request = guarded.keyed(row.request().json(body));
    let answer = guarded.service.send(&request).await.with_context(|| shown(&request))?;
    let code = answer.at("/error")?;
    let code = code.as_str().unwrap_or_default();
    ensure!(matches!(code, "malformed_body" | "invalid_body"), "{}: {answer:?}", shown(&request));
    Problem::read(answer, 400, code, &request)
}

fn shown(request: &Request) -> String {
    request.to_string()
}

/// Tries all of it with every body, which changes nothing.
pub async fn bodies_that_break_readers(service: &crate::service::Service) -> anyhow::Result<()> {
    let guarded = Guarded::start(service).await?;
    for row in rows()? {
        let before = guarded.contents().await?;
        members_given_twice(&guarded, &row).await?;
        depths_and_heights(&guarded, &row).await?;
        what_is_no_text(&guarded, &row).await?;
        members_without_end(&guarded, &row).await?;
        ensure!(guarded.contents().await? == before, "{} changed something", row.request());
    }
    guarded.stop().await;
    Ok(())
}
