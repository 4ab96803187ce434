//! The command: its arguments, and what it says.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, BufReader, Read, Write as _},
    path::{Path, PathBuf},
    time::Instant,
};

use storage::Store;

use super::{
    Account, Counts, Destination, Event, Incomplete, OnError, Options, Reason, Report,
    UnknownArtists, run,
};
use crate::command::{
    interrupt::interrupts,
    kind::Kind,
    terminal::{Progress, grouped, rate, say},
};

/// The arguments of the command.
#[derive(Debug, Clone, clap::Args)]
pub struct ImportArguments {
    /// The file to read; `-` is standard input.
    file: PathBuf,

    /// What its lines are about.
    #[arg(long, value_enum, default_value_t, value_name = "KIND")]
    kind: Kind,

    /// Store artists that generations name and that are not known as pending, instead of refusing the lines. Artists of
    /// profiles are always stored.
    #[arg(long)]
    create_artists: bool,

    /// What to do about a bad line: write the lines before it and stop, or leave it out and go on.
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    on_error: OnError,

    /// How many lines are written in one transaction, at most.
    #[arg(long, value_name = "LINES", default_value_t = Options::DEFAULT_BATCH_LINES)]
    batch_lines: usize,
}

impl ImportArguments {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened, or was not dealt with to its end.
    pub async fn execute(&self, store: &Store) -> Result<(), ImportError> {
        match self.kind {
            Kind::Profiles => self.load(store.bulk_load().as_ref()).await,
            Kind::Generations => {
                let unknown_artists = if self.create_artists {
                    UnknownArtists::Create
                } else {
                    UnknownArtists::Refuse
                };
                self.load(Account::of(store, unknown_artists)).await
            }
        }
    }

    async fn load(&self, destination: impl Destination) -> Result<(), ImportError> {
        let (input, bytes) = open(&self.file)
            .map_err(|source| ImportError::Open { file: self.file.clone(), source })?;
        let interrupts = interrupts().map_err(ImportError::Terminal)?;
        let options = Options { on_error: self.on_error, batch_lines: self.batch_lines };
        let mut progress = Progress::new(bytes);
        let began = Instant::now();

        let report = run(input, destination, &options, interrupts, |event| match event {
            Event::BadLine(bad) => progress.say(bad),
            Event::Written { bytes, report } => progress.advance(bytes, || {
                let rate = rate(report.written, began.elapsed());
                format!("{} lines, {rate} lines/s", grouped(report.line))
            }),
            Event::Finishing => progress.show("bringing indexes and statistics up to date"),
        })
        .await;
        drop(progress);

        if let Some(notice) = left_out(&report) {
            say(notice);
        }
        writeln!(io::stdout(), "{}", summary(&report)).map_err(ImportError::Terminal)?;
        if let Err(incomplete) = &report.outcome {
            say(advice(report.line, incomplete));
        }
        Ok(report.outcome?)
    }
}

