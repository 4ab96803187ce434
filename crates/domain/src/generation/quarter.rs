//! Quarters of an hour, the finest time that rollups tell apart.

use crate::{TimeRange, Timestamp};

const MICROS: i64 = 15 * 60 * 1_000_000;

/// A quarter of an hour in UTC, counted from 1970.
///
/// Every offset from UTC in use today is a whole number of them, so local hours, days and months consist of quarters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quarter(i64);

impl Quarter {
    /// The quarter in which something happened.
    #[must_use]
    pub const fn of(time: Timestamp) -> Self {
        Self(time.unix_micros().div_euclid(MICROS))
    }

    /// The quarter that begins so many microseconds after 1970-01-01T00:00:00Z, or around that time.
    #[must_use]
    pub const fn of_micros(unix_micros: i64) -> Self {
        Self(unix_micros.div_euclid(MICROS))
    }

    /// When it begins, in microseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn starts_at_micros(self) -> i64 {
        self.0 * MICROS
    }
}

/// Consecutive quarters, the last one excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuarterSpan {
    /// The first.
    pub from: Quarter,
    /// The first after them.
    pub to: Quarter,
}

impl QuarterSpan {
    /// The quarters that lie in a range altogether, and what is left of the range before and after them.
    ///
    /// When there is none, the range is what is left.
    #[must_use]
    pub fn within(range: TimeRange) -> (Option<Self>, Vec<TimeRange>) {
        let (first, last) = (range.from_micros(), range.to_micros());
        let from = Quarter(-(-first).div_euclid(MICROS));
        let to = Quarter::of_micros(last);
        if to <= from {
            return (None, if range.is_empty() { Vec::new() } else { vec![range] });
        }
        let (before, after) = (
            TimeRange::clipped(first, from.starts_at_micros()),
            TimeRange::clipped(to.starts_at_micros(), last),
        );
        let edges = [before, after].into_iter().filter(|edge| !edge.is_empty()).collect();
        (Some(Self { from, to }), edges)
    }

    /// Whether a quarter is one of them.
    #[must_use]
    pub fn contains(&self, quarter: Quarter) -> bool {
        self.from <= quarter && quarter < self.to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from: i64, to: i64) -> TimeRange {
        TimeRange::clipped(from, to)
    }

    #[test]
    fn a_range_falls_into_quarters_and_what_is_left_of_it() {
        for (from, to, quarters, edges) in [
            (0, MICROS, Some((0, 1)), vec![]),
            (-1, MICROS + 1, Some((0, 1)), vec![(-1, 0), (MICROS, MICROS + 1)]),
            (-MICROS - 1, 1, Some((-1, 0)), vec![(-MICROS - 1, -MICROS), (0, 1)]),
            (1, MICROS, None, vec![(1, MICROS)]),
            (MICROS - 1, MICROS + 1, None, vec![(MICROS - 1, MICROS + 1)]),
            (5, 5, None, vec![]),
        ] {
            let quarters =
                quarters.map(|(from, to)| QuarterSpan { from: Quarter(from), to: Quarter(to) });
            let edges = edges.into_iter().map(|(from, to)| range(from, to)).collect::<Vec<_>>();
            assert_eq!(QuarterSpan::within(range(from, to)), (quarters, edges), "{from} to {to}");
        }
    }

    #[test]
    fn all_time_consists_of_quarters() {
        let (quarters, edges) = QuarterSpan::within(TimeRange::ALL);

        assert!(quarters.is_some() && edges.is_empty());
    }
}
