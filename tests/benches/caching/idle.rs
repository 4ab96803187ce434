//! What following the feed costs when nothing happens.

use std::time::{Duration, Instant};

use anyhow::Context;
use cache::{Bounds, Feed};
use groovebase_tests::fixture::{Fixture, Postgres, Sqlite};
use storage::Store;

use crate::measured::verdict;

const WATCHED: Duration = Duration::from_secs(15);

pub(crate) async fn run(postgres: &Postgres) -> anyhow::Result<()> {
    let sqlite = Sqlite::open().await?;
    verdict("an idle feed on PostgreSQL, of a core", share(postgres.store()).await?, 1.0, " %");
    verdict("an idle feed on SQLite, of a core", share(sqlite.store()).await?, 1.0, " %");
    sqlite.close().await
}

/// Percent of a core that this process uses while it only follows.
async fn share(store: &Store) -> anyhow::Result<f64> {
    let feed = Feed::start(store.changes(), Bounds::default());
    feed.confirm().await?;
    // What the beginning left to do is done by then.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (began, used) = (Instant::now(), used()?);
    tokio::time::sleep(WATCHED).await;
    Ok((self::used()? - used) / began.elapsed().as_secs_f64() * 100.0)
}

/// Processor time of this process in seconds, from the scheduler's own account in nanoseconds of each thread.
fn used() -> anyhow::Result<f64> {
    let mut nanos = 0.0;
    for thread in std::fs::read_dir("/proc/self/task").context("this needs Linux")? {
        let statistics = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        nanos += statistics.split(' ').next().context("schedstat")?.parse::<f64>()?;
    }
    Ok(nanos / 1e9)
}
