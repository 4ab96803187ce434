//! Sums over generations: at any moment they are what the generations say.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use domain::{
    EntriesReading, Generation, GenerationKind, GenerationStatus, HistoryCursor, Label, Limit,
    NewGeneration, Quarter, QuarterSpan, RollupPosition, RollupReading, RollupSnapshot, Sums,
    TimeRange, Timestamp,
};
use storage::Store;

use crate::{account, fixture::Fixture, given};

const SECOND: i64 = 1_000_000;
const QUARTER: i64 = 900 * SECOND;
const DAY: i64 = 86_400 * SECOND;

/// From 2026-01-30T00:00:00Z: a time with the end of a month in it.
const START: i64 = 1_769_731_200 * SECOND;

const ARTISTS: [&str; 3] = ["J Dilla", "Questlove", "坂本龍一"];

/// Generations of all kinds within some days, among them one at each end.
fn entries(count: usize, days: i64) -> anyhow::Result<Vec<NewGeneration>> {
    (0..count)
        .map(|n| {
            let provider =
                fastrand::choice(["openai", "google", "template"]).context("provider")?;
            let mut entry = given::generation(provider)?;
            let within = match n {
                0 => 0,
                1 => days * DAY - 1,
                _ => fastrand::i64(0..days * DAY),
            };
            entry.created_at = Some(Timestamp::from_unix_micros(START + within)?);
            entry.artist = match fastrand::usize(..4) {
                3 => None,
                n => Some(given::name(ARTISTS.get(n).context("artist")?)?),
            };
            let details = &mut entry.details;
            details.model = fastrand::bool().then(|| Label::try_from("large")).transpose()?;
            details.status = *fastrand::choice(&GenerationStatus::ALL).context("status")?;
            details.generation_time_ms = fastrand::u32(0..60_000);
            details.tokens.used = fastrand::bool().then(|| fastrand::u32(..));
            details.tokens.cache_read = fastrand::bool().then(|| fastrand::u32(..9));
            details.cost = fastrand::bool()
                .then(|| fastrand::u32(..9_000_000).to_string().parse())
                .transpose()
                .or_else(|_| "0.000000001".parse().map(Some))?;
            Ok(entry)
        })
        .collect()
}

async fn record(store: &Store, count: usize, days: i64) -> anyhow::Result<Vec<NewGeneration>> {
    for name in ARTISTS {
        store.artists().find_or_create(&given::name(name)?, &given::author()).await?;
    }
    let entries = entries(count, days)?;
    for some in entries.chunks(50) {
        store.generations().record(some.to_vec(), &given::author()).await?;
    }
    Ok(entries)
}

async fn fold_all(store: &Store) -> anyhow::Result<()> {
    while store.generation_rollups().fold().await? != 0 {}
    Ok(())
}

/// Sums of what a condition admits, by key.
fn expected<K: Ord>(
    entries: &[NewGeneration],
    key: impl Fn(&NewGeneration) -> Option<K>,
) -> BTreeMap<K, Sums> {
    let mut sums: BTreeMap<K, Sums> = BTreeMap::new();
    for entry in entries {
        if let Some(key) = key(entry) {
            sums.entry(key).or_default().add(&Sums::of(&entry.details));
        }
    }
    sums
}

fn micros(entry: &NewGeneration) -> i64 {
    entry.created_at.map_or(0, Timestamp::unix_micros)
}

fn range(from: i64, to: i64) -> TimeRange {
    TimeRange::clipped(from, to)
}

fn span(range: TimeRange) -> anyhow::Result<QuarterSpan> {
    QuarterSpan::within(range).0.context("whole quarters")
}

/// What is folded and pending of one of the spans that were read.
fn of_span(
    snapshot: &RollupSnapshot,
    span: QuarterSpan,
    place: usize,
) -> anyhow::Result<BTreeMap<GenerationKind, Sums>> {
    let mut sums: BTreeMap<GenerationKind, Sums> = BTreeMap::new();
    for (kind, some) in snapshot.spans.get(place).context("span")? {
        sums.entry(kind.clone()).or_default().add(some);
    }
    for rollup in snapshot.pending.iter().filter(|it| span.contains(it.quarter)) {
        sums.entry(rollup.kind.clone()).or_default().add(&rollup.sums);
    }
    Ok(sums)
}

async fn ensure_no_drift(store: &Store, generations: u64) -> anyhow::Result<()> {
    let drift = store.accounts().verify(|_| ()).await?;
    ensure!(drift.different == 0 && drift.generations == generations, "{drift:#?}");
    Ok(())
}

