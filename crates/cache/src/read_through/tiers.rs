//! The tiers that values are read through.

use std::{error::Error, sync::Arc};

use domain::{RepositoryError, Version};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::oneshot;

#[cfg(feature = "redis")]
use super::shared::Shared;
use crate::{
    freshness::Tier,
    loads::{Load, Loaded, Loads},
    local::{Local, Versioned},
    statistics::Counters,
};

/// Memory, Redis if there is one, and the loads under way.
pub(super) struct Tiers<T> {
    pub(super) local: Local<Entry<T>, Arc<str>>,
    #[cfg(feature = "redis")]
    pub(super) shared: Option<Shared>,
    pub(super) loads: Loads<Wanted, Entry<T>>,
    pub(super) counters: Counters,
}

/// The key and the version of a value.
pub(super) type Wanted = (Arc<str>, Version);

/// A value in memory.
pub(super) struct Entry<T> {
    pub(super) value: Arc<T>,
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

/// A value in memory, or the load that finds it.
pub(super) enum Answer<T: Send + Sync + 'static> {
    AtHand(Arc<Entry<T>>),
    UnderWay(Load<Entry<T>>),
}

impl<T: Send + Sync + 'static> Answer<T> {
    pub(super) async fn outcome(self) -> Loaded<Entry<T>> {
        match self {
            Self::AtHand(entry) => Loaded::Found(entry, Tier::Memory),
            Self::UnderWay(load) => load.outcome().await,
        }
    }
}

/// A load to be done together with others, and who is to be told.
pub(super) type Begun<T> = (Wanted, oneshot::Sender<Loaded<Entry<T>>>);

/// A value written as JSON.
pub(super) type Written = (Arc<str>, Version, Vec<u8>);

impl<T: Serialize> Entry<T> {
    pub(super) fn written(value: T, version: Version) -> Result<(Arc<Self>, Vec<u8>), Cause> {
        let json = serde_json::to_vec(&value).map_err(|error| Arc::new(error) as Cause)?;
        let bytes = json.len();
        Ok((Arc::new(Self { value: Arc::new(value), version, bytes }), json))
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Tiers<T> {
    pub(super) fn new(capacity_bytes: u64) -> Self {
        Self {
            local: Local::new(capacity_bytes),
            #[cfg(feature = "redis")]
            shared: None,
            loads: Loads::new(),
            counters: Counters::default(),
        }
    }

    /// The value in memory, or a load to wait for.
    pub(super) fn find<Work>(
        self: &Arc<Self>,
        key: &str,
        version: Version,
        load: impl FnOnce() -> Work + Send + 'static,
    ) -> Answer<T>
    where
        Work: Future<Output = Result<Option<T>, RepositoryError>> + Send + 'static,
    {
        if let Some(entry) = self.local.find(key, version) {
            return Answer::AtHand(entry);
        }
        let wanted = (Arc::from(key), version);
        self.join_or_begin(&wanted, || Arc::clone(self).load(wanted.clone(), load))
    }

    /// The same; a load that nobody had begun is added to those to be done together.
    pub(super) fn find_together(
        &self,
        key: &str,
        version: Version,
        begun: &mut Vec<Begun<T>>,
    ) -> Answer<T> {
        if let Some(entry) = self.local.find(key, version) {
            return Answer::AtHand(entry);
        }
        let wanted = (Arc::from(key), version);
        self.join_or_begin(&wanted, || {
            let (sender, receiver) = oneshot::channel();
            begun.push((wanted.clone(), sender));
            async { receiver.await.unwrap_or_else(|_| internal(BrokenBatch::Ended)) }
        })
    }

    fn join_or_begin<Work>(&self, wanted: &Wanted, work: impl FnOnce() -> Work) -> Answer<T>
    where
        Work: Future<Output = Loaded<Entry<T>>> + Send + 'static,
    {
        let (load, joined) = self.loads.join_or_begin(wanted, |_| true, work);
        if joined {
            self.counters.joined();
        }
        Answer::UnderWay(load)
    }

    async fn load<Work>(
        self: Arc<Self>,
        (key, version): Wanted,
        load: impl FnOnce() -> Work,
    ) -> Loaded<Entry<T>>
    where
        Work: Future<Output = Result<Option<T>, RepositoryError>>,
    {
        // Another load may have ended just before this one began.
        if let Some(entry) = self.local.find(&*key, version) {
            return Loaded::Found(entry, Tier::Memory);
        }
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
    pub(super) async fn load_many<Work>(
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
    pub(super) async fn share(&self, written: &[Written]) {
        if let Some(shared) = &self.shared {
            let values: Vec<_> =
                written.iter().map(|(key, version, json)| (&**key, *version, &**json)).collect();
            shared.put_many(&values).await;
        }
    }

    #[cfg(not(feature = "redis"))]
    #[expect(clippy::unused_async, reason = "with Redis it waits")]
    pub(super) async fn share(&self, _written: &[Written]) {}

    #[cfg(feature = "redis")]
    pub(super) async fn remove(&self, key: &str) {
        self.local.forget(key);
        if let Some(shared) = &self.shared {
            shared.remove(key).await;
        }
    }

    #[cfg(not(feature = "redis"))]
    #[expect(clippy::unused_async, reason = "with Redis it waits")]
    pub(super) async fn remove(&self, key: &str) {
        self.local.forget(key);
    }

    /// Writes to Redis while those who waited for a load go on.
    fn share_later(self: Arc<Self>, written: Vec<Written>) {
        if !written.is_empty() {
            tokio::spawn(async move { self.share(&written).await });
        }
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

/// Why something went wrong, for whoever looks into it.
pub(super) type Cause = Arc<dyn Error + Send + Sync>;
