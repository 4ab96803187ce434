//! `groovebase import`: loads JSON lines, either artists with their profiles and sources, or generations.
//!
//! Reading and writing overlap: one thread turns lines into records while batches are written, each in one
//! transaction. What is stored already as it comes in is left alone, so that an import can be run again. What a file means
//! does not depend on where batches end: it is as if each line were saved after the one before it.

mod bad_line;
mod batches;
mod destination;
mod generations;
mod lines;
mod profiles;
mod terminal;
mod upkeep;

use std::{
    collections::BTreeMap,
    io::{self, BufRead},
    time::{Duration, Instant},
};

use domain::{BulkCounts, RepositoryError};
use futures::{Stream, StreamExt as _};
use tokio::sync::mpsc::Receiver;

use self::batches::{Batch, Reading};

pub use bad_line::{BadLine, Reason};
pub use destination::{Counts, Destination, Entry, Loaded, Numbered, Record};
pub use generations::{Account, AccountCounts, UnknownArtists};
pub use lines::MAX_LINE_BYTES;
pub use terminal::{ImportArguments, ImportError};
pub use upkeep::Upkeep;

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
pub enum Event<'a, C = BulkCounts> {
    /// A line cannot be loaded.
    BadLine(&'a BadLine),
    /// A batch was written.
    Written {
        /// How many bytes of the input are done.
        bytes: u64,
        /// What was done so far.
        report: &'a Report<C>,
    },
    /// All lines are written; the store brings up to date what it derives from them.
    Finishing,
}

/// What an import did.
#[derive(Debug)]
pub struct Report<C = BulkCounts> {
    /// The last line whose fate is decided: it and those before it are stored, blank or bad.
    pub line: u64,
    /// How many lines are stored.
    pub written: u64,
    /// How many lines were bad.
    pub bad: u64,
    /// What the written lines changed.
    pub counts: C,
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

/// Loads `input` into `destination` until its end, a failure, or an item of `stop`.
///
/// The batch under way is still written then; a second item also cuts short what follows the last batch. A byte order
/// mark, blank lines and either line ending are fine.
pub async fn run<R, D>(
    input: R,
    mut destination: D,
    options: &Options,
    mut stop: impl Stream<Item = ()> + Unpin,
    mut on: impl FnMut(Event<'_, D::Counts>),
) -> Report<D::Counts>
where
    R: BufRead + Send + 'static,
    D: Destination,
{
    let began = Instant::now();
    let mut report = Report::new();
    report.outcome = match batches::read(input, options.on_error, options.batch_lines.max(1)) {
        Ok(readings) => {
            let mut writing = Writing { destination: &mut destination, on_error: options.on_error };
            writing.run(readings, &mut stop, &mut report, &mut on).await
        }
        Err(source) => Err(Incomplete::Read { line: 0, source }),
    };

    // After most failures too: what was written should be found.
    let store_answers = !matches!(report.outcome, Err(Incomplete::Write { .. }));
    if report.written != 0 && store_answers {
        on(Event::Finishing);
        let finished = tokio::select! {
            finished = destination.finish() => finished.map_err(Incomplete::Finish),
            () = asked_for(&mut stop) => Err(Incomplete::Interrupted),
        };
        if report.outcome.is_ok() {
            report.outcome = finished;
        }
    }
    report.took = began.elapsed();
    report
}

/// The side that writes what was read.
struct Writing<'a, D> {
    destination: &'a mut D,
    on_error: OnError,
}

impl<D: Destination> Writing<'_, D> {
    async fn run(
        &mut self,
        mut readings: Receiver<Reading<D::Record>>,
        stop: &mut (impl Stream<Item = ()> + Unpin),
        report: &mut Report<D::Counts>,
        on: &mut impl FnMut(Event<'_, D::Counts>),
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
                    for bad in self.write(batch, report).await? {
                        report.refuse(bad, self.on_error == OnError::Stop, on)?;
                    }
                    on(Event::Written { bytes, report });
                }
                Some(Reading::Bad { bad, stops }) => report.refuse(bad, stops, on)?,
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

    /// Writes a batch, adds what it did, and returns the lines that cannot be loaded.
    async fn write(
        &mut self,
        batch: Batch<D::Record>,
        report: &mut Report<D::Counts>,
    ) -> Result<Vec<BadLine>, Incomplete> {
        let Batch { records, unknown, first, last, bytes: _ } = batch;
        let loaded = self.destination.load(records, self.on_error, &mut report.counts).await;
        let Loaded { written, refused } =
            loaded.map_err(|source| Incomplete::Write { first, last, source })?;

        report.line = last;
        report.written += written;
        for name in unknown {
            if report.unknown.len() < MOST_UNKNOWN || report.unknown.contains_key(&name) {
                *report.unknown.entry(name).or_default() += 1;
            }
        }
        Ok(refused)
    }
}

/// Waits until somebody asks for the end.
async fn asked_for(stop: &mut (impl Stream<Item = ()> + Unpin)) {
    if stop.next().await.is_none() {
        std::future::pending::<()>().await;
    }
}

impl<C: Counts> Report<C> {
    fn new() -> Self {
        Self {
            line: 0,
            written: 0,
            bad: 0,
            counts: C::default(),
            unknown: BTreeMap::new(),
            took: Duration::ZERO,
            outcome: Ok(()),
        }
    }

    /// Counts and tells a line that cannot be loaded; an error if that is the end.
    fn refuse(
        &mut self,
        bad: BadLine,
        stops: bool,
        on: &mut impl FnMut(Event<'_, C>),
    ) -> Result<(), Incomplete> {
        on(Event::BadLine(&bad));
        self.bad += 1;
        if stops {
            self.line = bad.line - 1;
            return Err(Incomplete::BadLine(bad));
        }
        Ok(())
    }
}
