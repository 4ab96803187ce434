//! Whom a search looks at.

use anyhow::ensure;
use domain::FeelParameter;
use serde_json::{Value, json};

use super::{SIMILAR, playing, similar, timeless};
use crate::{
    contract::http::{ARTISTS, ensure_same, saved, texts},
    given::body,
    http::Request,
    service::Service,
};

/// The names that a search finds in this order, and how many were compared for it.
async fn found(service: &Service, query: &str) -> anyhow::Result<(Vec<String>, u64)> {
    let request = Request::get(similar("Target", &format!("?limit=20{query}")));
    let found = service.ask(200, request).await?.json()?;
    ensure!(found["exactness"]["mode"] == "exact", "{found}");
    let mut names: Vec<String> =
        texts(&found["similar_artists"], "name").into_iter().map(str::to_owned).collect();
    names.sort_unstable();
    Ok((names, found["exactness"]["compared"].as_u64().unwrap_or_default()))
}

/// Each parameter by its range, both ends of which are in it; ends that are left out; confidence; all together.
pub async fn every_condition_counts(service: &Service) -> anyhow::Result<()> {
    saved(service, "Target", playing(0, &[])?).await?;
    saved(service, "Alike", playing(1, &[])?).await?;
    let apart: [(FeelParameter, f64, &str, &str); 8] = [
        (FeelParameter::TempoMin, 60.5, "60.5..61", "60.6.."),
        (FeelParameter::TempoMax, 140.25, "140..140.25", "..140.2"),
        (FeelParameter::TempoAvg, 100.5, "100.5..100.5", "..100.4"),
        (FeelParameter::SwingPercent, 50.0, "..50", "50.1..61"),
        (FeelParameter::GhostNoteProb, 0.75, "0.75..", "..0.74"),
        (FeelParameter::SyncopationLevel, 0.125, "0..0.125", "0.126.."),
        (FeelParameter::VelocityMean, 127.0, "127..", "..126.9"),
        (FeelParameter::VelocityStd, 0.0, "..0", "0.1.."),
    ];
    for (seed, (parameter, value, ..)) in (2..).zip(apart) {
        let name = parameter.as_str();
        saved(service, name, playing(seed, &[(name, value)])?).await?;
    }
    let unsure = body::changed(playing(10, &[])?, "/confidence_score", json!(0.25))?;
    saved(service, "Unsure", unsure).await?;
    saved(service, "Silent", body::profile()).await?;

    let (everybody, compared) = found(service, "").await?;
    ensure!((everybody.len(), compared) == (10, 11), "{everybody:?}");
    for (parameter, _, within, beyond) in apart {
        let name = parameter.as_str();
        let (names, compared) = found(service, &format!("&{name}={within}")).await?;
        ensure!((names.as_slice(), compared) == (&[name.to_owned()][..], 1), "{within}: {names:?}");
        let (names, _) = found(service, &format!("&{name}={beyond}")).await?;
        ensure!(!names.contains(&name.to_owned()), "{name}={beyond}: {names:?}");
    }
    // The target is among those compared whom the filter admits, and never an answer.
    let (names, compared) = found(service, "&min_confidence=0.26").await?;
    ensure!((names.len(), compared) == (9, 10) && !names.contains(&"Unsure".to_owned()));
    ensure!(found(service, "&min_confidence=0.25").await? == (everybody, 11));
    ensure!(found(service, "&min_confidence=0.93").await? == (Vec::new(), 0));
    let (names, _) = found(
        service,
        "&velocity_mean=..100&tempo_max=..120&velocity_std=1..&min_confidence=0.5&swing_percent=55..",
    )
    .await?;
    let left = ["Alike", "ghost_note_prob", "syncopation_level", "tempo_avg", "tempo_min"];
    ensure!(names == left, "{names:?}");
    Ok(())
}

/// One status or several; who has a profile and another status than `cached` is found by that.
pub async fn statuses_count(service: &Service) -> anyhow::Result<()> {
    for (seed, name) in ["Target", "cached", "failed", "pending", "researching"].iter().enumerate()
    {
        saved(service, name, body::profile_with_embedding(seed as u64)?).await?;
    }
    service.ask(201, Request::post(ARTISTS, json!({"name": "Without a profile"}))).await?;
    service
        .by_hand("UPDATE artists SET research_status = name WHERE name IN ('failed', 'pending', 'researching')")
        .await?;
    // What was done by hand is seen by whoever asks strictly.
    let strict = Request::get(similar("Target", "")).with("cache-control", "no-cache");
    service.ask(200, strict).await?;

    for (asked, expected, compared) in [
        ("cached", &["cached"][..], 2),
        ("failed", &["failed"], 1),
        ("pending,failed", &["failed", "pending"], 2),
        ("failed,researching,failed", &["failed", "researching"], 2),
        ("researching,pending,failed,cached", &["cached", "failed", "pending", "researching"], 5),
    ] {
        let (names, count) = found(service, &format!("&status={asked}")).await?;
        ensure!(names == expected && count == compared, "{asked}: {names:?}, {count}");
    }
    Ok(())
}

/// A query, a search by body and a batch look at the same artists.
pub async fn wherever_a_filter_is_given_it_is_the_same(service: &Service) -> anyhow::Result<()> {
    for seed in 0..12 {
        let tempo = 82.0 + f64::from(u32::try_from(seed)?);
        saved(service, &format!("Artist {seed:02}"), playing(seed, &[("tempo_avg", tempo)])?)
            .await?;
    }
    let query =
        "?limit=3&status=failed,cached&min_confidence=0.5&tempo_avg=84..90&velocity_mean=..90";
    let wishes = |body: Value| -> anyhow::Result<Value> {
        let filter = json!({
            "status": ["cached", "failed"], "min_confidence": 0.5, "tempo_avg": {"from": 84, "to": 90},
            "velocity_mean": {"to": 90},
        });
        body::changed(body::changed(body, "/filter", filter)?, "/limit", json!(3))
    };

    let by_path = Request::get(similar("artist 00", query));
    let by_path = timeless(service.ask(200, by_path).await?.json()?)?;
    ensure!(by_path["exactness"]["compared"] == 7, "{by_path}");
    ensure!(by_path["similar_artists"].as_array().map(Vec::len) == Some(3), "{by_path}");
    let batch =
        Request::post(format!("{SIMILAR}/batch"), wishes(json!({"artists": ["artist 00"]}))?);
    let batch = timeless(service.ask(200, batch).await?.json()?)?;
    ensure_same(&batch["results"][0]["similar_artists"], &by_path["similar_artists"])?;
    ensure_same(&batch["exactness"], &by_path["exactness"])?;
    let search = Request::post(SIMILAR, wishes(json!({"like": ["artist 00"]}))?);
    let search = timeless(service.ask(200, search).await?.json()?)?;
    let names = |found: &Value| texts(&found["similar_artists"], "name").join(" ");
    ensure!(names(&search) == names(&by_path), "{search}");
    ensure_same(&search["exactness"], &by_path["exactness"])
}