/// Why an import was not, or not all, done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// There is no such file, or it cannot be read.
    #[error("cannot open {}", file.display())]
    Open {
        /// Which file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The command cannot tell what it did, or be told to stop.
    #[error("the terminal does not work")]
    Terminal(#[source] io::Error),
    /// The import ended early.
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
}

type Input = BufReader<Box<dyn Read + Send>>;

/// The input, and its size if it has one.
fn open(file: &Path) -> io::Result<(Input, Option<u64>)> {
    let (input, bytes): (Box<dyn Read + Send>, _) = if file == Path::new("-") {
        (Box::new(io::stdin()), None)
    } else {
        let file = File::open(file)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        (Box::new(file), metadata.is_file().then_some(metadata.len()))
    };
    Ok((BufReader::with_capacity(1 << 16, input), bytes))
}

/// What was kept out of the store without a failure.
fn left_out<C>(report: &Report<C>) -> Option<String> {
    let mut names = report.unknown.iter().map(|(name, lines)| {
        format!("'{name}' ({} {})", grouped(*lines), if *lines == 1 { "line" } else { "lines" })
    });
    let first = names.next()?;
    let all = names.fold(first, |all, name| format!("{all}, {name}"));
    Some(format!("note: left out, because an import has no such members: {all}"))
}

fn summary<C: Counts>(report: &Report<C>) -> String {
    let done = if report.outcome.is_ok() { "Imported" } else { "Imported only" };
    let mut summary = format!(
        "{done} {} lines in {:.1} s, {} lines/s",
        grouped(report.written),
        report.took.as_secs_f64(),
        rate(report.written, report.took)
    );
    for (count, what) in report.counts.listed().into_iter().chain([(report.bad, "bad lines")]) {
        // Writing to a string cannot fail.
        let _ = write!(summary, "\n{:>12} {what}", grouped(count));
    }
    summary
}

/// How far an import got that ended early, and what to do.
fn advice(line: u64, incomplete: &Incomplete) -> String {
    let stored = match line {
        0 => "Nothing was written".to_owned(),
        line => format!("Everything up to line {} is stored and nothing after it", grouped(line)),
    };
    let again = "the same command can be run again, and leaves alone what is stored.";
    match incomplete {
        Incomplete::BadLine(bad) => {
            let or = match bad.reason {
                Reason::UnknownArtist(_) => " Or have artists made with --create-artists.",
                Reason::TooLong | Reason::Invalid(_) | Reason::TakenGeneration(_) => "",
            };
            format!(
                "{stored}. Mend the line: {again} Or leave bad lines out with --on-error skip.{or}"
            )
        }
        Incomplete::Interrupted
        | Incomplete::Read { .. }
        | Incomplete::Write { .. }
        | Incomplete::Finish(_)
        | Incomplete::Reader => format!("{stored}. To go on: {again}"),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use domain::{ArtistName, BulkCounts};

    use super::*;
    use crate::command::import::{AccountCounts, BadLine};

    fn report(outcome: Result<(), Incomplete>) -> Report {
        Report {
            line: 10_002,
            written: 10_000,
            bad: 1,
            counts: BulkCounts { created: 9_000, replaced: 1, unchanged: 999, sources: 12_345 },
            unknown: BTreeMap::from([("tags".to_owned(), 10_000), ("x".to_owned(), 1)]),
            took: Duration::from_millis(2_500),
            outcome,
        }
    }

    #[test]
    fn sums_up() {
        let report = report(Ok(()));

        assert_eq!(
            summary(&report),
            "Imported 10,000 lines in 2.5 s, 4,000 lines/s\n       9,000 created\n           1 replaced\n         \
             999 unchanged\n      12,345 sources added\n           1 bad lines"
        );
        assert_eq!(
            left_out(&report).unwrap(),
            "note: left out, because an import has no such members: 'tags' (10,000 lines), 'x' (1 line)"
        );
    }

    #[test]
    fn sums_up_generations() {
        let report = Report {
            line: 10_002,
            written: 10_000,
            bad: 2,
            counts: AccountCounts { recorded: 10_000, artists: 7 },
            unknown: BTreeMap::new(),
            took: Duration::from_millis(200),
            outcome: Ok(()),
        };

        assert_eq!(
            summary(&report),
            "Imported 10,000 lines in 0.2 s, 50,000 lines/s\n      10,000 recorded, now or before\n           7 artists \
             created\n           2 bad lines"
        );
    }

    #[test]
    fn says_how_far_it_got() {
        let bad = BadLine { line: 10_003, reason: Reason::TooLong };

        assert_eq!(
            advice(10_002, &Incomplete::BadLine(bad)),
            "Everything up to line 10,002 is stored and nothing after it. Mend the line: the same command can be run \
             again, and leaves alone what is stored. Or leave bad lines out with --on-error skip."
        );
        let artist = ArtistName::try_from("Nobody").unwrap();
        let bad = BadLine { line: 1, reason: Reason::UnknownArtist(artist) };
        let advice_on_artists = advice(0, &Incomplete::BadLine(bad));
        assert!(advice_on_artists.ends_with(" Or have artists made with --create-artists."));
        assert_eq!(
            advice(0, &Incomplete::Interrupted),
            "Nothing was written. To go on: the same command can be run again, and leaves alone what is stored."
        );
    }
}
