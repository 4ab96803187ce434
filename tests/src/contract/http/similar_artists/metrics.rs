//! What closeness means, and that it does not depend on how it is found.

use anyhow::{Context, ensure};
use domain::{Embedding, Metric};
use serde_json::{Map, Value, json};

use super::{SIMILAR, similar, timeless};
use crate::{
    contract::http::{ensure_same, saved, texts},
    given::{self, body},
    http::Request,
    service::Service,
};

/// An embedding of another length than 1.
fn longer(seed: u64, factor: f32) -> anyhow::Result<Embedding> {
    let embedding = given::embedding(seed)?;
    let numbers = embedding.as_slice().iter().map(|number| number * factor);
    Ok(Embedding::try_from(numbers.collect::<Vec<f32>>())?)
}

/// Each metric orders by its own definition, and `similarity` and `distance` are as documented.
pub async fn numbers_follow_the_metric(service: &Service) -> anyhow::Result<()> {
    let mut stored = Vec::new();
    for (seed, factor) in (0..12).zip([0.5, 3.0, 1.0, 7.0].into_iter().cycle()) {
        let embedding = longer(seed, factor)?;
        let profile = body::changed(body::profile(), "/embedding", json!(embedding.as_slice()))?;
        saved(service, &format!("Artist {seed:02}"), profile).await?;
        stored.push((format!("Artist {seed:02}"), embedding));
    }
    let twin = body::changed(body::profile(), "/embedding", json!(longer(3, 7.0)?.as_slice()))?;
    saved(service, "Twin", twin).await?;
    stored.push(("Twin".to_owned(), longer(3, 7.0)?));

    for metric in Metric::ALL {
        let (name, target) = stored.get(3).context("stored")?;
        let mut expected: Vec<(&str, f64)> = stored
            .iter()
            .filter(|(other, _)| other != name)
            .map(|(name, embedding)| (name.as_str(), metric.score(target, embedding)))
            .collect();
        expected.sort_by(|one, other| other.1.total_cmp(&one.1));

        let query = format!("?limit=20&metric={}", metric.as_str());
        let found = service.ask(200, Request::get(similar(name, &query))).await?.json()?;

        let names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
        ensure!(texts(&found["similar_artists"], "name") == names, "{metric:?}: {found}");
        for (found, (_, score)) in
            found["similar_artists"].as_array().into_iter().flatten().zip(&expected)
        {
            let hit = match metric {
                Metric::Cosine | Metric::InnerProduct => json!({"similarity": score}),
                Metric::L2 => json!({"similarity": 1.0 / (1.0 - score), "distance": -score}),
            };
            for (member, expected) in hit.as_object().context("an object")? {
                let (shown, expected) = (found[member].as_f64(), expected.as_f64());
                let off = shown.zip(expected).map(|(shown, expected)| (shown - expected).abs());
                ensure!(off.is_some_and(|off| off < 1e-9), "{metric:?}: {found}, not {hit}");
            }
            let members = |value: &Value| value.as_object().map_or(0, Map::len);
            ensure!(members(found) == members(&hit) + 1, "{found}");
        }
        let shown = (metric != Metric::Cosine).then_some(metric.as_str());
        ensure!(found["metric"].as_str() == shown, "{found}");
        if metric == Metric::L2 {
            let twin = &found["similar_artists"][0];
            ensure_same(twin, &json!({"name": "Twin", "similarity": 1.0, "distance": 0.0}))?;
        }
    }
    Ok(())
}

/// Whatever finds the answer, it is the same; and what found it is told.
pub async fn engines_agree(service: &Service) -> anyhow::Result<()> {
    for seed in 0..9 {
        saved(service, &format!("Artist {seed}"), body::profile_with_embedding(seed)?).await?;
    }
    let search = |engine: &str| json!({"like": ["Artist 4"], "engine": engine, "limit": 20});

    let by_path = Request::get(similar("Artist 4", "?engine=exact&limit=20"));
    let by_path = timeless(service.ask(200, by_path).await?.json()?)?;
    let by_body = Request::post(SIMILAR, search("exact"));
    let by_body = timeless(service.ask(200, by_body).await?.json()?)?;
    for engine in ["auto", "exact"] {
        let query = format!("?limit=20&engine={engine}");
        let found = service.ask(200, Request::get(similar("Artist 4", &query))).await?;
        ensure_same(&timeless(found.json()?)?, &by_path)?;
        let found = service.ask(200, Request::post(SIMILAR, search(engine))).await?;
        ensure_same(&timeless(found.json()?)?, &by_body)?;
    }
    ensure!(by_path["exactness"]["mode"] == "exact" && by_path["exactness"]["compared"] == 9);
    // An index of so few may miss some, and says so.
    for request in [
        Request::get(similar("Artist 4", "?engine=approximate&limit=20")),
        Request::post(SIMILAR, search("approximate")),
    ] {
        let found = service.ask(200, request).await?.json()?;
        let mode = found["exactness"]["mode"].as_str();
        ensure!(mode.is_some_and(|mode| ["exact", "approximate"].contains(&mode)), "{found}");
    }
    Ok(())
}
