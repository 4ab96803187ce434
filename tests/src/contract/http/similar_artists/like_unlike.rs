//! Searches around an embedding, and like some artists and unlike others.

use anyhow::{Context, ensure};
use domain::{Embedding, Metric};
use serde_json::{Value, json};

use super::{SIMILAR, timeless};
use crate::{
    contract::http::{ARTISTS, ensure_same, saved, texts},
    given::{self, body},
    http::Request,
    service::Service,
};

async fn many(service: &Service) -> anyhow::Result<()> {
    for seed in 0..15 {
        saved(service, &format!("Artist {seed:02}"), body::profile_with_embedding(seed)?).await?;
    }
    Ok(())
}

/// The names of those artists, the closest first, and how close they are.
fn ranked(
    target: &Embedding,
    seeds: impl Iterator<Item = u64>,
) -> anyhow::Result<Vec<(String, f64)>> {
    let mut ranked = seeds
        .map(|seed| {
            let score = Metric::Cosine.score(target, &given::embedding(seed)?);
            Ok((format!("Artist {seed:02}"), score))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    ranked.sort_by(|one, other| other.1.total_cmp(&one.1));
    Ok(ranked)
}

fn ensure_ranked(found: &Value, expected: &[(String, f64)]) -> anyhow::Result<()> {
    let found = found["similar_artists"].as_array().context("an array")?;
    ensure!(found.len() == expected.len(), "{found:?}");
    for (found, (name, similarity)) in found.iter().zip(expected) {
        let shown = found["similarity"].as_f64().context("a number")?;
        ensure!(found["name"] == *name, "{found} instead of {name}");
        ensure!((shown - similarity).abs() < 1e-9, "{found} instead of {similarity}");
    }
    Ok(())
}

/// Nobody is left out of a search around an embedding, be it somebody's own; of nobody there is an empty list.
pub async fn around_an_embedding_is_everybody(service: &Service) -> anyhow::Result<()> {
    let target = given::embedding(3)?;
    let search = json!({"embedding": target.as_slice(), "limit": 20});

    let nobody = service.ask(200, Request::post(SIMILAR, &search)).await?.json()?;
    ensure_same(&nobody["similar_artists"], &json!([]))?;
    ensure!(nobody["exactness"]["compared"] == 0, "{nobody}");

    many(service).await?;
    saved(service, "Silent", body::profile()).await?;
    let found = timeless(service.ask(200, Request::post(SIMILAR, &search)).await?.json()?)?;
    ensure_ranked(&found, &ranked(&target, 0..15)?)?;
    ensure!(found["exactness"]["compared"] == 15, "{found}");
    ensure!(found.as_object().is_some_and(|it| it.len() == 2), "{found}");
    let numbers: Vec<Value> = target
        .as_slice()
        .iter()
        .map(|number| json!(number.to_string().parse::<f64>().ok()))
        .collect();
    let spelled = json!({"embedding": numbers, "limit": 20});
    let same = timeless(service.ask(200, Request::post(SIMILAR, spelled)).await?.json()?)?;
    ensure_same(&same, &found)
}

/// The mean direction of some, away from that of others; none of them is an answer, in whatever spelling.
pub async fn goes_towards_some_and_away_from_others(service: &Service) -> anyhow::Result<()> {
    many(service).await?;
    let embeddings = |seeds: &[u64]| -> anyhow::Result<Vec<Embedding>> {
        seeds.iter().map(|&seed| given::embedding(seed)).collect()
    };

    for (like, unlike) in [(&[2][..], &[][..]), (&[2, 5], &[]), (&[2, 5, 7], &[1, 4])] {
        let direction = domain::direction(&embeddings(like)?, &embeddings(unlike)?)?;
        let others = (0..15).filter(|seed| !like.contains(seed) && !unlike.contains(seed));
        let expected = ranked(&direction, others)?;
        let spelled = |seeds: &[u64]| -> Vec<String> {
            seeds.iter().map(|seed| format!(" ARTIST  {seed:02}")).collect()
        };
        let shown = |seeds: &[u64]| -> Vec<String> {
            seeds.iter().map(|seed| format!("Artist {seed:02}")).collect()
        };
        let search = json!({"like": spelled(like), "unlike": spelled(unlike), "limit": 20});

        let found = service.ask(200, Request::post(SIMILAR, search)).await?.json()?;

        ensure_ranked(&found, &expected)?;
        ensure_same(&found["like"], &json!(shown(like)))?;
        ensure_same(&found["unlike"], &json!(shown(unlike)))?;
        ensure!(found["exactness"]["compared"] == 15, "{found}");
    }
    let all: Vec<String> = (0..15).map(|seed| format!("Artist {seed:02}")).collect();
    let nobody = Request::post(SIMILAR, json!({"like": all}));
    let nobody = service.ask(200, nobody).await?.json()?;
    ensure!(texts(&nobody["similar_artists"], "name").is_empty(), "{nobody}");
    Ok(())
}

/// The first one decides what kind of problem it is; the places of all are named.
pub async fn names_everybody_who_cannot_be_compared(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile_with_embedding(1)?).await?;
    saved(service, "Silent", body::profile()).await?;
    service.ask(201, Request::post(ARTISTS, json!({"name": "Pending"}))).await?;
    let unknown = "Artist 'J Dila' not found in database";
    let bare = "Artist 'Pending' has no style profile";
    let silent = "the style profile of 'Silent' has no embedding to compare";

    for (like, unlike, status, code, message, places) in [
        (
            json!(["J Dilla", "J Dila"]),
            json!(["silent", "pending"]),
            404,
            "artist_not_found",
            unknown,
            &[("/like/1", unknown), ("/unlike/0", silent), ("/unlike/1", bare)][..],
        ),
        (json!(["pending"]), json!([]), 404, "profile_not_found", bare, &[("/like/0", bare)]),
        (
            json!(["J Dilla"]),
            json!(["Silent", "J Dila"]),
            409,
            "embedding_missing",
            silent,
            &[("/unlike/0", silent), ("/unlike/1", unknown)],
        ),
    ] {
        let request = Request::post(SIMILAR, json!({"like": like, "unlike": unlike}));
        let problem = service.refuse(status, code, request).await?;
        ensure!(problem.message()? == message, "{}", problem.body);
        problem.names(places)?;
        let suggested = if code == "artist_not_found" { &["J Dilla"][..] } else { &[] };
        ensure!(problem.suggestions() == suggested, "{}", problem.body);
    }
    Ok(())
}

/// There is nowhere to look between opposites.
pub async fn what_cancels_out_has_no_direction(service: &Service) -> anyhow::Result<()> {
    let told = "the artists cancel out, so that there is no direction to look in";
    let numbers = given::embedding(1)?.as_slice().to_vec();
    let opposite: Vec<f32> = numbers.iter().map(|number| number * -3.0).collect();
    saved(service, "One", body::profile_with_embedding(1)?).await?;
    let opposite = body::changed(body::profile(), "/embedding", json!(opposite))?;
    saved(service, "Opposite", opposite).await?;

    let request = Request::post(SIMILAR, json!({"like": ["One", "Opposite"]}));
    let problem = service.refuse(400, "invalid_body", request).await?;
    problem.names(&[("/like", told)])
}
