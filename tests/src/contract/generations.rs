//! Generations: an account in which every entry counts once.

use anyhow::{Context, ensure};
use domain::{
    ArtistId, GenerationId, HistoryCursor, Limit, Money, Provider, RepositoryError, Timestamp,
};

use crate::{fixture::Fixture, given};

async fn artist(fixture: &impl Fixture, name: &str) -> anyhow::Result<ArtistId> {
    Ok(fixture.store().artists().find_or_create(&given::name(name)?).await?.artist.id)
}

/// Every part comes back; what is unknown stays unknown.
pub async fn returns_what_was_recorded(fixture: &impl Fixture) -> anyhow::Result<()> {
    let generations = fixture.store().generations();
    artist(fixture, "J Dilla").await?;
    let mut priced = given::generation("Anthropic")?;
    priced.artist = Some(given::name("j dilla")?);
    priced.created_at = Some("1999-12-31T23:59:59.999999Z".parse()?);
    priced.cost = Some("0.000000001".parse()?);
    let mut bare = given::generation("A Provider of Some Other Name")?;
    (bare.tokens_used, bare.cost) = (None, None);

    let recorded = generations.record(vec![priced.clone(), bare.clone()]).await?;

    let [first, second] = recorded.as_slice() else { anyhow::bail!("{recorded:?}") };
    ensure!(
        first.id == priced.id
            && first.artist.as_ref().is_some_and(|name| name.as_str() == "J Dilla")
    );
    ensure!(
        first.provider.as_str() == Provider::ANTHROPIC && first.cost == priced.cost,
        "{first:?}"
    );
    ensure!(Some(first.created_at) == priced.created_at && first.user_params == priced.user_params);
    ensure!(
        first.output_files == priced.output_files
            && first.generation_time_ms == priced.generation_time_ms
    );
    ensure!(
        second.artist.is_none() && second.tokens_used.is_none() && second.cost.is_none(),
        "{second:?}"
    );
    ensure!(generations.find(first.id).await?.as_ref() == Some(first));
    ensure!(generations.find(GenerationId::generate()).await?.is_none());
    ensure!(generations.record(Vec::new()).await?.is_empty());
    Ok(())
}

/// A repeated call returns what stands; another generation under a taken identity is refused.
pub async fn repeating_counts_nothing_twice(fixture: &impl Fixture) -> anyhow::Result<()> {
    let generations = fixture.store().generations();
    let entry = given::generation("google")?;
    let first = generations.record(vec![entry.clone()]).await?;

    let again = generations.record(vec![entry.clone(), given::generation("google")?]).await?;
    let other = domain::NewGeneration { generation_time_ms: 9, ..entry };
    let refused = generations.record(vec![given::generation("google")?, other]).await;

    ensure!(again.first() == first.first(), "{again:?}");
    ensure!(matches!(refused, Err(RepositoryError::Conflict)), "{refused:?}");
    ensure!(generations.statistics().await?.total_generations == 2);
    Ok(())
}

/// One bad entry, and none is recorded.
pub async fn an_unknown_artist_stops_all(fixture: &impl Fixture) -> anyhow::Result<()> {
    let generations = fixture.store().generations();
    let mut stray = given::generation("openai")?;
    stray.artist = Some(given::name("Unknown Artist")?);

    let refused = generations.record(vec![given::generation("openai")?, stray]).await;

    let Err(RepositoryError::UnknownArtist(name)) = refused else { anyhow::bail!("{refused:?}") };
    ensure!(name.as_str() == "Unknown Artist");
    ensure!(generations.statistics().await?.total_generations == 0);
    Ok(())
}

/// Pages follow each other while newer entries arrive, also among entries of one instant.
pub async fn history_neither_skips_nor_repeats(fixture: &impl Fixture) -> anyhow::Result<()> {
    let generations = fixture.store().generations();
    let id = artist(fixture, "J Dilla").await?;
    let entry = |seconds: i64, micros: i64| -> anyhow::Result<_> {
        let mut entry = given::generation("template")?;
        entry.artist = Some(given::name("J Dilla")?);
        entry.created_at = Some(Timestamp::from_unix_micros(seconds * 1_000_000 + micros)?);
        Ok(entry)
    };
    let mut entries = Vec::new();
    // Whole seconds beside fractions: as text these would not sort by time.
    for micros in [0, 1, 10, 100_000, 120_000, 999_999] {
        for _ in 0..4 {
            entries.push(entry(1_700_000_000, micros)?);
        }
    }
    generations.record(entries.clone()).await?;
    generations.record(vec![given::generation("template")?]).await?;
    entries.sort_by_key(|entry| (entry.created_at, entry.id));
    let expected: Vec<_> = entries.iter().rev().map(|entry| entry.id).collect();

    let mut seen = Vec::new();
    let mut after: Option<HistoryCursor> = None;
    loop {
        let history = generations.history(id, after, Limit::new(5)?).await?;
        seen.extend(history.page.items.iter().map(|generation| generation.id));
        after = history.page.next;
        if after.is_none() {
            break;
        }
        generations.record(vec![entry(1_800_000_000, 0)?]).await?;
    }
    let newest = generations.history(id, None, Limit::new(1)?).await?;

    ensure!(seen == expected, "{seen:?}");
    ensure!(newest.total == 24 + 4, "{}", newest.total);
    ensure!(newest.page.items.first().is_some_and(|newest| !expected.contains(&newest.id)));
    ensure!(generations.history(ArtistId::generate(), None, Limit::new(1)?).await?.total == 0);
    Ok(())
}

