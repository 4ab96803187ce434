//! What searches compare, told in the order of the change feed.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use domain::{
    ArtistKey, ArtistName, Change, Expected, NewStyleProfile, ResearchStatus, StyleVector,
    StyleVectors, VectorChange, Version,
};
use storage::Backend;

use super::similar_artists::model::Model;
use crate::{fixture::Fixture, given};

/// Everything after a version, in pages of three.
async fn all_since(
    vectors: &dyn StyleVectors,
    mut version: Version,
) -> anyhow::Result<Vec<VectorChange>> {
    let mut all = Vec::new();
    loop {
        let some = vectors.since(version, 3).await?;
        ensure!(some.len() <= 3, "{some:?}");
        let last = some.len() < 3;
        ensure!(some.iter().all(|change| version < change.version()), "{some:?} after {version}");
        version = some.last().map_or(version, VectorChange::version);
        all.extend(some);
        if last {
            return Ok(all);
        }
    }
}

fn told(changes: &[VectorChange]) -> Vec<String> {
    changes
        .iter()
        .map(|change| match change {
            VectorChange::Present { artist, .. } => artist.to_string(),
            VectorChange::Absent { key, .. } => format!("no {key}"),
            VectorChange::Unnamed { .. } => "unnamed".to_owned(),
        })
        .collect()
}

/// Whoever applies what is told, in pages of three and at any moment, has what is stored.
pub async fn whoever_applies_it_has_what_is_stored(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let (artists, profiles, vectors) =
        (store.artists(), store.style_profiles(), store.style_vectors());
    let mut stored = Model::default();
    let mut applied: BTreeMap<ArtistKey, (ArtistName, StyleVector)> = BTreeMap::new();
    let mut version = Version::ZERO;
    let mut random = fastrand::Rng::with_seed(5);

    for round in 0..120 {
        let name = format!("Artist {}", random.u8(..15));
        let key = given::key(&name)?;
        match random.u8(..8) {
            0 => {
                artists.remove(&key, &given::author()).await?;
                stored.remove(&key);
            }
            1 => {
                profiles.remove(&key, Expected::Any, &given::author()).await?;
                stored.remove(&key);
            }
            2 => {
                let bare = NewStyleProfile { embedding: None, ..given::profile(&name, "late")? };
                profiles.save(&bare, Expected::Any, &given::author()).await?;
                stored.save(&bare);
            }
            3 => {
                artists.set_status(&key, ResearchStatus::Failed, &given::author()).await?;
                stored.set_status(&key, ResearchStatus::Failed);
            }
            _ => {
                let new = NewStyleProfile {
                    embedding: Some(given::embedding(random.u64(..))?),
                    ..given::profile(&name, "late")?
                };
                profiles.save(&new, Expected::Any, &given::author()).await?;
                stored.save(&new);
            }
        }
        if random.u8(..4) != 0 {
            continue;
        }
        for change in all_since(&*vectors, version).await? {
            version = change.version();
            match change {
                VectorChange::Present { artist, vector, .. } => {
                    applied.insert(artist.key().clone(), (artist, vector));
                }
                VectorChange::Absent { key, .. } => {
                    applied.remove(&key);
                }
                VectorChange::Unnamed { .. } => ensure!(false, "nobody wrote by hand"),
            }
        }
        // Names compare by key; what is shown counts too.
        let shown = |artist: &ArtistName| artist.as_str().to_owned();
        let followed: Vec<_> = applied.values().map(|(name, it)| (shown(name), it)).collect();
        let expected: Vec<_> = stored.vectors().map(|(name, it)| (shown(name), it)).collect();
        ensure!(followed == expected, "round {round}: {followed:?}\n{expected:?}");
    }
    ensure!(!applied.is_empty());
    Ok(())
}

/// The same versions in the same order as the change feed, from wherever one asks, in pages of any size.
pub async fn follows_the_change_feed(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    for name in given::DIFFICULT_NAMES {
        store
            .style_profiles()
            .save(&given::profile(name, name)?, Expected::Any, &given::author())
            .await?;
    }
    store.artists().find_or_create(&given::name("Pending")?, &given::author()).await?;
    store.artists().remove(&given::key("AC/DC")?, &given::author()).await?;
    store.artists().remove(&given::key("Beyoncé")?, &given::author()).await?;
    store.artists().find_or_create(&given::name("BEYONCÉ")?, &given::author()).await?;

    let everything = store.changes().since(Version::ZERO, 100).await?;

    for after in [Version::ZERO].into_iter().chain(everything.iter().map(Change::version)) {
        for limit in [1, 3, 100] {
            let feed = store.changes().since(after, limit).await?;
            let vectors = store.style_vectors().since(after, limit).await?;
            let versions: Vec<_> = vectors.iter().map(VectorChange::version).collect();
            let expected: Vec<_> = feed.iter().map(Change::version).collect();
            ensure!(versions == expected, "since {after}, {limit}: {versions:?}, {expected:?}");
        }
    }
    Ok(())
}

