//! The sources of a store.

use async_trait::async_trait;

use crate::{
    ArtistId, Author, Limit, NewResearchSource, Page, RepositoryError, ResearchSource,
    SourceCursor, SourceType,
};

/// Stores [`ResearchSource`]s.
#[async_trait]
pub trait ResearchSources: Send + Sync {
    /// Adds sources to an artist, all or none.
    ///
    /// Fails with [`RepositoryError::Conflict`] when the artist is gone.
    async fn add(
        &self,
        artist: ArtistId,
        sources: Vec<NewResearchSource>,
        author: &Author,
    ) -> Result<Vec<ResearchSource>, RepositoryError>;

    /// Returns an artist's sources of one kind, or of all, oldest first.
    async fn page(
        &self,
        artist: ArtistId,
        source_type: Option<SourceType>,
        after: Option<SourceCursor>,
        limit: Limit<500>,
    ) -> Result<Page<ResearchSource, SourceCursor>, RepositoryError>;
}
