//! What is measured.

use std::time::Duration;

use serde::Serialize;

/// What one turn found out. What was not looked at is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Figures {
    /// How many are done in a second.
    pub(crate) rate: Option<f64>,
    /// How long half of them take at most, in milliseconds.
    pub(crate) p50_ms: Option<f64>,
    /// How long 95 of a hundred take at most.
    pub(crate) p95_ms: Option<f64>,
    /// How long 99 of a hundred take at most.
    pub(crate) p99_ms: Option<f64>,
    /// How long the slowest one takes.
    pub(crate) max_ms: Option<f64>,
}

impl Figures {
    /// A rate and nothing else.
    pub(crate) fn of_rate(rate: f64) -> Self {
        Self { rate: Some(rate), ..Self::default() }
    }

    /// The quantiles of what took so many milliseconds each.
    pub(crate) fn of_times(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let at = |percent: usize| {
            times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)))
        };
        Self {
            rate: None,
            p50_ms: at(50).copied(),
            p95_ms: at(95).copied(),
            p99_ms: at(99).copied(),
            max_ms: times.last().copied(),
        }
    }

    /// The middle of each figure by itself.
    pub(crate) fn median(all: &[Self]) -> Self {
        let middle = |of: fn(&Self) -> Option<f64>| median(all.iter().filter_map(of).collect());
        Self {
            rate: middle(|it| it.rate),
            p50_ms: middle(|it| it.p50_ms),
            p95_ms: middle(|it| it.p95_ms),
            p99_ms: middle(|it| it.p99_ms),
            max_ms: middle(|it| it.max_ms),
        }
    }
}

/// The middle one, or what lies halfway between the two in the middle; nothing without any.
pub(crate) fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let upper = numbers.get(numbers.len() / 2)?;
    if numbers.len() % 2 == 1 {
        return Some(*upper);
    }
    let lower = numbers.get((numbers.len() / 2).checked_sub(1)?)?;
    Some(f64::midpoint(*lower, *upper))
}

/// So many milliseconds.
pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 100.0]), Some(3.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 100.0]), Some(3.0));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn quantiles_are_what_a_share_does_not_exceed() {
        let times = (0..100).rev().map(f64::from).collect();

        let figures = Figures::of_times(times);

        assert_eq!(figures.p50_ms, Some(50.0));
        assert_eq!(figures.p95_ms, Some(95.0));
        assert_eq!(figures.p99_ms, Some(99.0));
        assert_eq!(figures.max_ms, Some(99.0));
        assert_eq!(Figures::of_times(Vec::new()), Figures::default());
    }
}
