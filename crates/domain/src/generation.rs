//! What was generated, and what it took.

mod kind;
mod money;
mod provider;
mod quarter;
mod status;
mod sums;
mod times;
mod tokens;

use crate::{ArtistName, Id, JsonObject, Label, Text, Timestamp};

pub use kind::GenerationKind;
pub use money::{Cost, InvalidCost, Money};
pub use provider::{InvalidProvider, Provider};
pub use quarter::{Quarter, QuarterSpan};
pub use status::{GenerationStatus, UnknownGenerationStatus};
pub use sums::Sums;
pub use times::{InvalidTimes, Times};
pub use tokens::{TokenSums, Tokens};

/// Identity of a [`Generation`].
pub type GenerationId = Id<Generation>;

/// An account entry: one generation, as it was recorded. Entries are never changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    /// Identity.
    pub id: GenerationId,
    /// The artist whose style was used; `None` when none was, or when the artist was removed since.
    pub artist: Option<ArtistName>,
    /// When it was made.
    pub created_at: Timestamp,
    /// What it was.
    pub details: GenerationDetails,
}

/// A generation to record.
#[derive(Debug, Clone, PartialEq)]
pub struct NewGeneration {
    /// Identity, made by the caller so that recording can be repeated without counting twice.
    pub id: GenerationId,
    /// The artist whose style was used; it must be known.
    pub artist: Option<ArtistName>,
    /// When it was made; `None` is now.
    pub created_at: Option<Timestamp>,
    /// What it was.
    pub details: GenerationDetails,
}

impl NewGeneration {
    /// Whether `recorded` is this generation: the answer to a repeated call, not another one under the same identity.
    ///
    /// An artist that was removed since, and a time that was left to the store, may be anything.
    #[must_use]
    pub fn is_recorded_as(&self, recorded: &Generation) -> bool {
        let Self { id, artist, created_at, details } = self;
        *id == recorded.id
            && (recorded.artist.is_none() || *artist == recorded.artist)
            && created_at.is_none_or(|time| time == recorded.created_at)
            && *details == recorded.details
    }
}

/// What a generation was, and what it took.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerationDetails {
    /// Who generated.
    pub provider: Provider,
    /// With which model, if known.
    pub model: Option<Label>,
    /// How it ended.
    pub status: GenerationStatus,
    /// What went wrong, if anything is known of it.
    pub error: Option<Text>,
    /// What it consisted of, in order, as far as known.
    pub steps: Vec<GenerationStep>,
    /// How long it took, in milliseconds.
    pub generation_time_ms: u32,
    /// How many tokens it used.
    pub tokens: Tokens,
    /// What it cost, if known. Unknown is not zero.
    pub cost: Option<Cost>,
    /// What was asked for; the form is the caller's.
    pub user_params: JsonObject,
    /// What came out of it.
    pub output_files: Vec<Text>,
}

impl GenerationDetails {
    /// What statistics tell it apart by.
    #[must_use]
    pub fn kind(&self) -> GenerationKind {
        GenerationKind {
            provider: self.provider.clone(),
            model: self.model.clone(),
            status: self.status,
        }
    }
}

/// A part of a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerationStep {
    /// What it is called.
    pub name: Label,
    /// How long it took, in milliseconds.
    pub time_ms: u32,
}

impl GenerationStep {
    /// How many of them a generation has at most.
    pub const MOST: usize = 100;
}
