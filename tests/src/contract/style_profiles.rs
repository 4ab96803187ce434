//! Style profiles: one an artist, saved in one transaction.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use anyhow::{Context, ensure};
use domain::{
    Confidence, Expected, JsonArray, NewStyleProfile, RepositoryError, ResearchStatus, Search,
    SourcesCount, StyleProfile, Version,
};
use futures::future::join_all;
use serde_json::json;

use crate::{fixture::Fixture, given};

fn says(stored: &StyleProfile, new: &NewStyleProfile) -> bool {
    let NewStyleProfile {
        artist,
        text_description,
        quantitative_params,
        embedding,
        midi_templates,
        confidence,
        sources_count,
    } = new;
    stored.artist == *artist
        && stored.text_description == *text_description
        && stored.quantitative_params == *quantitative_params
        && stored.embedding == *embedding
        && stored.midi_templates == *midi_templates
        && stored.confidence == *confidence
        && stored.sources_count == *sources_count
}

/// Every part comes back, bit for bit.
pub async fn returns_what_was_saved(fixture: &impl Fixture) -> anyhow::Result<()> {
    let profiles = fixture.style_profiles();
    let mut new = given::profile(
        "J Dilla",
        "Snare behind the beat.\nHats swing \u{1f941}, \\ and \"quotes\"\t.",
    )?;
    new.midi_templates = JsonArray::try_from(json!([{"b": [1, -2.5, 1e-7, true, null]}, "ключ"]))?;

    let saved = profiles.save(&new, Expected::Any, &given::author()).await?;
    let found = profiles.find(&given::key("j dilla")?).await?.context("saved")?;

    ensure!(saved.created && says(&saved.profile, &new), "{saved:?}");
    ensure!(found == saved.profile, "{found:?}");
    ensure!(Version::ZERO < found.version);
    ensure!(profiles.find(&given::key("Nobody")?).await?.is_none());
    Ok(())
}

/// A replacement keeps identity and first time and moves the version.
pub async fn replaces_and_keeps_identity(fixture: &impl Fixture) -> anyhow::Result<()> {
    let profiles = fixture.style_profiles();
    let first = profiles
        .save(&given::profile("J Dilla", "late")?, Expected::Any, &given::author())
        .await?
        .profile;
    let mut other = given::profile("j  DILLA", "even later")?;
    other.confidence = Confidence::try_from(0.95)?;

    let second = profiles.save(&other, Expected::Any, &given::author()).await?;
    let found = profiles.find(first.artist.key()).await?.context("saved")?;

    ensure!(!second.created && says(&found, &other), "{found:?}");
    ensure!(found == second.profile);
    ensure!(
        (found.id, found.artist_id, found.created_at)
            == (first.id, first.artist_id, first.created_at)
    );
    ensure!(found.artist.as_str() == "J Dilla", "the name first stored is shown");
    ensure!(first.version < found.version && first.updated_at <= found.updated_at);
    Ok(())
}

/// Status, confidence and sources count of the artist follow its profile.
pub async fn saving_updates_the_artist(fixture: &impl Fixture) -> anyhow::Result<()> {
    let pending =
        fixture.artists().find_or_create(&given::name("J Dilla")?, &given::author()).await?.artist;
    let mut new = given::profile("J Dilla", "late")?;
    new.sources_count =
        SourcesCount { papers: u16::MAX, articles: u16::MAX, audio: u16::MAX, midi: u16::MAX };

    let saved = fixture.style_profiles().save(&new, Expected::Any, &given::author()).await?;
    let artist = fixture.artists().find(pending.name.key()).await?.context("exists")?;

    ensure!(saved.created && saved.profile.artist_id == pending.id);
    ensure!(artist.research_status == ResearchStatus::Cached);
    ensure!(
        artist.confidence == new.confidence && artist.sources_count == 4 * u32::from(u16::MAX),
        "{artist:?}"
    );
    ensure!(artist.version == saved.profile.version && pending.version < artist.version);
    ensure!(artist.created_at == pending.created_at && pending.last_updated <= artist.last_updated);
    Ok(())
}

