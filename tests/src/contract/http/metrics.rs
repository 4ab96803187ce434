//! What the service counts for those who watch the data layer.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use serde_json::json;

use super::{GENERATIONS, profile_path, saved};
use crate::{
    given::body,
    http::{Request, artist},
    service::Service,
};

/// Under the names that dashboards ask for.
pub async fn counts_the_data_layer(service: &Service) -> anyhow::Result<()> {
    for name in ["J Dilla", "Tony Allen"] {
        saved(service, name, body::profile()).await?;
    }
    service.ask(200, Request::put(profile_path(), body::profile())).await?;
    let generation =
        json!({"provider_used": "template", "generation_time_ms": 5, "user_params": {}});
    service.ask(201, Request::post(GENERATIONS, generation.clone())).await?;
    service.ask(201, Request::post(GENERATIONS, json!([generation.clone(), generation]))).await?;
    service.ask(200, Request::get(artist("Tony Allen", "/profile"))).await?;
    let nobody = json!({"provider_used": "x", "generation_time_ms": 5, "user_params": {}, "artist": "Nobody"});
    service.refuse(404, "artist_not_found", Request::post(GENERATIONS, nobody)).await?;

    let metrics = service.ask(200, Request::get("/metrics")).await?;

    let text = metrics.text()?;
    for line in [
        "db_style_profile_saves_total 3",
        "db_generation_history_saves_total 3",
        "db_similarity_searches_total 0",
        r#"db_query_duration_seconds_count{operation="save",table="style_profiles"} 3"#,
    ] {
        ensure!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    for name in [
        "db_pool_active_connections ",
        "db_pool_idle_connections ",
        "db_cache_hit_rate ",
        r#"db_query_duration_seconds_bucket{le="0.5",operation="record",table="generation_history"}"#,
        "# TYPE db_query_errors counter",
        "# TYPE db_cache_errors counter",
    ] {
        ensure!(text.lines().any(|line| line.starts_with(name)), "{name} is not in\n{text}");
    }
    // What a caller is refused is an answer.
    ensure!(!text.contains("db_query_errors_total{"), "{text}");
    Ok(())
}

/// However many methods and paths callers think of, there are no more series than there are routes.
pub async fn labels_are_not_the_callers_to_invent(service: &Service) -> anyhow::Result<()> {
    let ask = async |method: &'static str, path: &str| {
        service.client().send(&Request::new(method, path)).await.map(drop)
    };
    for (method, path) in [("BREW", "/brew"), ("GET", "/nowhere"), ("BREW", "/health/live")] {
        ask(method, path).await?;
    }
    ask("GET", &artist("Nobody", "")).await?;
    let before = series(service).await?;

    for number in 0..40 {
        for method in ["BREW", "BREW-1", "BREW-2", "PROPFIND", "brew", "get"] {
            ask(method, &format!("/brew/{number}")).await?;
            ask(method, "/health/live").await?;
        }
        ask("GET", &format!("/nowhere/{number}?{number}={number}")).await?;
        ask("GET", &artist(&format!("Nobody {number}"), "")).await?;
    }

    let after = series(service).await?;
    let new: Vec<_> = after.difference(&before).collect();
    ensure!(new.is_empty(), "{new:?}");
    Ok(())
}

/// The labels of every series about requests, except the question for them.
async fn series(service: &Service) -> anyhow::Result<BTreeSet<String>> {
    let metrics = service.ask(200, Request::get("/metrics")).await?;
    let text = metrics.text()?;
    ensure!(!text.to_lowercase().contains("brew"), "{text}");
    text.lines()
        .filter(|line| line.starts_with("groovebase_http_") && !line.contains("/metrics"))
        .map(|line| Ok(line.rsplit_once(' ').context("a number")?.0.to_owned()))
        .collect()
}
