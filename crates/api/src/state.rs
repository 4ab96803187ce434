//! The composition root: the only file that names concrete stores.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use cache::{
    Bounds, CachedArtists, CachedSimilarArtists, CachedStyleProfiles, Feed, FeedStatus, KeyHasher,
    Keyring, Redis, RedisStyleProfiles, RollupKeeper, RollupKeeperStatus, SharedProfiles,
    SimilaritySettings, SimilarityStatus, Warming, WarmingSettings,
};
use domain::{
    ApiKeys, ArtistName, Artists, AuditLog, Generations, RepositoryError, ResearchSources,
    Timestamp,
};
use storage::{Backend, PoolUse, Probe, Store};

use crate::{
    limits::{LimitSettings, Limits},
    metrics::{Counted, Metrics, RedisCounted},
    problem::{Code, Problem},
    reading::Reading,
    recall::RecallSampler,
    retention::HistoryKeeper,
    routes::style_profiles::ReadyProfile,
};

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

/// What the service is built with besides its store.
#[derive(Debug, Clone)]
pub struct StateSettings {
    /// The largest body of a request, in bytes.
    pub body_limit_bytes: usize,
    /// How old an answer may be.
    pub bounds: Bounds,
    /// How much is kept in memory, in bytes; nothing at 0.
    pub cache_memory_bytes: u64,
    /// The Redis that instances share, if there is one.
    pub redis: Option<Redis>,
    /// What is warmed after the start, if anything.
    pub warming: Option<WarmingSettings>,
    /// What searches for similar artists may use.
    pub similarity: SimilaritySettings,
    /// How long to wait before each measurement of recall; without this there is none.
    pub recall_pause: Option<Duration>,
    /// How much sums for statistics may take in memory, in bytes; none are kept at 0.
    pub statistics_memory_bytes: u64,
    /// How long generations are kept; without this for ever.
    pub history_retention: Option<Duration>,
    /// What checks the keys of requests; without this requests need none.
    pub access: Option<KeyHasher>,
    /// Whether answers tell what they took.
    pub server_timing: bool,
    /// Where statistics and histories are read; without this, where everything is written.
    pub read_store: Option<Store>,
    /// How often, how much and for how long clients may ask.
    pub limits: LimitSettings,
}

impl StateSettings {
    /// How much sums for statistics may take unless somebody says otherwise.
    pub const DEFAULT_STATISTICS_MEMORY_BYTES: u64 = 16_777_216;

    /// How large a body may be unless somebody says otherwise.
    pub const DEFAULT_BODY_LIMIT_BYTES: usize = 1_048_576;

    /// How much is kept in memory unless somebody says otherwise.
    pub const DEFAULT_CACHE_MEMORY_BYTES: u64 = 134_217_728;

    /// How much the index of embeddings may take unless somebody says otherwise.
    pub const DEFAULT_SIMILARITY_MEMORY_BYTES: u64 = 1_073_741_824;

    /// How many answers to searches are kept unless somebody says otherwise.
    pub const DEFAULT_SIMILARITY_ANSWERS: u64 = 10_000;

    /// How many threads compare embeddings unless somebody says otherwise: one a core.
    #[must_use]
    pub fn default_similarity_threads() -> usize {
        thread::available_parallelism().map_or(1, NonZeroUsize::get)
    }
}

/// Bodies of 1 MiB, 128 MiB of profiles and artists in memory, 1 GiB of embeddings at most, no Redis.
impl Default for StateSettings {
    fn default() -> Self {
        Self {
            body_limit_bytes: Self::DEFAULT_BODY_LIMIT_BYTES,
            bounds: Bounds::default(),
            cache_memory_bytes: Self::DEFAULT_CACHE_MEMORY_BYTES,
            redis: None,
            warming: None,
            similarity: SimilaritySettings {
                memory_bytes: Self::DEFAULT_SIMILARITY_MEMORY_BYTES,
                answers: Self::DEFAULT_SIMILARITY_ANSWERS,
                threads: Self::default_similarity_threads(),
            },
            recall_pause: None,
            statistics_memory_bytes: Self::DEFAULT_STATISTICS_MEMORY_BYTES,
            history_retention: None,
            access: None,
            server_timing: false,
            read_store: None,
            limits: LimitSettings::default(),
        }
    }
}

/// Of the memory for caching, artists get one part in so many; an artist is that much smaller than a profile.
const ARTISTS_PART: u64 = 16;

