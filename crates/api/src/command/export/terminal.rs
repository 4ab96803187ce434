//! The command: its arguments, and what it says.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use domain::{TimeRange, Timestamp};
use futures::{StreamExt as _, stream};
use storage::Store;

use super::{Content, ExportError, GenerationsReport, Report, Target, generations, run};
use crate::command::{
    import::MAX_LINE_BYTES,
    interrupt::interrupts,
    kind::Kind,
    terminal::{Progress, grouped, rate, say},
};

/// The arguments of the command.
#[derive(Debug, Clone, clap::Args)]
pub struct ExportArguments {
    /// The file to write, replaced if it exists; `-` is standard output.
    file: PathBuf,

    /// What to write.
    #[arg(long, value_enum, default_value_t, value_name = "KIND")]
    kind: Kind,

    /// Only generations made at this time (RFC 3339) or later.
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,

    /// Only generations made before this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
}

impl ExportArguments {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or the file cannot be written. Then the file is as it was before.
    pub async fn execute(&self, store: &Store) -> Result<(), ExportError> {
        match self.kind {
            Kind::Profiles => self.export_profiles(store).await,
            Kind::Generations => self.export_generations(store).await,
        }
    }

    async fn export_profiles(&self, store: &Store) -> Result<(), ExportError> {
        if self.from.is_some() || self.to.is_some() {
            return Err(ExportError::Timeless);
        }
        let (artists, style_profiles, research_sources) =
            (store.artists(), store.style_profiles(), store.research_sources());
        let content = Content {
            artists: artists.as_ref(),
            style_profiles: style_profiles.as_ref(),
            research_sources: research_sources.as_ref(),
        };
        let mut target = Target::open(&self.file)?;
        let mut progress = Progress::new(None);
        let stops = target.is_file();
        let report = unless_interrupted(
            stops,
            run(content, &mut target, |report| {
                progress.advance(report.bytes, || {
                    let rate = rate(report.artists, report.took);
                    format!("{} artists, {rate} artists/s", grouped(report.artists))
                });
            }),
        )
        .await?;
        drop(progress);
        target.keep()?;
        self.tell(&summary(&report), too_long("artists", &report.too_long))
    }

    async fn export_generations(&self, store: &Store) -> Result<(), ExportError> {
        let range = range(self.from, self.to)?;
        let generations = store.generations();
        let mut target = Target::open(&self.file)?;
        let mut progress = Progress::new(None);
        let stops = target.is_file();
        let report = unless_interrupted(
            stops,
            generations::run(generations.as_ref(), range, &mut target, |report| {
                progress.advance(report.bytes, || {
                    let rate = rate(report.generations, report.took);
                    format!("{} generations, {rate} generations/s", grouped(report.generations))
                });
            }),
        )
        .await?;
        drop(progress);
        target.keep()?;
        self.tell(&generations_summary(&report), too_long("generations", &report.too_long))
    }

    /// Says what was done, beside what was written.
    fn tell(&self, summary: &str, notice: Option<String>) -> Result<(), ExportError> {
        if let Some(notice) = notice {
            say(notice);
        }
        if self.file == Path::new("-") {
            say(summary);
        } else {
            writeln!(io::stdout(), "{summary}")?;
        }
        Ok(())
    }
}

/// Does something until it is done or, if it can be stopped, somebody asks for the end.
///
/// What is cut off in a stream is cut off; the system may end that.
async fn unless_interrupted<T>(
    stops: bool,
    export: impl Future<Output = Result<T, ExportError>>,
) -> Result<T, ExportError> {
    let mut interrupts =
        if stops { interrupts()?.left_stream() } else { stream::pending().right_stream() };
    tokio::select! {
        biased;
        _ = interrupts.next() => Err(ExportError::Interrupted),
        report = export => report,
    }
}

/// The times to choose by; every time where none is given.
fn range(from: Option<Timestamp>, to: Option<Timestamp>) -> Result<TimeRange, ExportError> {
    let from = from.unwrap_or(TimeRange::ALL.from());
    match to {
        Some(to) => Ok(TimeRange::new(from, to)?),
        None => Ok(TimeRange::clipped(from.unix_micros(), TimeRange::ALL.to_micros())),
    }
}

fn summary(report: &Report) -> String {
    format!(
        "Exported {} artists, {} with a profile, and {} sources in {:.1} s",
        grouped(report.artists),
        grouped(report.profiles),
        grouped(report.sources),
        report.took.as_secs_f64()
    )
}

fn generations_summary(report: &GenerationsReport) -> String {
    format!(
        "Exported {} generations in {:.1} s",
        grouped(report.generations),
        report.took.as_secs_f64()
    )
}

/// What an import would not take.
fn too_long(what: &str, names: &[String]) -> Option<String> {
    (!names.is_empty()).then(|| {
        format!(
            "warning: the lines of these {what} are longer than the {} MiB that an import takes: {}",
            MAX_LINE_BYTES >> 20,
            names.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn sums_up_and_says_what_is_missing() {
        let report = Report {
            artists: 10_000,
            profiles: 9_999,
            sources: 12_345,
            too_long: vec!["J Dilla".to_owned(), "Tony Allen".to_owned()],
            took: Duration::from_millis(2_500),
            ..Report::default()
        };

        assert_eq!(
            summary(&report),
            "Exported 10,000 artists, 9,999 with a profile, and 12,345 sources in 2.5 s"
        );
        assert_eq!(
            too_long("artists", &report.too_long).unwrap(),
            "warning: the lines of these artists are longer than the 16 MiB that an import takes: J Dilla, Tony Allen"
        );
        assert_eq!(too_long("artists", &[]), None);
    }

    #[test]
    fn chooses_by_time() {
        let time = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let (noon, one) = (time("2026-11-21T12:00:00Z"), time("2026-11-21T13:00:00Z"));

        assert_eq!(range(None, None).unwrap(), TimeRange::ALL);
        assert_eq!(range(noon, None).unwrap().to(), None);
        assert_eq!(range(noon, one).unwrap().to(), one);
        assert!(matches!(range(one, noon), Err(ExportError::Range(_))));
    }
}
