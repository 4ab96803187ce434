//! Style profiles behind the caches.

pub(crate) mod shared;

use std::sync::Arc;

use async_trait::async_trait;
use domain::{
    ArtistId, ArtistKey, Author, Expected, NewStyleProfile, RepositoryError, SavedProfile,
    StyleProfile, StyleProfiles, Version,
};

use crate::{
    catalog::Current,
    coherent::{Coherent, Origin},
    feed::Feed,
    freshness::{Freshness, Read},
    local::Versioned,
    statistics::TierStatistics,
};
use shared::SharedProfiles;

/// What is made of a profile once and kept beside it, such as the body of an answer.
pub trait Representation: Send + Sync + 'static {
    /// Makes it.
    fn of(profile: &StyleProfile) -> Self;

    /// About how many bytes it takes besides its own size.
    fn bytes(&self) -> usize;
}

/// No representation.
impl Representation for () {
    fn of(_: &StyleProfile) -> Self {}

    fn bytes(&self) -> usize {
        0
    }
}

/// A profile as it is kept in memory.
#[derive(Debug)]
pub struct CachedProfile<R = ()> {
    /// The profile.
    pub profile: Arc<StyleProfile>,
    /// What was made of it.
    pub representation: R,
}

impl<R: Representation> CachedProfile<R> {
    fn new(profile: Arc<StyleProfile>) -> Self {
        Self { representation: R::of(&profile), profile }
    }
}

impl<R: Representation> Versioned for CachedProfile<R> {
    fn version(&self) -> Version {
        self.profile.version
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.profile.approximate_bytes() + self.representation.bytes()
    }
}

/// Decorates a store of style profiles with memory and, if there is one, a tier that instances share.
///
/// A kept profile is handed out only when its version is the one that the feed's catalog has for the artist. So
/// whatever is lost, late or restored anywhere costs a load and nothing else. [`Read`] says how an answer was made, and
/// [`Freshness`] what it includes. Clones share everything.
pub struct CachedStyleProfiles<R: Representation = ()> {
    coherent: Coherent<Profiles<R>>,
}

impl<R: Representation> Clone for CachedStyleProfiles<R> {
    fn clone(&self) -> Self {
        Self { coherent: self.coherent.clone() }
    }
}

struct Profiles<R> {
    inner: Arc<dyn StyleProfiles>,
    shared: Option<Arc<dyn SharedProfiles>>,
    representation: std::marker::PhantomData<fn() -> R>,
}

impl<R: Representation> CachedStyleProfiles<R> {
    /// A cache in front of `inner` that keeps about `capacity_bytes` in memory (none at 0).
    ///
    /// `feed` must follow the changes of the same store.
    #[must_use]
    pub fn new(
        inner: Arc<dyn StyleProfiles>,
        feed: Feed,
        shared: Option<Arc<dyn SharedProfiles>>,
        capacity_bytes: u64,
    ) -> Self {
        let profiles = Profiles { inner, shared, representation: std::marker::PhantomData };
        Self { coherent: Coherent::new(feed, profiles, capacity_bytes) }
    }

    /// The answer to a default read if memory is enough for it. It never waits.
    #[must_use]
    pub fn at_hand(&self, artist: &ArtistKey) -> Option<Read<Arc<CachedProfile<R>>>> {
        self.coherent.at_hand(artist)
    }

    /// Returns the artist's profile, as fresh as asked for.
    ///
    /// A strict read fails when the store cannot be reached; a default read does when besides there is no good value at
    /// hand, see [`crate::Bounds::max_stale_if_error`].
    pub async fn read(
        &self,
        artist: &ArtistKey,
        freshness: Freshness,
    ) -> Result<Read<Arc<CachedProfile<R>>>, RepositoryError> {
        self.coherent.read(artist, freshness).await
    }

    /// Returns the profile of each artist, in the order asked for and as fresh as asked for: one pass in memory, one
    /// question to the shared tier, one to the store.
    pub async fn read_many(
        &self,
        artists: &[ArtistKey],
        freshness: Freshness,
    ) -> Result<Vec<Read<Arc<CachedProfile<R>>>>, RepositoryError> {
        self.coherent.read_many(artists, freshness).await
    }

    /// How reads were answered so far.
    #[must_use]
    pub fn statistics(&self) -> TierStatistics {
        self.coherent.statistics()
    }

    pub(crate) fn feed(&self) -> &Feed {
        self.coherent.feed()
    }