/// Everything the handlers share.
pub struct State {
    /// The artists.
    pub artists: CachedArtists,
    /// The style profiles, with their answers.
    pub(crate) style_profiles: CachedStyleProfiles<ReadyProfile>,
    /// The research sources.
    pub research_sources: Arc<dyn ResearchSources>,
    /// The search for similar artists.
    pub similar_artists: CachedSimilarArtists,
    /// The generations.
    pub generations: Arc<dyn Generations>,
    /// Statistics and histories.
    pub reading: Reading,
    /// The API keys.
    pub api_keys: Arc<dyn ApiKeys>,
    /// What is remembered of writes.
    pub audit_log: Arc<dyn AuditLog>,
    keyring: Option<Keyring>,
    rollups: RollupKeeper,
    history: HistoryKeeper,
    feed: Feed,
    redis: Option<Arc<RedisStyleProfiles>>,
    _warming: Option<Warming>,
    recall: Option<RecallSampler>,
    store: Store,
    body_limit_bytes: usize,
    server_timing: bool,
    max_stale_if_error: Duration,
    metrics: Metrics,
    limits: Limits,
    stopping: AtomicBool,
}

impl State {
    /// A service on top of an open store. It begins to follow the store's changes.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    #[must_use]
    pub fn new(store: Store, settings: StateSettings) -> Self {
        let StateSettings {
            body_limit_bytes,
            bounds,
            cache_memory_bytes,
            redis,
            warming,
            similarity,
            recall_pause,
            statistics_memory_bytes,
            history_retention,
            access,
            server_timing,
            read_store,
            limits,
        } = settings;
        let limits = Limits::new(limits, redis.as_ref());
        let feed = Feed::start(store.changes(), bounds);
        let redis = redis.map(|redis| Arc::new(RedisStyleProfiles::new(redis)));
        let shared = redis.clone().map(|tier| tier as Arc<dyn SharedProfiles>);
        let artists_memory = cache_memory_bytes / ARTISTS_PART;
        let style_profiles = CachedStyleProfiles::new(
            store.style_profiles(),
            feed.clone(),
            shared.clone(),
            cache_memory_bytes - artists_memory,
        );
        let similar_artists = CachedSimilarArtists::start(
            store.similar_artists(),
            store.style_vectors(),
            feed.clone(),
            similarity,
        );
        Self {
            artists: CachedArtists::new(store.artists(), feed.clone(), shared, artists_memory),
            _warming: warming.map(|settings| Warming::start(style_profiles.clone(), settings)),
            style_profiles,
            research_sources: store.research_sources(),
            recall: recall_pause
                .map(|pause| sampler(&similar_artists, &store, feed.clone(), pause)),
            similar_artists,
            generations: store.generations(),
            reading: Reading::new(&store, feed.clone(), read_store, statistics_memory_bytes),
            api_keys: store.api_keys(),
            audit_log: store.audit_log(),
            keyring: access.map(|hasher| Keyring::start(store.api_keys(), hasher, feed.clone())),
            rollups: RollupKeeper::start(store.generation_rollups(), store.recordings()),
            history: HistoryKeeper::start(store.clone(), history_retention),
            feed,
            redis,
            store,
            body_limit_bytes,
            server_timing,
            max_stale_if_error: bounds.max_stale_if_error,
            metrics: Metrics::default(),
            limits,
            stopping: AtomicBool::new(false),
        }
    }

    /// The keys that open the service; `None` while access is off.
    #[must_use]
    pub const fn keyring(&self) -> Option<&Keyring> {
        self.keyring.as_ref()
    }

    /// What the service takes.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How the change feed stands.
    #[must_use]
    pub fn feed_status(&self) -> FeedStatus {
        self.feed.status()
    }

    /// How the index of embeddings stands, and how searches were answered.
    #[must_use]
    pub fn similarity_status(&self) -> SimilarityStatus {
        self.similar_artists.status()
    }

    /// How recorded generations are folded into sums.
    #[must_use]
    pub fn folding_status(&self) -> RollupKeeperStatus {
        self.rollups.status()
    }

