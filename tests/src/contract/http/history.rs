//! Histories: an artist's generations, as far as they are asked for.

use anyhow::ensure;
use serde_json::{Value, json};

use super::{ARTISTS, GENERATIONS, pages, texts};
use crate::{
    given::body,
    http::{Request, artist},
    service::Service,
};

/// Twelve generations, a minute apart: every other one by `google`, every third one failed.
async fn twelve(service: &Service) -> anyhow::Result<()> {
    service.ask(201, Request::post(ARTISTS, json!({"name": "J Dilla"}))).await?;
    let mut batch = Vec::new();
    for minute in 0..12 {
        let time = format!("2026-11-21T08:{minute:02}:00Z");
        let generation =
            body::changed(body::generation_of("J Dilla")?, "/created_at", json!(time))?;
        let provider = if minute % 2 == 0 { "google" } else { "openai" };
        let generation = body::changed(generation, "/provider_used", json!(provider))?;
        let status = if minute % 3 == 0 { "failed" } else { "completed" };
        batch.push(body::changed(generation, "/status", json!(status))?);
    }
    service.ask(201, Request::post(GENERATIONS, json!(batch))).await?;
    Ok(())
}

/// The minutes of what a history lists.
fn minutes(list: &Value) -> Vec<&str> {
    texts(list, "created_at").into_iter().filter_map(|time| time.get(14..16)).collect()
}

/// Each condition alone, and all together, also from page to page; the number of all stays that of all.
pub async fn lists_what_is_asked_for(service: &Service) -> anyhow::Result<()> {
    twelve(service).await?;
    for (query, expected) in [
        ("provider=google", vec!["10", "08", "06", "04", "02", "00"]),
        ("provider=%20Google", vec!["10", "08", "06", "04", "02", "00"]),
        ("status=failed", vec!["09", "06", "03", "00"]),
        ("status=cancelled", vec![]),
        ("provider=nobody", vec![]),
        ("from=2026-11-21T08:09:00Z", vec!["11", "10", "09"]),
        ("to=2026-11-21T08:02:00Z", vec!["01", "00"]),
        ("from=2026-11-21T09:02:00%2B01:00&to=2026-11-21T08:04:00Z", vec!["03", "02"]),
        ("from=2026-11-21T08:02:00Z&to=2026-11-21T08:02:00Z", vec![]),
        (
            "provider=google&status=failed&from=2026-11-21T08:00:00.000001Z&to=2026-11-21T09:00:00Z",
            vec!["06"],
        ),
    ] {
        let target = artist("J Dilla", &format!("/history?limit=2&{query}"));
        let first = service.ask(200, Request::get(&target)).await?;
        ensure!(first.at("/total_generations")? == 12, "{query}: {first:?}");
        let listed = Value::from(pages(service, &target, "history").await?.concat());
        ensure!(minutes(&listed) == expected, "{query}: {:?}", minutes(&listed));
    }
    Ok(())
}

/// A period that ends before it begins names both ends.
pub async fn a_period_runs_forward(service: &Service) -> anyhow::Result<()> {
    twelve(service).await?;
    let target = artist("J Dilla", "/history?from=2026-11-21T08:00:00Z&to=2026-11-20T08:00:00Z");
    let problem = service.refuse(400, "invalid_parameter", Request::get(target)).await?;
    problem.names(&[("from", "must not be after 'to'"), ("to", "must not be before 'from'")])
}

/// Who was removed is no part of an entry any more; the entry stays, and every figure with it.
pub async fn a_removed_artist_leaves_the_entry(service: &Service) -> anyhow::Result<()> {
    twelve(service).await?;
    let stats = Request::get("/api/v1/stats");
    let before = service.ask(200, stats.clone()).await?.json()?;
    let history = service.ask(200, Request::get(artist("J Dilla", "/history?limit=1"))).await?;
    let newest = history.at("/history/0/id")?;

    service.ask(204, Request::delete(artist("J Dilla", ""))).await?;

    let id = newest.as_str().unwrap_or_default();
    let kept = service.ask(200, Request::get(format!("{GENERATIONS}/{id}"))).await?;
    ensure!(kept.at("/artist")? == Value::Null && kept.at("/provider_used")? == "openai");
    super::ensure_same(&service.ask(200, stats).await?.json()?, &before)?;
    let gone = Request::get(artist("J Dilla", "/history"));
    service.refuse(404, "artist_not_found", gone).await?;
    Ok(())
}
