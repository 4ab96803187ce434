//! Generations as lines.

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

use domain::{Generation, Generations, Limit, TimeRange};

use super::ExportError;
use crate::{command::import::MAX_LINE_BYTES, routes::generations::GenerationView};

/// How many identities of generations are named in a notice.
const MOST_NAMED: usize = 10;

/// What an export of generations wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GenerationsReport {
    /// How many generations, which is how many lines.
    pub generations: u64,
    /// How many bytes.
    pub bytes: u64,
    /// Generations whose line is longer than an import takes; at most ten of them.
    pub too_long: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// Writes the generations of a range of time, oldest first, and tells `on` after each page.
///
/// What is recorded meanwhile is written if it belongs after what was written last. Memory holds one page of 1,000
/// generations.
pub async fn run(
    generations: &dyn Generations,
    range: TimeRange,
    output: &mut (dyn Write + Send),
    mut on: impl FnMut(&GenerationsReport),
) -> Result<GenerationsReport, ExportError> {
    let began = Instant::now();
    let mut report = GenerationsReport::default();
    let mut after = None;
    let mut line = Vec::new();
    loop {
        let page = generations.page(range, after, Limit::LARGEST).await?;
        for generation in page.items {
            let id = generation.id;
            line.clear();
            write_generation(&mut line, generation)?;
            output.write_all(&line)?;
            report.generations += 1;
            report.bytes += line.len() as u64;
            if MAX_LINE_BYTES + 1 < line.len() && report.too_long.len() < MOST_NAMED {
                report.too_long.push(id.to_string());
            }
        }
        report.took = began.elapsed();
        on(&report);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    output.flush()?;
    report.took = began.elapsed();
    Ok(report)
}

/// Writes a generation and the line's end.
pub fn write_generation(output: &mut impl Write, generation: Generation) -> io::Result<()> {
    serde_json::to_writer(&mut *output, &GenerationView::from(generation))?;
    output.write_all(b"\n")
}