    /// Everything that is counted, in `OpenMetrics` text.
    ///
    /// # Errors
    ///
    /// When it cannot be written as text.
    pub fn metrics_text(&self) -> Result<String, std::fmt::Error> {
        self.metrics.text(Counted {
            queries: self.store.query_statistics().with(self.reading.query_statistics()),
            connections: self.connections(),
            tiers: &[
                ("profile", self.style_profiles.statistics()),
                ("artist", self.artists.statistics()),
            ],
            feed: self.feed_status(),
            similarity: self.similarity_status(),
            recall: self.recall.as_ref().map(RecallSampler::samples).unwrap_or_default(),
            folding: self.folding_status(),
            statistics: self.reading.sums(),
            answers: self.reading.answers(),
            read_database: self.reading.status(),
            limits: self.limits.statistics(),
            access: self.keyring.as_ref().map(Keyring::status),
            redis: self.redis.as_ref().map(|tier| RedisCounted {
                health: tier.redis().health(),
                statistics: tier.redis().statistics(),
                profiles: tier.statistics(),
            }),
        })
    }

    /// The Redis in use, if there is one.
    #[must_use]
    pub fn redis(&self) -> Option<&Redis> {
        self.redis.as_ref().map(|tier| tier.redis())
    }

    /// The largest body, in bytes.
    #[must_use]
    pub const fn body_limit_bytes(&self) -> usize {
        self.body_limit_bytes
    }

    /// Whether answers tell what they took.
    #[must_use]
    pub const fn tells_timing(&self) -> bool {
        self.server_timing
    }

    /// What is counted.
    #[must_use]
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Asks the database for a sign of life.
    pub async fn probe(&self) -> Probe {
        self.store.probe(PATIENCE).await
    }

    /// Whether requests may be sent here: the catalog was complete once, and either the database answers or what is cached
    /// may be handed out without it. Where keys are asked for, they have to be there.
    pub async fn is_ready(&self) -> bool {
        let Some(age) = self.feed.status().age else { return false };
        !self.is_stopping()
            && self.keyring.as_ref().is_none_or(Keyring::is_usable)
            // Anybody may ask, so the database is asked only when it matters.
            && (age <= self.max_stale_if_error || self.probe().await.answer.is_some())
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
        let PoolUse { active, idle, most, reading: _, near: _ } = self.store.pool_use();
        Connections { active, idle, most }
    }

    /// Gets ready what the calling thread has of its own, so that no request waits for it.
    pub async fn warm_up_thread(&self) {
        self.store.warm_up_near().await;
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

    /// Stops following the store and closes it, once nobody uses it.
    pub async fn close(&self) {
        if let Some(recall) = &self.recall {
            recall.stop();
        }
        self.similar_artists.stop();
        self.rollups.stop();
        self.history.stop();
        if let Some(keyring) = &self.keyring {
            keyring.close().await;
        }
        self.feed.stop();
        if let Some(redis) = self.redis() {
            redis.close();
        }
        self.reading.close().await;
        self.store.close().await;
    }

    /// How many artists have a profile.
    ///
    /// # Errors
    ///
    /// When only the store knows and cannot be read.
    pub async fn cached_artists(&self) -> Result<u64, RepositoryError> {
        match self.feed.profiles() {
            Some(profiles) => Ok(profiles),
            None => self.store.count_profiles().await,
        }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.store.now()
    }

    /// What to answer about an artist that is not known.
    pub async fn unknown_artist(&self, artist: &ArtistName) -> Problem {
        // Suggestions are a courtesy; the answer is the same without.
        let suggestions = self.artists.suggest(artist, SUGGESTIONS).await.unwrap_or_default();
        Problem::artist_not_found(artist).suggesting(suggestions)
    }

    /// What to answer about an artist for whom there is no profile: it may not be known at all.
    pub async fn no_profile(&self, artist: &ArtistName) -> Problem {
        match self.no_profile_among_many(artist).await {
            problem if problem.code() == Code::ArtistNotFound => self.unknown_artist(artist).await,
            problem => problem,
        }
    }

    /// The same for one artist of many: without suggestions, each of which takes a look at all names.
    pub async fn no_profile_among_many(&self, artist: &ArtistName) -> Problem {
        if let Some(name) = self.feed.name_of(artist.key()) {
            return Problem::profile_not_found(&name);
        }
        match self.artists.find(artist.key()).await {
            Ok(Some(known)) => Problem::profile_not_found(&known.name),
            Ok(None) => Problem::artist_not_found(artist),
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

/// Measures how many of the closest searches find, by what the store says when it compares everything.
fn sampler(
    in_use: &CachedSimilarArtists,
    store: &Store,
    feed: Feed,
    pause: Duration,
) -> RecallSampler {
    let latest = move || feed.status().applied;
    let (exact, vectors) = (store.similar_artists(), store.style_vectors());
    RecallSampler::start(in_use.clone(), exact, vectors, latest, pause)
}
