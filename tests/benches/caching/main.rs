//! What the caches cost and save, beside what nothing could beat, measured in turns in the same run.
//!
//! `cargo xtask services run -- cargo bench -p groovebase-tests --features postgres,redis --bench caching`
//!
//! `GROOVEBASE_BENCH_ARTISTS` names a file of artists as `groovebase import` reads it; without one they are made up.

#![expect(
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a bench that cannot go on has nothing to say, and its figures are rough"
)]

mod artists;
mod http;
mod idle;
mod loading;
mod measured;
mod redis_hit;
mod saving;

use anyhow::Context;
use groovebase_tests::fixture::{Fixture, Postgres};

use crate::{artists::Artists, measured::say};

/// As in the service.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let only: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with("--")).collect();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|it| it == name);
    let artists = Artists::read().context("reading the artists")?;
    say(&format!("{} artists, {}", artists.count(), artists.origin));

    let fixture = Postgres::open().await?;
    artists.load(fixture.store()).await?;
    if wanted("redis") {
        redis_hit::run(&fixture, &artists).await?;
    }
    if wanted("saving") {
        saving::run(&fixture, &artists).await?;
    }
    if wanted("http") {
        http::run(&fixture, &artists).await?;
    }
    if wanted("loading") {
        loading::run(&artists).await?;
    }
    if wanted("idle") {
        idle::run(&fixture).await?;
    }
    fixture.close().await
}
