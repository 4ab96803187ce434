//! Any value that has a version, read through the tiers.

#[cfg(feature = "redis")]
mod envelope;
#[cfg(feature = "redis")]
mod shared;

use std::{error::Error, sync::Arc, time::Duration};

use domain::{RepositoryError, Version};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::oneshot;

#[cfg(feature = "redis")]
use self::shared::Shared;
use crate::{
    freshness::{Read, Tier},
    key::{self, InvalidKey},
    loads::{Load, Loaded, Loads},
    local::{Local, Versioned},
    statistics::{Counters, TierStatistics},
};
#[cfg(feature = "redis")]
use crate::{
    key::{Lifetime, Namespace},
    redis::Redis,
};

/// Values read through memory, then Redis if there is one, then whatever loads them.
///
/// A value is good exactly when its version is the one that the caller asks for; so nothing here can be out of date, and
/// whatever is lost, late, damaged or removed costs a load and nothing else. The caller knows the version, for example
/// from the catalog or from an ETag, and never gives two values of one key the same version.
///
/// For each key and version, this process runs one load at a time, in a task that goes on when the caller that began it
/// goes away. Others that ask meanwhile wait for it and get what it gets. A load that panics is
/// [`RepositoryError::Internal`] for those who wait for it; the next read begins another one.
///
/// A tier never replaces a value by one of an older version. Values are kept in Redis as JSON in an envelope with a checksum,
/// up to 8 MiB each. When Redis is away, reads skip it within its budget and writes to it are left out; neither fails.
///
/// Clones share everything. It runs within a Tokio runtime.
pub struct ReadThrough<T> {
    parts: Arc<Parts<T>>,
}

impl<T> Clone for ReadThrough<T> {
    fn clone(&self) -> Self {
        Self { parts: Arc::clone(&self.parts) }
    }
}

struct Parts<T> {
    local: Local<Entry<T>, Arc<str>>,
    #[cfg(feature = "redis")]
    shared: Option<Shared>,
    loads: Loads<Wanted, Entry<T>>,
    counters: Counters,
}

type Wanted = (Arc<str>, Version);

/// What a read returns.
type Found<T> = Result<Option<Arc<T>>, ReadThroughError>;

/// A value in memory.
struct Entry<T> {
    value: Arc<T>,
    version: Version,
    bytes: usize,
}

