//! Which writes a search includes, what it says of itself, and that neither depends on what answers it.

use std::time::{Duration, Instant};

use anyhow::ensure;
use api::state::StateSettings;
use serde_json::json;
use tokio::time::sleep;

use super::{SIMILAR, playing, similar, timeless};
use crate::{
    contract::http::{ensure_same, saved, texts},
    given::body,
    http::{Answer, Problem, Request, artist},
    program::PATIENCE,
    service::Service,
};

/// Often enough that whoever looks too early is caught.
const ROUNDS: u64 = 20;

/// How long to wait before looking again.
const MOMENT: Duration = Duration::from_millis(2);

fn strict(request: Request) -> Request {
    request.with("cache-control", "no-cache")
}

/// Waits until the index in memory answers.
async fn ready(service: &Service) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let health = service.ask(200, Request::get("/health")).await?;
        if health.at("/index/state")? == "ready" {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "{health:?}");
        sleep(MOMENT).await;
    }
}

/// Checks what answered, and that it is no older than it may be.
fn ensure_fresh(answer: &Answer, source: &str) -> anyhow::Result<()> {
    ensure!(answer.required("x-cache")? == source, "expected {source}: {answer:?}");
    ensure!(answer.required("age")?.parse::<u64>()? <= 1, "{answer:?}");
    ensure!(answer.header("warning").is_none(), "{answer:?}");
    Ok(())
}

/// The three ways to ask for the same two neighbours.
fn questions() -> [Request; 3] {
    [
        Request::get(similar("Target", "?limit=2")),
        Request::post(SIMILAR, json!({"like": ["Target"], "limit": 2})),
        Request::post(format!("{SIMILAR}/batch"), json!({"artists": ["Target"], "limit": 2})),
    ]
}

/// The second one to ask gets what the first one got; after a change nobody does.
pub async fn a_kept_answer_is_good_until_something_changes(
    service: &Service,
) -> anyhow::Result<()> {
    saved(service, "Target", playing(0, &[])?).await?;
    for seed in 1..6 {
        saved(service, &format!("Artist {seed}"), playing(seed, &[])?).await?;
    }
    ready(service).await?;

    for (round, question) in (0..).zip([questions(), questions()].concat()) {
        // A change that no answer shows makes new answers too.
        let changed = playing(100 + round, &[])?;
        service.ask(200, Request::put(artist("Artist 5", "/profile"), changed)).await?;
        let first = service.ask(200, strict(question.clone())).await?;
        ensure!(first.required("x-cache")? != "memory", "{first:?}");
        let again = service.ask(200, question.clone()).await?;
        ensure_fresh(&again, "memory")?;
        ensure_same(&timeless(again.json()?)?, &timeless(first.json()?)?)?;
    }
    let names = async || -> anyhow::Result<Vec<String>> {
        let [question, ..] = questions();
        let found = service.ask(200, question).await?.json()?;
        Ok(texts(&found["similar_artists"], "name").into_iter().map(str::to_owned).collect())
    };
    for round in 0..ROUNDS {
        // Closer than anybody, and then not.
        let twin = playing(0, &[])?;
        service.ask(200, Request::put(artist("Artist 1", "/profile"), twin)).await?;
        ensure!(names().await?.first().map(String::as_str) == Some("Artist 1"), "round {round}");
        service.ask(200, Request::put(artist("Artist 1", "/profile"), body::profile())).await?;
        ensure!(!names().await?.contains(&"Artist 1".to_owned()), "round {round}");
    }
    Ok(())
}