/// A profile saved without an embedding has none, whatever it had.
pub async fn saving_without_embedding_removes_it(fixture: &impl Fixture) -> anyhow::Result<()> {
    let profiles = fixture.style_profiles();
    let mut new = given::profile("J Dilla", "late")?;
    profiles.save(&new, Expected::Any, &given::author()).await?;
    new.embedding = None;

    let saved = profiles.save(&new, Expected::Any, &given::author()).await?.profile;

    ensure!(saved.embedding.is_none());
    ensure!(profiles.find(saved.artist.key()).await? == Some(saved));
    let nearest = fixture.store().similar_artists();
    let nearest =
        nearest.nearest(&Search::around(given::embedding(1)?, domain::Limit::LARGEST)).await?;
    ensure!(nearest.neighbours.is_empty());
    Ok(())
}

/// Answers stand in the order of the questions, also for strangers and repetitions.
pub async fn finds_many_in_order(fixture: &impl Fixture) -> anyhow::Result<()> {
    let profiles = fixture.style_profiles();
    for name in ["Tony Allen", "AC/DC", "坂本龍一"] {
        profiles.save(&given::profile(name, name)?, Expected::Any, &given::author()).await?;
    }
    fixture.artists().find_or_create(&given::name("Pending")?, &given::author()).await?;
    let asked = ["坂本龍一", "Nobody", "Tony Allen", "Pending", "坂本龍一", "ac/dc"];
    let keys = asked.iter().map(|name| given::key(name)).collect::<anyhow::Result<Vec<_>>>()?;

    let found = profiles.find_many(&keys).await?;

    let names: Vec<Option<&str>> =
        found.iter().map(|found| found.as_ref().map(|profile| profile.artist.as_str())).collect();
    ensure!(
        names
            == [Some("坂本龍一"), None, Some("Tony Allen"), None, Some("坂本龍一"), Some("AC/DC")],
        "{names:?}"
    );
    ensure!(profiles.find_many(&[]).await?.is_empty());
    Ok(())
}

/// A write that expects something else is refused with the current version, and changes nothing.
pub async fn refuses_what_was_not_expected(fixture: &impl Fixture) -> anyhow::Result<()> {
    let profiles = fixture.style_profiles();
    let (first, second) = (given::profile("J Dilla", "late")?, given::profile("J Dilla", "later")?);

    for expected in [Expected::Present, Expected::At(Version::new(1))] {
        let refused = profiles.save(&first, expected, &given::author()).await;
        ensure!(
            matches!(refused, Err(RepositoryError::VersionMismatch { current: None })),
            "{refused:?}"
        );
        ensure!(fixture.artists().find(first.artist.key()).await?.is_none(), "nothing was made");
    }
    let saved = profiles.save(&first, Expected::Absent, &given::author()).await?.profile;
    let stale = Version::new(saved.version.number() - 1);
    for expected in [Expected::Absent, Expected::At(stale)] {
        let refused = profiles.save(&second, expected, &given::author()).await;
        let current = Some(saved.version);
        ensure!(
            matches!(refused, Err(RepositoryError::VersionMismatch { current: found }) if found == current),
            "{refused:?}"
        );
        let refused = profiles.remove(first.artist.key(), expected, &given::author()).await;
        ensure!(matches!(refused, Err(RepositoryError::VersionMismatch { .. })), "{refused:?}");
        ensure!(
            profiles.find(first.artist.key()).await?.as_ref() == Some(&saved),
            "nothing changed"
        );
    }

    let replaced =
        profiles.save(&second, Expected::At(saved.version), &given::author()).await?.profile;
    ensure!(
        profiles
            .remove(first.artist.key(), Expected::At(replaced.version), &given::author())
            .await?
            .is_some()
    );
    Ok(())
}

/// Of concurrent saves every one succeeds, and the one that was committed last stands.
pub async fn concurrent_saves_all_succeed_and_the_last_stands(
    fixture: &impl Fixture,
) -> anyhow::Result<()> {
    let saves: Vec<_> = (0..24)
        .map(|writer| {
            let profiles = fixture.style_profiles();
            tokio::spawn(async move {
                let new = given::profile(
                    "J Dilla",
                    &format!("{}, says writer {writer}", "late ".repeat(writer + 1)),
                )?;
                anyhow::Ok(profiles.save(&new, Expected::Any, &given::author()).await?)
            })
        })
        .collect();

    let mut saved = Vec::new();
    for save in saves {
        saved.push(save.await??);
    }

    let versions: HashSet<_> = saved.iter().map(|saved| saved.profile.version).collect();
    ensure!(versions.len() == saved.len(), "each save has a version of its own");
    ensure!(saved.iter().filter(|saved| saved.created).count() == 1);
    let last = saved
        .into_iter()
        .map(|saved| saved.profile)
        .max_by_key(|profile| profile.version)
        .context("saved")?;
    let stands = fixture.style_profiles().find(last.artist.key()).await?.context("saved")?;
    ensure!(stands == last, "{stands:?} is not {last:?}");
    Ok(())
}

