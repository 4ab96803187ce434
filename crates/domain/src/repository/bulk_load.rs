//! Loading many profiles at once.

use async_trait::async_trait;

use crate::{ArtistName, Author, NewResearchSource, NewStyleProfile, RepositoryError};

/// Loads records faster than one save at a time.
#[async_trait]
pub trait BulkLoad: Send + Sync {
    /// Stores a batch in one transaction, all or nothing.
    ///
    /// A load can be repeated: a profile that is stored already as it comes in keeps its version, and
    /// a source with the same kind, address and path (or content, if it has neither) is not added again. Of several
    /// records for one artist the last profile stands and all sources are kept.
    async fn load(
        &self,
        batch: Vec<ProfileRecord>,
        author: &Author,
    ) -> Result<BulkCounts, RepositoryError>;

    /// Brings what the store derives from its rows (planner statistics, trained indexes) up to date after a load.
    async fn finish(&self) -> Result<(), RepositoryError>;
}

/// One artist to load.
#[derive(Debug, Clone, PartialEq)]
pub enum ProfileRecord {
    /// An artist without a profile; one that is stored keeps its own.
    Artist {
        /// Who.
        artist: ArtistName,
        /// What was collected so far.
        sources: Vec<NewResearchSource>,
    },
    /// An artist with its profile.
    Profile {
        /// The profile.
        profile: Box<NewStyleProfile>,
        /// What it rests on.
        sources: Vec<NewResearchSource>,
    },
}

impl ProfileRecord {
    /// Whose record this is.
    #[must_use]
    pub const fn artist(&self) -> &ArtistName {
        match self {
            Self::Artist { artist, sources: _ } => artist,
            Self::Profile { profile, sources: _ } => &profile.artist,
        }
    }

    /// What is to be added to the artist's sources.
    #[must_use]
    pub fn sources(&self) -> &[NewResearchSource] {
        match self {
            Self::Artist { artist: _, sources } | Self::Profile { profile: _, sources } => sources,
        }
    }
}

/// What a load did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BulkCounts {
    /// Records whose artist had no profile before, or did not exist.
    pub created: u64,
    /// Records that replaced a different profile.
    pub replaced: u64,
    /// Records that were stored already, or were merged with another one of the same batch.
    pub unchanged: u64,
    /// Sources that were added.
    pub sources: u64,
}
