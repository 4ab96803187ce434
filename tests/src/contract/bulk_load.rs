//! Bulk loads: many saves at once, and nothing else.

use anyhow::{Context, ensure};
use domain::{
    ArtistFilter, BulkCounts, Expected, JsonArray, Limit, NewStyleProfile, ProfileRecord,
    ResearchStatus, SourceType,
};
use serde_json::json;

use crate::{fixture::Fixture, given};

fn record(profile: &NewStyleProfile, urls: &[&str]) -> anyhow::Result<ProfileRecord> {
    let sources = urls
        .iter()
        .map(|url| given::source(SourceType::Article, url))
        .collect::<anyhow::Result<_>>()?;
    Ok(ProfileRecord::Profile { profile: Box::new(profile.clone()), sources })
}

/// A loaded store answers like one that was saved into.
pub async fn loads_what_save_would(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let mut batch = Vec::new();
    for name in given::DIFFICULT_NAMES {
        let mut profile =
            given::profile(name, &format!("How {name} plays.\tTabs, \\N, \"quotes\"\nand lines."))?;
        if name.starts_with('!') {
            profile.embedding = None;
            profile.midi_templates = JsonArray::try_from(json!([]))?;
        }
        batch.push((profile.clone(), record(&profile, &["one", "two", "one"])?));
    }

    let counts = fixture
        .bulk_load()
        .load(batch.iter().map(|(_, record)| record.clone()).collect(), &given::author())
        .await?;
    fixture.bulk_load().finish().await?;

    ensure!(
        counts == BulkCounts { created: 14, replaced: 0, unchanged: 0, sources: 28 },
        "{counts:?}"
    );
    for (profile, _) in &batch {
        let loaded =
            fixture.style_profiles().find(profile.artist.key()).await?.context("loaded")?;
        let artist = fixture.artists().find(profile.artist.key()).await?.context("loaded")?;
        let saved = fixture
            .style_profiles()
            .save(profile, Expected::At(loaded.version), &given::author())
            .await?
            .profile;
        let again = fixture.artists().find(profile.artist.key()).await?.context("saved")?;

        ensure!(
            artist.version == loaded.version && artist.research_status == ResearchStatus::Cached
        );
        ensure!(
            (artist.confidence, artist.sources_count) == (again.confidence, again.sources_count),
            "{artist:?}"
        );
        let as_loaded = domain::StyleProfile {
            version: loaded.version,
            updated_at: loaded.updated_at,
            ..saved.as_ref().clone()
        };
        ensure!(as_loaded == *loaded, "{loaded:?}");
        let sources =
            store.research_sources().page(artist.id, None, None, Limit::LARGEST).await?.items;
        let urls: Vec<_> = sources.iter().map(|source| source.source.location.url()).collect();
        ensure!(urls == [Some("one"), Some("two")], "{urls:?}");
    }
    Ok(())
}

/// A load can be repeated, and moves no version then.
pub async fn loading_again_changes_nothing(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let batch = vec![
        record(&given::profile("J Dilla", "late")?, &["one"])?,
        record(&given::profile("Tony Allen", "rolling")?, &[])?,
        ProfileRecord::Artist { artist: given::name("Pending")?, sources: Vec::new() },
    ];
    fixture.bulk_load().load(batch.clone(), &given::author()).await?;
    let before = store.changes().since(domain::Version::ZERO, 10).await?;

    let counts = fixture.bulk_load().load(batch, &given::author()).await?;

    ensure!(counts == BulkCounts { unchanged: 3, ..BulkCounts::default() }, "{counts:?}");
    ensure!(store.changes().since(domain::Version::ZERO, 10).await? == before);
    ensure!(fixture.bulk_load().load(Vec::new(), &given::author()).await? == BulkCounts::default());
    Ok(())
}

/// Of several records for one artist, however its name is spelled.
pub async fn the_last_of_one_artist_stands(fixture: &impl Fixture) -> anyhow::Result<()> {
    let batch = vec![
        record(&given::profile("Beyonc\u{e9}", "first")?, &["one", "two"])?,
        record(&given::profile("J Dilla", "late")?, &[])?,
        record(&given::profile("BEYONCE\u{301}", "last")?, &["two", "three"])?,
        ProfileRecord::Artist { artist: given::name("beyonc\u{e9}")?, sources: Vec::new() },
    ];

    let counts = fixture.bulk_load().load(batch, &given::author()).await?;

    ensure!(
        counts == BulkCounts { created: 2, replaced: 0, unchanged: 2, sources: 3 },
        "{counts:?}"
    );
    let stands =
        fixture.style_profiles().find(&given::key("beyonc\u{e9}")?).await?.context("loaded")?;
    ensure!(
        stands.text_description.as_str() == "last" && stands.artist.as_str() == "Beyonc\u{e9}",
        "{stands:?}"
    );
    Ok(())
}

