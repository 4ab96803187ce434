//! Values that are good exactly when their version is the catalog's.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{ArtistId, ArtistKey, RepositoryError, Version};
use tokio::time::{Instant, timeout};

use crate::{
    catalog::{Current, Looked},
    feed::Feed,
    freshness::{Freshness, Read, Tier},
    loads::{Load, Loaded, Loads},
    local::{Local, Versioned},
    statistics::{Counters, TierStatistics},
};

/// How long a read waits for a database that may be gone before it takes the last good value instead.
const PATIENCE: Duration = Duration::from_millis(500);

/// Where values come from when they are not in memory, and what else is known of them.
#[async_trait]
pub(crate) trait Origin: Send + Sync + 'static {
    /// What is cached.
    type Value: Versioned;

    /// Whether an artist that stands like this has a value at all.
    fn has_value(current: Current) -> bool;

    /// Notes in the catalog that this value was just read from the store.
    fn learn(&self, feed: &Feed, value: &Self::Value);

    /// The identity and the key of the artist that the value belongs to.
    fn artist(value: &Self::Value) -> (ArtistId, &ArtistKey);

    /// The value at exactly this version from the tier that instances share.
    async fn shared(&self, artist: &ArtistKey, version: Version) -> Option<Self::Value>;

    /// The same for many.
    async fn shared_many(&self, artists: &[(ArtistKey, Version)]) -> Vec<Option<Self::Value>>;

    /// Hands values to the tier that instances share.
    async fn share(&self, values: &[Arc<Self::Value>]);

    /// The value from the store.
    async fn stored(&self, artist: &ArtistKey) -> Result<Option<Self::Value>, RepositoryError>;

    /// The same for many, in the order asked for.
    async fn stored_many(
        &self,
        artists: &[ArtistKey],
    ) -> Result<Vec<Option<Self::Value>>, RepositoryError>;
}

/// One kind of values behind all tiers. Clones share everything.
pub(crate) struct Coherent<O: Origin> {
    shared: Arc<Parts<O>>,
}

impl<O: Origin> Clone for Coherent<O> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

struct Parts<O: Origin> {
    feed: Feed,
    origin: O,
    local: Local<O::Value>,
    loads: Loads<(ArtistKey, Route), O::Value>,
    counters: Counters,
}

/// Through which tiers a load goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Route {
    /// The shared tier first, for the version that the catalog names.
    Tiers,
    /// The database at once, because the catalog may be out of date.
    Direct,
}

/// What a read needs a load to be.
#[derive(Debug, Clone, Copy)]
struct Need {
    /// Nothing below this version.
    least: Version,
    /// A load that began later can be trusted whatever it found.
    decisive: Instant,
    /// A load that began earlier is no use.
    earliest: Option<Instant>,
}

type Answer<O> = Result<Read<Arc<<O as Origin>::Value>>, RepositoryError>;

impl<O: Origin> Coherent<O> {
    pub(crate) fn new(feed: Feed, origin: O, capacity_bytes: u64) -> Self {
        Self {
            shared: Arc::new(Parts {
                feed,
                origin,
                local: Local::new(capacity_bytes),
                loads: Loads::new(),
                counters: Counters::default(),
            }),
        }
    }

    pub(crate) fn feed(&self) -> &Feed {
        &self.shared.feed
    }

    pub(crate) fn origin(&self) -> &O {
        &self.shared.origin
    }

    pub(crate) fn statistics(&self) -> TierStatistics {
        self.shared.counters.read(self.shared.local.size())
    }

    /// How long ago the catalog was confirmed, if a default read can rely on it.
    pub(crate) fn reliable(&self) -> Option<Duration> {
        self.shared.reliable()
    }

    /// The answer to a default read, if memory is enough for it.
    pub(crate) fn at_hand(&self, artist: &ArtistKey) -> Option<Read<Arc<O::Value>>> {
        let read = self.look(artist, self.shared.reliable()?).ok()?;
        self.shared.counters.answered(&read);
        Some(read)
    }

