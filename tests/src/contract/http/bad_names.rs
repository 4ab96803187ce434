//! Names that nobody can have, in a URL and in a body.

use anyhow::ensure;
use serde_json::json;

use super::{ARTISTS, GENERATIONS, saved};
use crate::{
    given::body,
    http::{Request, artist, encoded},
    service::Service,
};

const EMPTY: &str = "an artist name must not be empty";

/// Every operation on an artist that the path names.
fn operations(name: &str) -> Vec<Request> {
    vec![
        Request::get(artist(name, "")),
        Request::delete(artist(name, "")),
        Request::get(artist(name, "/profile")),
        Request::put(artist(name, "/profile"), body::profile()),
        Request::delete(artist(name, "/profile")),
        Request::get(artist(name, "/sources")),
        Request::post(artist(name, "/sources"), body::source("https://example.org")),
        Request::get(artist(name, "/history")),
        Request::get(format!("/api/v1/similar/{}", encoded(name))),
    ]
}

fn bad_names() -> Vec<(String, String)> {
    let control = |position: usize| {
        format!(
            "an artist name must not hold control characters, this one has one at character {position}"
        )
    };
    let long = "an artist name has at most 255 characters, this one has 256".to_owned();
    vec![
        (" ".to_owned(), EMPTY.to_owned()),
        ("\u{a0}\u{2003}\u{3000}".to_owned(), EMPTY.to_owned()),
        ("x".repeat(256), long.clone()),
        ("é".repeat(256), long),
        ("J\nDilla".to_owned(), control(1)),
        ("J Dilla\r".to_owned(), control(7)),
        ("\0".to_owned(), control(0)),
        ("J\u{7f}".to_owned(), control(1)),
        ("J\u{85}Dilla".to_owned(), control(1)),
        ("\t".to_owned(), control(0)),
    ]
}

/// Every route refuses them before anything else.
pub async fn in_a_path(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile()).await?;
    for (name, message) in bad_names() {
        for request in operations(&name) {
            let problem = service.refuse(400, "invalid_artist_name", request).await?;
            ensure!(problem.message()? == message, "{name:?}: {}", problem.body);
        }
    }
    Ok(())
}

/// They are named by JSON pointer.
pub async fn in_a_body(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile()).await?;
    for (name, message) in bad_names().into_iter().chain([(String::new(), EMPTY.to_owned())]) {
        let problem = service
            .refuse(400, "invalid_body", Request::post(ARTISTS, json!({"name": name})))
            .await?;
        problem.names(&[("/name", &message)])?;
        let generation = body::generation_of(&name)?;
        let problem =
            service.refuse(400, "invalid_body", Request::post(GENERATIONS, generation)).await?;
        problem.names(&[("/artist", &message)])?;
    }
    for (body, pointer, detail) in [
        (json!({}), "", "lacks the member 'name'"),
        (json!({"name": null}), "/name", "must be a string, not null"),
        (json!({"name": 50}), "/name", "must be a string, not a number"),
        (json!({"name": ["J Dilla"]}), "/name", "must be a string, not an array"),
        (json!({"name": "x", "status": "cached"}), "/status", "is not a known member"),
    ] {
        let problem = service.refuse(400, "invalid_body", Request::post(ARTISTS, body)).await?;
        problem.names(&[(pointer, detail)])?;
    }
    // Half of a surrogate pair is no character.
    let half = Request::post(ARTISTS, r#"{"name": "\ud83e"}"#);
    service.refuse(400, "invalid_body", half).await?;
    Ok(())
}

/// The longest name is fine, counted in characters of its composed form.
pub async fn the_longest_name_is_fine(service: &Service) -> anyhow::Result<()> {
    let decomposed = "e\u{301}".repeat(255);
    for (name, shown) in [("x".repeat(255), "x".repeat(255)), (decomposed, "é".repeat(255))] {
        let made = service.ask(201, Request::post(ARTISTS, json!({"name": name}))).await?;
        ensure!(made.at("/name")? == shown);
        let found = service.ask(200, Request::get(artist(&name, ""))).await?;
        ensure!(found.json()? == made.json()?);
    }
    Ok(())
}
