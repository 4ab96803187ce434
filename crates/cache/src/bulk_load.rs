//! Bulk loads in front of the caches.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Author, BulkCounts, BulkLoad, ProfileRecord, RepositoryError};

use crate::feed::Feed;

/// Decorates bulk loads, so that this instance's reads see what it has loaded.
#[derive(Clone)]
pub struct CachedBulkLoad {
    inner: Arc<dyn BulkLoad>,
    feed: Feed,
}

impl CachedBulkLoad {
    /// In front of `inner`. `feed` must follow the changes of the same store.
    #[must_use]
    pub fn new(inner: Arc<dyn BulkLoad>, feed: Feed) -> Self {
        Self { inner, feed }
    }
}

#[async_trait]
impl BulkLoad for CachedBulkLoad {
    async fn load(
        &self,
        batch: Vec<ProfileRecord>,
        author: &Author,
    ) -> Result<BulkCounts, RepositoryError> {
        let counts = self.inner.load(batch, author).await?;
        self.feed.settle().await;
        Ok(counts)
    }

    async fn finish(&self) -> Result<(), RepositoryError> {
        self.inner.finish().await
    }
}
