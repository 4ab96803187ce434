//! Operations: health, metrics, documentation, and what every answer carries.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use api::state::StateSettings;
use cache::Bounds;
use serde_json::json;
use tokio::time::sleep;

use super::{ARTISTS, GENERATIONS, STATS, ensure_same, profile_path, saved, take};
use crate::{
    given::body,
    http::{Problem, Request, artist},
    service::Service,
};

/// How long to wait for what the service does by itself, and how often to look.
const PATIENCE: Duration = Duration::from_secs(20);
const MOMENT: Duration = Duration::from_millis(20);

/// Alive, ready, and how.
pub async fn tells_how_it_is(service: &Service) -> anyhow::Result<()> {
    is_ready(service).await?;
    for path in ["/health/live", "/health/ready"] {
        ensure_same(
            &service.ask(200, Request::get(path)).await?.json()?,
            &json!({"status": "ok"}),
        )?;
    }
    let mut health = service.ask(200, Request::get("/health")).await?.json()?;

    let latency = take(&mut health["database"], "latency_us")?;
    ensure!(latency.as_u64().is_some_and(|latency| latency < 10_000_000), "{latency}");
    let backend = format!("{:?}", service.store().backend()).to_lowercase();
    ensure_same(&take(&mut health, "database")?, &json!({"state": "ok", "backend": backend}))?;
    let pool = take(&mut health, "pool")?;
    ensure!(pool["most"] == 10 && pool["active"].is_u64() && pool["idle"].is_u64(), "{pool}");
    ensure!(pool["state"] == "ok" && pool["latency_us"].is_u64(), "{pool}");
    let version = take(&mut health, "version")?;
    ensure!(version.as_str().is_some_and(|version| version.split('.').count() == 3), "{version}");
    let mut feed = take(&mut health, "feed")?;
    let age = take(&mut feed, "age_ms")?;
    ensure!(age.is_null() || age.as_u64().is_some_and(|age| age < 60_000), "{age}");
    ensure!(take(&mut feed, "latency_us")?.is_u64(), "{feed}");
    ensure!(age.is_u64(), "it is ready: {feed}");
    ensure_same(&feed, &json!({"state": "ok", "artists": 0}))?;
    let mut index = take(&mut health, "index")?;
    let state = take(&mut index, "state")?;
    ensure!(state == "loading" || state == "ready" || state == "behind", "{state}");
    let latency = take(&mut index, "latency_us")?;
    ensure!(latency.is_u64() || state != "ready", "{latency}");
    ensure!(take(&mut index, "version")?.is_u64() && take(&mut index, "memory_bytes")?.is_u64());
    ensure_same(&index, &json!({"vectors": 0, "bound_bytes": 1_073_741_824}))?;
    let off = json!({"state": "off", "age_ms": null, "keys": 0});
    ensure_same(&take(&mut health, "access")?, &off)?;
    ensure_same(&take(&mut health, "accounts")?, &json!({"state": "ok"}))?;
    let no_other = json!({"state": "not_configured", "latency_us": null});
    ensure_same(&take(&mut health, "read_database")?, &no_other)?;
    let no_redis = json!({"state": "not_configured", "latency_us": null, "detail": null});
    ensure_same(&health, &json!({"status": "ok", "redis": no_redis}))
}

/// Waits until the catalog was complete once.
async fn is_ready(service: &Service) -> anyhow::Result<()> {
    let began = Instant::now();
    while service.send(&Request::get("/health/ready")).await?.status != 200 {
        ensure!(began.elapsed() < PATIENCE, "it is never ready");
        sleep(MOMENT).await;
    }
    Ok(())
}

