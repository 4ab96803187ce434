//! The dashboard and the alert rules in `docs/`: they can be read, and ask for metrics that there are.

#![expect(
    clippy::indexing_slicing,
    reason = "what a JSON value does not have is null, not a panic"
)]

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context, ensure};
use groovebase_tests::{
    fixture::{Fixture, Sqlite},
    given::body,
    http::{Request, artist},
    service::Service,
};
use serde_json::{Value, json};

/// What Prometheus itself knows of whom it asks.
const FROM_PROMETHEUS: [&str; 1] = ["up"];

/// What metrics of ours begin with.
const OURS: [&str; 2] = ["groovebase_", "db_"];

fn file(name: &str) -> anyhow::Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}

fn yaml(name: &str) -> anyhow::Result<Value> {
    serde_saphyr::from_str(&file(name)?).with_context(|| name.to_owned())
}

/// Every query of the dashboard, with the panel that asks it.
fn of_dashboard() -> anyhow::Result<Vec<(String, String)>> {
    let dashboard: Value = serde_json::from_str(&file("docs/grafana/dashboard.json")?)?;
    let panels = dashboard["panels"].as_array().context("panels")?;
    let mut queries = Vec::new();
    let mut places = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().context("a title")?;
        ensure!(panel["gridPos"]["w"].is_u64(), "{title} has no place");
        ensure!(places.insert(panel["gridPos"].to_string()), "{title} has another one's place");
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().with_context(|| title.to_owned())?;
            queries.push((title.to_owned(), query.to_owned()));
        }
    }
    for variable in dashboard["templating"]["list"].as_array().into_iter().flatten() {
        if let Some(query) = variable["query"]["query"].as_str() {
            queries.push((variable["name"].to_string(), query.to_owned()));
        }
    }
    Ok(queries)
}

/// Every query of the rules, with the alert that asks it.
fn of_alerts() -> anyhow::Result<Vec<(String, String)>> {
    let alerts = yaml("docs/prometheus/alerts.yml")?;
    let mut queries = Vec::new();
    for group in alerts["groups"].as_array().context("groups")? {
        for rule in group["rules"].as_array().context("rules")? {
            let alert = rule["alert"].as_str().context("a name")?;
            for told in ["summary", "description"] {
                ensure!(rule["annotations"][told].is_string(), "{alert} has no {told}");
            }
            ensure!(rule["labels"]["severity"].is_string(), "{alert} has no severity");
            queries.push((alert.to_owned(), rule["expr"].as_str().context("a query")?.to_owned()));
        }
    }
    Ok(queries)
}

/// The names in a query that look like metrics of ours.
fn names(query: &str) -> BTreeSet<&str> {
    query
        .split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'))
        .filter(|word| OURS.iter().any(|ours| word.starts_with(ours)))
        .collect()
}

/// What a service tells that has done a little of everything.
async fn exported() -> anyhow::Result<BTreeSet<String>> {
    let fixture = Sqlite::open().await?;
    let service = Service::start(&fixture).await?;
    for (seed, name) in [(1, "J Dilla"), (2, "Tony Allen")] {
        let profile = body::profile_with_embedding(seed)?;
        service.ask(201, Request::put(artist(name, "/profile"), profile)).await?;
    }
    service.ask(200, Request::get("/api/v1/similar/J%20Dilla")).await?;
    let generation =
        json!({"provider_used": "template", "generation_time_ms": 5, "user_params": {}});
    service.ask(201, Request::post("/api/v1/generations", generation)).await?;
    let metrics = service.ask(200, Request::get("/metrics")).await?;

    let mut names = BTreeSet::new();
    for line in metrics.text()?.lines() {
        // A family without a series yet is there by its type.
        let mut words = line.split(['{', ' ']);
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("TYPE"), Some(name), Some("counter")) => {
                names.insert(format!("{name}_total"));
            }
            (Some("#") | None, ..) => {}
            (Some(name), ..) => {
                names.insert(name.to_owned());
            }
        }
    }
    service.stop().await;
    fixture.close().await?;
    Ok(names)
}

#[tokio::test]
async fn every_metric_that_is_asked_for_is_there() -> anyhow::Result<()> {
    let exported = exported().await?;
    let mut asked = BTreeSet::new();
    for (place, query) in of_dashboard()?.into_iter().chain(of_alerts()?) {
        let names = names(&query);
        let is_known = FROM_PROMETHEUS.iter().any(|name| query.contains(name));
        assert!(!names.is_empty() || is_known, "{place} asks for nothing of ours: {query}");
        for name in names {
            assert!(exported.contains(name), "{place} asks for {name}, which there is not");
            asked.insert(name.to_owned());
        }
    }

    for name in [
        "db_query_duration_seconds_bucket",
        "db_cache_hit_rate",
        "db_pool_active_connections",
        "db_pool_idle_connections",
        "db_style_profile_saves_total",
        "db_generation_history_saves_total",
        "db_similarity_searches_total",
        "db_query_errors_total",
        "db_cache_errors_total",
    ] {
        assert!(asked.contains(name), "nobody looks at {name}");
    }
    Ok(())
}

#[test]
fn what_is_loaded_is_there() -> anyhow::Result<()> {
    let prometheus = yaml("docs/prometheus/prometheus.yml")?;
    assert_eq!(prometheus["rule_files"], json!(["alerts.yml"]));
    assert!(prometheus["scrape_configs"][0]["job_name"].is_string());
    let datasource = yaml("docs/grafana/datasource.yaml")?;
    let provider = yaml("docs/grafana/provider.yaml")?;
    assert!(datasource["datasources"][0]["url"].is_string());
    assert_eq!(provider["providers"][0]["options"]["path"], "/etc/grafana/dashboards");

    let compose = yaml("compose.yaml")?;
    for name in ["prometheus", "grafana"] {
        let service = &compose["services"][name];
        assert_eq!(service["profiles"], json!(["observability"]), "{name}");
        for volume in service["volumes"].as_array().context("volumes")? {
            let local = volume.as_str().and_then(|it| it.split(':').next()).unwrap_or_default();
            if let Some(local) = local.strip_prefix("./") {
                assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(local).exists());
            }
        }
    }
    Ok(())
}
