//! Artists behind the catalog.

use std::{cmp::Ordering, sync::Arc};

use async_trait::async_trait;
use domain::{
    Artist, ArtistCursor, ArtistFilter, ArtistId, ArtistKey, ArtistName, Artists, Author,
    FoundArtist, Limit, Page, RepositoryError, ResearchStatus, Version,
};

use crate::{
    SharedProfiles,
    catalog::Current,
    coherent::{Coherent, Origin},
    feed::Feed,
    freshness::{Freshness, Read},
    local::Versioned,
    statistics::TierStatistics,
};

/// Decorates a store of artists: what the catalog knows not to exist is not looked for, what was read is kept in
/// memory, names are suggested from the catalog, and this instance's reads see its own writes.
#[derive(Clone)]
pub struct CachedArtists {
    coherent: Coherent<Stored>,
    shared: Option<Arc<dyn SharedProfiles>>,
}

struct Stored {
    inner: Arc<dyn Artists>,
}

impl CachedArtists {
    /// A cache in front of `inner` that keeps about `capacity_bytes` in memory (none at 0).
    ///
    /// `feed` must follow the changes of the same store; `shared`, if given, is where removed artists' profiles are
    /// forgotten.
    #[must_use]
    pub fn new(
        inner: Arc<dyn Artists>,
        feed: Feed,
        shared: Option<Arc<dyn SharedProfiles>>,
        capacity_bytes: u64,
    ) -> Self {
        Self { coherent: Coherent::new(feed, Stored { inner }, capacity_bytes), shared }
    }

    /// Returns the artist, as fresh as asked for.
    pub async fn read(
        &self,
        artist: &ArtistKey,
        freshness: Freshness,
    ) -> Result<Read<Artist>, RepositoryError> {
        let read = self.coherent.read(artist, freshness).await?;
        Ok(read.map(|artist| artist.as_ref().clone()))
    }

    /// How reads were answered so far.
    #[must_use]
    pub fn statistics(&self) -> TierStatistics {
        self.coherent.statistics()
    }

    fn inner(&self) -> &dyn Artists {
        self.coherent.origin().inner.as_ref()
    }

    fn feed(&self) -> &Feed {
        self.coherent.feed()
    }

    /// Waits for the feed to tell of this version, unless it has.
    async fn settle(&self, artist: &Artist) {
        let least = self.feed().catalog().look_up(artist.name.key()).least;
        if least < artist.version {
            self.feed().settle().await;
        }
    }
}

#[async_trait]
impl Artists for CachedArtists {
    async fn find(&self, artist: &ArtistKey) -> Result<Option<Artist>, RepositoryError> {
        Ok(self.read(artist, Freshness::Default).await?.value)
    }

    async fn find_or_create(
        &self,
        artist: &ArtistName,
        author: &Author,
    ) -> Result<FoundArtist, RepositoryError> {
        let found = self.inner().find_or_create(artist, author).await?;
        let FoundArtist { artist, created } = &found;
        if *created {
            self.feed().catalog().learn(artist.id, &artist.name, artist.version, false);
        } else {
            self.settle(artist).await;
        }
        Ok(found)
    }

    async fn page(
        &self,
        filter: &ArtistFilter,
        limit: Limit<500>,
    ) -> Result<Page<Artist, ArtistCursor>, RepositoryError> {
        self.inner().page(filter, limit).await
    }

    async fn set_status(
        &self,
        artist: &ArtistKey,
        status: ResearchStatus,
        author: &Author,
    ) -> Result<Option<Artist>, RepositoryError> {
        let updated = self.inner().set_status(artist, status, author).await?;
        if let Some(artist) = &updated {
            self.settle(artist).await;
        }
        Ok(updated)
    }

    async fn remove(
        &self,
        artist: &ArtistKey,
        author: &Author,
    ) -> Result<Option<Version>, RepositoryError> {
        let before = self.feed().catalog().look_up(artist).current;
        let removed = self.inner().remove(artist, author).await;
        match &removed {
            Ok(Some(version)) => {
                self.feed().catalog().learn_gone(artist, *version);
                if let Some(Current { id, .. }) = before {
                    self.coherent.forget(id);
                }
                if let Some(shared) = &self.shared {
                    shared.forget(artist, *version).await;
                }
            }
            Ok(None) | Err(_) => self.feed().wake(),
        }
        removed
    }

    async fn suggest(
        &self,
        artist: &ArtistName,
        limit: usize,
    ) -> Result<Vec<ArtistName>, RepositoryError> {
        // A courtesy, for which the catalog is good enough however old it is.
        if self.feed().catalog().confirmed().is_none() {
            return self.inner().suggest(artist, limit).await;
        }
        let (names, artist) = (self.feed().catalog().names(), artist.clone());
        // Comparing with all of them takes too long for a thread that answers others meanwhile.
        let comparing = tokio::task::spawn_blocking(move || {
            let candidates = names.into_iter().map(|name| (name.key().search_form(), Shown(name)));
            artist.closest(candidates, limit).into_iter().map(|Shown(name)| name).collect()
        });
        comparing.await.map_err(|error| RepositoryError::Internal(Arc::new(error)))
    }
}

/// A name in the order of what it shows.
struct Shown(ArtistName);

impl Ord for Shown {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.as_str().cmp(other.0.as_str())
    }
}

impl PartialOrd for Shown {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Shown {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Shown {}

impl Versioned for Artist {
    fn version(&self) -> Version {
        self.version
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.name.as_str().len() + self.name.key().as_str().len()
    }
}

impl Origin for Stored {
    type Value = Artist;

    fn has_value(_: Current) -> bool {
        true
    }

    fn learn(&self, _: &Feed, _: &Artist) {
        // An artist does not tell whether it has a profile; the feed will.
    }

    fn artist(value: &Artist) -> (ArtistId, &ArtistKey) {
        (value.id, value.name.key())
    }

    async fn shared(&self, _: &ArtistKey, _: Version) -> Option<Artist> {
        None
    }

    async fn shared_many(&self, _: &[(ArtistKey, Version)]) -> Vec<Option<Artist>> {
        Vec::new()
    }

    async fn share(&self, _: &[Arc<Artist>]) {}

    async fn stored(&self, artist: &ArtistKey) -> Result<Option<Artist>, RepositoryError> {
        self.inner.find(artist).await
    }

    async fn stored_many(
        &self,
        artists: &[ArtistKey],
    ) -> Result<Vec<Option<Artist>>, RepositoryError> {
        let mut found = Vec::with_capacity(artists.len());
        for artist in artists {
            found.push(self.inner.find(artist).await?);
        }
        Ok(found)
    }
}
