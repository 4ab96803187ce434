//! Similar artists: the same order and numbers as comparing all of them in double precision, as of now.

mod difficult;
mod edits;
mod engines;
mod filters;
pub(crate) mod model;

use anyhow::{Context, ensure};
use domain::{Embedding, Expected, Limit, Metric, Search};
use model::{Model, profile, same_neighbours};

use crate::{
    fixture::{Fixture, Sqlite},
    given,
};

pub use difficult::{ranks_what_single_precision_cannot_tell_apart, takes_every_scale};
pub use edits::{
    edits_by_hand_count_at_once, every_change_counts_at_once, never_tears_a_vector_under_writes,
    what_cannot_be_compared_hides_no_other,
};
pub use engines::every_engine_says_what_it_did;
pub use filters::{conditions_hold_together, ends_of_ranges_are_included, nobody_may_be_admitted};

/// A search around an embedding.
fn around(target: &Embedding, metric: Metric, limit: u16) -> anyhow::Result<Search> {
    Ok(Search { metric, ..Search::around(target.clone(), Limit::new(limit)?) })
}

/// Artists with embeddings of unit length, or a few times that, in all directions.
async fn filled(fixture: &impl Fixture, artists: u16) -> anyhow::Result<Model> {
    let profiles = (0..artists).map(|number| {
        let embedding = scaled(&given::embedding(number.into())?, f32::from(1 + number % 5))?;
        profile(&format!("Artist {number:03}"), embedding)
    });
    Model::filled(fixture, profiles.collect::<anyhow::Result<_>>()?).await
}

fn scaled(embedding: &Embedding, factor: f32) -> anyhow::Result<Embedding> {
    let numbers: Vec<f32> = embedding.as_slice().iter().map(|number| number * factor).collect();
    Ok(Embedding::try_from(numbers)?)
}

/// Same artists, same order, same numbers, by every metric.
pub async fn agrees_with_the_definition(fixture: &impl Fixture) -> anyhow::Result<()> {
    let model = filled(fixture, 200).await?;
    let similar = fixture.similar_artists();
    let stored = model.vectors().step_by(40).map(|(_, vector)| vector.embedding.clone());
    let targets: Vec<Embedding> = stored.chain([given::embedding(1_000)?]).collect();

    for target in &targets {
        for metric in Metric::ALL {
            for limit in [1, 7, 20] {
                model.agrees(&*similar, &around(target, metric, limit)?).await?;
            }
        }
    }
    Ok(())
}

/// The same data gives the same answers here and on SQLite, to the last bit.
pub async fn gives_the_same_numbers_on_every_backend(fixture: &impl Fixture) -> anyhow::Result<()> {
    let other = Sqlite::open().await?;
    let model = filled(fixture, 100).await?;
    filled(&other, 100).await?;

    for target in model.embeddings().step_by(9) {
        for metric in Metric::ALL {
            let search = around(target, metric, 20)?;
            let here = fixture.similar_artists().nearest(&search).await?;
            let there = other.similar_artists().nearest(&search).await?;
            ensure!(same_neighbours(&here, &there), "{here:?}\n{there:?}");
            ensure!(here.exactness.compared == there.exactness.compared, "{here:?}\n{there:?}");
        }
    }
    other.close().await
}

/// More twins than any spare candidates, all with one embedding: ordered by key, without the artist itself.
pub async fn twins_are_ordered_by_key_and_self_is_left_out(
    fixture: &impl Fixture,
) -> anyhow::Result<()> {
    let embedding = given::embedding(7)?;
    let names = (0..90).map(|number| format!("twin {:02}", (number * 37) % 90));
    let twins = names.map(|name| profile(&name, embedding.clone()));
    let model = Model::filled(fixture, twins.collect::<anyhow::Result<_>>()?).await?;
    let similar = fixture.similar_artists();

    for metric in Metric::ALL {
        for except in ["twin 03", "twin 00", "twin 89"] {
            let search =
                Search { except: vec![given::key(except)?], ..around(&embedding, metric, 5)? };
            let answer = model.agrees(&*similar, &search).await?;

            let found: Vec<&str> =
                answer.neighbours.iter().map(|neighbour| neighbour.artist.as_str()).collect();
            let first = ["twin 00", "twin 01", "twin 02", "twin 03", "twin 04", "twin 05"];
            let others: Vec<&str> =
                first.into_iter().filter(|&name| name != except).take(5).collect();
            ensure!(found == others, "{found:?} without {except}");
        }
    }
    Ok(())
}

