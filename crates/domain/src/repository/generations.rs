//! The accounts of a store.

use async_trait::async_trait;

use crate::{
    ArtistId, Author, Generation, GenerationId, GenerationStatus, HistoryCursor, Limit,
    NewGeneration, Page, Provider, RepositoryError, TimeRange,
};

/// Records [`Generation`]s.
#[async_trait]
pub trait Generations: Send + Sync {
    /// Records generations, all or none, and returns them in the order given, once they are durable.
    ///
    /// A generation that is recorded already is left as it stands, so that a repeated call counts nothing twice; the same
    /// goes for one that is given twice.
    /// Fails with [`RepositoryError::TakenGeneration`] when an identity is recorded with something else in it.
    /// Fails with [`RepositoryError::UnknownArtist`] when one names an artist that is not stored.
    async fn record(
        &self,
        generations: Vec<NewGeneration>,
        author: &Author,
    ) -> Result<Vec<Generation>, RepositoryError>;

    /// Returns one generation, or `None` if there is none.
    async fn find(&self, id: GenerationId) -> Result<Option<Generation>, RepositoryError>;

    /// Returns an artist's generations that a filter admits, newest first, by identity among those of one microsecond.
    async fn history(
        &self,
        artist: ArtistId,
        filter: &HistoryFilter,
        after: Option<HistoryCursor>,
        limit: Limit<100>,
    ) -> Result<HistoryPage, RepositoryError>;

    /// Returns all generations of a range of time, oldest first, by identity among those of one microsecond.
    async fn page(
        &self,
        range: TimeRange,
        after: Option<HistoryCursor>,
        limit: Limit<1000>,
    ) -> Result<Page<Generation, HistoryCursor>, RepositoryError>;
}

/// What a generation must be to be part of a history. All conditions hold together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryFilter {
    /// Who generated.
    pub provider: Option<Provider>,
    /// How it ended.
    pub status: Option<GenerationStatus>,
    /// When it was made.
    pub range: TimeRange,
}

impl Default for HistoryFilter {
    /// No condition at all.
    fn default() -> Self {
        Self { provider: None, status: None, range: TimeRange::ALL }
    }
}

/// A page of an artist's history.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryPage {
    /// How many generations the artist has, whatever the filter.
    pub total: u64,
    /// The page.
    pub page: Page<Generation, HistoryCursor>,
}
