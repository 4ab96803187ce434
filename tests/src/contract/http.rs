//! What the service promises whoever speaks HTTP with it, one resource a file; what it refuses is in the files `bad_…`.

#![expect(
    clippy::indexing_slicing,
    reason = "what a JSON value does not have is null, not a panic"
)]

pub mod access;
pub mod artists;
pub mod bad_bodies;
pub mod bad_generations;
pub mod bad_names;
pub mod bad_parameters;
pub mod bad_profiles;
pub mod conditions;
pub mod deadlines;
pub mod freshness;
pub mod generations;
pub mod history;
pub mod hostile;
pub mod idempotency;
pub mod limits;
pub mod metrics;
pub mod money;
pub mod names;
pub mod operations;
pub mod paths;
pub mod series;
pub mod similar_artists;
pub mod sources;
pub mod statistics;
pub mod style_profiles;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::{
    http::{Answer, Request, artist},
    service::Service,
};

const ARTISTS: &str = "/api/v1/artists";
const GENERATIONS: &str = "/api/v1/generations";
const STATS: &str = "/api/v1/stats";
const SERIES: &str = "/api/v1/stats/series";

/// The profile of an artist that most tests are about.
fn profile_path() -> String {
    artist("J Dilla", "/profile")
}

/// Saves a profile that is new.
async fn saved(service: &Service, name: &str, body: Value) -> anyhow::Result<Answer> {
    service.ask(201, Request::put(artist(name, "/profile"), body)).await
}

/// Checks that two values are the same.
fn ensure_same(found: &Value, expected: &Value) -> anyhow::Result<()> {
    ensure!(found == expected, "expected {expected}\ngot      {found}");
    Ok(())
}

/// Takes an identity out of a body and checks that it is one: a UUID of version 7.
fn take_id(body: &mut Value) -> anyhow::Result<String> {
    let id = take_text(body, "id")?;
    let is_uuid = id.len() == 36
        && id.char_indices().all(|(index, character)| match index {
            8 | 13 | 18 | 23 => character == '-',
            14 => character == '7',
            _ => character.is_ascii_hexdigit() && !character.is_ascii_uppercase(),
        });
    ensure!(is_uuid, "{id}");
    Ok(id)
}

/// Takes a time out of a body and checks that it is one: RFC 3339 in UTC.
fn take_time(body: &mut Value, name: &str) -> anyhow::Result<String> {
    let time = take_text(body, name)?;
    let shape: String = time
        .chars()
        .map(|character| if character.is_ascii_digit() { '0' } else { character })
        .collect();
    let fraction =
        shape.strip_prefix("0000-00-00T00:00:00").and_then(|rest| rest.strip_suffix('Z'));
    let fraction = fraction.with_context(|| format!("{time} is no time in UTC"))?;
    ensure!(fraction.trim_end_matches('0') == if fraction.is_empty() { "" } else { "." }, "{time}");
    Ok(time)
}

fn take_text(body: &mut Value, name: &str) -> anyhow::Result<String> {
    match take(body, name)? {
        Value::String(text) => Ok(text),
        other => anyhow::bail!("{name} is {other}"),
    }
}

fn take(body: &mut Value, name: &str) -> anyhow::Result<Value> {
    let taken = body.as_object_mut().and_then(|members| members.remove(name));
    taken.with_context(|| format!("no {name} in {body}"))
}

/// The texts that a member has in each element of an array.
fn texts<'a>(array: &'a Value, member: &str) -> Vec<&'a str> {
    let elements = array.as_array().into_iter().flatten();
    elements.filter_map(|element| element.get(member)?.as_str()).collect()
}

/// Follows `next_cursor` from page to page and returns the elements of each.
async fn pages(service: &Service, target: &str, list: &str) -> anyhow::Result<Vec<Vec<Value>>> {
    const MOST: usize = 100;

    let mut pages = Vec::new();
    let mut cursor = String::new();
    while pages.len() < MOST {
        let mut page = service.ask(200, Request::get(format!("{target}{cursor}"))).await?.json()?;
        match take(&mut page, list)? {
            Value::Array(elements) => pages.push(elements),
            other => anyhow::bail!("{list} is {other}"),
        }
        match take(&mut page, "next_cursor")? {
            Value::Null => return Ok(pages),
            Value::String(next) => cursor = format!("&cursor={}", crate::http::encoded(&next)),
            other => anyhow::bail!("next_cursor is {other}"),
        }
    }
    anyhow::bail!("{target} does not end")
}
