//! `groovebase import`: loads artists, profiles and sources from JSON lines.
//!
//! Reading and writing overlap: one thread turns lines into records while batches are written, each in one
//! transaction. A profile that is stored already as it comes in is left alone, so that an import can be run again. What a
//! file means does not depend on where batches end: it is as if each line were saved after the one before it.

mod batches;
mod lines;
mod record;
mod terminal;

use std::{
    collections::BTreeMap,
    io::{self, BufRead},
    time::{Duration, Instant},
};

use domain::{BulkCounts, BulkLoad, RepositoryError};
use futures::{Stream, StreamExt as _};
use tokio::sync::mpsc::Receiver;

use self::batches::{Batch, Reading};

pub use lines::MAX_LINE_BYTES;
pub use record::{BadLine, Reason};
pub use terminal::{ImportArguments, ImportError};

/// How many names of unknown members are remembered.
const MOST_UNKNOWN: usize = 20;

/// What to do about a line that cannot be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum OnError {
    /// Write the lines before it and end there.
    #[default]
    Stop,
    /// Report it, leave it out and go on.
    Skip,
}

/// How to import.
#[derive(Debug, Clone)]
pub struct Options {
    /// What to do about a line that cannot be loaded.
    pub on_error: OnError,
    /// How many lines are written in one transaction, at most.
    pub batch_lines: usize,
}

impl Options {
    /// Larger batches are no faster on either backend, and hold up other writers for longer.
    pub const DEFAULT_BATCH_LINES: usize = 1_000;
}

impl Default for Options {
    fn default() -> Self {
        Self { on_error: OnError::default(), batch_lines: Self::DEFAULT_BATCH_LINES }
    }
}

/// What happens during an import.
#[derive(Debug)]
pub enum Event<'a> {
    /// A line cannot be loaded.
    BadLine(&'a BadLine),
    /// A batch was written.
    Written {
        /// How many bytes of the input are done.
        bytes: u64,
        /// What was done so far.
        report: &'a Report,
    },
    /// All lines are written; the store brings up to date what it derives from them.
    Finishing,
}

/// What an import did.
#[derive(Debug)]
pub struct Report {
    /// The last line whose fate is decided: it and those before it are stored, blank or bad.
    pub line: u64,
    /// How many lines described an artist and were written.
    pub written: u64,
    /// How many lines were bad.
    pub bad: u64,
    /// What the written lines changed.
    pub counts: BulkCounts,
    /// The members that mean nothing to an import, and how many lines have them; at most 20 names.
    pub unknown: BTreeMap<String, u64>,
    /// How long it took.
    pub took: Duration,
    /// Whether the whole input was dealt with, or why not.
    pub outcome: Result<(), Incomplete>,
}

/// Why an import ended early. The batches written before stay, and the import can be run again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Incomplete {
    /// A line cannot be loaded, and [`OnError::Stop`] was asked for.
    #[error("line {} cannot be loaded", .0.line)]
    BadLine(BadLine),
    /// Somebody asked for the end.
    #[error("interrupted")]
    Interrupted,
    /// The input cannot be read.
    #[error("the input cannot be read after line {line}")]
    Read {
        /// The last line that was read.
        line: u64,
        /// Why.
        source: io::Error,
    },
    /// The store did not take a batch.
    #[error("the lines {first} to {last} cannot be written")]
    Write {
        /// The first line that may not be stored.
        first: u64,
        /// The last line of the batch.
        last: u64,
        /// Why.
        source: RepositoryError,
    },
    /// Every line is stored, but what the store derives from them is not up to date.
    #[error("the store's statistics and indexes cannot be brought up to date")]
    Finish(#[source] RepositoryError),
    /// The thread that reads the input ended without a word.
    #[error("the input's reader failed")]
    Reader,
}

/// Loads `input` into `store` until its end, a failure, or an item of `stop`.
///
/// The batch under way is still written then; a second item also cuts short what follows the last batch. A byte order
/// mark, blank lines and either line ending are fine.
pub async fn run<R>(
    input: R,
    store: &dyn BulkLoad,
    options: &Options,
    mut stop: impl Stream<Item = ()> + Unpin,
    mut on: impl FnMut(Event<'_>),
) -> Report
where
    R: BufRead + Send + 'static,
{
    let began = Instant::now();
    let mut report = Report::new();
    report.outcome = match batches::read(input, options.on_error, options.batch_lines.max(1)) {
        Ok(readings) => write(readings, store, &mut stop, &mut report, &mut on).await,
        Err(source) => Err(Incomplete::Read { line: 0, source }),
    };

    // After most failures too: what was written should be found.
    let store_answers = !matches!(report.outcome, Err(Incomplete::Write { .. }));
    if report.written != 0 && store_answers {
        on(Event::Finishing);
        let finished = tokio::select! {
            finished = store.finish() => finished.map_err(Incomplete::Finish),
            () = asked_for(&mut stop) => Err(Incomplete::Interrupted),
        };
        if report.outcome.is_ok() {
            report.outcome = finished;
        }
    }
    report.took = began.elapsed();
    report
}

async fn write(
    mut readings: Receiver<Reading>,
    store: &dyn BulkLoad,
    stop: &mut (impl Stream<Item = ()> + Unpin),
    report: &mut Report,
    on: &mut impl FnMut(Event<'_>),
) -> Result<(), Incomplete> {
    loop {
        let reading = tokio::select! {
            biased;
            () = asked_for(stop) => return Err(Incomplete::Interrupted),
            reading = readings.recv() => reading,
        };
        match reading {
            Some(Reading::Batch(batch)) => {
                let bytes = batch.bytes;
                report.add(store, batch).await?;
                on(Event::Written { bytes, report });
            }
            Some(Reading::Bad { bad, stops }) => {
                on(Event::BadLine(&bad));
                report.bad += 1;
                if stops {
                    report.line = bad.line - 1;
                    return Err(Incomplete::BadLine(bad));
                }
            }
            Some(Reading::Failed { line, source }) => {
                return Err(Incomplete::Read { line, source });
            }
            Some(Reading::End { line }) => {
                report.line = line;
                return Ok(());
            }
            None => return Err(Incomplete::Reader),
        }
    }
}

/// Waits until somebody asks for the end.
async fn asked_for(stop: &mut (impl Stream<Item = ()> + Unpin)) {
    if stop.next().await.is_none() {
        std::future::pending::<()>().await;
    }
}

impl Report {
    const fn new() -> Self {
        Self {
            line: 0,
            written: 0,
            bad: 0,
            counts: BulkCounts { created: 0, replaced: 0, unchanged: 0, sources: 0 },
            unknown: BTreeMap::new(),
            took: Duration::ZERO,
            outcome: Ok(()),
        }
    }

    /// Writes a batch and adds what it did.
    async fn add(&mut self, store: &dyn BulkLoad, batch: Batch) -> Result<(), Incomplete> {
        let Batch { records, unknown, first, last, bytes: _ } = batch;
        let written = records.len() as u64;
        let counts = store.load(records).await.map_err(|source| Incomplete::Write {
            first,
            last,
            source,
        })?;

        let BulkCounts { created, replaced, unchanged, sources } = counts;
        self.line = last;
        self.written += written;
        self.counts.created += created;
        self.counts.replaced += replaced;
        self.counts.unchanged += unchanged;
        self.counts.sources += sources;
        for name in unknown {
            if self.unknown.len() < MOST_UNKNOWN || self.unknown.contains_key(&name) {
                *self.unknown.entry(name).or_default() += 1;
            }
        }
        Ok(())
    }
}
