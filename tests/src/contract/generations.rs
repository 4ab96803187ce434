//! Generations: an account in which every entry counts once.

use anyhow::{Context, ensure};
use domain::{
    ArtistId, Generation, GenerationId, GenerationStatus, GenerationStep, HistoryCursor,
    HistoryFilter, Label, Limit, Money, Provider, RepositoryError, Text, TimeRange, Timestamp,
    Tokens,
};

use crate::{account, fixture::Fixture, given};

async fn artist(fixture: &impl Fixture, name: &str) -> anyhow::Result<ArtistId> {
    Ok(fixture
        .store()
        .artists()
        .find_or_create(&given::name(name)?, &given::author())
        .await?
        .artist
        .id)
}

/// Every part comes back; what is unknown stays unknown.
pub async fn returns_what_was_recorded(fixture: &impl Fixture) -> anyhow::Result<()> {
    let generations = fixture.store().generations();
    artist(fixture, "J Dilla").await?;
    let mut full = given::generation("Anthropic")?;
    full.artist = Some(given::name("j dilla")?);
    full.created_at = Some("1999-12-31T23:59:59.999999Z".parse()?);
    full.details.cost = Some("0.000000001".parse()?);
    full.details.model = Some(Label::try_from("Sonata 2")?);
    full.details.status = GenerationStatus::Failed;
    full.details.error = Some(Text::try_from("no \"answer\"\nin time".to_owned())?);
    full.details.steps = vec![
        GenerationStep { name: Label::try_from("plan")?, time_ms: 0 },
        GenerationStep { name: Label::try_from("play")?, time_ms: u32::MAX },
    ];
    full.details.tokens = Tokens {
        used: Some(u32::MAX),
        input: Some(1),
        output: Some(2),
        cache_read: Some(3),
        cache_write: Some(4),
        reasoning: Some(0),
    };
    let mut bare = given::generation("A Provider of Some Other Name")?;
    (bare.details.tokens, bare.details.cost) = (Tokens::default(), None);

    let recorded = generations.record(vec![full.clone(), bare.clone()], &given::author()).await?;

    let [first, second] = recorded.as_slice() else { anyhow::bail!("{recorded:?}") };
    ensure!(first.id == full.id && first.details == full.details, "{first:?}");
    ensure!(first.artist.as_ref().is_some_and(|name| name.as_str() == "J Dilla"), "{first:?}");
    ensure!(Some(first.created_at) == full.created_at, "{first:?}");
    ensure!(first.details.provider.as_str() == Provider::ANTHROPIC);
    ensure!(second.artist.is_none() && second.details == bare.details, "{second:?}");
    for recorded in [first, second] {
        let found = generations.find(recorded.id).await?;
        ensure!(found.as_ref() == Some(recorded), "{found:?}");
    }
    ensure!(generations.find(GenerationId::generate()).await?.is_none());
    ensure!(generations.record(Vec::new(), &given::author()).await?.is_empty());
    Ok(())
}

/// A repeated call returns what stands; another generation under a taken identity is refused.
pub async fn repeating_counts_nothing_twice(fixture: &impl Fixture) -> anyhow::Result<()> {
    let generations = fixture.store().generations();
    let entry = given::generation("google")?;
    let first = generations.record(vec![entry.clone()], &given::author()).await?;

    let again = generations
        .record(vec![entry.clone(), given::generation("google")?], &given::author())
        .await?;
    let twin = given::generation("google")?;
    let twice = generations.record(vec![twin.clone(), twin.clone()], &given::author()).await?;
    let mut other = entry.clone();
    other.details.generation_time_ms = 9;
    let refused =
        generations.record(vec![given::generation("google")?, other], &given::author()).await;
    let mut moved = entry;
    moved.created_at = Some("2001-01-01T00:00:00Z".parse()?);
    let elsewhere = generations.record(vec![moved.clone()], &given::author()).await;

    artist(fixture, "J Dilla").await?;
    let mut owned = twin.clone();
    owned.artist = Some(given::name("J Dilla")?);
    let owned = generations.record(vec![owned], &given::author()).await;

    ensure!(again.first() == first.first(), "{again:?}");
    ensure!(matches!(owned, Err(RepositoryError::TakenGeneration(_))), "{owned:?}");
    ensure!(matches!(twice.as_slice(), [one, two] if one == two && one.id == twin.id), "{twice:?}");
    let taken = |id| move |error: &RepositoryError| matches!(error, RepositoryError::TakenGeneration(it) if *it == id);
    ensure!(refused.as_ref().is_err_and(taken(moved.id)), "{refused:?}");
    ensure!(elsewhere.as_ref().is_err_and(taken(moved.id)), "{elsewhere:?}");
    ensure!(account::totals(fixture.store()).await?.generations == 3);
    Ok(())
}

