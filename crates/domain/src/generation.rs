//! What was generated, and what it took.

mod money;
mod provider;

use std::collections::BTreeMap;

use crate::{ArtistName, Id, JsonObject, Text, Timestamp};

pub use money::{Cost, InvalidCost, Money};
pub use provider::{InvalidProvider, Provider};

/// Identity of a [`Generation`].
pub type GenerationId = Id<Generation>;

/// An account entry: one generation, as it was recorded. Entries are never changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    /// Identity.
    pub id: GenerationId,
    /// The artist whose style was used; `None` when none was, or when the artist was removed since.
    pub artist: Option<ArtistName>,
    /// Who generated.
    pub provider: Provider,
    /// How long it took, in milliseconds.
    pub generation_time_ms: u32,
    /// How many tokens it used, if known.
    pub tokens_used: Option<u32>,
    /// What it cost, if known. Unknown is not zero.
    pub cost: Option<Cost>,
    /// What was asked for; the form is the caller's.
    pub user_params: JsonObject,
    /// What came out of it.
    pub output_files: Vec<Text>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A generation to record.
#[derive(Debug, Clone, PartialEq)]
pub struct NewGeneration {
    /// Identity, made by the caller so that recording can be repeated without counting twice.
    pub id: GenerationId,
    /// The artist whose style was used; it must be known.
    pub artist: Option<ArtistName>,
    /// See [`Generation::provider`].
    pub provider: Provider,
    /// See [`Generation::generation_time_ms`].
    pub generation_time_ms: u32,
    /// See [`Generation::tokens_used`].
    pub tokens_used: Option<u32>,
    /// See [`Generation::cost`].
    pub cost: Option<Cost>,
    /// See [`Generation::user_params`].
    pub user_params: JsonObject,
    /// See [`Generation::output_files`].
    pub output_files: Vec<Text>,
    /// When it was made; `None` is now.
    pub created_at: Option<Timestamp>,
}

impl NewGeneration {
    /// Whether `recorded` is this generation: the answer to a repeated call, not another one under the same identity.
    ///
    /// An artist that was removed since, and a time that was left to the store, may be anything.
    #[must_use]
    pub fn is_recorded_as(&self, recorded: &Generation) -> bool {
        let Self {
            id,
            artist,
            provider,
            generation_time_ms,
            tokens_used,
            cost,
            user_params,
            output_files,
            created_at,
        } = self;
        *id == recorded.id
            && (recorded.artist.is_none() || *artist == recorded.artist)
            && *provider == recorded.provider
            && *generation_time_ms == recorded.generation_time_ms
            && *tokens_used == recorded.tokens_used
            && *cost == recorded.cost
            && *user_params == recorded.user_params
            && *output_files == recorded.output_files
            && created_at.is_none_or(|time| time == recorded.created_at)
    }
}

/// All generations in figures.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Statistics {
    /// How many there are.
    pub total_generations: u64,
    /// Sum of their times, in milliseconds.
    pub total_time_ms: u128,
    /// Sum of the known costs.
    pub total_cost: Money,
    /// How many have a known cost.
    pub priced_generations: u64,
    /// How many each provider made.
    pub provider_usage: BTreeMap<Provider, u64>,
    /// How many artists have a profile.
    pub cached_artists: u64,
}

impl Statistics {
    /// Mean time in milliseconds; `None` without generations.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a mean for people to read")]
    pub fn avg_generation_time_ms(&self) -> Option<f64> {
        (self.total_generations != 0)
            .then(|| self.total_time_ms as f64 / self.total_generations as f64)
    }

    /// Mean of the known costs, rounded to the nano-dollar; `None` when none is known.
    #[must_use]
    pub fn avg_cost(&self) -> Option<Money> {
        self.total_cost.mean_over(self.priced_generations)
    }
}
