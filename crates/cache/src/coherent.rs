//! Values that are good exactly when their version is the catalog's.

use std::{sync::Arc, time::Duration};

use domain::{ArtistId, ArtistKey, RepositoryError, Version};
use parking_lot::Mutex;
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

/// How often a read finds out whether the database answers while the feed cannot be followed.
const FINDING_OUT: Duration = Duration::from_secs(1);

/// A load that has been under way for longer may hang, so nobody joins it any more and the next reader begins another.
const JOINED_FOR: Duration = Duration::from_secs(2);

/// Where values come from when they are not in memory, and what else is known of them.
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
    fn shared(
        &self,
        artist: &ArtistKey,
        version: Version,
    ) -> impl Future<Output = Option<Self::Value>> + Send;

    /// The same for many.
    fn shared_many(
        &self,
        artists: &[(ArtistKey, Version)],
    ) -> impl Future<Output = Vec<Option<Self::Value>>> + Send;

    /// Hands values to the tier that instances share.
    fn share(&self, values: &[Arc<Self::Value>]) -> impl Future<Output = ()> + Send;

    /// The value from the store.
    fn stored(
        &self,
        artist: &ArtistKey,
    ) -> impl Future<Output = Result<Option<Self::Value>, RepositoryError>> + Send;

    /// The same for many, in the order asked for.
    fn stored_many(
        &self,
        artists: &[ArtistKey],
    ) -> impl Future<Output = Result<Vec<Option<Self::Value>>, RepositoryError>> + Send;
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
    /// What came of asking the database while the feed could not.
    reach: Mutex<Reach>,
}

/// Whether the database answers though the feed cannot be followed.
#[derive(Debug)]
struct Reach {
    answers: bool,
    asked: Option<Instant>,
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
                reach: Mutex::new(Reach { answers: true, asked: None }),
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

