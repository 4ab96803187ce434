//! The figures of generations, as everything that is told about some of them.

use std::borrow::Cow;

use cache::GroupSums;
use domain::{Sums, Times, TokenSums};
use serde::Serialize;
use utoipa::ToSchema;

use crate::money::Dollars;

/// What the generations of some groups took together.
pub(super) fn sum<'a>(groups: impl IntoIterator<Item = &'a GroupSums>) -> Cow<'a, Sums> {
    let sums: Vec<&Sums> = groups.into_iter().map(|group| &*group.sums).collect();
    match sums[..] {
        [only] => Cow::Borrowed(only),
        // All at once: added one after the other, their times would be gone through again and again.
        _ => Cow::Owned(Sums::sum(&sums)),
    }
}

/// Generations in figures.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GenerationFigures)]
pub(super) struct FiguresView {
    /// How many there are, however they ended.
    pub(super) total_generations: u64,
    /// How many ended with a result.
    pub(super) completed: u64,
    /// How many ended with an error.
    pub(super) failed: u64,
    /// How many somebody stopped.
    pub(super) cancelled: u64,
    /// Mean time in milliseconds; null without generations.
    pub(super) avg_generation_time_ms: Option<f64>,
    /// The time in milliseconds that half of them did not exceed; null without generations.
    pub(super) p50_generation_time_ms: Option<u32>,
    /// The time in milliseconds that 95 of 100 did not exceed; null without generations.
    pub(super) p95_generation_time_ms: Option<u32>,
    /// The time in milliseconds that 99 of 100 did not exceed; null without generations.
    pub(super) p99_generation_time_ms: Option<u32>,
    /// Sum of the known costs in US dollars, exactly.
    #[schema(value_type = f64)]
    pub(super) total_cost_usd: Dollars,
    /// Mean of the known costs in US dollars, to the nano-dollar; null when none is known.
    #[schema(value_type = Option<f64>)]
    pub(super) avg_cost_per_generation: Option<Dollars>,
    /// How many have a known cost.
    pub(super) priced_generations: u64,
    /// How many have no known cost.
    pub(super) unpriced_generations: u64,
    /// Their tokens, as far as known.
    pub(super) tokens: TokensView,
}

impl From<&Sums> for FiguresView {
    fn from(sums: &Sums) -> Self {
        let [p50, p95, p99] = sums.times.usual_percentiles();
        Self {
            total_generations: sums.generations,
            completed: sums.completed(),
            failed: sums.failed,
            cancelled: sums.cancelled,
            avg_generation_time_ms: sums.avg_time_ms(),
            p50_generation_time_ms: p50,
            p95_generation_time_ms: p95,
            p99_generation_time_ms: p99,
            total_cost_usd: Dollars(sums.cost),
            avg_cost_per_generation: sums.avg_cost().map(Dollars),
            priced_generations: sums.priced,
            unpriced_generations: sums.unpriced(),
            tokens: sums.tokens.into(),
        }
    }
}

/// Sums of tokens; what is unknown adds nothing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TokenSums)]
pub(super) struct TokensView {
    /// Altogether, as callers counted.
    pub(super) used: u64,
    /// Read by models.
    pub(super) input: u64,
    /// Written by models.
    pub(super) output: u64,
    /// Read from caches of providers.
    pub(super) cache_read: u64,
    /// Written to caches of providers.
    pub(super) cache_write: u64,
    /// Spent on reasoning that is not part of an answer.
    pub(super) reasoning: u64,
}

impl From<TokenSums> for TokensView {
    fn from(sums: TokenSums) -> Self {
        let TokenSums { used, input, output, cache_read, cache_write, reasoning } = sums;
        Self { used, input, output, cache_read, cache_write, reasoning }
    }
}

/// What percentiles can be trusted for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Percentiles)]
pub(super) struct PercentilesView {
    /// Whether each is exactly the time of a generation.
    pub(super) exact: bool,
    /// How far each may be from that time, in parts of it.
    pub(super) relative_error: f64,
}

impl PercentilesView {
    /// Those that are asked to be exact are so unless generations were dropped because of their age.
    pub(super) fn of<'a>(asked: bool, sums: impl IntoIterator<Item = &'a Sums>) -> Self {
        let exact = asked && sums.into_iter().all(|sums| sums.times.is_exact());
        Self { exact, relative_error: if exact { 0.0 } else { Times::RELATIVE_ERROR } }
    }
}
