//! What the domain asks of a store, and how a store may fail.

mod api_keys;
mod artists;
mod audit_log;
mod bulk_load;
mod changes;
mod generation_rollups;
mod generations;
mod research_sources;
mod similar_artists;
mod style_profiles;
mod style_vectors;

use std::{error::Error, sync::Arc};

use crate::{ArtistName, GenerationId, Version};

pub use api_keys::{ApiKeys, KeyChange, Rotated, Rotation};
pub use artists::{ArtistFilter, Artists, FoundArtist};
pub use audit_log::AuditLog;
pub use bulk_load::{BulkCounts, BulkLoad, ProfileRecord};
pub use changes::{Change, ChangeFollower, Changes, StoreState};
pub use generation_rollups::{
    EntriesReading, EntrySums, GenerationRollups, Rollup, RollupPosition, RollupReading,
    RollupSnapshot,
};
pub use generations::{Generations, HistoryFilter, HistoryPage};
pub use research_sources::ResearchSources;
pub use similar_artists::{Exactness, Neighbour, Neighbours, SearchMode, SimilarArtists};
pub use style_profiles::{Expected, SavedProfile, StyleProfiles};
pub use style_vectors::{StyleVector, StyleVectors, VectorChange};

/// Why a store could not answer. Exhaustive on purpose: callers decide by variant.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RepositoryError {
    /// The write contradicts what is stored, for example an identity that is taken by something else.
    #[error("conflicts with stored data")]
    Conflict,
    /// The write would record something else under the identity of a generation that is recorded.
    #[error("generation {0} is recorded with something else in it")]
    TakenGeneration(GenerationId),
    /// The write refers to an artist that is not stored.
    #[error("artist '{0}' is not known")]
    UnknownArtist(ArtistName),
    /// The write expected another version than the one that is stored.
    #[error("the stored version is not the expected one")]
    VersionMismatch {
        /// The artist's version now; `None` when there is no profile.
        current: Option<Version>,
    },
    /// The store cannot be reached or is overloaded; retrying may help.
    #[error("store is unavailable")]
    Unavailable(#[source] Arc<dyn Error + Send + Sync>),
    /// The store has no room for what it should take; it reads on, and writes again once somebody has made room.
    #[error("store has no room left")]
    Full(#[source] Arc<dyn Error + Send + Sync>),
    /// The store answered with something that cannot be, or refused what it should take; retrying will not help.
    #[error("store holds or refuses something unexpected")]
    Internal(#[source] Arc<dyn Error + Send + Sync>),
}
