//! Searches for many artists in one call.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{SIMILAR, similar, timeless};
use crate::{
    contract::http::{ARTISTS, ensure_same, saved},
    given::body,
    http::Request,
    service::Service,
};

fn batch(body: Value) -> Request {
    Request::post(format!("{SIMILAR}/batch"), body)
}

/// In the order asked for, twice if asked for twice; what is wrong with one is told there.
pub async fn answers_each_or_says_why_not(service: &Service) -> anyhow::Result<()> {
    for seed in 0..6 {
        saved(service, &format!("Artist {seed}"), body::profile_with_embedding(seed)?).await?;
    }
    saved(service, "Silent", body::profile()).await?;
    service.ask(201, Request::post(ARTISTS, json!({"name": "Pending"}))).await?;

    let names = ["artist 3", "Nobody", "silent", "Artist 1", "PENDING", "Artist 3", "Artist 4"];
    let request = batch(json!({"artists": names, "limit": 2, "metric": "l2"}));
    let found = timeless(service.ask(200, request).await?.json()?)?;

    let one = async |name: &str| -> anyhow::Result<Value> {
        let request = Request::get(similar(name, "?limit=2&metric=l2"));
        let mut found = timeless(service.ask(200, request).await?.json()?)?;
        ensure_same(&super::super::take(&mut found, "metric")?, &json!("l2"))?;
        Ok(found)
    };
    let (first, three, four) =
        (one("Artist 1").await?, one("Artist 3").await?, one("Artist 4").await?);
    let entry = |found: &Value| json!({"artist": found["artist"], "similar_artists": found["similar_artists"]});
    let failed = |name: &str, status: u16, code: &str, title: &str, detail: &str| {
        let error = json!({
            "type": format!("urn:groovebase:problem:{code}"), "title": title, "status": status, "detail": detail,
            "error": code,
        });
        json!({"artist": name, "error": error})
    };
    let expected = json!({
        "metric": "l2",
        "results": [
            entry(&three),
            failed("Nobody", 404, "artist_not_found", "The artist is not known", "Artist 'Nobody' not found in database"),
            failed(
                "silent", 409, "embedding_missing", "The profile has no embedding",
                "the style profile of 'Silent' has no embedding to compare"
            ),
            entry(&first),
            failed(
                "PENDING", 404, "profile_not_found", "The artist has no style profile",
                "Artist 'Pending' has no style profile"
            ),
            entry(&three),
            entry(&four),
        ],
        "exactness": three["exactness"],
    });
    ensure_same(&found, &expected)?;

    // Somebody may be called like the path.
    saved(service, "Batch", body::profile_with_embedding(9)?).await?;
    let called_so = service.ask(200, Request::get(similar("batch", ""))).await?;
    ensure!(called_so.at("/artist")? == "Batch", "{called_so:?}");

    let nobody = service.ask(200, batch(json!({"artists": ["Nobody", "Silent"]}))).await?.json()?;
    ensure!(nobody["exactness"].is_null(), "{nobody}");
    ensure!(nobody["results"].as_array().map(Vec::len) == Some(2), "{nobody}");

    let metrics = service.ask(200, Request::get("/metrics")).await?;
    for (route, method, count) in [("batch", "POST", 2), ("{artist}", "GET", 4)] {
        let line = format!(
            r#"groovebase_http_requests_total{{method="{method}",route="{SIMILAR}/{route}",status="200"}} {count}"#
        );
        ensure!(metrics.text()?.lines().any(|found| found == line), "{line} is not in {metrics:?}");
    }
    Ok(())
}

/// As many as a batch may name get the answers that each would get alone.
pub async fn answers_a_hundred_as_one_by_one(service: &Service) -> anyhow::Result<()> {
    let names: Vec<String> = (0..100).map(|seed| format!("Artist {seed:02}")).collect();
    for (seed, name) in (0..).zip(&names) {
        saved(service, name, body::profile_with_embedding(seed % 40)?).await?;
    }

    let found = service.ask(200, batch(json!({"artists": names, "limit": 20}))).await?.json()?;

    let results = found["results"].as_array().context("results")?;
    ensure!(results.len() == 100 && found["exactness"]["compared"] == 100, "{found}");
    for (name, result) in names.iter().zip(results).step_by(9) {
        let alone = service.ask(200, Request::get(similar(name, "?limit=20"))).await?.json()?;
        ensure!(result["artist"] == **name, "{result}");
        ensure_same(&result["similar_artists"], &alone["similar_artists"])?;
    }
    Ok(())
}
