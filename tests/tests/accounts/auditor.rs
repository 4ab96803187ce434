//! `groovebase stats verify`, run by somebody who does not trust the service.

use std::sync::Arc;

use anyhow::Context;
use groovebase_tests::program::{Ended, Program};

use crate::{books::Books, violation::Rule};

/// What came of a verification.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Audit {
    /// So many sums differ.
    Drift(u64),
    /// There was nobody to ask.
    NoAnswer(String),
}

/// Verifies again and again, until it is enough.
pub(crate) async fn audit(books: Arc<Books>, commands: Arc<Program>) -> anyhow::Result<()> {
    while !books.is_enough() {
        books.advance(100).await;
        match verify(&commands).await? {
            Audit::Drift(0) => drop(books.counts.audits.up()),
            Audit::Drift(different) => {
                let how = format!("{different} sums differ while the service is at work");
                books.broken([Rule::SumsAreVerified.broken(how)]);
            }
            Audit::NoAnswer(_) => drop(books.counts.audits_without_answer.up()),
        }
    }
    Ok(())
}

/// Verifies once.
pub(crate) async fn verify(commands: &Arc<Program>) -> anyhow::Result<Audit> {
    outcome(stats(commands, "verify").await?)
}

/// Makes every sum anew.
pub(crate) async fn rebuild(commands: &Arc<Program>) -> anyhow::Result<()> {
    let ended = stats(commands, "rebuild").await?;
    anyhow::ensure!(ended.code == Some(0), "{ended:?}");
    Ok(())
}

async fn stats(commands: &Arc<Program>, what: &'static str) -> anyhow::Result<Ended> {
    let commands = Arc::clone(commands);
    tokio::task::spawn_blocking(move || commands.run(&["stats", what])).await?
}

/// What is printed and the exit code say the same.
fn outcome(ended: Ended) -> anyhow::Result<Audit> {
    let drift = ended.output.lines().find_map(|line| line.strip_prefix("drift "));
    let Some(drift) = drift else { return Ok(Audit::NoAnswer(ended.errors)) };
    let digits: String = drift.chars().filter(char::is_ascii_digit).collect();
    let different = digits.parse().with_context(|| drift.to_owned())?;
    anyhow::ensure!(ended.code == Some(i32::from(different != 0)), "{ended:?}");
    Ok(Audit::Drift(different))
}
