//! One load at a time for each key, whoever asks and whoever gives up.

use std::{collections::hash_map::RandomState, hash::Hash, sync::Arc};

use domain::RepositoryError;
use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::{sync::watch, time::Instant};

use crate::freshness::Tier;

/// The loads under way. Each runs in a task of its own, so that it ends even when everybody who waited is gone.
pub(crate) struct Loads<K, V> {
    under_way: Arc<Mutex<HashMap<K, Load<V>, RandomState>>>,
}

/// How a load ended.
pub(crate) enum Loaded<V> {
    /// With a value.
    Found(Arc<V>, Tier),
    /// With the knowledge that there is none.
    Missing,
    /// Without an answer.
    Failed(RepositoryError),
}

impl<V> Clone for Loaded<V> {
    fn clone(&self) -> Self {
        match self {
            Self::Found(value, tier) => Self::Found(Arc::clone(value), *tier),
            Self::Missing => Self::Missing,
            Self::Failed(error) => Self::Failed(error.clone()),
        }
    }
}

/// A load that is under way, or has ended.
pub(crate) struct Load<V> {
    /// When it began: what was committed before is in what it finds.
    pub(crate) began: Instant,
    outcome: watch::Receiver<Option<Loaded<V>>>,
}

impl<V> Clone for Load<V> {
    fn clone(&self) -> Self {
        Self { began: self.began, outcome: self.outcome.clone() }
    }
}

/// The load ended without saying how: it panicked, or its runtime was shut down.
#[derive(Debug, thiserror::Error)]
#[error("a load ended without an answer")]
struct Broken;

impl<V> Load<V> {
    /// Waits until the load has ended.
    pub(crate) async fn outcome(mut self) -> Loaded<V> {
        match self.outcome.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or_else(broken),
            Err(_) => broken(),
        }
    }
}

fn broken<V>() -> Loaded<V> {
    Loaded::Failed(RepositoryError::Internal(Arc::new(Broken)))
}

impl<K, V> Loads<K, V>
where
    K: Hash + Eq + Clone + Send + 'static,
    V: Send + Sync + 'static,
{
    pub(crate) fn new() -> Self {
        Self { under_way: Arc::new(Mutex::new(HashMap::with_hasher(RandomState::new()))) }
    }

    /// Joins the load of this key if one is under way that will do, or begins one. Returns whether it was joined.
    pub(crate) fn join_or_begin<Work>(
        &self,
        key: &K,
        will_do: impl FnOnce(&Load<V>) -> bool,
        work: impl FnOnce() -> Work,
    ) -> (Load<V>, bool)
    where
        Work: Future<Output = Loaded<V>> + Send + 'static,
    {
        let mut under_way = self.under_way.lock();
        if let Some(load) = under_way.get(key)
            && will_do(load)
        {
            return (load.clone(), true);
        }
        let (sender, outcome) = watch::channel(None);
        let load = Load { began: Instant::now(), outcome };
        under_way.insert(key.clone(), load.clone());
        drop(under_way);

        let landing = Landing {
            under_way: Arc::clone(&self.under_way),
            key: key.clone(),
            sender,
            outcome: None,
        };
        let work = work();
        tokio::spawn(async move {
            let mut landing = landing;
            landing.outcome = Some(work.await);
        });
        (load, false)
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.under_way.lock().len()
    }
}

/// Ends a load however its task ends. What it found is kept elsewhere before, so nobody in between loads again.
struct Landing<K: Hash + Eq, V> {
    under_way: Arc<Mutex<HashMap<K, Load<V>, RandomState>>>,
    key: K,
    sender: watch::Sender<Option<Loaded<V>>>,
    outcome: Option<Loaded<V>>,
}

impl<K: Hash + Eq, V> Drop for Landing<K, V> {
    fn drop(&mut self) {
        let mut under_way = self.under_way.lock();
        // A later load may have taken the place.
        if under_way
            .get(&self.key)
            .is_some_and(|load| load.outcome.same_channel(&self.sender.subscribe()))
        {
            under_way.remove(&self.key);
        }
        drop(under_way);
        self.sender.send_replace(Some(self.outcome.take().unwrap_or_else(broken)));
    }
}