    pub(crate) fn shared(&self) -> Option<&Arc<dyn SharedProfiles>> {
        self.coherent.origin().shared.as_ref()
    }
}

#[async_trait]
impl<R: Representation> StyleProfiles for CachedStyleProfiles<R> {
    async fn find(&self, artist: &ArtistKey) -> Result<Option<Arc<StyleProfile>>, RepositoryError> {
        let read = match self.at_hand(artist) {
            Some(read) => read,
            // On the heap, so that a hit does not make room for what only a miss needs.
            None => Box::pin(self.read(artist, Freshness::Default)).await?,
        };
        Ok(read.value.map(|cached| Arc::clone(&cached.profile)))
    }

    async fn find_many(
        &self,
        artists: &[ArtistKey],
    ) -> Result<Vec<Option<Arc<StyleProfile>>>, RepositoryError> {
        let reads = self.read_many(artists, Freshness::Default).await?;
        let profile = |cached: Arc<CachedProfile<R>>| Arc::clone(&cached.profile);
        Ok(reads.into_iter().map(|read| read.value.map(profile)).collect())
    }

    async fn save(
        &self,
        profile: &NewStyleProfile,
        expected: Expected,
        author: &Author,
    ) -> Result<SavedProfile, RepositoryError> {
        let saved = self.coherent.origin().inner.save(profile, expected, author).await;
        match &saved {
            Ok(saved) => {
                let cached = Arc::new(CachedProfile::new(Arc::clone(&saved.profile)));
                self.coherent.wrote(&cached).await;
            }
            // Whatever the store found instead may be news.
            Err(_) => self.feed().wake(),
        }
        saved
    }

    async fn remove(
        &self,
        artist: &ArtistKey,
        expected: Expected,
        author: &Author,
    ) -> Result<Option<Version>, RepositoryError> {
        let before = self.feed().catalog().look_up(artist).current;
        let removed = self.coherent.origin().inner.remove(artist, expected, author).await;
        match &removed {
            Ok(Some(version)) => {
                if !self.feed().catalog().learn_bare(artist, *version) {
                    self.feed().settle().await;
                }
                if let Some(Current { id, .. }) = before {
                    self.coherent.forget(id);
                }
                if let Some(shared) = self.shared() {
                    shared.forget(artist, *version).await;
                }
            }
            Ok(None) | Err(_) => self.feed().wake(),
        }
        removed
    }
}

impl<R: Representation> Origin for Profiles<R> {
    type Value = CachedProfile<R>;

    fn has_value(current: Current) -> bool {
        current.has_profile
    }

    fn learn(&self, feed: &Feed, value: &Self::Value) {
        let profile = &value.profile;
        feed.catalog().learn(profile.artist_id, &profile.artist, profile.version, true);
    }

    fn artist(value: &Self::Value) -> (ArtistId, &ArtistKey) {
        (value.profile.artist_id, value.profile.artist.key())
    }

    async fn shared(&self, artist: &ArtistKey, version: Version) -> Option<Self::Value> {
        let profile = self.shared.as_ref()?.find(artist, version).await?;
        Some(CachedProfile::new(Arc::new(profile)))
    }

    async fn shared_many(&self, artists: &[(ArtistKey, Version)]) -> Vec<Option<Self::Value>> {
        let Some(shared) = &self.shared else { return Vec::new() };
        let profiles = shared.find_many(artists).await;
        let cached = |profile| CachedProfile::new(Arc::new(profile));
        profiles.into_iter().map(|profile| profile.map(cached)).collect()
    }

    async fn share(&self, values: &[Arc<Self::Value>]) {
        let Some(shared) = &self.shared else { return };
        match values {
            [] => {}
            [value] => shared.put(&value.profile).await,
            values => {
                let profiles: Vec<_> =
                    values.iter().map(|value| Arc::clone(&value.profile)).collect();
                shared.put_many(&profiles).await;
            }
        }
    }

    async fn stored(&self, artist: &ArtistKey) -> Result<Option<Self::Value>, RepositoryError> {
        Ok(self.inner.find(artist).await?.map(CachedProfile::new))
    }

    async fn stored_many(
        &self,
        artists: &[ArtistKey],
    ) -> Result<Vec<Option<Self::Value>>, RepositoryError> {
        let profiles = self.inner.find_many(artists).await?;
        Ok(profiles.into_iter().map(|profile| profile.map(CachedProfile::new)).collect())
    }
}
