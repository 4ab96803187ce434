//! `groovebase index recall`: how many of the closest artists searches find, and how fast.

use std::{
    io::{self, Write},
    time::Duration,
};

use cache::{Bounds, CachedSimilarArtists, Feed, IndexState, SimilaritySettings};
use domain::{Engine, RepositoryError};
use storage::Store;

use crate::{
    command::terminal::grouped,
    recall::{self, Latencies, Recall},
};

/// How to measure.
#[derive(Debug, Clone, clap::Args)]
pub struct RecallArguments {
    /// Around how many artists, chosen by chance, to search.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub sample: u16,
    /// What to measure: what searches use when nothing else is asked for, or the index in the database.
    #[arg(long, value_enum, default_value_t = Measured::Auto)]
    pub engine: Measured,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Measured {
    /// The index in memory if the settings give it memory and the embeddings fit, otherwise what the database chooses.
    Auto,
    /// The index in the database, if it has one.
    Approximate,
}

/// Measures, and writes a small table.
///
/// `memory` is what searches may use; answers are not kept, since a kept answer is no search.
///
/// # Errors
///
/// When there is nothing to search around, or the store cannot be read.
pub async fn run(
    store: &Store,
    memory: SimilaritySettings,
    arguments: &RecallArguments,
    output: &mut impl Write,
) -> Result<Recall, RecallError> {
    let RecallArguments { sample, engine } = *arguments;
    let vectors = store.style_vectors();
    let chosen = recall::choose(vectors.as_ref(), sample.into()).await?;
    if chosen.targets.is_empty() {
        return Err(RecallError::NoEmbeddings);
    }

    let feed = Feed::start(store.changes(), Bounds::default());
    let settings = SimilaritySettings { answers: 0, ..memory };
    let in_use =
        CachedSimilarArtists::start(store.similar_artists(), vectors, feed.clone(), settings);
    let measured = async {
        feed.confirm().await?;
        in_use.loaded().await;
        let engine = match engine {
            Measured::Auto => Engine::Auto,
            Measured::Approximate => Engine::Approximate,
        };
        let exact = store.similar_artists();
        recall::measure(&in_use, engine, exact.as_ref(), &chosen.targets).await
    }
    .await;
    feed.stop();
    let measured = measured?;

    let place = match (engine, in_use.status().state) {
        (Measured::Auto, IndexState::Ready | IndexState::Behind) => "index in memory",
        (Measured::Approximate, _)
        | (Measured::Auto, IndexState::Off | IndexState::Loading | IndexState::TooLarge) => {
            "database"
        }
    };
    write_table(&measured, chosen.among, place, output)?;
    Ok(measured)
}

fn write_table(
    recall: &Recall,
    among: u64,
    place: &str,
    output: &mut impl Write,
) -> io::Result<()> {
    let Recall { sample, recall_at_10, mode, in_use, exact } = recall;
    let sample = grouped(u64::try_from(*sample).unwrap_or(u64::MAX));
    writeln!(output, "sample      {sample} of {} artists with an embedding", grouped(among))?;
    writeln!(output, "engine      {place}, {}", mode.as_str())?;
    writeln!(output, "recall@10   {recall_at_10:.4}")?;
    writeln!(output)?;
    writeln!(output, "{:12}{:>12}{:>12}{:>12}", "latency", "p50", "p95", "max")?;
    for (name, Latencies { p50, p95, max }) in [("in use", in_use), ("exact scan", exact)] {
        let (p50, p95, max) = (millis(*p50), millis(*p95), millis(*max));
        writeln!(output, "{name:12}{p50:>12}{p95:>12}{max:>12}")?;
    }
    output.flush()
}

fn millis(duration: Duration) -> String {
    format!("{:.3} ms", duration.as_secs_f64() * 1_000.0)
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecallError {
    /// Nobody to search around.
    #[error("no artist has an embedding, so there is nothing to measure")]
    NoEmbeddings,
    /// The store cannot be read.
    #[error("the store cannot be searched")]
    Store(#[from] RepositoryError),
    /// The table cannot be written.
    #[error("the result cannot be written")]
    Write(#[from] io::Error),
}
