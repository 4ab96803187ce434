//! Artists who play alike.

use async_trait::async_trait;

use crate::{ArtistName, RepositoryError, Search, Version};

/// Finds artists by their embeddings.
#[async_trait]
pub trait SimilarArtists: Send + Sync {
    /// Returns the artists whose embeddings are closest to the search's target, the closest first, ties by key.
    ///
    /// There are `limit` of them, or as many as the search admits.
    async fn nearest(&self, search: &Search) -> Result<Neighbours, RepositoryError>;

    /// The same for many searches, in the order asked for.
    async fn nearest_many(&self, searches: &[Search]) -> Result<Vec<Neighbours>, RepositoryError>;
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
    /// How close, by the metric of the search: see [`crate::Metric::score`].
    pub score: f64,
}

/// What a search can be trusted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exactness {
    /// Whether every embedding was compared.
    pub mode: SearchMode,
    /// How many embeddings the search covered: those its filter admits when exact, those in the index when approximate.
    pub compared: u64,
    /// The answer includes every change up to this version.
    pub as_of: Version,
}

/// Whether a search compares everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchMode {
    /// Every embedding was compared, or ruled out by a bound on how close it can be.
    Exact,
    /// An index chose what to compare; the answer may miss some.
    Approximate,
}

impl SearchMode {
    /// The mode's name as it is written in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Approximate => "approximate",
        }
    }
}