/// Whoever is refused takes nobody along, among many who record at the same time.
pub async fn callers_are_refused_one_by_one(fixture: &impl Fixture) -> anyhow::Result<()> {
    const CALLERS: usize = 60;
    let store = fixture.store();
    let taken = given::generation("google")?;
    store.generations().record(vec![taken.clone()], &given::author()).await?;
    let shared = given::generation("google")?;

    let calls = (0..CALLERS).map(|n| {
        let (generations, taken, shared) = (store.generations(), taken.clone(), shared.clone());
        tokio::spawn(async move {
            let mut entries = vec![given::generation("openai")?, shared];
            match n % 3 {
                0 => entries.push(taken),
                1 => {
                    let mut other = taken;
                    other.details.generation_time_ms = 9;
                    entries.push(other);
                }
                _ => {
                    let mut stray = given::generation("openai")?;
                    stray.artist = Some(given::name("Unknown Artist")?);
                    entries.push(stray);
                }
            }
            anyhow::Ok((n % 3, generations.record(entries, &given::author()).await))
        })
    });
    let calls: Vec<_> = calls.collect();

    for call in calls {
        match call.await?? {
            (0, Ok(recorded)) => ensure!(recorded.len() == 3, "{recorded:?}"),
            (1, Err(RepositoryError::TakenGeneration(id))) => ensure!(id == taken.id),
            (2, Err(RepositoryError::UnknownArtist(_))) => {}
            other => anyhow::bail!("{other:?}"),
        }
    }
    let totals = account::totals(store).await?;
    ensure!(totals.generations == 2 + CALLERS as u64 / 3, "{totals:?}");
    Ok(())
}

/// One bad entry, and none is recorded.
pub async fn an_unknown_artist_stops_all(fixture: &impl Fixture) -> anyhow::Result<()> {
    let generations = fixture.store().generations();
    let mut stray = given::generation("openai")?;
    stray.artist = Some(given::name("Unknown Artist")?);

    let refused =
        generations.record(vec![given::generation("openai")?, stray], &given::author()).await;

    let Err(RepositoryError::UnknownArtist(name)) = refused else { anyhow::bail!("{refused:?}") };
    ensure!(name.as_str() == "Unknown Artist");
    ensure!(account::totals(fixture.store()).await?.generations == 0);
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
    generations.record(entries.clone(), &given::author()).await?;
    generations.record(vec![given::generation("template")?], &given::author()).await?;
    entries.sort_by_key(|entry| (entry.created_at, entry.id));
    let expected: Vec<_> = entries.iter().rev().map(|entry| entry.id).collect();

    let mut seen = Vec::new();
    let mut after: Option<HistoryCursor> = None;
    loop {
        let history =
            generations.history(id, &HistoryFilter::default(), after, Limit::new(5)?).await?;
        seen.extend(history.page.items.iter().map(|generation| generation.id));
        after = history.page.next;
        if after.is_none() {
            break;
        }
        generations.record(vec![entry(1_800_000_000, 0)?], &given::author()).await?;
    }
    let newest = generations.history(id, &HistoryFilter::default(), None, Limit::new(1)?).await?;

    ensure!(seen == expected, "{seen:?}");
    ensure!(newest.total == 24 + 4, "{}", newest.total);
    ensure!(newest.page.items.first().is_some_and(|newest| !expected.contains(&newest.id)));
    let nobody = ArtistId::generate();
    let none = generations.history(nobody, &HistoryFilter::default(), None, Limit::new(1)?).await?;
    ensure!(none.total == 0 && none.page.items.is_empty());
    Ok(())
}

/// A filter's conditions hold together, and the total is that of the artist.
pub async fn histories_can_be_filtered(fixture: &impl Fixture) -> anyhow::Result<()> {
    let generations = fixture.store().generations();
    let id = artist(fixture, "J Dilla").await?;
    let mut entries = Vec::new();
    for (second, provider, status) in [
        (0, "openai", GenerationStatus::Completed),
        (1, "openai", GenerationStatus::Failed),
        (2, "google", GenerationStatus::Failed),
        (3, "openai", GenerationStatus::Failed),
    ] {
        let mut entry = given::generation(provider)?;
        entry.artist = Some(given::name("J Dilla")?);
        entry.created_at = Some(Timestamp::from_unix_micros(second * 1_000_000)?);
        entry.details.status = status;
        entries.push(entry);
    }
    let ids: Vec<GenerationId> = entries.iter().map(|entry| entry.id).collect();
    generations.record(entries, &given::author()).await?;
    let at = |second: i64| Timestamp::from_unix_micros(second * 1_000_000);
    let openai = Some(Provider::try_from("openai")?);
    let failed = Some(GenerationStatus::Failed);

    for (filter, expected) in [
        (HistoryFilter { provider: openai.clone(), ..HistoryFilter::default() }, vec![3, 1, 0]),
        (HistoryFilter { status: failed, ..HistoryFilter::default() }, vec![3, 2, 1]),
        (
            HistoryFilter { range: TimeRange::new(at(1)?, at(3)?)?, ..HistoryFilter::default() },
            vec![2, 1],
        ),
        (
            HistoryFilter {
                provider: openai,
                status: failed,
                range: TimeRange::new(at(0)?, at(3)?)?,
            },
            vec![1],
        ),
        (
            HistoryFilter { range: TimeRange::new(at(1)?, at(1)?)?, ..HistoryFilter::default() },
            vec![],
        ),
    ] {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let history = generations.history(id, &filter, after, Limit::new(1)?).await?;
            ensure!(history.total == 4, "{}", history.total);
            found.extend(history.page.items.iter().map(|generation| generation.id));
            after = history.page.next;
            if after.is_none() {
                break;
            }
        }
        let expected: Vec<_> =
            expected.into_iter().filter_map(|n: usize| ids.get(n).copied()).collect();
        ensure!(found == expected, "{filter:?}: {found:?}");
    }
    Ok(())
}

