//! Similar artists: the same order as comparing all of them in double precision.

use anyhow::{Context, ensure};
use domain::{ArtistName, Embedding, Expected, Limit, NewStyleProfile, Search, SearchMode};

use crate::{fixture::Fixture, given};

fn with_embedding(artist: &str, embedding: Embedding) -> anyhow::Result<NewStyleProfile> {
    Ok(NewStyleProfile { embedding: Some(embedding), ..given::profile(artist, artist)? })
}

fn around(target: &Embedding, except: Option<&ArtistName>, limit: Limit<20>) -> Search {
    Search {
        except: except.into_iter().map(|artist| artist.key().clone()).collect(),
        ..Search::around(target.clone(), limit)
    }
}

/// The oracle: cosine by its definition.
fn cosine(one: &Embedding, other: &Embedding) -> f64 {
    let dot = |a: &Embedding, b: &Embedding| {
        a.as_slice()
            .iter()
            .zip(b.as_slice())
            .map(|(&x, &y)| f64::from(x) * f64::from(y))
            .sum::<f64>()
    };
    dot(one, other) / (dot(one, one).sqrt() * dot(other, other).sqrt())
}

/// Same artists, same order, same numbers as the oracle.
pub async fn agrees_with_brute_force(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let mut stored = Vec::new();
    for seed in 0..200 {
        let new = with_embedding(&format!("Artist {seed:03}"), given::embedding(seed)?)?;
        stored.push(store.style_profiles().save(&new, Expected::Any).await?.profile);
    }

    for target in stored.iter().step_by(40) {
        let embedding = target.embedding.as_ref().context("saved with one")?;
        let answer = store
            .similar_artists()
            .nearest(&around(embedding, Some(&target.artist), Limit::new(20)?))
            .await?;

        let mut expected: Vec<(f64, &str)> = stored
            .iter()
            .filter(|other| other.artist_id != target.artist_id)
            .filter_map(|other| {
                Some((cosine(embedding, other.embedding.as_ref()?), other.artist.key().as_str()))
            })
            .collect();
        expected.sort_by(|one, other| other.0.total_cmp(&one.0).then_with(|| one.1.cmp(other.1)));
        ensure!(answer.neighbours.len() == 20);
        for (found, (similarity, key)) in answer.neighbours.iter().zip(expected) {
            ensure!(found.artist.key().as_str() == key, "{found:?} instead of {key}");
            ensure!((found.score - similarity).abs() < 1e-12, "{found:?} {similarity}");
        }
        ensure!(answer.exactness.mode == SearchMode::Exact && answer.exactness.compared == 200);
        let latest = stored.last().context("saved")?.version;
        ensure!(latest <= answer.exactness.as_of, "{:?}", answer.exactness);
    }
    Ok(())
}

/// More twins than any spare candidates, all with one embedding: ordered by key, without the artist itself.
pub async fn twins_are_ordered_by_key_and_self_is_left_out(
    fixture: &impl Fixture,
) -> anyhow::Result<()> {
    let store = fixture.store();
    let embedding = given::embedding(7)?;
    let names: Vec<String> =
        (0..90).map(|number| format!("twin {:02}", (number * 37) % 90)).collect();
    for name in &names {
        store
            .style_profiles()
            .save(&with_embedding(name, embedding.clone())?, Expected::Any)
            .await?;
    }
    let own = store.style_profiles().find(&given::key("twin 03")?).await?.context("saved")?;

    let answer = store
        .similar_artists()
        .nearest(&around(&embedding, Some(&own.artist), Limit::new(5)?))
        .await?;

    let found: Vec<&str> =
        answer.neighbours.iter().map(|neighbour| neighbour.artist.as_str()).collect();
    ensure!(found == ["twin 00", "twin 01", "twin 02", "twin 04", "twin 05"], "{found:?}");
    ensure!(answer.neighbours.iter().all(|neighbour| (neighbour.score - 1.0).abs() < 1e-12));
    Ok(())
}

/// As many as exist, also when that is none.
pub async fn answers_from_none_and_few(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let nearest = async |except: Option<&ArtistName>| {
        store
            .similar_artists()
            .nearest(&around(&given::embedding(1)?, except, Limit::LARGEST))
            .await
            .map_err(anyhow::Error::from)
    };

    ensure!(nearest(None).await?.neighbours.is_empty());
    let only = store
        .style_profiles()
        .save(&given::profile("J Dilla", "late")?, Expected::Any)
        .await?
        .profile;
    ensure!(nearest(None).await?.neighbours.len() == 1);
    ensure!(nearest(Some(&only.artist)).await?.neighbours.is_empty());
    store.style_profiles().save(&given::profile("Tony Allen", "rolling")?, Expected::Any).await?;
    store.artists().find_or_create(&given::name("Pending")?).await?;
    ensure!(nearest(None).await?.neighbours.len() == 2);
    ensure!(nearest(Some(&only.artist)).await?.neighbours.len() == 1);
    Ok(())
}

/// A search beside writes sees one embedding or the other, never a mixture.
pub async fn never_tears_a_vector_under_writes(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let (one, other) = (given::embedding(1)?, given::embedding(2)?);
    let between = cosine(&one, &other);
    store.style_profiles().save(&with_embedding("J Dilla", one.clone())?, Expected::Any).await?;
    let writer = tokio::spawn({
        let profiles = store.style_profiles();
        let other = other.clone();
        let one = one.clone();
        async move {
            for round in 0..40 {
                let embedding = if round % 2 == 0 { other.clone() } else { one.clone() };
                profiles.save(&with_embedding("J Dilla", embedding)?, Expected::Any).await?;
            }
            anyhow::Ok(())
        }
    });

    while !writer.is_finished() {
        let answer = store.similar_artists().nearest(&around(&one, None, Limit::new(1)?)).await?;
        let similarity = answer.neighbours.first().context("always there")?.score;
        let whole = (similarity - 1.0).abs() < 1e-9 || (similarity - between).abs() < 1e-9;
        ensure!(whole, "{similarity} is neither 1 nor {between}");
    }
    writer.await?
}
