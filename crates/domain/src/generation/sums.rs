//! What generations took together.

use super::{GenerationDetails, GenerationStatus, Money, Times, TokenSums};

/// What some generations took together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sums {
    /// How many there are.
    pub generations: u64,
    /// How many of them ended with an error.
    pub failed: u64,
    /// How many of them somebody stopped.
    pub cancelled: u64,
    /// Sum of their times, in milliseconds.
    pub time_ms: u64,
    /// Their times.
    pub times: Times,
    /// How many have a known cost.
    pub priced: u64,
    /// Sum of the known costs.
    pub cost: Money,
    /// Sums of the known tokens.
    pub tokens: TokenSums,
}

impl Sums {
    /// What one generation took.
    #[must_use]
    pub fn of(details: &GenerationDetails) -> Self {
        Self {
            time_ms: details.generation_time_ms.into(),
            times: Times::of(details.generation_time_ms),
            priced: details.cost.is_some().into(),
            cost: details.cost.map(Money::from).unwrap_or_default(),
            tokens: details.tokens.into(),
            ..Self::ended(details.status, 1)
        }
    }

    /// So many that ended in this way, without anything that they took.
    #[must_use]
    pub fn ended(status: GenerationStatus, generations: u64) -> Self {
        let (failed, cancelled) = match status {
            GenerationStatus::Completed => (0, 0),
            GenerationStatus::Failed => (generations, 0),
            GenerationStatus::Cancelled => (0, generations),
        };
        Self { generations, failed, cancelled, ..Self::default() }
    }

    /// Adds what others took.
    pub fn add(&mut self, other: &Self) {
        let Self { generations, failed, cancelled, time_ms, times, priced, cost, tokens } = other;
        self.generations += generations;
        self.failed += failed;
        self.cancelled += cancelled;
        self.time_ms += time_ms;
        self.times.add(times);
        self.priced += priced;
        self.cost = self.cost + *cost;
        self.tokens += *tokens;
    }

    /// What many took together, in less time than adding one after the other.
    #[must_use]
    pub fn sum(parts: &[&Self]) -> Self {
        let mut sum =
            Self { times: Times::sum(parts.iter().map(|part| &part.times)), ..Self::default() };
        for part in parts {
            let Self { generations, failed, cancelled, time_ms, times: _, priced, cost, tokens } =
                part;
            sum.generations += generations;
            sum.failed += failed;
            sum.cancelled += cancelled;
            sum.time_ms += time_ms;
            sum.priced += priced;
            sum.cost = sum.cost + *cost;
            sum.tokens += *tokens;
        }
        sum
    }

    /// How many ended with a result.
    #[must_use]
    pub const fn completed(&self) -> u64 {
        self.generations.saturating_sub(self.failed).saturating_sub(self.cancelled)
    }

    /// How many have no known cost.
    #[must_use]
    pub const fn unpriced(&self) -> u64 {
        self.generations.saturating_sub(self.priced)
    }

    /// Mean time in milliseconds; `None` without generations.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a mean for people to read")]
    pub fn avg_time_ms(&self) -> Option<f64> {
        (self.generations != 0).then(|| self.time_ms as f64 / self.generations as f64)
    }

    /// Mean of the known costs, rounded to the nano-dollar; `None` when none is known.
    #[must_use]
    pub fn avg_cost(&self) -> Option<Money> {
        self.cost.mean_over(self.priced)
    }
}
