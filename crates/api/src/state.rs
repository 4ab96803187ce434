//! The composition root: the only file that names concrete stores.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use cache::CachedStyleProfiles;
use domain::{
    ArtistName, Artists, Generations, RepositoryError, ResearchSources, SimilarArtists,
    StyleProfiles,
};
use storage::{Backend, PoolUse, Store};

use crate::{metrics::Metrics, problem::Problem};

/// How many names a caller is offered instead of an unknown one.
const SUGGESTIONS: usize = 3;

/// A database that has not answered for so long counts as unreachable.
const PATIENCE: Duration = Duration::from_secs(2);

/// How the database connections are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// At work.
    pub active: u32,
    /// Open and free.
    pub idle: u32,
    /// How many may be open.
    pub most: u32,
}

/// Everything the handlers share.
pub struct State {
    /// The artists.
    pub artists: Arc<dyn Artists>,
    /// The style profiles.
    pub style_profiles: Arc<dyn StyleProfiles>,
    /// The research sources.
    pub research_sources: Arc<dyn ResearchSources>,
    /// The search for similar artists.
    pub similar_artists: Arc<dyn SimilarArtists>,
    /// The generations.
    pub generations: Arc<dyn Generations>,
    store: Store,
    body_limit_bytes: usize,
    metrics: Metrics,
    stopping: AtomicBool,
}

impl State {
    /// How large a body may be unless somebody says otherwise.
    pub const DEFAULT_BODY_LIMIT_BYTES: usize = 1_048_576;

    /// A service on top of an open store.
    #[must_use]
    pub fn new(store: Store, body_limit_bytes: usize) -> Self {
        Self {
            artists: store.artists(),
            style_profiles: Arc::new(CachedStyleProfiles::new(store.style_profiles())),
            research_sources: store.research_sources(),
            similar_artists: store.similar_artists(),
            generations: store.generations(),
            store,
            body_limit_bytes,
            metrics: Metrics::default(),
            stopping: AtomicBool::new(false),
        }
    }

    /// The largest body, in bytes.
    #[must_use]
    pub const fn body_limit_bytes(&self) -> usize {
        self.body_limit_bytes
    }

    /// What is counted.
    #[must_use]
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Asks the database for a sign of life; returns how long it took, or `None` when none came.
    pub async fn probe(&self) -> Option<Duration> {
        let asked = Instant::now();
        match tokio::time::timeout(PATIENCE, self.store.ping()).await {
            Ok(Ok(())) => Some(asked.elapsed()),
            Ok(Err(_)) | Err(_) => None,
        }
    }

    /// The database's kind.
    #[must_use]
    pub fn backend(&self) -> &'static str {
        match self.store.backend() {
            Backend::Postgres => "postgres",
            Backend::Sqlite => "sqlite",
        }
    }

    /// How the database connections are used.
    #[must_use]
    pub fn connections(&self) -> Connections {
        let PoolUse { active, idle, most } = self.store.pool_use();
        Connections { active, idle, most }
    }

    /// Whether the service is about to end; connections are closed after their next answer.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Notes that the service is about to end.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Closes the store, once nobody uses it.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// What to answer about an artist that is not known.
    pub async fn unknown_artist(&self, artist: &ArtistName) -> Problem {
        // Suggestions are a courtesy; the answer is the same without.
        let suggestions = self.artists.suggest(artist, SUGGESTIONS).await.unwrap_or_default();
        Problem::artist_not_found(artist).suggesting(suggestions)
    }

    /// What to answer about an artist for whom there is no profile: it may not be known at all.
    pub async fn no_profile(&self, artist: &ArtistName) -> Problem {
        match self.artists.find(artist.key()).await {
            Ok(Some(known)) => Problem::profile_not_found(&known.name),
            Ok(None) => self.unknown_artist(artist).await,
            Err(error) => Problem::from(error),
        }
    }

    /// The failure of a write that may name an artist that is not known.
    pub async fn refusal(&self, error: RepositoryError) -> Problem {
        match error {
            RepositoryError::UnknownArtist(artist) => self.unknown_artist(&artist).await,
            error => Problem::from(error),
        }
    }
}
