//! The artists of a store.

use async_trait::async_trait;

use crate::{
    Artist, ArtistCursor, ArtistKey, ArtistName, Author, Limit, Page, RepositoryError,
    ResearchStatus, SearchText, Version,
};

/// Stores [`Artist`]s. Absence is an answer; only a failure to answer is an error.
#[async_trait]
pub trait Artists: Send + Sync {
    /// Returns the artist, or `None` if there is none.
    async fn find(&self, artist: &ArtistKey) -> Result<Option<Artist>, RepositoryError>;

    /// Returns the artist, stored as pending if it was new.
    ///
    /// However many callers ask for one name at once, one artist is made.
    async fn find_or_create(
        &self,
        artist: &ArtistName,
        author: &Author,
    ) -> Result<FoundArtist, RepositoryError>;

    /// Returns artists by key.
    async fn page(
        &self,
        filter: &ArtistFilter,
        limit: Limit<500>,
    ) -> Result<Page<Artist, ArtistCursor>, RepositoryError>;

    /// Notes where research stands; `None` if there is no such artist.
    async fn set_status(
        &self,
        artist: &ArtistKey,
        status: ResearchStatus,
        author: &Author,
    ) -> Result<Option<Artist>, RepositoryError>;

    /// Removes the artist with profile, embedding and sources, and returns the version of the removal, or `None` if
    /// there was no such artist.
    ///
    /// Its generations stay, without an artist.
    async fn remove(
        &self,
        artist: &ArtistKey,
        author: &Author,
    ) -> Result<Option<Version>, RepositoryError>;

    /// Returns at most `limit` stored names that look like this one, the closest first.
    async fn suggest(
        &self,
        artist: &ArtistName,
        limit: usize,
    ) -> Result<Vec<ArtistName>, RepositoryError>;
}

/// Which artists a listing holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ArtistFilter {
    /// Only those with this status.
    pub status: Option<ResearchStatus>,
    /// Only those whose name holds this text, diacritics aside.
    pub search: Option<SearchText>,
    /// Only those after this position.
    pub after: Option<ArtistCursor>,
}

/// An artist that was there, or was made.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundArtist {
    /// The artist.
    pub artist: Artist,
    /// Whether it was made by this call.
    pub created: bool,
}