/// Before anything is folded, between folds, and after.
pub async fn say_what_the_generations_say(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let mut all = record(store, 120, 3).await?;
    let by_kind = |all: &[NewGeneration]| expected(all, |entry| Some(entry.details.kind()));

    ensure!(account::sums_by_kind(store).await? == by_kind(&all));
    ensure_no_drift(store, 120).await?;
    store.generation_rollups().fold().await?;
    ensure!(account::sums_by_kind(store).await? == by_kind(&all));
    all.extend(record(store, 80, 3).await?);
    ensure!(account::sums_by_kind(store).await? == by_kind(&all));
    ensure_no_drift(store, 200).await?;
    fold_all(store).await?;
    ensure!(account::sums_by_kind(store).await? == by_kind(&all));
    ensure_no_drift(store, 200).await
}

/// What was pending is folded, and nothing is left.
pub async fn folding_changes_no_sum(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    record(store, 60, 2).await?;
    let before = account::sums_by_kind(store).await?;
    let pending = store.generation_rollups().read(&RollupReading::default()).await?;

    fold_all(store).await?;

    let folded = store.generation_rollups().read(&RollupReading::default()).await?;
    ensure!(!pending.pending.is_empty() && folded.pending.is_empty());
    ensure!(pending.position < folded.position);
    ensure!(account::sums_by_kind(store).await? == before);
    ensure!(store.generation_rollups().fold().await? == 0);
    Ok(())
}

/// Whoever finds nothing to fold keeps nobody else from it.
pub async fn a_fold_that_is_over_is_over(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    for round in 0..100 {
        ensure!(store.generation_rollups().fold().await? == 0, "{round}");
        store.generations().record(vec![given::generation("openai")?], &given::author()).await?;
        ensure!(store.generation_rollups().fold().await? != 0, "{round}");
    }
    Ok(())
}

/// Whoever has sums as of a position brings them up to date with what was folded since.
pub async fn tell_what_changed_since(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let rollups = store.generation_rollups();
    let all = span(TimeRange::ALL)?;
    let of_all = RollupReading { spans: vec![all], ..RollupReading::default() };
    let first = rollups.read(&of_all).await?;
    let mut position = first.position;
    let mut sums: BTreeMap<(Quarter, GenerationKind), Sums> = BTreeMap::new();
    let mut entries = Vec::new();

    for _ in 0..3 {
        entries.extend(record(store, 30, 2).await?);
        fold_all(store).await?;
        entries.extend(record(store, 20, 2).await?);
        let since = RollupReading { since: Some(position), ..RollupReading::default() };
        let snapshot = rollups.read(&since).await?;

        for rollup in snapshot.changes.context("changes")? {
            sums.entry((rollup.quarter, rollup.kind)).or_default().add(&rollup.sums);
        }
        position = snapshot.position;
        let mut now = sums.clone();
        for rollup in snapshot.pending {
            now.entry((rollup.quarter, rollup.kind)).or_default().add(&rollup.sums);
        }
        let expected = expected(&entries, |entry| {
            Some((Quarter::of(entry.created_at?), entry.details.kind()))
        });
        ensure!(now == expected);
    }
    Ok(())
}

/// A position that no fold had, or that was forgotten, has no changes.
pub async fn a_position_may_be_unknown(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let rollups = store.generation_rollups();
    let since = |position| RollupReading { since: Some(position), ..RollupReading::default() };
    let beginning = rollups.read(&RollupReading::default()).await?.position;
    record(store, 20, 1).await?;
    fold_all(store).await?;
    let now = rollups.read(&RollupReading::default()).await?;

    ensure!(now.changes.is_none());
    ensure!(rollups.read(&since(beginning)).await?.changes.is_some());
    ensure!(rollups.read(&since(now.position)).await?.changes.is_some_and(|it| it.is_empty()));
    let RollupPosition(number) = now.position;
    for unknown in [number - 1, number + 1, i64::MIN, i64::MAX] {
        let snapshot = rollups.read(&since(RollupPosition(unknown))).await?;
        ensure!(snapshot.changes.is_none(), "{unknown}");
    }
    store.accounts().rebuild(|_| ()).await?;
    ensure!(rollups.read(&since(now.position)).await?.changes.is_none());
    Ok(())
}

