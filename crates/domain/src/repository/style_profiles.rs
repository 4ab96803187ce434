//! The style profiles of a store.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{ArtistKey, Author, NewStyleProfile, RepositoryError, StyleProfile, Version};

/// Stores [`StyleProfile`]s. Absence is an answer; only a failure to answer is an error.
#[async_trait]
pub trait StyleProfiles: Send + Sync {
    /// Returns the artist's profile, or `None` if it has none. It is shared, since a cache hands out the one it holds.
    async fn find(&self, artist: &ArtistKey) -> Result<Option<Arc<StyleProfile>>, RepositoryError>;

    /// Returns the profile of each artist, in the order asked for.
    async fn find_many(
        &self,
        artists: &[ArtistKey],
    ) -> Result<Vec<Option<Arc<StyleProfile>>>, RepositoryError>;

    /// Saves or replaces a profile in one transaction.
    ///
    /// The artist is made if new; profile and embedding are stored; the artist's confidence, sources count and status
    /// (`cached`) are updated. Of concurrent saves all succeed and the last to commit stands.
    async fn save(
        &self,
        profile: &NewStyleProfile,
        expected: Expected,
        author: &Author,
    ) -> Result<SavedProfile, RepositoryError>;

    /// Removes the artist's profile and embedding and returns the version of the artist without them, or `None` if there
    /// was no profile.
    ///
    /// The artist stays, as pending.
    async fn remove(
        &self,
        artist: &ArtistKey,
        expected: Expected,
        author: &Author,
    ) -> Result<Option<Version>, RepositoryError>;
}

/// What a write expects to find; otherwise it is refused with [`RepositoryError::VersionMismatch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Anything.
    Any,
    /// A profile, at any version.
    Present,
    /// No profile.
    Absent,
    /// A profile at this version of its artist.
    At(Version),
}

impl Expected {
    /// Whether this is what was found: the version of the artist if it has a profile.
    #[must_use]
    pub fn is_met_by(self, found: Option<Version>) -> bool {
        match self {
            Self::Any => true,
            Self::Present => found.is_some(),
            Self::Absent => found.is_none(),
            Self::At(version) => found == Some(version),
        }
    }
}

/// A profile as it was stored.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedProfile {
    /// The profile.
    pub profile: Arc<StyleProfile>,
    /// Whether the artist had none before.
    pub created: bool,
}
