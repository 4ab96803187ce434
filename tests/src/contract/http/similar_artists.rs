//! Similar artists: the closest first, and how that is known.

use anyhow::{Context, ensure};
use domain::Metric;
use serde_json::{Value, json};

mod bad_searches;
mod batches;
mod explanations;
mod filters;
mod freshness;
mod like_unlike;
mod metrics;

use super::{ARTISTS, ensure_same, saved, texts};
use crate::{
    given::{self, body},
    http::{Request, encoded},
    service::Service,
};

pub use self::{
    bad_searches::{
        batches_that_are_none, parameters_that_mean_nothing, searches_that_are_none,
        the_two_forms_of_a_filter_refuse_the_same,
    },
    batches::{answers_a_hundred_as_one_by_one, answers_each_or_says_why_not},
    explanations::{a_mean_is_compared_with, differences_are_in_units_of_drummers},
    filters::{every_condition_counts, statuses_count, wherever_a_filter_is_given_it_is_the_same},
    freshness::{
        a_kept_answer_is_good_until_something_changes, answers_do_not_depend_on_the_index,
        searches_are_counted, the_last_good_search_outlives_the_database,
        what_another_instance_wrote_is_found,
    },
    like_unlike::{
        around_an_embedding_is_everybody, goes_towards_some_and_away_from_others,
        names_everybody_who_cannot_be_compared, what_cancels_out_has_no_direction,
    },
    metrics::{engines_agree, numbers_follow_the_metric},
};

const SIMILAR: &str = "/api/v1/similar";

/// Where the artists who play like one are.
fn similar(name: &str, query: &str) -> String {
    format!("{SIMILAR}/{}{query}", encoded(name))
}

/// A profile with one member of the drum feel changed, and an embedding.
fn playing(seed: u64, changes: &[(&str, f64)]) -> anyhow::Result<Value> {
    changes.iter().try_fold(body::profile_with_embedding(seed)?, |profile, (member, value)| {
        body::changed(profile, &format!("/quantitative_params/{member}"), json!(value))
    })
}

/// The answer without how long it took.
fn timeless(mut answer: Value) -> anyhow::Result<Value> {
    let took = super::take(&mut answer["exactness"], "took_us")?;
    ensure!(took.is_u64(), "{took}");
    Ok(answer)
}

/// As many as asked for, closest first, without the artist itself, with the numbers of the definition.
pub async fn finds_the_closest(service: &Service) -> anyhow::Result<()> {
    for seed in 0..25 {
        saved(service, &format!("Artist {seed:02}"), body::profile_with_embedding(seed)?).await?;
    }
    service.ask(201, Request::post(ARTISTS, json!({"name": "Pending"}))).await?;
    saved(service, "Silent", body::profile()).await?;
    let target = given::embedding(3)?;
    let mut expected = (0..25)
        .filter(|&seed| seed != 3)
        .map(|seed| {
            Ok((
                format!("Artist {seed:02}"),
                Metric::Cosine.score(&target, &given::embedding(seed)?),
            ))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    expected.sort_by(|one, other| other.1.total_cmp(&one.1));

    for (query, count) in [("", 5), ("?limit=1", 1), ("?limit=20", 20)] {
        let request = Request::get(format!("/api/v1/similar/{}{query}", encoded("artist 03")));
        let mut found = service.ask(200, request).await?.json()?;

        let similar = super::take(&mut found, "similar_artists")?;
        let similar = similar.as_array().context("an array")?;
        ensure!(similar.len() == count, "{query}: {similar:?}");
        for (found, (name, similarity)) in similar.iter().zip(&expected) {
            ensure!(found["name"] == *name && found.as_object().is_some_and(|it| it.len() == 2));
            let shown = found["similarity"].as_f64().context("a number")?;
            ensure!((shown - similarity).abs() < 1e-9, "{found} instead of {similarity}");
        }
        let took = super::take(&mut found["exactness"], "took_us")?;
        ensure!(took.is_u64(), "{took}");
        let latest = service.ask(200, Request::get("/api/v1/artists/Silent/profile")).await?;
        let exactness =
            json!({"mode": "exact", "compared": 25, "as_of_version": latest.at("/version")?});
        ensure_same(&found, &json!({"artist": "Artist 03", "exactness": exactness}))?;
    }
    Ok(())
}

/// Twins are ordered by name; a replaced or removed embedding counts at once.
pub async fn follows_every_change(service: &Service) -> anyhow::Result<()> {
    for name in ["c", "B", "a", "Target"] {
        saved(service, name, body::profile_with_embedding(1)?).await?;
    }
    let names = async || {
        let request = Request::get("/api/v1/similar/target?limit=20");
        let found = service.ask(200, request).await?.json()?;
        anyhow::Ok(texts(&found["similar_artists"], "name").join(" "))
    };

    ensure!(names().await? == "a B c");
    service
        .ask(200, Request::put("/api/v1/artists/a/profile", body::profile_with_embedding(9)?))
        .await?;
    ensure!(names().await? == "B c a");
    service.ask(204, Request::delete("/api/v1/artists/b")).await?;
    ensure!(names().await? == "c a");
    service.ask(200, Request::put("/api/v1/artists/c/profile", body::profile())).await?;
    ensure!(names().await? == "a");
    service.ask(204, Request::delete("/api/v1/artists/a/profile")).await?;
    ensure!(names().await?.is_empty());
    Ok(())
}

/// Nobody to compare with, nothing to compare: each is told apart.
pub async fn tells_what_is_missing(service: &Service) -> anyhow::Result<()> {
    service.ask(201, Request::post(ARTISTS, json!({"name": "Pending"}))).await?;
    saved(service, "Silent", body::profile()).await?;
    saved(service, "Only", body::profile_with_embedding(1)?).await?;

    let alone = service.ask(200, Request::get("/api/v1/similar/Only")).await?;
    ensure!(alone.at("/similar_artists")? == Value::Array(Vec::new()));
    for (name, status, code, message) in [
        ("Nobody", 404, "artist_not_found", "Artist 'Nobody' not found in database"),
        ("pending", 404, "profile_not_found", "Artist 'Pending' has no style profile"),
        (
            "silent",
            409,
            "embedding_missing",
            "the style profile of 'Silent' has no embedding to compare",
        ),
    ] {
        let request = Request::get(format!("/api/v1/similar/{name}"));
        let problem = service.refuse(status, code, request).await?;
        ensure!(problem.message()? == message, "{}", problem.body);
    }
    Ok(())
}