/// Whatever is recorded and folded meanwhile, a reading holds together.
pub async fn readers_see_one_moment(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    record(store, 50, 1).await?;
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            for _ in 0..15 {
                record(&store, 10, 1).await?;
                store.generation_rollups().fold().await?;
            }
            anyhow::Ok(())
        }
    });
    let (day, all) = (span(range(START, START + DAY))?, span(TimeRange::ALL)?);
    let entries = |by_artist| EntriesReading {
        range: TimeRange::ALL,
        artist: None,
        by_artist,
        exact_times: false,
    };
    let reading = RollupReading {
        since: None,
        spans: vec![day, all],
        entries: vec![entries(false), entries(true)],
    };

    while !writer.is_finished() {
        let snapshot = store.generation_rollups().read(&reading).await?;
        let first = of_span(&snapshot, day, 0)?;
        ensure!(first == of_span(&snapshot, all, 1)?);
        for found in &snapshot.entries {
            let mut sums: BTreeMap<GenerationKind, Sums> = BTreeMap::new();
            for entry in found {
                sums.entry(entry.kind.clone()).or_default().add(&entry.sums);
            }
            ensure!(sums == first);
        }
    }
    writer.await?
}

/// Of whatever length a span is, wherever it begins.
pub async fn quarters_make_up_every_span(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let all = record(store, 300, 40).await?;
    fold_all(store).await?;
    let mut reading = RollupReading::default();
    let mut ranges = Vec::new();
    for _ in 0..40 {
        let from = START + fastrand::i64(-100..40 * 96) * QUARTER;
        let range = range(from, from + fastrand::i64(1..45 * 96) * QUARTER);
        reading.spans.push(span(range)?);
        reading.entries.push(EntriesReading {
            range,
            artist: None,
            by_artist: false,
            exact_times: false,
        });
        ranges.push(range);
    }

    let snapshot = store.generation_rollups().read(&reading).await?;

    for (place, range) in ranges.into_iter().enumerate() {
        let expected =
            expected(&all, |entry| range.contains(entry.created_at?).then(|| entry.details.kind()));
        let found = of_span(&snapshot, span(range)?, place)?;
        ensure!(found == expected, "{range:?}: {found:#?}\n{expected:#?}");
        let entries = snapshot.entries.get(place).context("entries")?;
        let counted: BTreeMap<_, _> =
            entries.iter().map(|it| (it.kind.clone(), it.sums.clone())).collect();
        ensure!(counted == expected, "{range:?}: {counted:#?}\n{expected:#?}");
    }
    Ok(())
}

/// Over ranges of all kinds, folded or not; who was removed is nobody.
pub async fn artists_are_told_apart(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let mut all = record(store, 200, 70).await?;
    fold_all(store).await?;
    all.extend(record(store, 50, 70).await?);
    let dilla = store.artists().find(&given::key("J Dilla")?).await?.context("artist")?;
    store.artists().remove(&given::key("Questlove")?, &given::author()).await?;
    let ranges = [
        TimeRange::ALL,
        range(START, START + 70 * DAY),
        range(START + 7, START + 69 * DAY + 11),
        range(START + 5 * DAY, START + 6 * DAY),
        range(START, START),
    ];
    for range in ranges {
        let reading =
            |artist, by_artist| EntriesReading { range, artist, by_artist, exact_times: false };
        let snapshot = store
            .generation_rollups()
            .read(&RollupReading {
                entries: vec![reading(Some(dilla.id), false), reading(None, true)],
                ..RollupReading::default()
            })
            .await?;

        let name = |entry: &NewGeneration| {
            let name = entry.artist.as_ref()?.as_str().to_owned();
            (name != "Questlove").then_some(name)
        };
        let within = |entry: &NewGeneration| entry.created_at.is_some_and(|it| range.contains(it));
        let of_dilla = expected(&all, |entry| {
            (within(entry) && name(entry)? == "J Dilla").then(|| entry.details.kind())
        });
        let of_all =
            expected(&all, |entry| within(entry).then(|| (name(entry), entry.details.kind())));
        let [one, everybody] = snapshot.entries.as_slice() else { anyhow::bail!("entries") };
        let one: BTreeMap<_, _> = one.iter().map(|it| (it.kind.clone(), it.sums.clone())).collect();
        ensure!(one == of_dilla, "{range:?}");
        let everybody: BTreeMap<_, _> = everybody
            .iter()
            .map(|it| {
                let name = it.artist.as_ref().map(|name| name.as_str().to_owned());
                ((name, it.kind.clone()), it.sums.clone())
            })
            .collect();
        ensure!(everybody == of_all, "{range:?}");
    }
    Ok(())
}

