//! What commands say to people.

use std::{
    fmt,
    io::{self, Write as _},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

/// How often progress is told where nobody watches a bar.
const EVERY: Duration = Duration::from_secs(5);

/// Writes a line to standard error. That nobody reads it stops no command.
pub(super) fn say(line: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// A count, grouped: `10,000`.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index != 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// How many in a second.
pub(super) fn rate(count: u64, took: Duration) -> String {
    let nanos = took.as_nanos().max(1);
    let rate = u128::from(count) * 1_000_000_000 / nanos;
    grouped(u64::try_from(rate).unwrap_or(u64::MAX))
}

/// How long something takes: a bar on a terminal, otherwise a line every few seconds; on standard error.
pub(super) struct Progress {
    bar: ProgressBar,
    told: Instant,
    total: Option<u64>,
}

impl Progress {
    /// Progress towards so many bytes, if that is known.
    pub(super) fn new(total: Option<u64>) -> Self {
        let (bar, template) = match total {
            Some(total) => (ProgressBar::new(total), "{bar:32} {percent:>3} %  {msg}  {eta} left"),
            None => (ProgressBar::new_spinner(), "{spinner} {elapsed}  {msg}"),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, told: Instant::now(), total }
    }

    /// Tells how far it is.
    pub(super) fn advance(&mut self, bytes: u64, message: impl FnOnce() -> String) {
        if !self.bar.is_hidden() {
            self.bar.set_position(bytes);
            self.bar.set_message(message());
        } else if EVERY <= self.told.elapsed() {
            self.told = Instant::now();
            match self.total {
                Some(total) if 0 < total => {
                    say(format_args!("{} ({} %)", message(), bytes.min(total) * 100 / total));
                }
                _ => say(message()),
            }
        }
    }

    /// Says something besides.
    pub(super) fn say(&self, line: impl fmt::Display) {
        self.bar.suspend(|| say(line));
    }

    /// Shows what is done now.
    pub(super) fn show(&self, message: &'static str) {
        self.bar.set_message(message);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_digits_by_three() {
        for (count, expected) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(count), expected);
        }
        assert_eq!(rate(10_000, Duration::from_millis(2_500)), "4,000");
        assert_eq!(rate(0, Duration::ZERO), "0");
    }
}