impl<T: Send + Sync + 'static> Versioned for Entry<T> {
    fn version(&self) -> Version {
        self.version
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> ReadThrough<T> {
    /// Keeps values in the memory of this process, up to this many bytes; of none, nothing is kept.
    ///
    /// A value counts as long as its JSON, which is near to what it takes in memory for most types.
    #[must_use]
    pub fn in_process(capacity_bytes: u64) -> Self {
        Self {
            parts: Arc::new(Parts {
                local: Local::new(capacity_bytes),
                #[cfg(feature = "redis")]
                shared: None,
                loads: Loads::new(),
                counters: Counters::default(),
            }),
        }
    }

    /// Keeps values in the memory of this process and in Redis, where they expire this long after they were stored.
    #[cfg(feature = "redis")]
    #[must_use]
    pub fn shared(
        capacity_bytes: u64,
        redis: Redis,
        namespace: Namespace,
        lifetime: Lifetime,
    ) -> Self {
        Self {
            parts: Arc::new(Parts {
                local: Local::new(capacity_bytes),
                shared: Some(Shared::new(redis, namespace, lifetime)),
                loads: Loads::new(),
                counters: Counters::default(),
            }),
        }
    }

    /// The value of a key at this version. `load` is called when no tier has it, and what it finds is kept.
    ///
    /// `None` means that `load` found nothing, which is not kept.
    pub async fn find<Work>(
        &self,
        key: &str,
        version: Version,
        load: impl FnOnce() -> Work + Send + 'static,
    ) -> Found<T>
    where
        Work: Future<Output = Result<Option<T>, RepositoryError>> + Send + 'static,
    {
        let key: Arc<str> = key::checked(key)?.into();
        if let Some(entry) = self.parts.local.find(Arc::clone(&key), version) {
            return self.parts.answered(Loaded::Found(entry, Tier::Memory));
        }
        let wanted = (key, version);
        let begin = || Arc::clone(&self.parts).load(wanted.clone(), load);
        let (load, joined) = self.parts.loads.join_or_begin(&wanted, |_| true, begin);
        if joined {
            self.parts.counters.joined();
        }
        self.parts.answered(load.outcome().await)
    }

    /// The values of many keys, each at its version, in the order asked for: one pass in memory, one question to Redis for
    /// each 100, and one call of `load` for all that no tier has and nobody else is loading.
    ///
    /// `load` returns as many values as it is asked for, in that order. The first failure is the answer.
    pub async fn find_many<Work>(
        &self,
        wanted: &[(impl AsRef<str>, Version)],
        load: impl FnOnce(Vec<(String, Version)>) -> Work + Send + 'static,
    ) -> Result<Vec<Option<Arc<T>>>, ReadThroughError>
    where
        Work: Future<Output = Result<Vec<Option<T>>, RepositoryError>> + Send + 'static,
    {
        let wanted: Vec<Wanted> = wanted
            .iter()
            .map(|(key, version)| Ok((key::checked(key.as_ref())?.into(), *version)))
            .collect::<Result<_, InvalidKey>>()?;
        let mut begun = Vec::new();
        let answers: Vec<_> =
            wanted.iter().map(|wanted| self.at_hand_or_begun(wanted, &mut begun)).collect();
        if !begun.is_empty() {
            tokio::spawn(Arc::clone(&self.parts).load_many(begun, load));
        }
        let mut values = Vec::with_capacity(answers.len());
        for answer in answers {
            let loaded = match answer {
                Ok(entry) => Loaded::Found(entry, Tier::Memory),
                Err(load) => load.outcome().await,
            };
            values.push(self.parts.answered(loaded)?);
        }
        Ok(values)
    }

    /// The value in memory, or the load to wait for. One that nobody had begun is added to those to be done together.
    fn at_hand_or_begun(
        &self,
        wanted: &Wanted,
        begun: &mut Vec<Begun<T>>,
    ) -> Result<Arc<Entry<T>>, Load<Entry<T>>> {
        let (key, version) = wanted;
        if let Some(entry) = self.parts.local.find(Arc::clone(key), *version) {
            return Ok(entry);
        }
        let (load, joined) = self.parts.loads.join_or_begin(
            wanted,
            |_| true,
            || {
                let (sender, receiver) = oneshot::channel();
                begun.push((wanted.clone(), sender));
                async { receiver.await.unwrap_or_else(|_| internal(BrokenBatch::Ended)) }
            },
        );
        if joined {
            self.parts.counters.joined();
        }
        Err(load)
    }

    /// Keeps a value in both tiers, in each unless a newer one is kept.
    pub async fn set(
        &self,
        key: &str,
        version: Version,
        value: T,
    ) -> Result<Arc<T>, ReadThroughError> {
        let key: Arc<str> = key::checked(key)?.into();
        let (entry, json) = Entry::written(value, version).map_err(ReadThroughError::Unwritable)?;
        self.parts.local.put(Arc::clone(&key), Arc::clone(&entry));
        self.parts.share(&[(key, version, json)]).await;
        Ok(Arc::clone(&entry.value))
    }

    /// Keeps many values in both tiers, each unless a newer one is kept. After an error, none was kept.
    pub async fn set_many(
        &self,
        values: impl IntoIterator<Item = (String, Version, T)>,
    ) -> Result<(), ReadThroughError> {
        let (mut entries, mut written) = (Vec::new(), Vec::new());
        for (key, version, value) in values {
            let key: Arc<str> = key::checked(&key)?.into();
            let (entry, json) =
                Entry::written(value, version).map_err(ReadThroughError::Unwritable)?;
            entries.push((Arc::clone(&key), entry));
            written.push((key, version, json));
        }
        for (key, entry) in entries {
            self.parts.local.put(key, entry);
        }
        self.parts.share(&written).await;
        Ok(())
    }

    /// Gives up the room that a value takes. A load under way may keep it again.
    pub async fn remove(&self, key: &str) -> Result<(), InvalidKey> {
        let key = key::checked(key)?;
        self.parts.local.forget(key.into());
        #[cfg(feature = "redis")]
        if let Some(shared) = &self.parts.shared {
            shared.remove(key).await;
        }
        Ok(())
    }

    /// How reads were answered since the start; `database` counts those for which a value was loaded.
    #[must_use]
    pub fn statistics(&self) -> TierStatistics {
        self.parts.counters.read(self.parts.local.size())
    }
}

/// A load to be done together with others, and who is to be told.
type Begun<T> = (Wanted, oneshot::Sender<Loaded<Entry<T>>>);

/// A value written as JSON.
type Written = (Arc<str>, Version, Vec<u8>);

impl<T: Serialize> Entry<T> {
    fn written(value: T, version: Version) -> Result<(Arc<Self>, Vec<u8>), Cause> {
        let json = serde_json::to_vec(&value).map_err(|error| Arc::new(error) as Cause)?;
        let bytes = json.len();
        Ok((Arc::new(Self { value: Arc::new(value), version, bytes }), json))
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Parts<T> {
    async fn load<Work>(
        self: Arc<Self>,
        (key, version): Wanted,
        load: impl FnOnce() -> Work,
    ) -> Loaded<Entry<T>>
    where
        Work: Future<Output = Result<Option<T>, RepositoryError>>,
    {
        if let Some(Some(entry)) = self.find_shared(&[(Arc::clone(&key), version)]).await.pop() {
            return Loaded::Found(entry, Tier::Shared);
        }
        let mut written = Vec::new();
        let loaded = match load().await {
            Ok(value) => self.take_in(&(key, version), value, &mut written),
            Err(error) => Loaded::Failed(error),
        };
        self.share_later(written);
        loaded
    }

    /// Does several loads as one. Whoever waits for one of them is told also when this panics, since its sender is dropped.
    async fn load_many<Work>(
        self: Arc<Self>,
        begun: Vec<Begun<T>>,
        load: impl FnOnce(Vec<(String, Version)>) -> Work,
    ) where
        Work: Future<Output = Result<Vec<Option<T>>, RepositoryError>>,
    {
        let wanted: Vec<Wanted> = begun.iter().map(|(wanted, _)| wanted.clone()).collect();
        let shared = self.find_shared(&wanted).await;
        let mut missing = Vec::new();
        for ((wanted, sender), entry) in begun.into_iter().zip(shared) {
            match entry {
                Some(entry) => tell(sender, Loaded::Found(entry, Tier::Shared)),
                None => missing.push((wanted, sender)),
            }
        }
        if missing.is_empty() {
            return;
        }

        let names = missing.iter().map(|((key, version), _)| (key.to_string(), *version)).collect();
        let mut written = Vec::new();
        match load(names).await {
            Ok(values) if values.len() == missing.len() => {
                for ((wanted, sender), value) in missing.into_iter().zip(values) {
                    tell(sender, self.take_in(&wanted, value, &mut written));
                }
            }
            Ok(_) => missing
                .into_iter()
                .for_each(|(_, sender)| tell(sender, internal(BrokenBatch::Incomplete))),
            Err(error) => missing
                .into_iter()
                .for_each(|(_, sender)| tell(sender, Loaded::Failed(error.clone()))),
        }
        self.share_later(written);
    }

    /// Keeps in memory what a load found, and adds it to what is to be written to Redis.
    fn take_in(
        &self,
        (key, version): &Wanted,
        value: Option<T>,
        written: &mut Vec<Written>,
    ) -> Loaded<Entry<T>> {
        let Some(value) = value else { return Loaded::Missing };
        match Entry::written(value, *version) {
            Ok((entry, json)) => {
                self.local.put(Arc::clone(key), Arc::clone(&entry));
                written.push((Arc::clone(key), *version, json));
                Loaded::Found(entry, Tier::Database)
            }
            Err(cause) => Loaded::Failed(RepositoryError::Internal(cause)),
        }
    }

    /// What Redis has of these values, which memory keeps from now on.
    #[cfg(feature = "redis")]
    async fn find_shared(&self, wanted: &[Wanted]) -> Vec<Option<Arc<Entry<T>>>> {
        let Some(shared) = &self.shared else { return wanted.iter().map(|_| None).collect() };
        let names: Vec<_> = wanted.iter().map(|(key, version)| (&**key, *version)).collect();
        // What is no such value any more is a miss, like everything else that does not check out.
        let read = |json: &[u8]| Some((serde_json::from_slice::<T>(json).ok()?, json.len()));
        let found = shared.find_many(&names, read).await;
        let entries = wanted.iter().zip(found).map(|((key, version), found)| {
            let (value, bytes) = found?;
            let entry = Arc::new(Entry { value: Arc::new(value), version: *version, bytes });
            self.local.put(Arc::clone(key), Arc::clone(&entry));
            Some(entry)
        });
        entries.collect()
    }

    #[cfg(not(feature = "redis"))]
    #[expect(clippy::unused_async, reason = "with Redis it waits")]
    async fn find_shared(&self, wanted: &[Wanted]) -> Vec<Option<Arc<Entry<T>>>> {
        wanted.iter().map(|_| None).collect()
    }

    #[cfg(feature = "redis")]
    async fn share(&self, written: &[Written]) {
        if let Some(shared) = &self.shared {
            let values: Vec<_> =
                written.iter().map(|(key, version, json)| (&**key, *version, &**json)).collect();
            shared.put_many(&values).await;
        }
    }

    #[cfg(not(feature = "redis"))]
    #[expect(clippy::unused_async, reason = "with Redis it waits")]
    async fn share(&self, _written: &[Written]) {}

    /// Writes to Redis while those who waited for a load go on.
    fn share_later(self: Arc<Self>, written: Vec<Written>) {
        if !written.is_empty() {
            tokio::spawn(async move { self.share(&written).await });
        }
    }

    /// Counts how a read ended.
    fn answered(&self, loaded: Loaded<Entry<T>>) -> Found<T> {
        let (value, tier) = match loaded {
            Loaded::Found(entry, tier) => (Some(Arc::clone(&entry.value)), tier),
            Loaded::Missing => (None, Tier::Database),
            Loaded::Failed(error) => {
                self.counters.failed();
                return Err(ReadThroughError::Load(error));
            }
        };
        let read = Read { value, tier, age: Duration::ZERO, stale: false };
        self.counters.answered(&read);
        Ok(read.value)
    }
}

/// Whoever waited may be gone, which is no matter.
fn tell<T>(sender: oneshot::Sender<Loaded<Entry<T>>>, loaded: Loaded<Entry<T>>) {
    drop(sender.send(loaded));
}

fn internal<T>(error: BrokenBatch) -> Loaded<Entry<T>> {
    Loaded::Failed(RepositoryError::Internal(Arc::new(error)))
}

/// Why a load of many values has no answer for one of them.
#[derive(Debug, thiserror::Error)]
enum BrokenBatch {
    #[error("a load of many values ended without an answer")]
    Ended,
    #[error("a load of many values returned another number of values than it was asked for")]
    Incomplete,
}

type Cause = Arc<dyn Error + Send + Sync>;

/// Why there is no value. Exhaustive on purpose: callers decide by variant.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadThroughError {
    /// The key is none.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// The value cannot be written as JSON.
    #[error("the value cannot be written as JSON")]
    Unwritable(#[source] Cause),
    /// It could not be loaded. Everybody who waited for the load is told the same.
    #[error(transparent)]
    Load(RepositoryError),
}