/// Percentiles by class are close, and exact ones exact.
pub async fn times_can_be_exact(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let all = record(store, 150, 2).await?;
    fold_all(store).await?;
    let reading = |exact_times| EntriesReading {
        range: TimeRange::ALL,
        artist: None,
        by_artist: false,
        exact_times,
    };
    let snapshot = store
        .generation_rollups()
        .read(&RollupReading {
            entries: vec![reading(true), reading(false)],
            ..RollupReading::default()
        })
        .await?;
    let totals = |place: usize| {
        let mut sums = Sums::default();
        for entry in snapshot.entries.get(place).into_iter().flatten() {
            sums.add(&entry.sums);
        }
        sums
    };
    let mut times: Vec<u32> = all.iter().map(|entry| entry.details.generation_time_ms).collect();
    times.sort_unstable();

    let (exact, by_class) = (totals(0), totals(1));
    ensure!(exact.times.is_exact() && !by_class.times.is_exact());
    for (part, rank) in [(0.5, 74), (0.95, 142), (0.99, 148), (1.0, 149)] {
        let expected = times.get(rank).copied();
        ensure!(exact.times.percentile(part) == expected, "{part}");
        let near = by_class.times.percentile(part).context("percentile")?;
        let expected = f64::from(expected.context("rank")?);
        let error = (f64::from(near) - expected).abs() / expected.max(1.0);
        ensure!(error <= domain::Times::RELATIVE_ERROR, "{part}: {near} for {expected}");
    }
    Ok(())
}

/// However many try at the same time.
pub async fn one_folds_at_a_time(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let all = record(store, 100, 1).await?;
    let folders: Vec<_> = (0..8)
        .map(|_| {
            let rollups = store.generation_rollups();
            tokio::spawn(async move { rollups.fold().await })
        })
        .collect();

    for folder in folders {
        folder.await??;
    }
    fold_all(store).await?;

    ensure!(account::sums_by_kind(store).await? == expected(&all, |it| Some(it.details.kind())));
    ensure_no_drift(store, 100).await
}

/// Whichever sum is wrong, missing, or there without need.
pub async fn drift_is_found(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    record(store, 60, 40).await?;
    fold_all(store).await?;
    record(store, 5, 1).await?;

    for (damage, repair) in [
        (
            "UPDATE generation_rollups SET cost_nanos = (cost_nanos + 1) % 1000000000 WHERE width = 1",
            "UPDATE generation_rollups SET cost_nanos = (cost_nanos + 999999999) % 1000000000 WHERE width = 1",
        ),
        (
            "UPDATE generation_rollups SET time_ms = time_ms + 1 WHERE width = 3",
            "UPDATE generation_rollups SET time_ms = time_ms - 1 WHERE width = 3",
        ),
        (
            "UPDATE generation_artist_rollups SET priced = priced + 1 WHERE width = 5",
            "UPDATE generation_artist_rollups SET priced = priced - 1 WHERE width = 5",
        ),
        (
            "UPDATE generation_artist_rollups SET output_tokens = output_tokens + 1 WHERE width = 4",
            "UPDATE generation_artist_rollups SET output_tokens = output_tokens - 1 WHERE width = 4",
        ),
        (
            "UPDATE generation_rollup_pending SET tokens_used = tokens_used + 1",
            "UPDATE generation_rollup_pending SET tokens_used = tokens_used - 1",
        ),
        (
            "UPDATE generation_history SET tokens_used = 7 WHERE tokens_used IS NULL",
            "UPDATE generation_history SET tokens_used = NULL WHERE tokens_used = 7",
        ),
    ] {
        ensure_no_drift(store, 65).await?;
        fixture.by_hand(damage).await?;
        let drift = store.accounts().verify(|_| ()).await?;
        ensure!(0 < drift.different && !drift.differences.is_empty(), "{damage}");
        fixture.by_hand(repair).await?;
    }
    for damage in [
        "DELETE FROM generation_rollups WHERE width = 2",
        "DELETE FROM generation_artist_rollups WHERE width = 5",
        "DELETE FROM generation_history WHERE generation_time_ms < 30000",
    ] {
        fixture.by_hand(damage).await?;
        let drift = store.accounts().verify(|_| ()).await?;
        ensure!(0 < drift.different, "{damage}");
        store.accounts().rebuild(|_| ()).await?;
        ensure!(store.accounts().verify(|_| ()).await?.different == 0, "{damage}");
    }
    Ok(())
}

