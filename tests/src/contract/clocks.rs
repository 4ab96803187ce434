//! A clock that jumps: it says when something was done, and decides nothing.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use anyhow::{Context, ensure};
use cache::{GenerationStatistics, StatisticsQuestion};
use domain::{
    Clock, Expected, HistoryFilter, Limit, NewGeneration, RollupReading, SystemClock, TimeRange,
    Timestamp, Version,
};
use storage::{PoolLimits, Store};

use crate::{account, fixture::Fixture, given};

const HOUR: i64 = 3_600_000_000;

/// By how many hours the clock is wrong, one after the other; a month is among them.
const JUMPS: [i64; 8] = [0, 7, -5, 800, -11, 3, -700, 1];

/// The time, and by how much it is wrong.
#[derive(Debug, Default)]
struct JumpingClock(AtomicI64);

impl Clock for JumpingClock {
    fn now(&self) -> Timestamp {
        let micros = SystemClock.now().unix_micros() + self.0.load(Ordering::Relaxed);
        Timestamp::from_unix_micros(micros).unwrap_or_else(|_| SystemClock.now())
    }
}

async fn store(fixture: &impl Fixture, clock: Arc<JumpingClock>) -> anyhow::Result<Store> {
    let limits = PoolLimits { kept: 0, most: 10, ..PoolLimits::default() };
    Ok(storage::connect(fixture.url(), &limits, clock).await?)
}

/// Versions and folds ascend, and every sum is exact, however the clock jumps.
pub async fn jumps_move_nothing_back(fixture: &impl Fixture) -> anyhow::Result<()> {
    let clock = Arc::new(JumpingClock::default());
    let store = store(fixture, clock.clone()).await?;
    let rollups = store.generation_rollups();
    let statistics = GenerationStatistics::new(store.generation_rollups(), 1 << 20);
    let question = StatisticsQuestion { ranges: vec![TimeRange::ALL], ..Default::default() };
    let (mut version, mut position) = (Version::ZERO, None);

    for (round, hours) in JUMPS.iter().cycle().take(3 * JUMPS.len()).enumerate() {
        clock.0.store(hours * HOUR, Ordering::Relaxed);
        let profile = given::profile("J Dilla", &format!("round {round}"))?;
        let saved =
            store.style_profiles().save(&profile, Expected::Any, &given::author()).await?.profile;
        store.generations().record(vec![given::generation("openai")?], &given::author()).await?;
        if round % 2 == 0 {
            while rollups.fold().await? != 0 {}
        }
        let snapshot = rollups.read(&RollupReading::default()).await?;
        let told = statistics.answer(&question).await?;

        ensure!(version < saved.version, "{version:?} {:?}", saved.version);
        ensure!(position <= Some(snapshot.position), "{position:?} {:?}", snapshot.position);
        if round % 2 == 0 {
            ensure!(position < Some(snapshot.position), "{position:?} {:?}", snapshot.position);
        }
        let count: u64 = told.iter().flatten().map(|sums| sums.sums.generations).sum();
        ensure!(count == u64::try_from(round)? + 1, "{round}: {count}");
        let changes = store.changes().since(version, 10).await?;
        ensure!(changes.last().map(domain::Change::version) == Some(saved.version), "{changes:?}");
        (version, position) = (saved.version, Some(snapshot.position));
    }

    let drift = store.accounts().verify(|_| ()).await?;
    ensure!(drift.different == 0, "{drift:?}");
    ensure!(account::totals(fixture.store()).await?.generations == 3 * JUMPS.len() as u64);
    store.close().await;
    Ok(())
}

/// A history is in the order of the times that were noted, page by page, without a gap or a repetition.
pub async fn jumps_leave_no_gap_in_a_history(fixture: &impl Fixture) -> anyhow::Result<()> {
    let clock = Arc::new(JumpingClock::default());
    let store = store(fixture, clock.clone()).await?;
    let profile = given::profile("J Dilla", "late")?;
    store.style_profiles().save(&profile, Expected::Any, &given::author()).await?;
    let artist = store.artists().find(profile.artist.key()).await?.context("saved")?.id;
    let limit = Limit::new(3)?;
    let mut recorded = Vec::new();
    let mut record = async |hours: i64| -> anyhow::Result<()> {
        clock.0.store(hours * HOUR, Ordering::Relaxed);
        let new =
            NewGeneration { artist: Some(profile.artist.clone()), ..given::generation("openai")? };
        recorded.extend(store.generations().record(vec![new], &given::author()).await?);
        Ok(())
    };
    for hours in JUMPS {
        record(hours).await?;
    }

    let filter = HistoryFilter::default();
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = store.generations().history(artist, &filter, after, limit).await?.page;
        listed.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
        // What is noted as later than a page that was read is no part of the pages after it.
        record(900).await?;
    }

    let before: Vec<_> = recorded.iter().take(JUMPS.len()).map(|it| it.id).collect();
    let mut expected: Vec<_> = recorded.iter().filter(|it| before.contains(&it.id)).collect();
    expected.sort_by_key(|it| std::cmp::Reverse((it.created_at, it.id)));
    ensure!(listed.iter().map(|it| it.id).eq(expected.iter().map(|it| it.id)), "{listed:#?}");
    store.close().await;
    Ok(())
}

/// What is dropped because of its age is old by the server's clock too.
pub async fn a_clock_that_is_ahead_is_not_believed(fixture: &impl Fixture) -> anyhow::Result<()> {
    let clock = Arc::new(JumpingClock::default());
    let store = store(fixture, clock.clone()).await?;
    let before = SystemClock.now();

    clock.0.store(-800 * HOUR, Ordering::Relaxed);
    let behind = store.earlier_now().await?;
    clock.0.store(800 * HOUR, Ordering::Relaxed);
    let ahead = store.earlier_now().await?;

    ensure!(behind < before, "{behind}");
    let is_server = store.backend() == storage::Backend::Postgres;
    let minute = 60_000_000;
    let error = ahead.unix_micros() - SystemClock.now().unix_micros();
    // A file has no clock but this machine's.
    ensure!(error.abs() < minute || (!is_server && 799 * HOUR < error), "{ahead}");
    store.close().await;
    Ok(())
}