/// An embedding that lost its profile is no answer to any search.
pub async fn an_embedding_without_profile_does_not_count(
    fixture: &impl Fixture,
) -> anyhow::Result<()> {
    let store = fixture.store();
    for name in ["J Dilla", "Tony Allen"] {
        store
            .style_profiles()
            .save(&given::profile(name, name)?, Expected::Any, &given::author())
            .await?;
    }
    let before = all_since(&*store.style_vectors(), Version::ZERO).await?;
    let last = before.last().map(VectorChange::version).context("two were saved")?;

    fixture
        .by_hand("DELETE FROM style_profiles WHERE artist_id = (SELECT id FROM artists WHERE name_key = 'j dilla')")
        .await?;

    ensure!(told(&before) == ["J Dilla", "Tony Allen"], "{before:?}");
    let after = all_since(&*store.style_vectors(), last).await?;
    ensure!(told(&after) == ["no j dilla"], "{after:?}");
    Ok(())
}

/// A person may write what cannot be, where no constraint is in the way. The feed says who cannot be compared and goes
/// on.
pub async fn what_cannot_be_compared_hides_no_other(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let vectors = store.style_vectors();
    let backend = store.backend();
    let of = "artist_id = (SELECT id FROM artists WHERE name_key = 'j dilla')";
    let touch = "UPDATE artists SET confidence_score = 0.5 WHERE name_key = 'tony allen'";
    let unchecked = |table: &str, constraint: &str| match backend {
        Backend::Postgres => format!("ALTER TABLE {table} DROP CONSTRAINT {constraint};"),
        Backend::Sqlite => "PRAGMA ignore_check_constraints = ON;".to_owned(),
    };
    let zeros = match backend {
        Backend::Postgres => "array_fill(0::real, ARRAY[384])::vector",
        Backend::Sqlite => "zeroblob(1536)",
    };

    let mut edits = vec![
        (
            "UPDATE artists SET name = 'By\u{7}Hand' WHERE name_key = 'j dilla'".to_owned(),
            "no j dilla",
        ),
        ("UPDATE artists SET name = 'Jay Dee' WHERE name_key = 'j dilla'".to_owned(), "no j dilla"),
        (
            format!(
                "{} UPDATE style_embeddings SET embedding = {zeros} WHERE {of}",
                unchecked("style_embeddings", "ck_style_embeddings_embedding")
            ),
            "no j dilla",
        ),
        (
            format!(
                "{} UPDATE style_profiles SET swing_percent = 101 WHERE {of}",
                unchecked("style_profiles", "ck_style_profiles_swing_percent")
            ),
            "no j dilla",
        ),
        (
            format!(
                "{} UPDATE style_profiles SET confidence_score = 2 WHERE {of}",
                unchecked("style_profiles", "ck_style_profiles_confidence_score")
            ),
            "no j dilla",
        ),
    ];
    if backend == Backend::Sqlite {
        // Infinities and what is no number; a server takes neither in a vector.
        let infinite = "replace(hex(zeroblob(384)), '00', '0000807F')";
        edits.push((
            format!("UPDATE style_embeddings SET embedding = unhex({infinite}) WHERE {of}"),
            "no j dilla",
        ));
        edits.push((
            format!(
                "{} UPDATE style_embeddings SET embedding = x'0000803f' WHERE {of}",
                unchecked("style_embeddings", "ck_style_embeddings_embedding")
            ),
            "no j dilla",
        ));
    }
    let saved = ["J Dilla", "Tony Allen"].map(str::to_owned);
    let mut last = Version::ZERO;
    for (edit, expected) in edits {
        for name in ["J Dilla", "Tony Allen"] {
            store.artists().remove(&given::key(name)?, &given::author()).await?;
        }
        for name in ["J Dilla", "Tony Allen"] {
            store
                .style_profiles()
                .save(&given::profile(name, name)?, Expected::Any, &given::author())
                .await?;
        }
        let before = all_since(&*vectors, Version::ZERO).await?;
        ensure!(told(&before).ends_with(&saved), "{edit}: {before:?}");
        last = before.last().context("two were saved")?.version();

        fixture.by_hand(&edit).await?;
        fixture.by_hand(touch).await?;
        let after = all_since(&*vectors, last).await?;
        ensure!(told(&after) == [expected, "Tony Allen"], "{edit}: {after:?}");
    }

    fixture
        .by_hand("UPDATE artists SET name = 'By\u{7}Hand', name_key = 'by\u{7}hand' WHERE name_key = 'j dilla'")
        .await?;
    let told = told(&all_since(&*vectors, last).await?);
    ensure!(told == ["Tony Allen", "no j dilla", "unnamed"], "{told:?}");
    Ok(())
}
