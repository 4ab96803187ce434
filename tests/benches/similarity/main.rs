//! What a search for similar artists costs, beside how fast the same bytes can be read at all, measured in turns in the
//! same run.
//!
//! `cargo xtask services run -- cargo bench -p groovebase-tests --features postgres,redis --bench similarity`
//!
//! `GROOVEBASE_BENCH_ARTISTS` names a file of artists as `groovebase import` reads it; without one they are made up. Of
//! the parts `memory`, `batch`, `million` and `databases` those that are named after `--` run, or all.

#![expect(
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a bench that cannot go on has nothing to say, and its figures are rough"
)]

#[path = "../caching/measured.rs"]
mod measured;

mod artists;
mod databases;
mod memory;
mod oracle;

use crate::{artists::Artists, measured::say};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let only: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with("--")).collect();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|it| it == name);
    let artists = Artists::read()?;
    say(&format!(
        "{} embeddings, {}; beyond these, perturbed ones",
        artists.known(),
        artists.origin
    ));

    if wanted("memory") {
        memory::searches(&artists, 10_000, 0.4).await?;
        memory::searches(&artists, 100_000, 1.5).await?;
    }
    if wanted("batch") {
        memory::batch(&artists, 100_000, 60.0).await?;
    }
    if wanted("million") {
        memory::million(&artists).await?;
    }
    if wanted("databases") {
        databases::run(&artists).await?;
    }
    Ok(())
}