/// Removing a profile leaves the artist, as one whom nobody has looked into.
pub async fn removal_leaves_the_artist_pending(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let saved = store
        .style_profiles()
        .save(&given::profile("J Dilla", "late")?, Expected::Any, &given::author())
        .await?
        .profile;
    let key = saved.artist.key();

    let removed = fixture
        .style_profiles()
        .remove(key, Expected::Any, &given::author())
        .await?
        .context("was there")?;
    let again = fixture.style_profiles().remove(key, Expected::Any, &given::author()).await?;
    let nobody = fixture
        .style_profiles()
        .remove(&given::key("Nobody")?, Expected::Any, &given::author())
        .await?;

    ensure!(again.is_none() && nobody.is_none(), "gone already: {again:?} {nobody:?}");
    ensure!(fixture.style_profiles().find(key).await?.is_none());
    let artist = fixture.artists().find(key).await?.context("stays")?;
    ensure!(artist.id == saved.artist_id && saved.version < artist.version);
    ensure!(artist.version == removed, "{removed} was told, {artist:?} is stored");
    ensure!(
        artist.research_status == ResearchStatus::Pending && artist.sources_count == 0,
        "{artist:?}"
    );
    ensure!(artist.confidence == Confidence::NONE);
    Ok(())
}

/// Those who wait for the same commit: each is told what became of what it brought, and a version stands for one profile.
pub async fn saves_that_wait_together_are_told_apart(fixture: &impl Fixture) -> anyhow::Result<()> {
    let profiles = fixture.style_profiles();
    let known = given::profile("J Dilla", "before")?;
    let before = profiles.save(&known, Expected::Any, &given::author()).await?.profile.version;
    let names = ["Tony Allen", "AC/DC", "坂本龍一", "J Dilla"];
    let wanted = (0..40).map(|number| {
        let name = names.get(number % names.len()).context("a name")?;
        let mut new = given::profile(name, &format!("As of save {number}"))?;
        new.embedding = new.embedding.filter(|_| number % 3 != 0);
        Ok((new, Expected::Any))
    });
    let mut wanted = wanted.collect::<anyhow::Result<Vec<_>>>()?;
    // In front of and behind those who expect nothing.
    for (place, name, expected) in [
        (0, "Tony Allen", Expected::Absent),
        (0, "Tony Allen", Expected::Absent),
        (0, "J Dilla", Expected::At(before)),
        (20, "J Dilla", Expected::At(before)),
        (40, "Nobody", Expected::Present),
    ] {
        wanted.insert(place, (given::profile(name, &format!("{place} {expected:?}"))?, expected));
    }

    let writers = fixture.block_writers().await?;
    let author = given::author();
    let saves = wanted.iter().map(|(new, expected)| profiles.save(new, *expected, &author));
    // All of them wait before anybody can write.
    let (saves, released) = tokio::join!(join_all(saves), writers.rollback());
    released?;

    let mut newest: HashMap<&str, Arc<StyleProfile>> = HashMap::new();
    let mut versions = HashSet::new();
    for ((new, expected), saved) in wanted.iter().zip(saves) {
        let saved = match (expected, saved) {
            (Expected::Any, saved) => saved?.profile,
            (_, Ok(saved)) => saved.profile,
            (_, Err(RepositoryError::VersionMismatch { .. })) => continue,
            (_, Err(error)) => return Err(error.into()),
        };
        ensure!(says(&saved, new), "{saved:?}");
        ensure!(versions.insert(saved.version), "a version stands for two profiles");
        let newest = newest.entry(new.artist.key().as_str()).or_insert_with(|| Arc::clone(&saved));
        if newest.version < saved.version {
            *newest = saved;
        }
    }
    let conditional = versions.len() - 40;
    ensure!(conditional <= 2, "{conditional} of those who expect to be alone");
    ensure!(!newest.contains_key("nobody"));
    for (key, newest) in newest {
        let found = profiles.find(&given::key(key)?).await?.context("saved")?;
        ensure!(found == newest, "{found:?}");
    }
    Ok(())
}
