//! A subject and its limit, measured in turns.
//!
//! A machine becomes faster and slower while it is measured. What lies a second apart had much the same machine, so each
//! turn of the subject is held against the turn of the limit beside it, and what counts is the median of these ratios.

use super::figures::{Figures, median};

/// One turn of each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pair {
    /// What is measured.
    pub(crate) subject: Figures,
    /// What it is held against.
    pub(crate) limit: Figures,
}

/// The turns of a run, in order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pairs(Vec<Pair>);

impl Pairs {
    /// Takes so many turns.
    pub(crate) fn taken(
        turns: u32,
        mut turn: impl FnMut() -> anyhow::Result<Pair>,
    ) -> anyhow::Result<Self> {
        (0..turns).map(|_| turn()).collect::<anyhow::Result<_>>().map(Self)
    }

    /// The medians of the subject.
    pub(crate) fn subject(&self) -> Figures {
        Figures::median(&self.0.iter().map(|pair| pair.subject).collect::<Vec<_>>())
    }

    /// The medians of the limit.
    pub(crate) fn limit(&self) -> Figures {
        Figures::median(&self.0.iter().map(|pair| pair.limit).collect::<Vec<_>>())
    }

    /// The median of what the subject has of the limit in each pair; nothing if no pair has both.
    pub(crate) fn ratio(&self, of: fn(&Figures) -> Option<f64>) -> Option<f64> {
        let ratios = self.0.iter().filter_map(|Pair { subject, limit }| {
            let (subject, limit) = (of(subject)?, of(limit)?);
            (0.0 < limit).then_some(subject / limit)
        });
        median(ratios.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(subject: f64, limit: f64) -> Pair {
        Pair { subject: Figures::of_rate(subject), limit: Figures::of_rate(limit) }
    }

    #[test]
    fn a_machine_that_drifts_does_not_change_the_ratio() {
        let mut drifting = [pair(80.0, 100.0), pair(8.0, 10.0), pair(40.0, 50.0)].into_iter();

        let pairs = Pairs::taken(3, || drifting.next().ok_or_else(|| anyhow::anyhow!("over")));

        let pairs = pairs.unwrap();
        assert_eq!(pairs.ratio(|it| it.rate), Some(0.8));
        assert_eq!(pairs.subject().rate, Some(40.0));
        assert_eq!(pairs.limit().rate, Some(50.0));
        assert_eq!(pairs.ratio(|it| it.p99_ms), None);
    }

    #[test]
    fn a_limit_of_nothing_is_no_limit() {
        let pairs = Pairs(vec![pair(80.0, 0.0)]);

        assert_eq!(pairs.ratio(|it| it.rate), None);
    }

    #[test]
    fn a_turn_that_fails_ends_the_run() {
        let run = Pairs::taken(2, || anyhow::bail!("refused"));

        assert!(run.is_err());
    }
}
