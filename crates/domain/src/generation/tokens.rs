//! Tokens, by what they were used for.

use std::ops::AddAssign;

/// How many tokens a generation used, as far as known.
///
/// Providers disagree whether what was read from a cache is part of the input, so no number is derived from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokens {
    /// Altogether, as the caller counts.
    pub used: Option<u32>,
    /// Read by the model.
    pub input: Option<u32>,
    /// Written by the model.
    pub output: Option<u32>,
    /// Read from the provider's cache.
    pub cache_read: Option<u32>,
    /// Written to the provider's cache.
    pub cache_write: Option<u32>,
    /// Spent on reasoning that is not part of the answer.
    pub reasoning: Option<u32>,
}

/// Sums of [`Tokens`]; what is unknown adds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenSums {
    /// See [`Tokens::used`].
    pub used: u64,
    /// See [`Tokens::input`].
    pub input: u64,
    /// See [`Tokens::output`].
    pub output: u64,
    /// See [`Tokens::cache_read`].
    pub cache_read: u64,
    /// See [`Tokens::cache_write`].
    pub cache_write: u64,
    /// See [`Tokens::reasoning`].
    pub reasoning: u64,
}

impl From<Tokens> for TokenSums {
    fn from(tokens: Tokens) -> Self {
        let Tokens { used, input, output, cache_read, cache_write, reasoning } = tokens;
        let sum = |count: Option<u32>| count.map_or(0, u64::from);
        Self {
            used: sum(used),
            input: sum(input),
            output: sum(output),
            cache_read: sum(cache_read),
            cache_write: sum(cache_write),
            reasoning: sum(reasoning),
        }
    }
}

impl AddAssign for TokenSums {
    fn add_assign(&mut self, other: Self) {
        let Self { used, input, output, cache_read, cache_write, reasoning } = other;
        self.used += used;
        self.input += input;
        self.output += output;
        self.cache_read += cache_read;
        self.cache_write += cache_write;
        self.reasoning += reasoning;
    }
}
