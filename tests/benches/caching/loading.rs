//! How long the catalog of 100,000 artists takes at start.

use std::time::Instant;

use anyhow::ensure;
use cache::{Bounds, Feed};
use groovebase_tests::fixture::{Fixture, Postgres, Sqlite};
use storage::Store;

use crate::{
    artists::Artists,
    measured::{median, verdict},
};

const ARTISTS: usize = 100_000;
const TURNS: usize = 5;

pub(crate) async fn run(artists: &Artists) -> anyhow::Result<()> {
    let more = Artists::made_up(ARTISTS.saturating_sub(artists.count()), "Another artist")?;
    let sqlite = Sqlite::open().await?;
    let postgres = Postgres::open().await?;
    for store in [sqlite.store(), postgres.store()] {
        artists.load(store).await?;
        more.load(store).await?;
    }
    verdict("catalog of 100,000 from SQLite", seconds(sqlite.store()).await?, 0.5, " s");
    verdict("catalog of 100,000 from PostgreSQL", seconds(postgres.store()).await?, 1.0, " s");
    sqlite.close().await?;
    postgres.close().await
}

async fn seconds(store: &Store) -> anyhow::Result<f64> {
    let mut took = Vec::new();
    for _ in 0..TURNS {
        let began = Instant::now();
        let feed = Feed::start(store.changes(), Bounds::default());
        feed.confirm().await?;
        took.push(began.elapsed().as_secs_f64());
        ensure!(ARTISTS <= feed.status().artists, "{:?}", feed.status());
    }
    Ok(median(took))
}