/// What the caches know is part of how it is.
pub async fn tells_how_its_caches_are(service: &Service) -> anyhow::Result<()> {
    for name in ["J Dilla", "Tony Allen"] {
        saved(service, name, body::profile()).await?;
    }
    // The first one waits for the catalog.
    let strict = Request::get(artist("Nobody", "/profile")).with("cache-control", "no-cache");
    service.ask(404, strict).await?;
    for name in ["J Dilla", "j dilla"] {
        service.ask(200, Request::get(artist(name, "/profile"))).await?;
    }

    let health = service.ask(200, Request::get("/health")).await?;
    let metrics = service.ask(200, Request::get("/metrics")).await?;

    ensure!(health.at("/feed/state")? == "ok" && health.at("/feed/artists")? == 2, "{health:?}");
    let text = metrics.text()?;
    for line in [
        r#"groovebase_cache_reads_total{kind="profile",tier="memory"} 2"#,
        r#"groovebase_cache_reads_total{kind="profile",tier="catalog"} 1"#,
        r#"groovebase_cache_reads_total{kind="profile",tier="redis"} 0"#,
        r#"groovebase_cache_reads_total{kind="profile",tier="none"} 0"#,
        r#"groovebase_cache_reads_total{kind="artist",tier="catalog"} 1"#,
        r#"groovebase_cache_stale_reads_total{kind="profile"} 0"#,
        "groovebase_feed_artists 2",
        "groovebase_feed_unreachable 0",
        "groovebase_feed_failed_rounds_total 0",
        "groovebase_feed_connections_total 1",
        "groovebase_redis_up -1",
        "groovebase_redis_operations_total 0",
    ] {
        ensure!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    for name in ["feed_age_seconds", "feed_lag_seconds", "feed_rounds_total", "feed_changes_total"]
    {
        ensure!(0.0 < number(text, &format!("groovebase_{name}"))?, "{name} in\n{text}");
    }
    Ok(())
}

/// What statistics are answered from, and whether generations are folded, is counted.
pub async fn tells_how_the_account_is_kept(service: &Service) -> anyhow::Result<()> {
    const FAILING: &str = "groovebase_account_fold_failing_seconds";
    let generation =
        json!({"provider_used": "template", "generation_time_ms": 5, "user_params": {}});
    service.ask(201, Request::post(GENERATIONS, generation)).await?;
    // Different questions about the same sums.
    for provider in ["template", "openai", "anthropic"] {
        service.ask(200, Request::get(format!("{STATS}?provider={provider}"))).await?;
    }

    let text = counted(service, "groovebase_account_folded_sums_total", |sums| 1.0 <= sums).await?;
    for line in [
        "groovebase_account_folds_total 1",
        "groovebase_account_fold_failing_seconds 0.0",
        "groovebase_statistics_spans 1",
        r#"groovebase_statistics_span_reads_total{source="memory"} 2"#,
        r#"groovebase_statistics_span_reads_total{source="database"} 1"#,
        r#"groovebase_statistics_answers_total{source="sums"} 3"#,
        r#"groovebase_statistics_answers_total{source="memory"} 0"#,
        "groovebase_statistics_resets_total 0",
    ] {
        ensure!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    ensure!(0.0 < number(&text, "groovebase_statistics_memory_bytes")?, "{text}");
    let again = r#"groovebase_statistics_answers_total{source="memory"}"#;
    let began = Instant::now();
    loop {
        service.ask(200, Request::get(STATS)).await?;
        let metrics = service.ask(200, Request::get("/metrics")).await?;
        if 1.0 <= number(metrics.text()?, again)? {
            break;
        }
        // On a server others may commit to databases of their own all the time.
        ensure!(began.elapsed() < PATIENCE, "no answer was sent again");
    }

    service.by_hand("ALTER TABLE generation_rollup_pending RENAME TO away").await?;
    counted(service, FAILING, |seconds| 0.0 < seconds).await?;
    service.by_hand("ALTER TABLE away RENAME TO generation_rollup_pending").await?;
    counted(service, FAILING, |seconds| seconds <= 0.0).await?;
    Ok(())
}

/// Asks for the metrics until the number of one is as wanted.
async fn counted(
    service: &Service,
    name: &str,
    is_wanted: impl Fn(f64) -> bool,
) -> anyhow::Result<String> {
    let began = Instant::now();
    loop {
        let metrics = service.ask(200, Request::get("/metrics")).await?;
        let text = metrics.text()?;
        if is_wanted(number(text, name)?) {
            return Ok(text.to_owned());
        }
        ensure!(began.elapsed() < PATIENCE, "waited in vain for {name}:\n{text}");
        sleep(MOMENT).await;
    }
}

/// The number of a metric without labels.
fn number(text: &str, name: &str) -> anyhow::Result<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(line.with_context(|| format!("no {name} in\n{text}"))?.parse()?)
}

/// Without its database the service lives, is not ready, and says when to try again.
pub async fn tells_that_the_database_is_gone(service: &Service) -> anyhow::Result<()> {
    let bounds = Bounds { max_stale_if_error: Duration::ZERO, ..Bounds::default() };
    let helpless = service.another(StateSettings { bounds, ..StateSettings::default() }).await?;
    service.ask(201, Request::post(ARTISTS, json!({"name": "J Dilla"}))).await?;
    is_ready(service).await?;
    is_ready(&helpless).await?;

    service.lose_database().await;
    helpless.lose_database().await;

    service.ask(200, Request::get("/health/live")).await?;
    // For a while it can hand out what it has.
    service.ask(200, Request::get("/health/ready")).await?;
    helpless.ask(200, Request::get("/health/live")).await?;
    helpless.ask(503, Request::get("/health/ready")).await?;
    helpless.stop().await;
    let health = service.ask(503, Request::get("/health")).await?;
    ensure!(
        health.at("/status")? == "unavailable" && health.at("/database/state")? == "unavailable"
    );
    ensure!(health.at("/pool/state")? == "unavailable" && health.at("/pool/latency_us")?.is_null());
    for request in [
        Request::get(artist("J Dilla", "")),
        Request::get(ARTISTS),
        // Without this the catalog knows, for a while, that there is no profile.
        Request::get(profile_path()).with("cache-control", "no-cache"),
        Request::put(profile_path(), body::profile()),
        Request::get(STATS),
    ] {
        let answer = service.send(&request).await?;
        let problem = Problem::read(answer, 503, "database_unavailable", &request)?;
        ensure!(problem.answer.required("retry-after")?.parse::<u32>().is_ok());
        ensure!(
            problem.message()? == "the database cannot be reached or is overloaded; try again",
            "{}",
            problem.body
        );
    }
    Ok(())
}

/// Counted by route, method and status; what a caller invents is no label.
pub async fn counts_what_it_answers(service: &Service) -> anyhow::Result<()> {
    for name in ["A", "B", "C"] {
        service.refuse(404, "artist_not_found", Request::get(artist(name, ""))).await?;
    }
    service.refuse(404, "route_not_found", Request::get("/invented")).await?;

    let metrics = service.ask(200, Request::get("/metrics")).await?;

    ensure!(metrics.media_type() == Some("application/openmetrics-text"), "{metrics:?}");
    let text = metrics.text()?;
    let counted = r#"groovebase_http_requests_total{method="GET",route="/api/v1/artists/{artist}",status="404"} 3"#;
    ensure!(text.lines().any(|line| line == counted), "{text}");
    ensure!(text.contains("groovebase_http_request_duration_seconds_bucket{"), "{text}");
    ensure!(text.contains(r#"groovebase_database_connections{state="most"} 10"#), "{text}");
    ensure!(text.ends_with("# EOF\n") && !text.contains("invented"), "{text}");
    Ok(())
}

/// The description, and a page to read it on.
pub async fn describes_itself(service: &Service) -> anyhow::Result<()> {
    let document = service.ask(200, Request::get("/openapi.json")).await?;
    ensure!(document.text()? == api::openapi_json());

    let moved = service.ask(308, Request::get("/docs")).await?;
    let page = service.ask(200, Request::get(moved.required("location")?)).await?;
    ensure!(page.media_type() == Some("text/html"), "{page:?}");
    let page = page.text()?;
    for file in ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-initializer.js"] {
        ensure!(page.contains(file), "{page}");
        service.ask(200, Request::get(format!("/docs/{file}"))).await?;
    }
    let start = service.ask(200, Request::get("/docs/swagger-initializer.js")).await?;
    ensure!(start.text()?.contains("/openapi.json"), "{start:?}");
    Ok(())
}

/// A usable identity is echoed; any other is replaced by a new one, which differs each time.
pub async fn every_answer_has_an_identity(service: &Service) -> anyhow::Result<()> {
    let longest = "x".repeat(128);
    for given in ["abc-123", "01890a5d-ac96-774b-bcce-b302099a8057", "!#~", &longest] {
        for (status, path) in [(200, "/health/live"), (404, "/nowhere"), (404, "/api/v1/artists/A")]
        {
            let answer =
                service.ask(status, Request::get(path).with("x-request-id", given)).await?;
            ensure!(answer.required("x-request-id")? == given, "{answer:?}");
        }
    }
    let mut made = Vec::new();
    for unusable in ["", "two words", "naïve", &"x".repeat(129)] {
        let request = Request::get("/health/live").with("x-request-id", unusable);
        let answer = service.ask(200, request).await?;
        made.push(answer.required("x-request-id")?.to_owned());
    }
    let answer = service.ask(200, Request::get("/health/live")).await?;
    made.push(answer.required("x-request-id")?.to_owned());
    ensure!(made.iter().all(|id| id.len() == 36), "{made:?}");
    made.sort_unstable();
    made.dedup();
    ensure!(made.len() == 5, "{made:?}");
    Ok(())
}

/// HEAD answers with the head of GET, and without a body.
pub async fn a_head_has_no_body(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile()).await?;
    for path in [profile_path(), artist("Nobody", "/profile"), STATS.to_owned()] {
        let head = service.send(&Request::new("HEAD", &path)).await?;
        let get = service.send(&Request::get(&path)).await?;
        ensure!(head.status == get.status && head.text()?.is_empty(), "{head:?}");
        ensure!(head.media_type() == get.media_type() && head.header("etag") == get.header("etag"));
        let length = head.header("content-length").context("the length of what is left out")?;
        // A problem holds the request's identity, which is of one length.
        ensure!(length == get.required("content-length")?, "{head:?} {get:?}");
    }
    Ok(())
}
