//! Whether the service holds its ground when four times as much is asked as it can do.
//!
//! `cargo xtask services run -- cargo bench -p groovebase-tests --features postgres,redis --bench overload`
//!
//! Of `sqlite` and `postgres`, which has Redis beside it, the one that is named after `--` runs, or the first; a number
//! among the names is how many seconds the overload lasts, instead of 60, and a path is a binary to measure instead.
//!
//! The service is the program as it is released, with the settings it has when nobody sets any, in a process of its own.
//! Whoever asks has one processor and the service has the others, because a generator that takes part of the service's
//! processors measures itself. PostgreSQL and Redis run where they like.

#![expect(
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "a bench that cannot go on has nothing to say, and its figures are rough"
)]

#[path = "../caching/measured.rs"]
#[expect(dead_code, reason = "other benches need more of it")]
mod measured;

mod asked;
mod operated;
mod phases;
mod written;

use std::{net::SocketAddr, thread, time::Duration};

use anyhow::{anyhow, ensure};
use domain::{Clock as _, SystemClock};
use groovebase_tests::{
    fault::RedisServer,
    fixture::{Fixture, Postgres, Sqlite},
    given::body,
    http::{Client, Request, artist},
    program::Program,
};
use time::OffsetDateTime;
use xtask::synthetic_history::{History, Settings, SyntheticHistory, load};

use crate::{
    asked::Asked,
    measured::say,
    operated::{Operated, Processors},
};

const ARTISTS: u32 = 1_000;
const GENERATIONS: u64 = 20_000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|it| !it.starts_with("--")).collect();
    let seconds = arguments.iter().find_map(|it| it.parse().ok()).unwrap_or(60);
    let overload = Duration::from_secs(seconds);
    let program = match arguments.iter().find(|it| it.contains('/')) {
        Some(binary) => Program::at(binary.into())?,
        None => Program::released()?,
    };
    if arguments.iter().any(|it| it == "postgres") {
        let redis = RedisServer::start().await?;
        let redis = [("GROOVEBASE_REDIS_URL", redis.url())];
        run::<Postgres>("PostgreSQL and Redis", program, &redis, overload).await
    } else {
        run::<Sqlite>("SQLite", program, &[], overload).await
    }
}

async fn run<F: Fixture>(
    name: &str,
    program: Program,
    settings: &[(&str, &str)],
    overload: Duration,
) -> anyhow::Result<()> {
    let fixture = F::open().await?;
    let history = SyntheticHistory::new(Settings {
        rows: GENERATIONS,
        artists: ARTISTS,
        months: 12,
        until: OffsetDateTime::from(SystemClock.now()).date(),
        seed: 1,
    })?;
    load(fixture.store(), &history, History::MustBeEmpty, |_| {}).await?;

    let processors = Processors::apart()?;
    match &processors {
        Some(processors) => say(&format!(
            "{name}, {ARTISTS} artists, {GENERATIONS} generations; the service has {} processors, and whoever asks has \
             another one",
            processors.of_service()
        )),
        None => say(&format!("{name}, {ARTISTS} artists; everybody shares one processor")),
    }
    let url = fixture.url().to_owned();
    let settings: Vec<_> =
        settings.iter().copied().chain([("GROOVEBASE_DATABASE_URL", url.as_str())]).collect();
    let service = Operated::start(program, &settings, processors.as_ref())?;
    let mut artists = Vec::new();
    for (number, name) in (0..).zip(history.artists()) {
        let etag = saved(service.address(), name.as_str(), number).await?;
        artists.push(Asked { name: name.clone(), etag });
    }
    let keys: Vec<_> = artists.iter().map(|artist| artist.name.key().clone()).collect();

    // Nothing else runs on the thread that asks, and it begins on the processor of this one.
    let asking = || phases::measure(&service, &mut asked::mix(artists)?, overload);
    let noted = thread::scope(|scope| scope.spawn(asking).join());
    let noted = noted.map_err(|_| anyhow!("whoever asked panicked"))??;
    written::check(fixture.store(), &keys, &noted).await?;
    service.stop()?;
    fixture.close().await
}

/// Saves the profile of an artist, and returns the entity tag.
async fn saved(address: SocketAddr, name: &str, seed: u64) -> anyhow::Result<String> {
    let body = body::profile_with_embedding(seed)?;
    let request = Request::put(artist(name, "/profile"), body);
    let answer = Client::of(address).send(&request).await?;
    ensure!(matches!(answer.status, 200 | 201), "{answer:?}");
    Ok(answer.required("etag")?.to_owned())
}
