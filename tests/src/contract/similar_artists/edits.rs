//! What changes while there are searches.

use anyhow::{Context, ensure};
use domain::{
    ArtistKey, Expected, Metric, Neighbours, NewStyleProfile, ResearchStatus, SearchFilter,
};

use super::{
    around,
    model::{Model, profile},
};
use crate::{fixture::Fixture, given};

fn names(answer: &Neighbours) -> Vec<&str> {
    answer.neighbours.iter().map(|neighbour| neighbour.artist.as_str()).collect()
}

/// Random saves with and without embedding, removals, re-creations and statuses, each seen by the next search.
pub async fn every_change_counts_at_once(fixture: &impl Fixture) -> anyhow::Result<()> {
    let (similar, profiles, artists) =
        (fixture.similar_artists(), fixture.style_profiles(), fixture.artists());
    let mut model = Model::default();
    let mut random = fastrand::Rng::with_seed(21);

    for round in 0..150 {
        let name = format!("Artist {}", random.u8(..12));
        let key = given::key(&name)?;
        match random.u8(..10) {
            0 => {
                artists.remove(&key, &given::author()).await?;
                model.remove(&key);
            }
            1 => {
                profiles.remove(&key, Expected::Any, &given::author()).await?;
                model.remove(&key);
            }
            2 => {
                let bare = NewStyleProfile { embedding: None, ..given::profile(&name, "late")? };
                profiles.save(&bare, Expected::Any, &given::author()).await?;
                model.save(&bare);
            }
            3 => {
                let status = ResearchStatus::ALL.get(random.usize(..4)).context("one of four")?;
                artists.set_status(&key, *status, &given::author()).await?;
                model.set_status(&key, *status);
            }
            _ => {
                let new = profile(&name, given::embedding(random.u64(..))?)?;
                profiles.save(&new, Expected::Any, &given::author()).await?;
                model.save(&new);
            }
        }
        for metric in Metric::ALL {
            let mut search = around(&given::embedding(random.u64(..))?, metric, 5)?;
            if random.bool() {
                let statuses = vec![ResearchStatus::Cached];
                search.filter = SearchFilter { statuses, ..SearchFilter::EVERYBODY };
            }
            model.agrees(&*similar, &search).await.with_context(|| format!("round {round}"))?;
        }
    }
    Ok(())
}

/// What a person writes at a prompt is seen by the next strict search: a new name, an embedding that is another's, a
/// profile that goes and leaves its embedding, an artist that goes.
pub async fn edits_by_hand_count_at_once(fixture: &impl Fixture) -> anyhow::Result<()> {
    let twins = ["Art Blakey", "J Dilla", "Tony Allen", "Zigaboo"];
    let twins = twins.map(|name| profile(name, given::embedding(1)?)).into_iter();
    Model::filled(fixture, twins.collect::<anyhow::Result<_>>()?).await?;
    let similar = fixture.strict_similar_artists();
    let search = around(&given::embedding(1)?, Metric::Cosine, 20)?;
    let of = |key: &str| format!("(SELECT id FROM artists WHERE name_key = '{key}')");

    for (edit, expected) in [
        (
            "UPDATE artists SET name = 'Jay Dee', name_key = 'jay dee', name_search = 'jay dee' \
             WHERE name_key = 'j dilla'"
                .to_owned(),
            &["Art Blakey", "Jay Dee", "Tony Allen", "Zigaboo"] as &[&str],
        ),
        (
            "UPDATE artists SET name = 'ZIGABOO' WHERE name_key = 'zigaboo'".to_owned(),
            &["Art Blakey", "Jay Dee", "Tony Allen", "ZIGABOO"],
        ),
        (
            format!("DELETE FROM style_profiles WHERE artist_id = {}", of("tony allen")),
            &["Art Blakey", "Jay Dee", "ZIGABOO"],
        ),
        (
            format!("DELETE FROM style_embeddings WHERE artist_id = {}", of("jay dee")),
            &["Art Blakey", "ZIGABOO"],
        ),
        (
            format!(
                "INSERT INTO style_embeddings (artist_id, embedding) SELECT {}, embedding \
                 FROM style_embeddings WHERE artist_id = {}",
                of("jay dee"),
                of("zigaboo")
            ),
            &["Art Blakey", "Jay Dee", "ZIGABOO"],
        ),
        ("DELETE FROM artists WHERE name_key = 'zigaboo'".to_owned(), &["Art Blakey", "Jay Dee"]),
        ("DELETE FROM style_profiles".to_owned(), &[]),
    ] {
        fixture.by_hand(&edit).await?;
        let answer = similar.nearest(&search).await?;
        ensure!(names(&answer) == expected, "{edit}: {answer:?}");
        ensure!(answer.exactness.compared == expected.len() as u64, "{edit}: {answer:?}");
    }
    Ok(())
}

