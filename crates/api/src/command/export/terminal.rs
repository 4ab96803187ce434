//! The command: its arguments, and what it says.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use futures::{StreamExt as _, stream};

use super::{Content, ExportError, Report, Target, run};
use crate::command::{
    import::MAX_LINE_BYTES,
    interrupt::interrupts,
    terminal::{Progress, grouped, rate, say},
};

/// The arguments of the command.
#[derive(Debug, Clone, clap::Args)]
pub struct ExportArguments {
    /// The file to write, replaced if it exists; `-` is standard output.
    file: PathBuf,
}

impl ExportArguments {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or the file cannot be written. Then the file is as it was before.
    pub async fn execute(&self, content: Content<'_>) -> Result<(), ExportError> {
        let mut target = Target::open(&self.file)?;
        // What is cut off in a stream is cut off; let the system end it.
        let mut interrupts = match target {
            Target::File { .. } => interrupts()?.left_stream(),
            Target::Stream(_) => stream::pending().right_stream(),
        };
        let mut progress = Progress::new(None);
        let export = run(content, &mut target, |report| {
            progress.advance(report.bytes, || {
                let rate = rate(report.artists, report.took);
                format!("{} artists, {rate} artists/s", grouped(report.artists))
            });
        });
        let finished = tokio::select! {
            biased;
            _ = interrupts.next() => Err(ExportError::Interrupted),
            report = export => report,
        };
        drop(progress);
        let report = finished?;
        target.keep()?;

        for notice in notices(&report) {
            say(notice);
        }
        if self.file == Path::new("-") {
            say(summary(&report));
        } else {
            writeln!(io::stdout(), "{}", summary(&report))?;
        }
        Ok(())
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

/// What an import would not give back.
fn notices(report: &Report) -> Vec<String> {
    let mut notices = Vec::new();
    if !report.too_long.is_empty() {
        notices.push(format!(
            "warning: the lines of these artists are longer than the {} MiB that an import takes: {}",
            MAX_LINE_BYTES >> 20,
            report.too_long.join(", ")
        ));
    }
    notices
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
            notices(&report),
            [
                "warning: the lines of these artists are longer than the 16 MiB that an import takes: J Dilla, Tony Allen",
            ]
        );
    }
}
