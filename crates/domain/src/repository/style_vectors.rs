//! What searches compare, for whoever keeps it outside of the store.

use async_trait::async_trait;

use crate::{
    ArtistKey, ArtistName, Confidence, Embedding, QuantitativeParams, RepositoryError,
    ResearchStatus, Version,
};

/// The embeddings of a store, in the order of its change feed.
#[async_trait]
pub trait StyleVectors: Send + Sync {
    /// Returns how the artists that changed after `version` stand, oldest change first, at most `limit` of them.
    ///
    /// It is the change feed with what searches need besides. Of several changes to one artist the latest is returned.
    /// Fewer than `limit` means that these were all.
    async fn since(
        &self,
        version: Version,
        limit: u32,
    ) -> Result<Vec<VectorChange>, RepositoryError>;
}

/// How one artist stands after its latest change.
#[derive(Debug, Clone, PartialEq)]
pub enum VectorChange {
    /// The artist has an embedding.
    Present {
        /// The change's place in the order of all changes.
        version: Version,
        /// Its name as it was first stored.
        artist: ArtistName,
        /// What is compared.
        vector: StyleVector,
    },
    /// There is no embedding under this key: the artist is gone, or has no profile, or a profile without one.
    Absent {
        /// The change's place in the order of all changes.
        version: Version,
        /// What the artist is, or was, found by.
        key: ArtistKey,
    },
    /// An artist whose name is none, because somebody wrote it by hand. No key leads to it.
    Unnamed {
        /// The change's place in the order of all changes.
        version: Version,
    },
}

impl VectorChange {
    /// The change's place in the order of all changes.
    #[must_use]
    pub const fn version(&self) -> Version {
        match self {
            Self::Present { version, .. }
            | Self::Absent { version, .. }
            | Self::Unnamed { version } => *version,
        }
    }
}

/// What a search looks at in one artist.
#[derive(Debug, Clone, PartialEq)]
pub struct StyleVector {
    /// Where the artist lies.
    pub embedding: Embedding,
    /// Where research stands.
    pub research_status: ResearchStatus,
    /// How far the profile can be trusted.
    pub confidence: Confidence,
    /// How the artist plays.
    pub quantitative_params: QuantitativeParams,
}
