//! Bodies that cannot be read at all: every route that takes one refuses them alike.

use anyhow::ensure;
use serde_json::json;

use super::{ARTISTS, GENERATIONS, profile_path, saved};
use crate::{
    given::body,
    http::{Request, artist},
    service::Service,
};

/// How large a body may be.
const LIMIT: usize = 1_048_576;

/// Every operation with a body, without one.
fn operations() -> [Request; 6] {
    [
        Request::new("PUT", profile_path()),
        Request::new("POST", ARTISTS),
        Request::new("POST", artist("J Dilla", "/sources")),
        Request::new("POST", GENERATIONS),
        Request::new("POST", "/api/v1/similar"),
        Request::new("POST", "/api/v1/similar/batch"),
    ]
}

/// What is no JSON is a 400 that says where it stops making sense.
pub async fn what_is_no_json(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile()).await?;
    let cases: [(&[u8], &str); 9] = [
        (b"", "malformed JSON at line 1, column 1: it is empty"),
        (b" \n ", "malformed JSON at line 1, column 1: it is empty"),
        (b"{", "malformed JSON at line 1, column 1: EOF while parsing an object"),
        (b"{\"name\": }", "malformed JSON at line 1, column 10: expected value"),
        (b"{\"name\":\n 'x'}", "malformed JSON at line 2, column 2: expected value"),
        (b"{} {}", "malformed JSON at line 1, column 4: trailing characters"),
        (b"{\"name\": NaN}", "malformed JSON at line 1, column 10: expected value"),
        (b"{\"name\": \"\xff\"}", "malformed JSON at line 1, column 11: it is not UTF-8"),
        (b"{\"name\": \"a\nb\"}", "malformed JSON at line 2, column 0"),
    ];
    for operation in operations() {
        for (json, message) in cases {
            let request = operation.clone().json(json);
            let problem = service.refuse(400, "malformed_body", request).await?;
            ensure!(
                problem.message()?.starts_with(message)
                    || message.ends_with("column 0") && problem.message()?.starts_with("malformed"),
                "{message}: {}",
                problem.body
            );
        }
        let deep = "[".repeat(100_000);
        service.refuse(400, "malformed_body", operation.clone().json(deep)).await?;
    }
    Ok(())
}

/// JSON of another kind is told so.
pub async fn what_is_no_object(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile()).await?;
    for (json, kind) in
        [("null", "null"), ("7", "a number"), ("\"J Dilla\"", "a string"), ("true", "a boolean")]
    {
        for operation in operations() {
            let request = operation.json(json);
            let problem = service.refuse(400, "invalid_body", request).await?;
            problem.names(&[("", &format!("must be an object, not {kind}"))])?;
        }
    }
    for operation in [Request::new("PUT", profile_path()), Request::new("POST", ARTISTS)] {
        let problem = service.refuse(400, "invalid_body", operation.json("[]")).await?;
        problem.names(&[("", "must be an object, not an array")])?;
    }
    Ok(())
}

/// A member that is given twice would be read one way here and another way there.
pub async fn a_member_given_twice(service: &Service) -> anyhow::Result<()> {
    const TWICE: &str = "is given more than once";

    saved(service, "J Dilla", body::profile()).await?;
    let [put, post_artist, _, post_generation, search, batch] = operations();
    let twice = |body: &serde_json::Value, member: &str| {
        body.to_string().replacen(
            &format!("\"{member}\":"),
            &format!("\"{member}\":1,\"{member}\":"),
            1,
        )
    };
    let profile = body::profile();
    for (operation, json, pointer) in [
        (&post_artist, r#"{"name": "a", "name": "b"}"#.to_owned(), "/name"),
        (&post_artist, r#"{"name": "a", "n\u0061me": "a"}"#.to_owned(), "/name"),
        (&post_generation, twice(&body::generation(), "provider_used"), "/provider_used"),
        (&search, r#"{"like": ["J Dilla"], "like": ["A"]}"#.to_owned(), "/like"),
        (
            &search,
            r#"{"like": ["J Dilla"], "filter": {"tempo_avg": {"to": 9, "to": 8}}}"#.to_owned(),
            "/filter/tempo_avg/to",
        ),
        (&batch, r#"{"artists": ["J Dilla"], "limit": 1, "limit": 2}"#.to_owned(), "/limit"),
    ] {
        let problem =
            service.refuse(400, "invalid_body", operation.clone().json(json.clone())).await?;
        let names_it = problem.body["errors"].as_array().into_iter().flatten();
        let mut names_it = names_it.filter(|it| it["pointer"] == pointer && it["detail"] == TWICE);
        ensure!(names_it.next().is_some(), "{json}: {}", problem.body);
    }
    for member in ["confidence_score", "tempo_min", "papers"] {
        let problem =
            service.refuse(400, "invalid_body", put.clone().json(twice(&profile, member))).await?;
        ensure!(problem.message()?.contains(&format!("/{member}: {TWICE}")), "{}", problem.body);
    }
    // Also in what is the caller's own form.
    let own = twice(&profile, "bars");
    ensure!(own.contains("\"bars\":1,\"bars\""));
    let problem = service.refuse(400, "invalid_body", put.json(own)).await?;
    problem.names(&[("/midi_templates/1/bars", TWICE)])?;
    Ok(())
}

/// One byte more than the limit is a 413, declared or not; the limit itself is fine.
pub async fn too_large(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile()).await?;
    let name = json!({"name": "Tony Allen"}).to_string();
    let padded = |bytes: usize| format!("{name}{}", " ".repeat(bytes - name.len()));

    for operation in operations() {
        let request = operation.json(padded(LIMIT + 1));
        let problem = service.refuse(413, "payload_too_large", request).await?;
        ensure!(problem.message()? == "a body has at most 1048576 bytes");
    }
    let chunked =
        Request::new("POST", ARTISTS).json_in_chunks(padded(LIMIT + 1).as_bytes(), 65_536);
    service.refuse(413, "payload_too_large", chunked).await?;
    let largest = Request::new("POST", ARTISTS).json_in_chunks(padded(LIMIT).as_bytes(), 65_536);
    service.ask(201, largest).await?;
    service.ask(200, Request::new("POST", ARTISTS).json(padded(LIMIT))).await?;
    Ok(())
}

/// A body that is not declared as plain JSON is a 415, before it is read.
pub async fn not_declared_as_json(service: &Service) -> anyhow::Result<()> {
    const WRONG: &str = "the header content-type must be application/json";
    const MISSING: &str = "the header content-type is missing, it must be application/json";

    saved(service, "J Dilla", body::profile()).await?;
    for operation in operations() {
        for declared in ["text/plain", "application/x-www-form-urlencoded", "json", "text/json"] {
            let request = operation.clone().with("content-type", declared).body("{}");
            let problem = service.refuse(415, "unsupported_media_type", request).await?;
            ensure!(problem.message()? == WRONG, "{}", problem.body);
        }
        let request = operation.clone().body("{}");
        let problem = service.refuse(415, "unsupported_media_type", request).await?;
        ensure!(problem.message()? == MISSING, "{}", problem.body);
        let compressed = operation.json("{}").with("content-encoding", "gzip");
        let problem = service.refuse(415, "unsupported_media_type", compressed).await?;
        ensure!(problem.message()? == "the body must not be compressed", "{}", problem.body);
    }
    for declared in
        ["application/json; charset=utf-8", "Application/JSON", "application/vnd.x+json"]
    {
        let request = Request::new("POST", ARTISTS).with("content-type", declared);
        let request = request.body(json!({"name": "J Dilla"}).to_string());
        service.ask(200, request).await?;
    }
    Ok(())
}
