//! Style profiles behind the caches.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{
    ArtistKey, Expected, NewStyleProfile, RepositoryError, SavedProfile, StyleProfile,
    StyleProfiles,
};

/// Decorates a store of style profiles. It holds nothing back yet: every call reaches the store.
#[derive(Clone)]
pub struct CachedStyleProfiles {
    inner: Arc<dyn StyleProfiles>,
}

impl CachedStyleProfiles {
    /// A cache in front of `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn StyleProfiles>) -> Self {
        Self { inner }
    }
}

#[async_trait]
impl StyleProfiles for CachedStyleProfiles {
    async fn find(&self, artist: &ArtistKey) -> Result<Option<StyleProfile>, RepositoryError> {
        self.inner.find(artist).await
    }

    async fn find_many(
        &self,
        artists: &[ArtistKey],
    ) -> Result<Vec<Option<StyleProfile>>, RepositoryError> {
        self.inner.find_many(artists).await
    }

    async fn save(
        &self,
        profile: &NewStyleProfile,
        expected: Expected,
    ) -> Result<SavedProfile, RepositoryError> {
        self.inner.save(profile, expected).await
    }

    async fn remove(
        &self,
        artist: &ArtistKey,
        expected: Expected,
    ) -> Result<bool, RepositoryError> {
        self.inner.remove(artist, expected).await
    }
}
