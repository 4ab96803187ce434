//! Any value that has a version, read through the tiers.

#[cfg(feature = "redis")]
mod envelope;
#[cfg(feature = "redis")]
mod shared;
mod tiers;

use std::{sync::Arc, time::Duration};

use domain::{RepositoryError, Version};
use serde::{Serialize, de::DeserializeOwned};

#[cfg(feature = "redis")]
use self::shared::Shared;
use self::tiers::{Cause, Entry, Tiers};
use crate::{
    freshness::{Read, Tier},
    key::{self, InvalidKey},
    loads::Loaded,
    statistics::TierStatistics,
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
/// from the catalog or from an `ETag`, and never gives two values of one key the same version.
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
    tiers: Arc<Tiers<T>>,
}

impl<T> Clone for ReadThrough<T> {
    fn clone(&self) -> Self {
        Self { tiers: Arc::clone(&self.tiers) }
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> ReadThrough<T> {
    /// Keeps values in the memory of this process, up to this many bytes; of none, nothing is kept.
    ///
    /// A value counts as long as its JSON, which is near to what it takes in memory for most types.
    #[must_use]
    pub fn in_process(capacity_bytes: u64) -> Self {
        Self { tiers: Arc::new(Tiers::new(capacity_bytes)) }
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
        let shared = Some(Shared::new(redis, namespace, lifetime));
        Self { tiers: Arc::new(Tiers { shared, ..Tiers::new(capacity_bytes) }) }
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
        let loaded = self.tiers.find(key::checked(key)?, version, load).outcome().await;
        self.answered(loaded)
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
        let keys: Vec<&str> =
            wanted.iter().map(|(key, _)| key::checked(key.as_ref())).collect::<Result<_, _>>()?;
        let mut begun = Vec::new();
        let answers: Vec<_> = keys
            .iter()
            .zip(wanted)
            .map(|(key, (_, version))| self.tiers.find_together(key, *version, &mut begun))
            .collect();
        if !begun.is_empty() {
            tokio::spawn(Arc::clone(&self.tiers).load_many(begun, load));
        }
        let mut values = Vec::with_capacity(answers.len());
        for answer in answers {
            values.push(self.answered(answer.outcome().await)?);
        }
        Ok(values)
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
        self.tiers.local.put(Arc::clone(&key), Arc::clone(&entry));
        self.tiers.share(&[(key, version, json)]).await;
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
            self.tiers.local.put(key, entry);
        }
        self.tiers.share(&written).await;
        Ok(())
    }

    /// Gives up the room that a value takes. A load under way may keep it again.
    pub async fn remove(&self, key: &str) -> Result<(), InvalidKey> {
        let key = key::checked(key)?;
        self.tiers.remove(key).await;
        Ok(())
    }

    /// How reads were answered since the start; `database` counts those for which a value was loaded.
    #[must_use]
    pub fn statistics(&self) -> TierStatistics {
        self.tiers.counters.read(self.tiers.local.size())
    }

    /// Counts how a read ended.
    fn answered(&self, loaded: Loaded<Entry<T>>) -> Found<T> {
        let (value, tier) = match loaded {
            Loaded::Found(entry, tier) => (Some(Arc::clone(&entry.value)), tier),
            Loaded::Missing => (None, Tier::Database),
            Loaded::Failed(error) => {
                self.tiers.counters.failed();
                return Err(ReadThroughError::Load(error));
            }
        };
        let read = Read { value, tier, age: Duration::ZERO, stale: false };
        self.tiers.counters.answered(&read);
        Ok(read.value)
    }
}

/// What a read returns.
type Found<T> = Result<Option<Arc<T>>, ReadThroughError>;

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
