//! Artists who play alike.

use async_trait::async_trait;

use crate::{ArtistId, ArtistName, Embedding, Limit, RepositoryError, Version};

/// Finds artists by their embeddings.
#[async_trait]
pub trait SimilarArtists: Send + Sync {
    /// Returns the artists whose embeddings have the smallest angle to `target`, the closest first, ties by key.
    ///
    /// `except` is never among them. There are `limit` of them, or as many as exist.
    async fn nearest(
        &self,
        target: &Embedding,
        except: Option<ArtistId>,
        limit: Limit<20>,
    ) -> Result<Neighbours, RepositoryError>;
}

/// The answer to a search, and how it was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbours {
    /// The closest first.
    pub neighbours: Vec<Neighbour>,
    /// How they were found.
    pub exactness: Exactness,
}

/// One artist who plays alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbour {
    /// Who.
    pub artist: ArtistName,
    /// Cosine of the angle: 1 alike, 0 unrelated, -1 opposite.
    pub similarity: f64,
}

/// What a search can be trusted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exactness {
    /// Whether every embedding was compared.
    pub mode: SearchMode,
    /// How many embeddings the search covered.
    pub compared: u64,
    /// The store's latest version when the search began.
    pub as_of: Version,
}

/// Whether a search compares everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchMode {
    /// Every embedding was compared.
    Exact,
    /// An index chose what to compare; the answer may miss some.
    Approximate,
}