    /// The value of one artist.
    pub(crate) async fn read(&self, artist: &ArtistKey, freshness: Freshness) -> Answer<O> {
        let answer = self.answer(artist, freshness).await;
        match &answer {
            Ok(read) => self.shared.counters.answered(read),
            Err(_) => self.shared.counters.failed(),
        }
        answer
    }

    async fn answer(&self, artist: &ArtistKey, freshness: Freshness) -> Answer<O> {
        let began = Instant::now();
        match self.standing(freshness).await? {
            Some(age) => match self.look(artist, age) {
                Ok(read) => Ok(read),
                Err(looked) => {
                    let need =
                        Need { least: looked.least, decisive: Instant::now(), earliest: None };
                    let version = looked.current.map_or(Version::ZERO, |current| current.version);
                    self.load(artist, Route::Tiers, version, need).await
                }
            },
            None => self.without_catalog(artist, began).await,
        }
    }

    /// How long ago the catalog was confirmed, if that is good enough for this read.
    async fn standing(&self, freshness: Freshness) -> Result<Option<Duration>, RepositoryError> {
        match freshness {
            Freshness::Default => Ok(self.shared.reliable()),
            Freshness::Strict => {
                self.feed().confirm().await?;
                let confirmed = self.feed().catalog().confirmed();
                Ok(Some(confirmed.map_or(Duration::ZERO, |at| at.elapsed())))
            }
        }
    }

    /// What memory has to say about an artist, as of a confirmation so long ago.
    fn look(&self, artist: &ArtistKey, age: Duration) -> Result<Read<Arc<O::Value>>, Looked> {
        let looked = self.feed().catalog().look_up(artist);
        let (value, tier) = match looked.current.filter(|current| O::has_value(*current)) {
            None => (None, Tier::Catalog),
            Some(Current { id, version, .. }) => match self.shared.local.find(&id, version) {
                Some(value) => (Some(value), Tier::Memory),
                None => return Err(looked),
            },
        };
        Ok(Read { value, tier, age, stale: false })
    }

    /// Loads a value, together with everybody else who wants it.
    async fn load(
        &self,
        artist: &ArtistKey,
        route: Route,
        version: Version,
        need: Need,
    ) -> Answer<O> {
        loop {
            let (load, joined) = self.shared.loads.join_or_begin(
                &(artist.clone(), route),
                |load| need.earliest.is_none_or(|earliest| earliest <= load.began),
                || Arc::clone(&self.shared).load(artist.clone(), route, version),
            );
            if joined {
                self.shared.counters.joined();
            }
            let began = load.began;
            // One that began at the very instant may have been first.
            let decisive = !joined || need.decisive < began;
            match Load::outcome(load).await {
                Loaded::Found(value, tier) if decisive || need.least <= value.version() => {
                    return Ok(Read {
                        value: Some(value),
                        tier,
                        age: began.elapsed(),
                        stale: false,
                    });
                }
                Loaded::Missing if decisive => {
                    return Ok(Read {
                        value: None,
                        tier: Tier::Database,
                        age: began.elapsed(),
                        stale: false,
                    });
                }
                Loaded::Failed(error) if decisive => return Err(error),
                // It began too early to know. It is over now, so the next one begins late enough, or did.
                Loaded::Found(..) | Loaded::Missing | Loaded::Failed(_) => {}
            }
        }
    }

    /// A default read while the catalog is not known to be recent: the database decides, and if it cannot be reached,
    /// the last good value may.
    async fn without_catalog(&self, artist: &ArtistKey, began: Instant) -> Answer<O> {
        if self.feed().is_unreachable()
            && let Some(read) = self.last_good(artist).await
        {
            return Ok(read);
        }
        let need = Need {
            least: self.feed().catalog().look_up(artist).least,
            decisive: Instant::now(),
            earliest: began.checked_sub(self.feed().bounds().max_staleness),
        };
        let mut load = std::pin::pin!(self.load(artist, Route::Direct, Version::ZERO, need));
        let answer = match timeout(PATIENCE, load.as_mut()).await {
            Ok(answer) => answer,
            Err(_) => match self.last_good(artist).await {
                Some(read) => return Ok(read),
                None => load.await,
            },
        };
        match answer {
            Err(RepositoryError::Unavailable(error)) => {
                let unavailable = RepositoryError::Unavailable(error);
                self.last_good(artist).await.ok_or(unavailable)
            }
            answer => answer,
        }
    }

