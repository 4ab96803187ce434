//! `groovebase index`: the index in which PostgreSQL looks up neighbours, and what searches find.

pub mod recall;

use std::{
    io::{self, Write},
    time::Instant,
};

use futures::StreamExt as _;
use storage::{
    StoredVectorIndex, VectorIndex, VectorIndexError, VectorIndexKind, VectorIndexStatus,
};

use super::{
    interrupt::interrupts,
    serve::{self, ServeError},
    terminal::{Progress, grouped},
};
use crate::config::Settings;

/// What to do with the vector index.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Index {
    /// Show which index searches use, what it was built with and over how many rows, and a build that is under way.
    Status,
    /// Build the index in use anew, for the rows that there are now, and then let it take the old one's place.
    ///
    /// Searches and writes go on meanwhile. After Ctrl-C, with exit code 130, the old index stays.
    Rebuild,
    /// Build an index of this kind and let it take the place of any other; or remove every index. What somebody made by
    /// hand, under another name, stays.
    ///
    /// Searches and writes go on meanwhile. After Ctrl-C, with exit code 130, what was in use stays.
    Use {
        /// The kind of index.
        #[arg(value_enum)]
        kind: Choice,
    },
    /// Measure how many of the closest artists searches find, and how long they take.
    ///
    /// Searches around artists chosen by chance, and compares what is found with what comparing every embedding finds. Also
    /// on SQLite.
    Recall(recall::RecallArguments),
}

/// Which index there is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Choice {
    /// Lists of embeddings that lie close: small, quick to build and cheap to write to; found 99.4 % of the ten closest of
    /// 100,000 in 17 ms.
    #[value(name = "ivfflat")]
    IvfFlat,
    /// A graph of neighbours: found 99.7 % of them in 2 ms, takes several times as long to build and slows down writes.
    Hnsw,
    /// No index: every search compares every embedding and finds exactly the closest.
    None,
}

impl Index {
    /// Does it, and writes what came of it; progress goes to standard error.
    pub async fn run(self, settings: &Settings, output: &mut impl Write) -> Result<(), IndexError> {
        let store = serve::open_store(&settings.database).await?;
        let index = store.vector_index();
        let done = match self {
            Self::Status => status(&index, output).await,
            Self::Rebuild => rebuild(&index, output).await,
            Self::Use { kind: Choice::IvfFlat } => {
                change(&index, VectorIndexKind::IvfFlat, output).await
            }
            Self::Use { kind: Choice::Hnsw } => change(&index, VectorIndexKind::Hnsw, output).await,
            Self::Use { kind: Choice::None } => remove(&index, output).await,
            Self::Recall(arguments) => {
                let memory = settings.similarity.searches();
                recall::run(&store, memory, &arguments, output).await.map(drop).map_err(Into::into)
            }
        };
        store.close().await;
        done
    }
}

async fn status(index: &VectorIndex, output: &mut impl Write) -> Result<(), IndexError> {
    let status = index.status().await?;
    let VectorIndexStatus { rows, in_use, others, building } = &status;
    if let Some(in_use) = in_use {
        write_index(in_use, *rows, output)?;
    } else {
        let rows = grouped(*rows);
        writeln!(output, "in use    none: a search compares all {rows} embeddings")?;
    }
    for other in others {
        let StoredVectorIndex { name, parameters, made_by_hand, valid, .. } = other;
        let kind = parameters.kind().as_str();
        let state = match (made_by_hand, valid, building) {
            (true, true, _) => "made by hand; searches may use it, and builds leave it alone",
            (true, false, _) => "made by hand and never finished; builds leave it alone",
            (false, true, _) => "beside the one in use; the next build removes it",
            (false, false, Some(_)) => "not finished",
            (false, false, None) => "never finished; the next build removes it",
        };
        writeln!(output, "another   {name}, {kind}, {state}")?;
    }
    if let Some(building) = building {
        writeln!(output, "building  {}", step(&building.phase, building.percent))?;
    }
    Ok(())
}