/// Whoever is left out is compared all the same, and takes nobody's place.
pub async fn any_number_can_be_left_out(fixture: &impl Fixture) -> anyhow::Result<()> {
    let model = filled(fixture, 60).await?;
    let similar = fixture.similar_artists();
    let target = given::embedding(3)?;
    let by_closeness = similar.nearest(&around(&target, Metric::Cosine, 20)?).await?;
    let keys: Vec<_> =
        by_closeness.neighbours.iter().map(|neighbour| neighbour.artist.key().clone()).collect();
    let everybody: Vec<_> = model.vectors().map(|(artist, _)| artist.key().clone()).collect();
    let nobody_known = vec![given::key("nobody")?];
    let (closest, others) = keys.split_at(1);

    for except in [closest, others, &keys, &everybody, &nobody_known] {
        for metric in Metric::ALL {
            let search = Search { except: except.to_vec(), ..around(&target, metric, 20)? };
            let answer = model.agrees(&*similar, &search).await?;
            ensure!(answer.exactness.compared == 60, "{:?}", answer.exactness);
        }
    }
    Ok(())
}

/// As many as exist, also when that is none.
pub async fn answers_from_none_and_few(fixture: &impl Fixture) -> anyhow::Result<()> {
    let (similar, profiles) = (fixture.similar_artists(), fixture.style_profiles());
    let mut model = Model::default();
    let own = given::key("J Dilla")?;
    let searches = Metric::ALL.map(|metric| around(&given::embedding(1)?, metric, 20));
    let searches = searches.into_iter().collect::<anyhow::Result<Vec<_>>>()?;

    for artist in ["", "J Dilla", "Tony Allen"] {
        if !artist.is_empty() {
            let new = given::profile(artist, artist)?;
            profiles.save(&new, Expected::Any, &given::author()).await?;
            model.save(&new);
        }
        for search in &searches {
            model.agrees(&*similar, search).await?;
            let others = Search { except: vec![own.clone()], ..search.clone() };
            model.agrees(&*similar, &others).await?;
        }
    }
    fixture.artists().find_or_create(&given::name("Pending")?, &given::author()).await?;
    for search in &searches {
        model.agrees(&*similar, search).await?;
    }
    Ok(())
}

/// Many at once are answered as one by one, in the order asked for, whatever each of them asks for.
pub async fn a_batch_is_answered_as_one_by_one(fixture: &impl Fixture) -> anyhow::Result<()> {
    let model = filled(fixture, 80).await?;
    let similar = fixture.similar_artists();
    let searches = filters::of_all_kinds(&model)?;
    ensure!(100 <= searches.len(), "{}", searches.len());

    let answers = similar.nearest_many(&searches).await?;
    let none = similar.nearest_many(&[]).await?;

    ensure!(answers.len() == searches.len() && none.is_empty());
    for (search, answer) in searches.iter().zip(&answers) {
        model.check(search, answer).with_context(|| format!("{search:?}"))?;
        let alone = similar.nearest(search).await?;
        ensure!(same_neighbours(answer, &alone), "{answer:?}\n{alone:?}");
    }
    Ok(())
}

/// An answer tells as of when it is: at least what this instance wrote before.
pub async fn tells_as_of_when(fixture: &impl Fixture) -> anyhow::Result<()> {
    let (similar, profiles) = (fixture.similar_artists(), fixture.style_profiles());
    let search = around(&given::embedding(1)?, Metric::Cosine, 5)?;
    let before = similar.nearest(&search).await?.exactness.as_of;

    let saved = profiles
        .save(&given::profile("J Dilla", "late")?, Expected::Any, &given::author())
        .await?
        .profile
        .version;
    let with = similar.nearest(&search).await?.exactness.as_of;
    let removed = fixture
        .artists()
        .remove(&given::key("J Dilla")?, &given::author())
        .await?
        .context("was there")?;
    let without = similar.nearest(&search).await?.exactness.as_of;

    let versions = [before, saved, with, removed, without];
    ensure!(before < saved && with < removed, "{versions:?}");
    ensure!(versions.is_sorted(), "{versions:?}");
    Ok(())
}
