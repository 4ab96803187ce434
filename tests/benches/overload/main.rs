//! Whether the service holds its ground when four times as much is asked as it can do.
//!
//! `cargo xtask services run -- cargo bench -p groovebase-tests --features postgres,redis --bench overload`
//!
//! Of `sqlite` and `postgres`, which has Redis beside it, the one that is named after `--` runs, or the first; a number
//! among the names is how many seconds the overload lasts, instead of 60, and a path is a binary to measure instead.
//!
//! The service is the program as it is released, with the settings it has when nobody sets any, in a process of its own.
//! Whoever asks has one processor, and the service and its databases have the others, because a generator that takes part
//! of their processors measures itself.

#![expect(
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "a bench that cannot go on has nothing to say, and its figures are rough"
)]

#[path = "../caching/measured.rs"]
#[expect(dead_code, reason = "other benches need more of it")]
mod measured;

mod asked;
mod machine;
mod operated;
mod phases;
mod written;

use std::{net::SocketAddr, thread, time::Duration};

use anyhow::{anyhow, ensure};
use domain::{Clock as _, SystemClock};
use groovebase_tests::{
    fault::{PostgresServer, RedisServer},
    fixture::{Fixture as _, Sqlite, migrated_store_at},
    given::body,
    http::{Client, Request, artist},
    program::Program,
};
use storage::Store;
use time::OffsetDateTime;
use tokio::runtime::Runtime;
use xtask::synthetic_history::{History, Settings, SyntheticHistory, load};

use crate::{
    asked::Asked,
    machine::{Processors, Ticks},
    measured::say,
    operated::Operated,
};

const ARTISTS: u32 = 1_000;
const GENERATIONS: u64 = 20_000;

fn main() -> anyhow::Result<()> {
    let processors = Processors::apart()?;
    if let Some(processors) = &processors {
        processors.serve()?;
    }
    Runtime::new()?.block_on(run(processors.as_ref()))
}

async fn run(processors: Option<&Processors>) -> anyhow::Result<()> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|it| !it.starts_with("--")).collect();
    let seconds = arguments.iter().find_map(|it| it.parse().ok()).unwrap_or(60);
    let overload = Duration::from_secs(seconds);
    let program = match arguments.iter().find(|it| it.contains('/')) {
        Some(binary) => Program::at(binary.into())?,
        None => Program::released()?,
    };
    match processors {
        Some(processors) => say(&format!(
            "{} processors for the service and its databases, and another one for whoever asks",
            processors.serving()
        )),
        None => say("everybody shares one processor"),
    }
    if arguments.iter().any(|it| it == "postgres") {
        let (postgres, redis) = (PostgresServer::start().await?, RedisServer::start().await?);
        let store = migrated_store_at(postgres.url()).await?;
        let settings =
            [("GROOVEBASE_DATABASE_URL", postgres.url()), ("GROOVEBASE_REDIS_URL", redis.url())];
        say("PostgreSQL and Redis");
        measure(&store, program, &settings, processors, overload).await?;
        store.close().await;
        Ok(())
    } else {
        let sqlite = Sqlite::open().await?;
        let settings = [("GROOVEBASE_DATABASE_URL", sqlite.url())];
        say("SQLite");
        measure(sqlite.store(), program, &settings, processors, overload).await?;
        sqlite.close().await
    }
}

async fn measure(
    store: &Store,
    program: Program,
    settings: &[(&str, &str)],
    processors: Option<&Processors>,
    overload: Duration,
) -> anyhow::Result<()> {
    let history = SyntheticHistory::new(Settings {
        rows: GENERATIONS,
        artists: ARTISTS,
        months: 12,
        until: OffsetDateTime::from(SystemClock.now()).date(),
        seed: 1,
    })?;
    load(store, &history, History::MustBeEmpty, |_| {}).await?;

    say(&format!("{ARTISTS} artists, {GENERATIONS} generations"));
    let service = Operated::start(program, settings)?;
    let mut artists = Vec::new();
    for (number, name) in (0..).zip(history.artists()) {
        let etag = saved(service.address(), name.as_str(), number).await?;
        artists.push(Asked { name: name.clone(), etag });
    }
    let keys: Vec<_> = artists.iter().map(|artist| artist.name.key().clone()).collect();

    let before = Ticks::until_now()?;
    // Nothing else runs on the thread that asks.
    let asking = || {
        if let Some(processors) = processors {
            processors.ask()?;
        }
        phases::measure(&service, &mut asked::mix(artists)?, overload)
    };
    let noted = thread::scope(|scope| scope.spawn(asking).join());
    let noted = noted.map_err(|_| anyhow!("whoever asked panicked"))??;
    say(&format!(
        "the host took {:.1} % of the processors meanwhile",
        100.0 * before.stolen_since()?
    ));
    written::check(store, &keys, &noted).await?;
    service.stop()
}

/// Saves the profile of an artist, and returns the entity tag.
async fn saved(address: SocketAddr, name: &str, seed: u64) -> anyhow::Result<String> {
    let body = body::profile_with_embedding(seed)?;
    let request = Request::put(artist(name, "/profile"), body);
    let answer = Client::of(address).send(&request).await?;
    ensure!(matches!(answer.status, 200 | 201), "{answer:?}");
    Ok(answer.required("etag")?.to_owned())
}