/// All generations come page by page, the oldest first, from the first time there can be to the last.
pub async fn everything_is_paged_by_time(fixture: &impl Fixture) -> anyhow::Result<()> {
    let generations = fixture.store().generations();
    let mut expected = Vec::new();
    for time in [
        "0001-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999999Z",
        "2026-02-28T23:59:59.999999Z",
        "2026-03-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
    ] {
        for _ in 0..2 {
            let mut entry = given::generation("openai")?;
            entry.created_at = Some(time.parse()?);
            expected.push((entry.created_at, entry.id));
            generations.record(vec![entry], &given::author()).await?;
        }
    }
    expected.sort();

    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = generations.page(TimeRange::ALL, after, Limit::new(3)?).await?;
        found.extend(page.items.iter().map(|it: &Generation| (Some(it.created_at), it.id)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }

    ensure!(found == expected, "{found:?}");
    Ok(())
}

/// Ten dimes are a dollar, and the unknown is not zero.
pub async fn sums_are_exact(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let empty = account::totals(store).await?;
    ensure!(empty.generations == 0 && empty.avg_cost().is_none(), "{empty:?}");

    let mut entries = Vec::new();
    for (provider, cost) in [
        ("openai", "0.1"),
        ("OpenAI", "0.2"),
        ("google", "999999.999999999"),
        ("google", "1000000"),
    ] {
        for _ in 0..10 {
            let mut entry = given::generation(provider)?;
            (entry.details.cost, entry.details.generation_time_ms) =
                (Some(cost.parse()?), u32::MAX);
            entries.push(entry);
        }
    }
    let mut unpriced = given::generation("template")?;
    (unpriced.details.cost, unpriced.details.generation_time_ms) = (None, 0);
    entries.push(unpriced);
    store.generations().record(entries, &given::author()).await?;

    let totals = account::totals(store).await?;

    ensure!(totals.cost.to_string() == "20000002.99999999", "{}", totals.cost);
    ensure!(
        totals.avg_cost() == Some(Money::from_nanos(500_000_075_000_000)),
        "{:?}",
        totals.avg_cost()
    );
    ensure!(totals.generations == 41 && totals.priced == 40 && totals.unpriced() == 1);
    ensure!(totals.time_ms == 40 * u64::from(u32::MAX));
    let kinds = account::sums_by_kind(store).await?;
    let usage: Vec<_> =
        kinds.iter().map(|(kind, sums)| (kind.provider.as_str(), sums.generations)).collect();
    ensure!(usage == [("google", 20), ("openai", 20), ("template", 1)], "{usage:?}");
    Ok(())
}

/// Totals do not care who is still stored.
pub async fn a_removed_artist_leaves_its_entries(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let id = artist(fixture, "J Dilla").await?;
    let mut entry = given::generation("openai")?;
    entry.artist = Some(given::name("J Dilla")?);
    store.generations().record(vec![entry.clone()], &given::author()).await?;
    let before = account::sums_by_kind(store).await?;

    store.artists().remove(&given::key("J Dilla")?, &given::author()).await?;

    let kept = store.generations().find(entry.id).await?.context("kept")?;
    ensure!(kept.artist.is_none() && kept.details == entry.details);
    ensure!(account::sums_by_kind(store).await? == before);
    let all = HistoryFilter::default();
    let history = store.generations().history(id, &all, None, Limit::new(1)?).await?;
    ensure!(history.total == 0 && history.page.items.is_empty());
    // Whoever asks again is answered as the first time.
    let again = store.generations().record(vec![entry], &given::author()).await?;
    ensure!(again == [kept], "{again:?}");
    ensure!(account::sums_by_kind(store).await? == before);
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
                artists.find_or_create(&given::name("J Dilla")?, &given::author()).await?;
                artists.remove(&given::key("J Dilla")?, &given::author()).await?;
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
                    match generations.record(vec![entry], &given::author()).await {
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

    ensure!(account::totals(store).await?.generations == recorded);
    Ok(())
}