    /// The last value that was known to be current, if that is not too long ago.
    async fn last_good(&self, artist: &ArtistKey) -> Option<Read<Arc<O::Value>>> {
        let age = self.feed().catalog().confirmed()?.elapsed();
        if self.feed().bounds().max_stale_if_error < age {
            return None;
        }
        let read = match self.look(artist, age) {
            Ok(read) => read,
            Err(Looked { current, .. }) => {
                let Current { id, version, .. } = current?;
                let value = self.shared.shared(artist, version).await?;
                self.shared.local.put(id, Arc::clone(&value));
                Read { value: Some(value), tier: Tier::Shared, age, stale: false }
            }
        };
        Some(Read { stale: true, ..read })
    }

    /// The values of many artists, in the order asked for: one pass in memory, one question to the shared tier, one to
    /// the database.
    pub(crate) async fn read_many(
        &self,
        artists: &[ArtistKey],
        freshness: Freshness,
    ) -> Result<Vec<Read<Arc<O::Value>>>, RepositoryError> {
        let answers = self.answer_many(artists, freshness).await;
        match &answers {
            Ok(answers) => answers.iter().for_each(|read| self.shared.counters.answered(read)),
            Err(_) => self.shared.counters.failed(),
        }
        answers
    }

    async fn answer_many(
        &self,
        artists: &[ArtistKey],
        freshness: Freshness,
    ) -> Result<Vec<Read<Arc<O::Value>>>, RepositoryError> {
        let Some(age) = self.standing(freshness).await? else {
            return self.many_without_catalog(artists).await;
        };
        let mut answers = Vec::with_capacity(artists.len());
        let mut wanted = Vec::new();
        for artist in artists {
            let answer = self.look(artist, age);
            if let Err(looked) = &answer {
                let version = looked.current.map_or(Version::ZERO, |current| current.version);
                wanted.push((artist.clone(), version));
            }
            answers.push(answer.ok());
        }
        if wanted.is_empty() {
            return Ok(answers.into_iter().flatten().collect());
        }

        let mut shared = self.origin().shared_many(&wanted).await;
        shared.resize_with(wanted.len(), || None);
        let mut missing = Vec::new();
        let mut loaded = Vec::with_capacity(wanted.len());
        for ((artist, version), value) in wanted.into_iter().zip(shared) {
            let value = value.filter(|value| is_asked_for::<O>(value, &artist, version));
            let value = value.map(Arc::new);
            match &value {
                Some(value) => {
                    self.shared.keep(value);
                }
                None => missing.push(artist),
            }
            loaded.push(value);
        }
        let stored =
            if missing.is_empty() { Vec::new() } else { self.stored_many(&missing).await? };

        let (mut loaded, mut stored) = (loaded.into_iter(), stored.into_iter());
        let fill = || match loaded.next().flatten() {
            Some(value) => Read { value: Some(value), tier: Tier::Shared, age, stale: false },
            None => from_database(stored.next().flatten()),
        };
        let mut fill = fill;
        Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(&mut fill)).collect())
    }

    async fn many_without_catalog(
        &self,
        artists: &[ArtistKey],
    ) -> Result<Vec<Read<Arc<O::Value>>>, RepositoryError> {
        let mut outcome = None;
        if !self.feed().is_unreachable() {
            match self.stored_many(artists).await {
                Err(RepositoryError::Unavailable(error)) => {
                    outcome = Some(RepositoryError::Unavailable(error));
                }
                outcome => return Ok(outcome?.into_iter().map(from_database).collect()),
            }
        }
        // All or nothing, as from the database.
        let mut answers = Vec::with_capacity(artists.len());
        for artist in artists {
            match (self.last_good(artist).await, outcome.take()) {
                (Some(read), _) => answers.push(read),
                (None, Some(error)) => return Err(error),
                (None, None) => {
                    let values = self.stored_many(artists).await?;
                    return Ok(values.into_iter().map(from_database).collect());
                }
            }
        }
        Ok(answers)
    }

    /// Reads values from the store and keeps them.
    async fn stored_many(
        &self,
        artists: &[ArtistKey],
    ) -> Result<Vec<Option<Arc<O::Value>>>, RepositoryError> {
        let values: Vec<_> = self
            .origin()
            .stored_many(artists)
            .await?
            .into_iter()
            .map(|value| value.map(Arc::new))
            .collect();
        let parts = Arc::clone(&self.shared);
        let kept: Vec<_> =
            values.iter().flatten().filter(|value| parts.receive(value)).cloned().collect();
        if !kept.is_empty() {
            tokio::spawn(async move { parts.origin.share(&kept).await });
        }
        Ok(values)
    }

    /// Keeps what this instance has just written, everywhere, before the write is acknowledged.
    pub(crate) async fn wrote(&self, value: &Arc<O::Value>) {
        self.origin().learn(self.feed(), value);
        self.shared.local.put(O::artist(value).0, Arc::clone(value));
        self.origin().share(std::slice::from_ref(value)).await;
    }

    /// Forgets what memory holds of an artist.
    pub(crate) fn forget(&self, id: ArtistId) {
        self.shared.local.forget(&id);
    }
}