    /// The answer to a default read, if memory is enough for it.
    pub(crate) fn at_hand(&self, artist: &ArtistKey) -> Option<Read<Arc<O::Value>>> {
        let (_, age) = self.feed().reliable()?;
        let read = self.look(artist, age).ok()?;
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
                    let need = Need {
                        least: looked.least,
                        decisive: Instant::now(),
                        earliest: began.checked_sub(JOINED_FOR),
                    };
                    let version = looked.current.map_or(Version::ZERO, |current| current.version);
                    self.load(artist, Route::Tiers, version, age, need).await
                }
            },
            None => self.without_catalog(artist, began).await,
        }
    }

    /// How long ago the catalog was confirmed, if that is good enough for this read.
    async fn standing(&self, freshness: Freshness) -> Result<Option<Duration>, RepositoryError> {
        match freshness {
            Freshness::Default => Ok(self.feed().reliable().map(|(_, age)| age)),
            Freshness::Strict => {
                self.feed().confirm_soon().await?;
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
        age: Duration,
        need: Need,
    ) -> Answer<O> {
        loop {
            let (load, joined) = self.shared.loads.join_or_begin(
                &(artist.clone(), route),
                |began| need.earliest.is_none_or(|earliest| earliest <= began),
                || Arc::clone(&self.shared).load(artist.clone(), route, version),
            );
            if joined {
                self.shared.counters.joined();
            }
            let began = load.began;
            // One that began at the very instant may have been first.
            let decisive = !joined || need.decisive < began;
            match Load::outcome(load).await {
                // What the shared tier gave is as old as the catalog of whoever began the load, so only its version counts.
                Loaded::Found(value, tier)
                    if need.least <= value.version() || (decisive && tier == Tier::Database) =>
                {
                    let age = match tier {
                        Tier::Database => began.elapsed(),
                        Tier::Catalog | Tier::Memory | Tier::Shared => age,
                    };
                    return Ok(Read { value: Some(value), tier, age, stale: false });
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
        if !self.shared.may_ask()
            && let Some(read) = self.last_good(artist).await
        {
            return Ok(read);
        }
        let catalog = self.feed().catalog();
        let need = Need {
            least: catalog.look_up(artist).least,
            decisive: Instant::now(),
            // Nor one that began before a write of this instance which only the feed could have told.
            earliest: began
                .checked_sub(self.feed().bounds().max_staleness)
                .max(catalog.distrusted()),
        };
        let load = self.load(artist, Route::Direct, Version::ZERO, Duration::ZERO, need);
        self.unless_away(load, || self.last_good(artist)).await
    }

    /// What the database answers, or the last good answer if it takes too long or cannot be reached.
    async fn unless_away<T, LastGood>(
        &self,
        asking: impl Future<Output = Result<T, RepositoryError>>,
        last_good: impl Fn() -> LastGood,
    ) -> Result<T, RepositoryError>
    where
        LastGood: Future<Output = Option<T>>,
    {
        let mut asking = std::pin::pin!(asking);
        let answer = if let Ok(answer) = timeout(PATIENCE, asking.as_mut()).await {
            answer
        } else {
            self.shared.asked(false);
            match last_good().await {
                Some(good) => return Ok(good),
                None => asking.await,
            }
        };
        let away = matches!(answer, Err(RepositoryError::Unavailable(_)));
        self.shared.asked(!away);
        match answer {
            Err(error) if away => last_good().await.ok_or(error),
            answer => answer,
        }
    }

    /// How long ago the catalog was confirmed, if that is recent enough while the database cannot be reached.
    fn good_for(&self) -> Option<Duration> {
        let age = self.feed().catalog().confirmed()?.elapsed();
        (age <= self.feed().bounds().max_stale_if_error).then_some(age)
    }

    /// The last value that was known to be current, if that is not too long ago.
    async fn last_good(&self, artist: &ArtistKey) -> Option<Read<Arc<O::Value>>> {
        let age = self.good_for()?;
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
        if !self.shared.may_ask()
            && let Some(reads) = self.last_good_many(artists).await
        {
            return Ok(reads);
        }
        let asking = async {
            let values = self.stored_many(artists).await?;
            Ok(values.into_iter().map(from_database).collect())
        };
        self.unless_away(asking, || self.last_good_many(artists)).await
    }

    /// The last values that were known to be current, all or none.
    async fn last_good_many(&self, artists: &[ArtistKey]) -> Option<Vec<Read<Arc<O::Value>>>> {
        let age = self.good_for()?;
        let mut answers = Vec::with_capacity(artists.len());
        let mut wanted = Vec::new();
        for artist in artists {
            let answer = self.look(artist, age);
            if let Err(looked) = &answer {
                wanted.push((artist.clone(), looked.current?.version));
            }
            answers.push(answer.ok());
        }
        let mut shared =
            if wanted.is_empty() { Vec::new() } else { self.origin().shared_many(&wanted).await };
        shared.resize_with(wanted.len(), || None);
        let mut found = shared.into_iter().zip(wanted).map(|(value, (artist, version))| {
            value.filter(|value| is_asked_for::<O>(value, &artist, version)).map(Arc::new)
        });
        answers
            .into_iter()
            .map(|answer| {
                if let Some(read) = answer {
                    return Some(Read { stale: true, ..read });
                }
                let value = Some(found.next()??);
                Some(Read { value, tier: Tier::Shared, age, stale: true })
            })
            .collect()
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
    /// Whether a read should ask the database that may be away. While it is, one a second finds out, and the others take
    /// the last good value at once.
    fn may_ask(&self) -> bool {
        if !self.feed.is_unreachable() {
            return true;
        }
        let mut reach = self.reach.lock();
        let now = Instant::now();
        let lately = reach.asked.is_some_and(|asked| now.duration_since(asked) < FINDING_OUT);
        if lately {
            return reach.answers;
        }
        *reach = Reach { answers: false, asked: Some(now) };
        true
    }

    /// Notes whether the database answered.
    fn asked(&self, answers: bool) {
        *self.reach.lock() = Reach { answers, asked: Some(Instant::now()) };
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

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use domain::{Change, ChangeFollower, Changes};
    use tokio::sync::Notify;

    use super::*;
    use crate::freshness::Bounds;

    const OLD: Version = Version::new(1);
    const NEW: Version = Version::new(2);

    struct Silent;

    #[async_trait]
    impl Changes for Silent {
        async fn since(&self, _: Version, _: u32) -> Result<Vec<Change>, RepositoryError> {
            Ok(Vec::new())
        }

        async fn follow(&self) -> Result<Box<dyn ChangeFollower>, RepositoryError> {
            std::future::pending().await
        }
    }

    struct Value(ArtistId, ArtistKey, Version);

    impl Versioned for Value {
        fn version(&self) -> Version {
            self.2
        }

        fn bytes(&self) -> usize {
            0
        }
    }

    /// A shared tier that still has the old value and answers when told to, in front of a store with the new one.
    struct Lagging(ArtistId, ArtistKey, Arc<Notify>);

    impl Origin for Lagging {
        type Value = Value;

        fn has_value(_: Current) -> bool {
            true
        }

        fn learn(&self, _: &Feed, _: &Value) {}

        fn artist(value: &Value) -> (ArtistId, &ArtistKey) {
            (value.0, &value.1)
        }

        async fn shared(&self, _: &ArtistKey, version: Version) -> Option<Value> {
            self.2.notified().await;
            (version == OLD).then(|| Value(self.0, self.1.clone(), OLD))
        }

        async fn shared_many(&self, _: &[(ArtistKey, Version)]) -> Vec<Option<Value>> {
            Vec::new()
        }

        async fn share(&self, _: &[Arc<Value>]) {}

        async fn stored(&self, _: &ArtistKey) -> Result<Option<Value>, RepositoryError> {
            Ok(Some(Value(self.0, self.1.clone(), NEW)))
        }

        async fn stored_many(
            &self,
            _: &[ArtistKey],
        ) -> Result<Vec<Option<Value>>, RepositoryError> {
            Ok(Vec::new())
        }
    }

    /// One reader looks up the old version and is held up before it begins its load. Another one looks up the new
    /// version, and then the load of the first begins and is joined.
    #[tokio::test(start_paused = true)]
    async fn a_load_that_began_later_for_an_older_version_is_not_believed() {
        let artist = ArtistKey::parse("J Dilla").unwrap();
        let answer = Arc::new(Notify::new());
        let feed = Feed::start(Arc::new(Silent), Bounds::default());
        let lagging = Lagging(ArtistId::generate(), artist.clone(), Arc::clone(&answer));
        let values = Coherent::new(feed, lagging, 0);
        let looked_at = Instant::now();
        tokio::time::advance(Duration::from_millis(1)).await;
        let load = |version, decisive| {
            let (values, artist) = (values.clone(), artist.clone());
            let need = Need { least: version, decisive, earliest: None };
            tokio::spawn(async move {
                let read = values.load(&artist, Route::Tiers, version, Duration::ZERO, need).await;
                read.unwrap().value.unwrap().version()
            })
        };

        let first = load(OLD, looked_at);
        tokio::task::yield_now().await;
        let second = load(NEW, looked_at);
        tokio::task::yield_now().await;
        answer.notify_one();
        let first = first.await.unwrap();
        answer.notify_one();

        assert_eq!((first, second.await.unwrap()), (OLD, NEW));
    }
}