/// A person may write what is no name, or a name that does not lead to its key. All the others are found.
pub async fn what_cannot_be_compared_hides_no_other(fixture: &impl Fixture) -> anyhow::Result<()> {
    let twins = ["Art Blakey", "J Dilla", "Tony Allen"];
    let twins = twins.map(|name| profile(name, given::embedding(1)?)).into_iter();
    Model::filled(fixture, twins.collect::<anyhow::Result<_>>()?).await?;
    let similar = fixture.strict_similar_artists();
    let search = around(&given::embedding(1)?, Metric::Cosine, 2)?;

    for edit in [
        "UPDATE artists SET name = 'By\u{7}Hand' WHERE name_key = 'art blakey'",
        "UPDATE artists SET name = 'Somebody Else' WHERE name_key = 'art blakey'",
        "UPDATE artists SET name = 'By\u{7}Hand', name_key = 'by\u{7}hand' WHERE name_key = 'art blakey'",
    ] {
        fixture.by_hand(edit).await?;
        let answer = similar.nearest(&search).await?;
        ensure!(names(&answer) == ["J Dilla", "Tony Allen"], "{edit}: {answer:?}");
    }
    Ok(())
}

/// A search beside writes sees each artist's one embedding or the other, never a mixture, and everybody.
pub async fn never_tears_a_vector_under_writes(fixture: &impl Fixture) -> anyhow::Result<()> {
    let artists = ["Art Blakey", "J Dilla", "Tony Allen"];
    let keys: Vec<ArtistKey> =
        artists.iter().map(|name| given::key(name)).collect::<anyhow::Result<_>>()?;
    let (one, other) = (given::embedding(1)?, given::embedding(2)?);
    let both =
        Metric::ALL.map(|metric| (metric, [metric.score(&one, &one), metric.score(&one, &other)]));
    let profiles = artists.map(|name| profile(name, one.clone())).into_iter();
    Model::filled(fixture, profiles.collect::<anyhow::Result<_>>()?).await?;
    let writer = tokio::spawn({
        let (profiles, one, other) = (fixture.style_profiles(), one.clone(), other.clone());
        async move {
            for round in 0..40 {
                let embedding = if round % 2 == 0 { &other } else { &one };
                for artist in artists {
                    profiles
                        .save(&profile(artist, embedding.clone())?, Expected::Any, &given::author())
                        .await?;
                }
            }
            anyhow::Ok(())
        }
    });

    let similar = fixture.similar_artists();
    while !writer.is_finished() {
        for (metric, allowed) in both {
            let answer = similar.nearest(&around(&one, metric, 20)?).await?;
            let mut found: Vec<_> =
                answer.neighbours.iter().map(|it| it.artist.key().clone()).collect();
            found.sort();
            ensure!(found == keys, "{answer:?}");
            for neighbour in &answer.neighbours {
                let whole = allowed.map(f64::to_bits).contains(&neighbour.score.to_bits());
                ensure!(whole, "{neighbour:?} is none of {allowed:?}");
            }
        }
    }
    writer.await?
}
