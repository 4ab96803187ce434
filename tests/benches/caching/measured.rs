//! Figures.

use std::time::Duration;

/// Shows a line of the report.
#[expect(clippy::print_stdout, reason = "the report is what the bench is for")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// The middle one.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// So many microseconds.
pub(crate) fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// Says what was measured, what was promised, and whether that was kept.
pub(crate) fn verdict(what: &str, measured: f64, most: f64, unit: &str) {
    let kept = if measured <= most { "kept" } else { "NOT KEPT" };
    say(&format!("{what}: {measured:.3}{unit} (promised: at most {most}{unit}) {kept}"));
}