fn write_index(index: &StoredVectorIndex, rows: u64, output: &mut impl Write) -> io::Result<()> {
    let StoredVectorIndex {
        name,
        parameters,
        made_by_hand,
        valid: _,
        rows_when_built,
        size_bytes,
        outgrown,
    } = index;
    let kind = parameters.kind().as_str();
    let by_hand = if *made_by_hand { ", made by hand; builds leave it alone" } else { "" };
    writeln!(output, "in use    {name}, {kind} ({parameters}){by_hand}")?;
    writeln!(output, "size      {} KiB", grouped(size_bytes.div_ceil(1 << 10)))?;
    let built = rows_when_built.map_or_else(|| "an unknown number".to_owned(), grouped);
    writeln!(output, "rows      {}, {built} when it was built", grouped(rows))?;
    match (outgrown, made_by_hand) {
        (false, _) => writeln!(output, "outgrown  no"),
        (true, false) => writeln!(output, "outgrown  yes: `groovebase index rebuild`"),
        (true, true) => {
            writeln!(output, "outgrown  yes: `groovebase index use {kind}` builds another")
        }
    }
}

fn step(phase: &str, percent: Option<u8>) -> String {
    percent.map_or_else(|| phase.to_owned(), |percent| format!("{phase} ({percent} %)"))
}

async fn rebuild(index: &VectorIndex, output: &mut impl Write) -> Result<(), IndexError> {
    let in_use = index.status().await?.in_use.ok_or(IndexError::None)?;
    if in_use.made_by_hand {
        return Err(IndexError::MadeByHand { name: in_use.name });
    }
    build(index, in_use.parameters.kind(), output).await
}

async fn change(
    index: &VectorIndex,
    kind: VectorIndexKind,
    output: &mut impl Write,
) -> Result<(), IndexError> {
    let status = index.status().await?;
    let is_settled = |in_use: &StoredVectorIndex| {
        let alone = status.others.iter().all(|other| other.made_by_hand);
        in_use.parameters.kind() == kind && !in_use.made_by_hand && !in_use.outgrown && alone
    };
    if status.in_use.as_ref().is_some_and(is_settled) {
        let kind = kind.as_str();
        writeln!(output, "{kind} is in use already; `groovebase index rebuild` builds it anew")?;
        return Ok(());
    }
    build(index, kind, output).await
}

async fn build(
    index: &VectorIndex,
    kind: VectorIndexKind,
    output: &mut impl Write,
) -> Result<(), IndexError> {
    let mut interrupts = interrupts()?;
    let began = Instant::now();
    let mut progress = Progress::new(None);
    let built = {
        let mut tell = |made: storage::BuildProgress| {
            progress.advance(0, || step(&made.phase, made.percent));
        };
        tokio::select! {
            biased;
            _ = interrupts.next() => Err(IndexError::Interrupted),
            built = index.build(kind, &mut tell) => built.map_err(IndexError::from),
        }
    };
    drop(progress);
    built?;

    let status = index.status().await?;
    if let Some(in_use) = status.in_use {
        let took = began.elapsed().as_secs_f64();
        writeln!(output, "built in {took:.1} s")?;
        write_index(&in_use, status.rows, output)?;
    }
    Ok(())
}

async fn remove(index: &VectorIndex, output: &mut impl Write) -> Result<(), IndexError> {
    let removed = index.remove().await?;
    match (index.status().await?.in_use, removed) {
        (Some(StoredVectorIndex { name, .. }), _) => {
            writeln!(output, "{name} was made by hand and stays in use; `DROP INDEX` removes it")?;
        }
        (None, 0) => writeln!(output, "there was no vector index")?,
        (None, _) => writeln!(output, "removed; every search compares every embedding")?,
    }
    Ok(())
}

/// Why the index could not be read, changed or measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] ServeError),
    /// There is nothing to build anew.
    #[error("no vector index is in use; `groovebase index use hnsw` makes one")]
    None,
    /// Somebody made the index in use, under a name of their own.
    #[error(
        "{name} was made by hand and is left alone; `groovebase index use` builds another beside it"
    )]
    MadeByHand {
        /// The index's name.
        name: String,
    },
    /// The database said no.
    #[error(transparent)]
    Index(#[from] VectorIndexError),
    /// Nothing was measured.
    #[error(transparent)]
    Recall(#[from] recall::RecallError),
    /// Somebody asked for the end; the server ends the build by itself.
    #[error("interrupted; the index that was in use stays")]
    Interrupted,
    /// The command cannot tell what it did, or be told to stop.
    #[error("the terminal does not work")]
    Terminal(#[from] io::Error),
}
