//! The accounts of a store.

use async_trait::async_trait;

use crate::{
    ArtistId, Generation, GenerationId, HistoryCursor, Limit, NewGeneration, Page, RepositoryError,
    Statistics,
};

/// Records [`Generation`]s.
#[async_trait]
pub trait Generations: Send + Sync {
    /// Records generations, all or none, and returns them in the order given.
    ///
    /// A generation that is recorded already is left as it stands, so that a repeated call counts nothing twice.
    /// Fails with [`RepositoryError::Conflict`] when an identity is recorded with something else in it.
    /// Fails with [`RepositoryError::UnknownArtist`] when one names an artist that is not stored.
    async fn record(
        &self,
        generations: Vec<NewGeneration>,
    ) -> Result<Vec<Generation>, RepositoryError>;

    /// Returns one generation, or `None` if there is none.
    async fn find(&self, id: GenerationId) -> Result<Option<Generation>, RepositoryError>;

    /// Returns an artist's generations, newest first.
    async fn history(
        &self,
        artist: ArtistId,
        after: Option<HistoryCursor>,
        limit: Limit<100>,
    ) -> Result<HistoryPage, RepositoryError>;

    /// Returns all generations in figures.
    async fn statistics(&self) -> Result<Statistics, RepositoryError>;
}

/// A page of an artist's history.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryPage {
    /// How many generations the artist has, on all pages.
    pub total: u64,
    /// The page.
    pub page: Page<Generation, HistoryCursor>,
}