/// Also when every sum was lost.
pub async fn rebuilding_repairs(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let all = record(store, 80, 70).await?;
    fold_all(store).await?;
    record_none(store).await?;
    for table in [
        "generation_rollups",
        "generation_artist_rollups",
        "generation_rollup_pending",
        "generation_artist_pending",
        "generation_rollup_log",
    ] {
        fixture.by_hand(&format!("DELETE FROM {table}")).await?;
    }

    store.accounts().rebuild(|_| ()).await?;

    ensure!(account::sums_by_kind(store).await? == expected(&all, |it| Some(it.details.kind())));
    ensure_no_drift(store, 80).await
}

/// An empty call changes nothing.
async fn record_none(store: &Store) -> anyhow::Result<()> {
    ensure!(store.generations().record(Vec::new(), &given::author()).await?.is_empty());
    Ok(())
}

/// Nothing that is recorded or folded meanwhile is lost or counted twice.
pub async fn rebuilding_beside_recording_is_exact(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    record(store, 100, 70).await?;
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            for _ in 0..20 {
                record(&store, 5, 70).await?;
                store.generation_rollups().fold().await?;
            }
            anyhow::Ok(())
        }
    });

    while !writer.is_finished() {
        store.accounts().rebuild(|_| ()).await?;
    }
    writer.await??;

    ensure_no_drift(store, 200).await
}

/// Generations go by whole months; sums over them stay, of everybody and of each artist.
pub async fn retired_generations_stay_in_every_sum(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let mut all = record(store, 200, 70).await?;
    fold_all(store).await?;
    let february = 1_769_904_000 * SECOND;
    let april = Timestamp::from_unix_micros(1_775_001_600 * SECOND)?;
    let kept_first = all.iter().filter(|it| february <= micros(it)).count() as u64;

    let early = store.accounts().retire(Timestamp::from_unix_micros(february - 1)?).await?;
    ensure!(early.months == 0 && early.generations == 0, "{early:?}");
    let first = store.accounts().retire(Timestamp::from_unix_micros(february)?).await?;
    ensure!(first.months == 1 && first.generations == 200 - kept_first, "{first:?}");
    ensure_no_drift(store, kept_first).await?;
    // What comes in late lands where it belongs, and goes the same way.
    all.extend(record(store, 100, 1).await?);
    ensure_no_drift(store, kept_first + 100).await?;
    let rest = store.accounts().retire(april).await?;
    ensure!(rest.generations == kept_first + 100 - newer(&all, april), "{rest:?}");

    ensure!(account::sums_by_kind(store).await? == expected(&all, |it| Some(it.details.kind())));
    let dilla = store.artists().find(&given::key("J Dilla")?).await?.context("artist")?;
    for range in [TimeRange::ALL, range(START + QUARTER, START + 3 * DAY)] {
        let entries = vec![EntriesReading {
            range,
            artist: Some(dilla.id),
            by_artist: false,
            exact_times: false,
        }];
        let reading = RollupReading { entries, ..RollupReading::default() };
        let snapshot = store.generation_rollups().read(&reading).await?;
        let found: BTreeMap<_, _> =
            snapshot.entries.into_iter().flatten().map(|it| (it.kind, it.sums)).collect();
        let of_dilla = expected(&all, |entry| {
            let is_dilla = entry.artist.as_ref().is_some_and(|it| it.as_str() == "J Dilla");
            (is_dilla && range.contains(entry.created_at?)).then(|| entry.details.kind())
        });
        ensure!(found == of_dilla, "{range:?}");
    }
    let left =
        store.generations().page(TimeRange::ALL, None::<HistoryCursor>, Limit::LARGEST).await?;
    ensure!(left.items.iter().all(|it: &Generation| april <= it.created_at));
    store.accounts().rebuild(|_| ()).await?;
    ensure!(account::sums_by_kind(store).await? == expected(&all, |it| Some(it.details.kind())));
    ensure_no_drift(store, left.items.len() as u64).await
}

fn newer(all: &[NewGeneration], than: Timestamp) -> u64 {
    all.iter().filter(|it| it.created_at.is_some_and(|time| than <= time)).count() as u64
}

