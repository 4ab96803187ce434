//! What the account of generations costs, beside what the database costs alone, measured in turns in the same run.
//!
//! `cargo xtask services run -- cargo bench -p groovebase-tests --features postgres,redis --bench accounts`
//!
//! Of the parts `sqlite` and `postgres` those that are named after `--` run, or both; numbers among the names are the
//! sizes of histories instead of 10000, 1000000 and 10000000. With URLs of databases among them, the smallest first, which
//! `cargo xtask generate-history` or another run filled, nothing is loaded: these are asked, and get some generations more.

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

use crate::{measured::say, server::Server};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|it| !it.starts_with("--")).collect();
    let (urls, arguments): (Vec<_>, Vec<_>) =
        arguments.into_iter().partition(|it| it.contains("://"));
    if !urls.is_empty() {
        return ask(&urls).await;
    }
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

/// Asks databases that have a history already.
async fn ask(urls: &[String]) -> anyhow::Result<()> {
    let mut accounts = Vec::new();
    for url in urls {
        let server = Server::start(url).await?;
        // The artists are the same whatever the size.
        accounts.push(Accounts {
            name: url.clone(),
            url: url.clone(),
            history: history(1)?,
            server,
        });
    }
    statistics::measure(&mut accounts).await?;
    for Accounts { server, .. } in accounts {
        server.stop().await;
    }
    Ok(())
}

async fn run<F: Fixture>(name: &str, sizes: &[u64]) -> anyhow::Result<()> {
    let (mut fixtures, mut accounts) = (Vec::new(), Vec::new());
    for &rows in sizes {
        let fixture = F::open().await?;
        let history = history(rows)?;
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
        let (url, server) = (fixture.url().to_owned(), Server::start(fixture.url()).await?);
        accounts.push(Accounts { name: format!("{name}, {rows}"), url, history, server });
        fixtures.push(fixture);
    }
    statistics::measure(&mut accounts).await?;
    for Accounts { server, .. } in accounts {
        server.stop().await;
    }
    for fixture in fixtures {
        fixture.close().await?;
    }

    let fixture = F::open().await?;
    match fixture.store().backend() {
        Backend::Sqlite => recording::sqlite(fixture.store()).await?,
        Backend::Postgres => recording::postgres(&fixture).await?,
    }
    fixture.close().await
}

/// A database with a history, and the service on it.
struct Accounts {
    name: String,
    url: String,
    history: SyntheticHistory,
    server: Server,
}

fn history(rows: u64) -> anyhow::Result<SyntheticHistory> {
    SyntheticHistory::new(Settings {
        rows,
        artists: 10_000,
        months: 12,
        until: OffsetDateTime::from(SystemClock.now()).date(),
        seed: 1,
    })
}
