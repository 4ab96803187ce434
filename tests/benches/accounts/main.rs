//! What the account of generations costs, beside what the database costs alone, measured in turns in the same run.
//!
//! `cargo xtask services run -- cargo bench -p groovebase-tests --features postgres,redis --bench accounts`
//!
//! Of the parts `sqlite` and `postgres` those that are named after `--` run, or both; numbers among the names are the
//! sizes of histories instead of 10000, 1000000 and 10000000.

#![expect(clippy::cast_precision_loss, reason = "figures of a bench are rough")]

#[path = "../caching/measured.rs"]
mod measured;

mod recording;
mod server;
mod statistics;

use std::time::Duration;

use domain::{Clock as _, SystemClock};
use groovebase_tests::fixture::{Fixture, Postgres, Sqlite};
use storage::Backend;
use time::OffsetDateTime;
use xtask::synthetic_history::{History, Loading, Settings, SyntheticHistory, load};

use crate::{measured::say, statistics::Figures};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|it| !it.starts_with("--")).collect();
    let (sizes, parts): (Vec<_>, Vec<_>) =
        arguments.into_iter().partition(|it| it.parse::<u64>().is_ok());
    let mut sizes: Vec<u64> = sizes.iter().filter_map(|it| it.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![10_000, 1_000_000, 10_000_000];
    }
    let wanted = |name: &str| parts.is_empty() || parts.iter().any(|it| it == name);

    if wanted("sqlite") {
        run::<Sqlite>("SQLite", &sizes).await?;
    }
    if wanted("postgres") {
        run::<Postgres>("PostgreSQL", &sizes).await?;
    }
    Ok(())
}

async fn run<F: Fixture>(name: &str, sizes: &[u64]) -> anyhow::Result<()> {
    let mut small: Option<Figures> = None;
    for &rows in sizes {
        let fixture = F::open().await?;
        let settings = Settings {
            rows,
            artists: 10_000,
            months: 12,
            until: OffsetDateTime::from(SystemClock.now()).date(),
            seed: 1,
        };
        let history = SyntheticHistory::new(settings)?;
        let mut recorded = Duration::ZERO;
        let on = |loading: &Loading| recorded = loading.took;
        let Loading { took, .. } =
            load(fixture.store(), &history, History::MustBeEmpty, on).await?;
        let rate = |time: Duration| rows as f64 / time.as_secs_f64();
        say(&format!(
            "{name}, {rows} generations, written in arrays of 1000 at {:.0} a second, {:.0} a second with their sums",
            rate(recorded),
            rate(took)
        ));
        let figures = statistics::measure(&fixture, &history, small.as_ref()).await?;
        small.get_or_insert(figures);
        fixture.close().await?;
    }

    let fixture = F::open().await?;
    match fixture.store().backend() {
        Backend::Sqlite => recording::sqlite(fixture.store()).await?,
        Backend::Postgres => recording::postgres(&fixture).await?,
    }
    fixture.close().await
}