/// What is recorded late, into months that are just being dropped, counts once.
pub async fn retiring_beside_recording_is_exact(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            let mut recorded = Vec::new();
            for _ in 0..12 {
                recorded.extend(record(&store, 6, 40).await?);
                store.generation_rollups().fold().await?;
            }
            anyhow::Ok(recorded)
        }
    });
    let later = Timestamp::from_unix_micros(START + 400 * DAY)?;

    while !writer.is_finished() {
        store.accounts().retire(later).await?;
    }
    let recorded = writer.await??;
    store.accounts().retire(later).await?;

    ensure!(
        account::sums_by_kind(store).await? == expected(&recorded, |it| Some(it.details.kind()))
    );
    ensure_no_drift(store, 0).await?;
    Ok(())
}

/// Whoever asks, checks or makes sums anew while months are dropped finds all of what they were.
pub async fn nothing_is_missing_while_months_go(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let all = record(store, 240, 200).await?;
    fold_all(store).await?;
    let expected = expected(&all, |entry| Some(entry.details.kind()));
    let dropping = tokio::spawn({
        let store = store.clone();
        async move {
            for day in (0..220).step_by(5) {
                store.accounts().retire(Timestamp::from_unix_micros(START + day * DAY)?).await?;
                tokio::task::yield_now().await;
            }
            anyhow::Ok(())
        }
    });
    let checking = tokio::spawn({
        let store = store.clone();
        async move {
            let mut rounds = 0;
            while rounds < 12 {
                let drift = store.accounts().verify(|_| ()).await?;
                ensure!(drift.different == 0, "{drift:#?}");
                store.accounts().rebuild(|_| ()).await?;
                rounds += 1;
            }
            anyhow::Ok(())
        }
    });
    let entries = |by_artist, exact_times| EntriesReading {
        range: range(START, START + 201 * DAY),
        artist: None,
        by_artist,
        exact_times,
    };
    let reading = RollupReading {
        entries: vec![entries(false, false), entries(true, false), entries(false, true)],
        ..RollupReading::default()
    };

    while !(dropping.is_finished() && checking.is_finished()) {
        let snapshot = store.generation_rollups().read(&reading).await?;
        for found in &snapshot.entries {
            let generations: u64 = found.iter().map(|it| it.sums.generations).sum();
            ensure!(generations == 240, "{generations}");
        }
    }
    dropping.await??;
    checking.await??;

    ensure!(account::sums_by_kind(store).await? == expected);
    ensure!(store.generations().page(TimeRange::ALL, None, Limit::LARGEST).await?.items.is_empty());
    Ok(())
}

/// What an artist has is right at any moment, also when it is recorded but not folded.
pub async fn an_artists_total_is_right_while_sums_are_made_anew(
    fixture: &impl Fixture,
) -> anyhow::Result<()> {
    let store = fixture.store();
    let all = record(store, 90, 150).await?;
    let dilla = store.artists().find(&given::key("J Dilla")?).await?.context("artist")?;
    let total = all
        .iter()
        .filter(|it| it.artist.as_ref().is_some_and(|name| name.as_str() == "J Dilla"))
        .count() as u64;
    let rebuilding = tokio::spawn({
        let store = store.clone();
        async move {
            for _ in 0..3 {
                store.accounts().rebuild(|_| ()).await?;
            }
            anyhow::Ok(())
        }
    });

    while !rebuilding.is_finished() {
        let filter = domain::HistoryFilter::default();
        let page = store.generations().history(dilla.id, &filter, None, Limit::new(1)?).await?;
        ensure!(page.total == total, "{} instead of {total}", page.total);
    }
    rebuilding.await??;
    ensure_no_drift(store, 90).await
}

/// An entry that somebody removed by hand is found missing, keeps nobody waiting, and can be recorded again after repair.
pub async fn an_entry_that_was_removed_by_hand_is_noticed(
    fixture: &impl Fixture,
) -> anyhow::Result<()> {
    let store = fixture.store();
    let all = record(store, 10, 3).await?;
    let first = all.first().context("entry")?.clone();
    fixture.by_hand("DELETE FROM generation_history").await?;

    let drift = store.accounts().verify(|_| ()).await?;
    ensure!(drift.different != 0);
    let recorded = store.generations().record(vec![first.clone()], &given::author()).await;
    ensure!(
        recorded.is_ok() || matches!(recorded, Err(domain::RepositoryError::Internal(_))),
        "{recorded:?}"
    );
    store.accounts().rebuild(|_| ()).await?;
    store.generations().record(vec![first], &given::author()).await?;

    ensure_no_drift(store, 1).await
}