/// By metric, by whether everything was compared, and by what answered; and how the index stands.
pub async fn searches_are_counted(service: &Service) -> anyhow::Result<()> {
    for seed in 0..3 {
        saved(service, &format!("Artist {seed}"), playing(seed, &[])?).await?;
    }
    ready(service).await?;
    let batch = json!({"artists": ["Artist 0", "Artist 1", "Nobody"], "limit": 1, "metric": "l2"});
    for question in [
        Request::get(similar("Artist 0", "")),
        Request::get(similar("Artist 0", "")),
        Request::get(similar("Artist 0", "?limit=4")),
        Request::post(SIMILAR, json!({"like": ["Artist 0"], "metric": "inner_product"})),
        Request::post(format!("{SIMILAR}/batch"), batch),
    ] {
        service.ask(200, question).await?;
    }

    let metrics = service.ask(200, Request::get("/metrics")).await?;

    for line in [
        r#"similarity_searches_total{metric="cosine",mode="exact",source="index"} 2"#,
        r#"similarity_searches_total{metric="cosine",mode="exact",source="memory"} 1"#,
        r#"similarity_searches_total{metric="inner_product",mode="exact",source="index"} 1"#,
        r#"similarity_searches_total{metric="l2",mode="exact",source="index"} 2"#,
        "similarity_failed_searches_total 0",
        "similarity_stale_searches_total 0",
        r#"similarity_index_state{state="ready"} 1"#,
        r#"similarity_index_state{state="off"} 0"#,
        r#"similarity_index_vectors{kind="current"} 3"#,
        "similarity_index_lag 0",
        "similarity_index_bound_bytes 1073741824",
        "similarity_recall_at_10 -1.0",
    ] {
        let text = metrics.text()?;
        let line = format!("groovebase_{line}");
        ensure!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    Ok(())
}

/// Whoever asks strictly finds it at once; everybody within a second.
pub async fn what_another_instance_wrote_is_found(service: &Service) -> anyhow::Result<()> {
    let other = service.another(StateSettings::default()).await?;
    saved(&other, "Target", playing(0, &[])?).await?;
    saved(&other, "Far", playing(9, &[])?).await?;
    service.ask(200, strict(Request::get(similar("Target", "")))).await?;
    ready(service).await?;

    let embedding = json!({"embedding": playing(0, &[])?["embedding"], "limit": 2});
    let [by_path, by_body, batch] = questions();
    for round in 0..ROUNDS {
        for (question, place) in [
            // First, since it asks for nobody's profile, which would be a look for changes already.
            (Request::post(SIMILAR, &embedding), "/similar_artists/1"),
            (by_path.clone(), "/similar_artists/0"),
            (by_body.clone(), "/similar_artists/0"),
            (batch.clone(), "/results/0/similar_artists/0"),
        ] {
            let name = format!("{place}/name");
            let made = saved(&other, "Twin", playing(0, &[])?).await?;
            let found = service.ask(200, strict(question.clone())).await?;
            ensure!(found.at(&name)? == "Twin", "round {round}: {found:?}");
            let as_of = found.at("/exactness/as_of_version")?.as_u64();
            ensure!(made.at("/version")?.as_u64() <= as_of, "{found:?}");
            other.ask(204, Request::delete(artist("Twin", ""))).await?;
            let found = service.ask(200, strict(question)).await?;
            ensure!(found.at(&name)? == "Far", "round {round}: {found:?}");
        }
    }
    let twin = playing(0, &[])?;
    saved(&other, "Twin", twin).await?;
    let written = Instant::now();
    loop {
        let late = Duration::from_secs(1) < written.elapsed();
        let found = service.ask(200, Request::get(similar("Target", ""))).await?;
        if found.at("/similar_artists/0/name")? == "Twin" {
            break;
        }
        ensure!(!late, "{found:?}");
        sleep(MOMENT).await;
    }
    other.stop().await;
    Ok(())
}

/// With an index, without one, and with one that is too small: the same answers, byte for byte.
pub async fn answers_do_not_depend_on_the_index(service: &Service) -> anyhow::Result<()> {
    for seed in 0..30 {
        let tempo = 85.0 + f64::from(u32::try_from(seed % 10)?);
        let profile = playing(seed % 25, &[("tempo_avg", tempo)])?;
        saved(service, &format!("Artist {seed:02}"), profile).await?;
    }
    ready(service).await?;
    let mut settings = StateSettings::default();
    settings.similarity.answers = 0;
    settings.similarity.memory_bytes = 0;
    let without = service.another(settings.clone()).await?;
    settings.similarity.memory_bytes = 1;
    let too_small = service.another(settings).await?;

    for question in [
        Request::get(similar("Artist 07", "?limit=20")),
        Request::get(similar("Artist 07", "?metric=l2&explain=true")),
        Request::get(similar("Artist 07", "?metric=inner_product&tempo_avg=86..90")),
        Request::get(similar("Artist 07", "?min_confidence=0.99")),
        Request::get(similar("Artist 07", "?engine=exact&status=cached&limit=1")),
        Request::post(
            SIMILAR,
            json!({"like": ["Artist 01", "Artist 02"], "unlike": ["Artist 03"]}),
        ),
        Request::post(SIMILAR, json!({"embedding": playing(31, &[])?["embedding"]})),
        Request::post(format!("{SIMILAR}/batch"), json!({"artists": ["Artist 04", "Nobody"]})),
    ] {
        let with = service.ask(200, strict(question.clone())).await?;
        ensure_fresh(&with, "index")?;
        for other in [&without, &too_small] {
            let found = other.ask(200, strict(question.clone())).await?;
            ensure_fresh(&found, "database")?;
            ensure_same(&timeless(found.json()?)?, &timeless(with.json()?)?)?;
            ensure!(spelled(&found)? == spelled(&with)?, "{found:?}");
        }
    }
    let health = without.ask(200, Request::get("/health")).await?;
    ensure!(health.at("/index/state")? == "off" && health.at("/status")? == "ok", "{health:?}");
    let health = too_small.ask(200, Request::get("/health")).await?;
    ensure!(health.at("/index/state")? == "too_large", "{health:?}");
    ensure!(health.at("/status")? == "degraded", "{health:?}");
    without.stop().await;
    too_small.stop().await;
    Ok(())
}

/// The text of an answer up to how it was found.
fn spelled(answer: &Answer) -> anyhow::Result<&str> {
    Ok(answer.text()?.split("\"exactness\"").next().unwrap_or_default())
}

/// What was found before is still found, and marked; whoever has to be certain is refused.
pub async fn the_last_good_search_outlives_the_database(service: &Service) -> anyhow::Result<()> {
    saved(service, "Target", playing(0, &[])?).await?;
    saved(service, "Other", playing(1, &[])?).await?;
    let alone = service.another(StateSettings::default()).await?;
    ready(&alone).await?;
    let questions = questions();
    let mut before = Vec::new();
    for question in &questions {
        before.push(alone.ask(200, question.clone()).await?);
    }

    alone.lose_database().await;

    for (question, before) in questions.iter().zip(&before) {
        let began = Instant::now();
        let stale = loop {
            let answer = alone.send(question).await?;
            ensure!(answer.status == 200 && began.elapsed() < PATIENCE, "{answer:?}");
            if answer.header("warning").is_some() {
                break answer;
            }
            sleep(MOMENT).await;
        };
        ensure!(stale.required("warning")?.starts_with("110 "), "{stale:?}");
        ensure_same(&timeless(stale.json()?)?, &timeless(before.json()?)?)?;
        let request = strict(question.clone());
        let answer = alone.send(&request).await?;
        Problem::read(answer, 503, "database_unavailable", &request)?;
    }
    alone.stop().await;
    Ok(())
}