impl<O: Origin> Parts<O> {
    /// How long ago the catalog was confirmed, if that was recently enough for a default read.
    fn reliable(&self) -> Option<Duration> {
        let age = self.feed.catalog().confirmed()?.elapsed();
        (age <= self.feed.bounds().max_staleness).then_some(age)
    }

    async fn load(
        self: Arc<Self>,
        artist: ArtistKey,
        route: Route,
        version: Version,
    ) -> Loaded<O::Value> {
        if route == Route::Tiers
            && let Some(value) = self.shared(&artist, version).await
        {
            self.keep(&value);
            return Loaded::Found(value, Tier::Shared);
        }
        match self.origin.stored(&artist).await {
            Ok(Some(value)) => {
                let value = Arc::new(value);
                if self.receive(&value) {
                    let (parts, value) = (Arc::clone(&self), Arc::clone(&value));
                    // Those who wait do not wait for this.
                    tokio::spawn(async move { parts.origin.share(&[value]).await });
                }
                Loaded::Found(value, Tier::Database)
            }
            Ok(None) => Loaded::Missing,
            Err(error) => Loaded::Failed(error),
        }
    }

    /// The value at exactly this version from the tier that instances share.
    async fn shared(&self, artist: &ArtistKey, version: Version) -> Option<Arc<O::Value>> {
        let value = self.origin.shared(artist, version).await?;
        is_asked_for::<O>(&value, artist, version).then(|| Arc::new(value))
    }

    /// Takes in what was just read from the store. Returns whether it is current.
    fn receive(&self, value: &Arc<O::Value>) -> bool {
        self.origin.learn(&self.feed, value);
        self.keep(value)
    }

    /// Keeps a value in memory if it is current. One that came late would never be handed out, and only take room.
    fn keep(&self, value: &Arc<O::Value>) -> bool {
        let (id, key) = O::artist(value);
        let current = self.feed.catalog().is_current(key, value.version());
        if current {
            self.local.put(id, Arc::clone(value));
        } else {
            self.counters.late();
        }
        current
    }
}

/// Whatever the shared tier hands out, only the right version of the right artist is good.
fn is_asked_for<O: Origin>(value: &O::Value, artist: &ArtistKey, version: Version) -> bool {
    value.version() == version && O::artist(value).1 == artist
}

const fn from_database<T>(value: Option<T>) -> Read<T> {
    Read { value, tier: Tier::Database, age: Duration::ZERO, stale: false }
}