/// What differs in anything is replaced; the rest keeps its version.
pub async fn replaces_only_what_differs(fixture: &impl Fixture) -> anyhow::Result<()> {
    let base = given::profile("Base", "late")?;
    let named = |name: &str| -> anyhow::Result<NewStyleProfile> {
        Ok(NewStyleProfile { artist: given::name(name)?, ..base.clone() })
    };
    let names = ["same", "words", "embedding", "no embedding", "templates"];
    let first =
        names.iter().map(|name| record(&named(name)?, &[])).collect::<anyhow::Result<Vec<_>>>()?;
    fixture.bulk_load().load(first, &given::author()).await?;
    fixture.artists().find_or_create(&given::name("bare")?, &given::author()).await?;
    let version = async |name: &str| -> anyhow::Result<_> {
        Ok(fixture.artists().find(&given::key(name)?).await?.context("loaded")?.version)
    };
    let before = version("same").await?;

    let mut words = named("words")?;
    words.text_description = given::profile("x", "later")?.text_description;
    let embedding =
        NewStyleProfile { embedding: Some(given::embedding(99)?), ..named("embedding")? };
    let none = NewStyleProfile { embedding: None, ..named("no embedding")? };
    let templates = NewStyleProfile { midi_templates: JsonArray::default(), ..named("templates")? };
    let bare = named("bare")?;
    let second = [&named("same")?, &words, &embedding, &none, &templates, &bare];
    let batch =
        second.iter().map(|profile| record(profile, &[])).collect::<anyhow::Result<Vec<_>>>()?;
    let counts = fixture.bulk_load().load(batch, &given::author()).await?;

    ensure!(
        counts == BulkCounts { created: 1, replaced: 4, unchanged: 1, sources: 0 },
        "{counts:?}"
    );
    ensure!(version("same").await? == before);
    for profile in second {
        let found = fixture.style_profiles().find(profile.artist.key()).await?.context("loaded")?;
        ensure!(
            found.text_description == profile.text_description
                && found.embedding == profile.embedding,
            "{found:?}"
        );
        ensure!(found.midi_templates == profile.midi_templates);
        let artist = fixture.artists().find(profile.artist.key()).await?.context("loaded")?;
        ensure!(
            artist.research_status == ResearchStatus::Cached && artist.version == found.version,
            "{artist:?}"
        );
    }
    Ok(())
}

/// Artists whom nobody has looked into come along.
pub async fn takes_artists_without_profile(fixture: &impl Fixture) -> anyhow::Result<()> {
    fixture
        .style_profiles()
        .save(&given::profile("Known", "late")?, Expected::Any, &given::author())
        .await?;
    let sources = ["first take", "second take", "first take"]
        .map(given::recording)
        .into_iter()
        .collect::<anyhow::Result<Vec<_>>>()?;
    let batch = ["New", "Known"]
        .map(|name| {
            let artist = given::name(name)?;
            anyhow::Ok(ProfileRecord::Artist { artist, sources: sources.clone() })
        })
        .into_iter()
        .collect::<anyhow::Result<Vec<_>>>()?;

    let counts = fixture.bulk_load().load(batch.clone(), &given::author()).await?;
    let again = fixture.bulk_load().load(batch, &given::author()).await?;

    ensure!(
        counts == BulkCounts { created: 1, replaced: 0, unchanged: 1, sources: 4 },
        "{counts:?}"
    );
    ensure!(again == BulkCounts { unchanged: 2, ..BulkCounts::default() }, "{again:?}");
    let new = fixture.artists().find(&given::key("new")?).await?.context("loaded")?;
    ensure!(new.research_status == ResearchStatus::Pending && new.sources_count == 0, "{new:?}");
    ensure!(
        fixture.style_profiles().find(&given::key("known")?).await?.is_some(),
        "its profile stays"
    );
    Ok(())
}

/// More rows than one statement binds.
pub async fn takes_thousands(fixture: &impl Fixture) -> anyhow::Result<()> {
    let batch = (0..2_500)
        .map(|number| {
            record(&given::profile(&format!("Artist {number}"), &format!("{number}"))?, &["one"])
        })
        .collect::<anyhow::Result<Vec<_>>>()?;

    let first = fixture.bulk_load().load(batch.clone(), &given::author()).await?;
    let again = fixture.bulk_load().load(batch, &given::author()).await?;

    ensure!((first.created, first.sources) == (2_500, 2_500), "{first:?}");
    ensure!((again.unchanged, again.sources) == (2_500, 0), "{again:?}");
    let page = fixture.artists().page(&ArtistFilter::default(), Limit::LARGEST).await?;
    ensure!(page.items.len() == 500 && page.next.is_some());
    Ok(())
}
