//! Ways on which each question and each answer takes a time of its own, so that they overtake each other.
//!
//! Two connections of one machine are hardly ever out of step. Here the answer to a question may arrive when the
//! answers to later ones have long been used.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use cache::SharedProfiles;
use domain::{
    Artist, ArtistCursor, ArtistFilter, ArtistKey, ArtistName, Artists, Author, Change,
    ChangeFollower, Changes, Expected, FoundArtist, Limit, NewStyleProfile, Page, RepositoryError,
    ResearchStatus, SavedProfile, StyleProfile, StyleProfiles, Version,
};
use fastrand::Rng;

/// How much things are held up.
#[derive(Clone)]
pub(crate) struct Weather(Arc<Mutex<Rng>>);

impl Weather {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Rng::with_seed(seed))))
    }

    /// Mostly nothing.
    fn delay(&self) -> Option<Duration> {
        let mut random = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let millis = match random.u32(0..20) {
            0..16 => return None,
            16..19 => random.u64(1..10),
            _ => random.u64(10..60),
        };
        Some(Duration::from_millis(millis))
    }

    async fn hold_up(&self) {
        if let Some(delay) = self.delay() {
            tokio::time::sleep(delay).await;
        }
    }
}

/// The same as `T`, in this weather.
pub(crate) struct Unsteady<T: ?Sized> {
    inner: Arc<T>,
    weather: Weather,
}

impl<T: ?Sized> Unsteady<T> {
    pub(crate) fn new(inner: Arc<T>, weather: &Weather) -> Arc<Self> {
        Arc::new(Self { inner, weather: weather.clone() })
    }
}

#[async_trait]
impl StyleProfiles for Unsteady<dyn StyleProfiles> {
    async fn find(&self, artist: &ArtistKey) -> Result<Option<Arc<StyleProfile>>, RepositoryError> {
        self.weather.hold_up().await;
        let found = self.inner.find(artist).await;
        self.weather.hold_up().await;
        found
    }

    async fn find_many(
        &self,
        artists: &[ArtistKey],
    ) -> Result<Vec<Option<Arc<StyleProfile>>>, RepositoryError> {
        self.weather.hold_up().await;
        let found = self.inner.find_many(artists).await;
        self.weather.hold_up().await;
        found
    }

    async fn save(
        &self,
        profile: &NewStyleProfile,
        expected: Expected,
        author: &Author,
    ) -> Result<SavedProfile, RepositoryError> {
        let saved = self.inner.save(profile, expected, author).await;
        self.weather.hold_up().await;
        saved
    }

    async fn remove(
        &self,
        artist: &ArtistKey,
        expected: Expected,
        author: &Author,
    ) -> Result<Option<Version>, RepositoryError> {
        let removed = self.inner.remove(artist, expected, author).await;
        self.weather.hold_up().await;
        removed
    }
}

#[async_trait]
impl Artists for Unsteady<dyn Artists> {
    async fn find(&self, artist: &ArtistKey) -> Result<Option<Artist>, RepositoryError> {
        self.inner.find(artist).await
    }

    async fn find_or_create(
        &self,
        artist: &ArtistName,
        author: &Author,
    ) -> Result<FoundArtist, RepositoryError> {
        let found = self.inner.find_or_create(artist, author).await;
        self.weather.hold_up().await;
        found
    }

    async fn page(
        &self,
        filter: &ArtistFilter,
        limit: Limit<500>,
    ) -> Result<Page<Artist, ArtistCursor>, RepositoryError> {
        self.inner.page(filter, limit).await
    }

    async fn set_status(
        &self,
        artist: &ArtistKey,
        status: ResearchStatus,
        author: &Author,
    ) -> Result<Option<Artist>, RepositoryError> {
        self.inner.set_status(artist, status, author).await
    }

    async fn remove(
        &self,
        artist: &ArtistKey,
        author: &Author,
    ) -> Result<Option<Version>, RepositoryError> {
        let removed = self.inner.remove(artist, author).await;
        self.weather.hold_up().await;
        removed
    }

    async fn suggest(
        &self,
        artist: &ArtistName,
        limit: usize,
    ) -> Result<Vec<ArtistName>, RepositoryError> {
        self.inner.suggest(artist, limit).await
    }
}

#[async_trait]
impl Changes for Unsteady<dyn Changes> {
    async fn since(&self, version: Version, limit: u32) -> Result<Vec<Change>, RepositoryError> {
        self.inner.since(version, limit).await
    }

    async fn follow(&self) -> Result<Box<dyn ChangeFollower>, RepositoryError> {
        let inner = self.inner.follow().await?;
        Ok(Box::new(UnsteadyFollower { inner, weather: self.weather.clone() }))
    }
}

struct UnsteadyFollower {
    inner: Box<dyn ChangeFollower>,
    weather: Weather,
}

#[async_trait]
impl ChangeFollower for UnsteadyFollower {
    async fn since(
        &mut self,
        version: Version,
        limit: u32,
    ) -> Result<Vec<Change>, RepositoryError> {
        self.weather.hold_up().await;
        let changes = self.inner.since(version, limit).await;
        self.weather.hold_up().await;
        changes
    }

    async fn hint(&mut self) -> Result<(), RepositoryError> {
        self.inner.hint().await
    }
}

/// What is to be kept or forgotten may reach the shared tier after the caller was told that it has.
#[async_trait]
impl SharedProfiles for Unsteady<dyn SharedProfiles> {
    async fn find(&self, artist: &ArtistKey, version: Version) -> Option<StyleProfile> {
        let found = self.inner.find(artist, version).await;
        self.weather.hold_up().await;
        found
    }

    async fn find_many(&self, artists: &[(ArtistKey, Version)]) -> Vec<Option<StyleProfile>> {
        let found = self.inner.find_many(artists).await;
        self.weather.hold_up().await;
        found
    }

    async fn put(&self, profile: &StyleProfile) {
        let Some(delay) = self.weather.delay() else { return self.inner.put(profile).await };
        let (inner, profile) = (Arc::clone(&self.inner), profile.clone());
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            inner.put(&profile).await;
        });
    }

    async fn put_many(&self, profiles: &[Arc<StyleProfile>]) {
        self.weather.hold_up().await;
        self.inner.put_many(profiles).await;
    }

    async fn forget(&self, artist: &ArtistKey, version: Version) {
        let Some(delay) = self.weather.delay() else {
            return self.inner.forget(artist, version).await;
        };
        let (inner, artist) = (Arc::clone(&self.inner), artist.clone());
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            inner.forget(&artist, version).await;
        });
    }

    async fn note_reads(&self, reads: &[(ArtistKey, u64)]) {
        self.inner.note_reads(reads).await;
    }

    async fn most_read(&self, limit: usize) -> Vec<ArtistKey> {
        self.inner.most_read(limit).await
    }
}