/// Ten dimes are a dollar, and the unknown is not zero.
pub async fn sums_are_exact(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let empty = store.generations().statistics().await?;
    ensure!(empty == domain::Statistics::default() && empty.avg_cost().is_none(), "{empty:?}");

    let mut entries = Vec::new();
    for (provider, cost) in [
        ("openai", "0.1"),
        ("OpenAI", "0.2"),
        ("google", "999999.999999999"),
        ("google", "1000000"),
    ] {
        for _ in 0..10 {
            let mut entry = given::generation(provider)?;
            (entry.cost, entry.generation_time_ms) = (Some(cost.parse()?), u32::MAX);
            entries.push(entry);
        }
    }
    let mut unpriced = given::generation("template")?;
    (unpriced.cost, unpriced.generation_time_ms) = (None, 0);
    entries.push(unpriced);
    store.generations().record(entries).await?;
    store.style_profiles().save(&given::profile("J Dilla", "late")?, domain::Expected::Any).await?;
    artist(fixture, "Pending").await?;

    let statistics = store.generations().statistics().await?;

    ensure!(statistics.total_cost.to_string() == "20000002.99999999", "{}", statistics.total_cost);
    ensure!(
        statistics.avg_cost() == Some(Money::from_nanos(500_000_075_000_000)),
        "{:?}",
        statistics.avg_cost()
    );
    ensure!(statistics.total_generations == 41 && statistics.priced_generations == 40);
    ensure!(statistics.total_time_ms == 40 * u128::from(u32::MAX));
    ensure!(statistics.cached_artists == 1);
    let usage: Vec<_> = statistics
        .provider_usage
        .iter()
        .map(|(provider, count)| (provider.as_str(), *count))
        .collect();
    ensure!(usage == [("google", 20), ("openai", 20), ("template", 1)], "{usage:?}");
    Ok(())
}

/// Totals do not care who is still stored.
pub async fn a_removed_artist_leaves_its_entries(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let id = artist(fixture, "J Dilla").await?;
    let mut entry = given::generation("openai")?;
    entry.artist = Some(given::name("J Dilla")?);
    store.generations().record(vec![entry.clone()]).await?;
    let before = store.generations().statistics().await?;

    store.artists().remove(&given::key("J Dilla")?).await?;

    let kept = store.generations().find(entry.id).await?.context("kept")?;
    ensure!(kept.artist.is_none() && kept.cost == entry.cost);
    ensure!(store.generations().statistics().await? == before);
    ensure!(store.generations().history(id, None, Limit::new(1)?).await?.total == 0);
    Ok(())
}

/// While artists come and go, an entry is recorded or its artist is not known; there is no third answer.
pub async fn removal_beside_recording_loses_nothing(fixture: &impl Fixture) -> anyhow::Result<()> {
    const ROUNDS: usize = 40;
    let store = fixture.store();
    let remover = tokio::spawn({
        let artists = store.artists();
        async move {
            for _ in 0..ROUNDS {
                artists.find_or_create(&given::name("J Dilla")?).await?;
                artists.remove(&given::key("J Dilla")?).await?;
            }
            anyhow::Ok(())
        }
    });
    let recorders: Vec<_> = (0..4)
        .map(|_| {
            let generations = store.generations();
            tokio::spawn(async move {
                let mut recorded = 0;
                for _ in 0..ROUNDS {
                    let mut entry = given::generation("openai")?;
                    entry.artist = Some(given::name("J Dilla")?);
                    match generations.record(vec![entry]).await {
                        Ok(_) => recorded += 1,
                        Err(RepositoryError::UnknownArtist(_)) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                anyhow::Ok(recorded)
            })
        })
        .collect();

    let mut recorded = 0;
    for recorder in recorders {
        recorded += recorder.await??;
    }
    remover.await??;

    ensure!(store.generations().statistics().await?.total_generations == recorded);
    Ok(())
}
