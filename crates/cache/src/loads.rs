//! One load at a time for each key, whoever asks and whoever gives up.

mod running;

use std::{
    any::Any,
    hash::Hash,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use domain::RepositoryError;
use futures::FutureExt;
use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::{runtime::Handle, time::Instant};

use self::running::{Running, Work};
use crate::freshness::Tier;

/// The loads under way.
///
/// A load runs in the tasks of those who wait for it, whichever is polled. When one of them gives up before the end, a
/// task of its own goes on with the load.
pub(crate) struct Loads<K, V> {
    under_way: Arc<UnderWay<K, V>>,
}

struct UnderWay<K, V> {
    loads: Mutex<HashMap<K, Listed<V>>>,
    begun: AtomicU64,
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

/// A load on the list.
struct Listed<V> {
    began: Instant,
    number: u64,
    work: Arc<Work<Loaded<V>>>,
}

/// A load that is under way, or has ended, and somebody who wants to know. When this is dropped before the end, a task
/// goes on with the load.
pub(crate) struct Load<V: Send + Sync + 'static> {
    /// When it began: what was committed before is in what it finds.
    pub(crate) began: Instant,
    /// Nothing once it has ended.
    running: Option<Running<Loaded<V>>>,
}

impl<V: Send + Sync + 'static> Load<V> {
    /// Waits until the load has ended.
    pub(crate) async fn outcome(mut self) -> Loaded<V> {
        let Some(running) = self.running.as_mut() else {
            return Loaded::Failed(RepositoryError::Internal(Arc::new(Ended)));
        };
        let outcome = running.await;
        self.running = None;
        outcome
    }
}

impl<V: Send + Sync + 'static> Drop for Load<V> {
    fn drop(&mut self) {
        // Outside of a runtime, at its end, there is nobody left to go on for.
        if let Some(running) = self.running.take()
            && !running.is_over()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(running);
        }
    }
}

/// The outcome was taken before.
#[derive(Debug, thiserror::Error)]
#[error("a load ended before")]
struct Ended;

/// The load panicked.
#[derive(Debug, thiserror::Error)]
#[error("a load panicked: {0}")]
struct Panicked(String);

impl Panicked {
    fn of(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        Self(text.or_else(|| panic.downcast_ref().cloned()).unwrap_or_default())
    }
}

impl<K, V> Loads<K, V>
where
    K: Hash + Eq + Clone + Send + 'static,
    V: Send + Sync + 'static,
{
    pub(crate) fn new() -> Self {
        let loads = Mutex::new(HashMap::new());
        Self { under_way: Arc::new(UnderWay { loads, begun: AtomicU64::new(0) }) }
    }

    /// Joins the load of this key if one is under way that began at a time that will do, or begins one. Returns whether
    /// it was joined.
    pub(crate) fn join_or_begin<Loading>(
        &self,
        key: &K,
        will_do: impl FnOnce(Instant) -> bool,
        load: impl FnOnce() -> Loading,
    ) -> (Load<V>, bool)
    where
        Loading: Future<Output = Loaded<V>> + Send + 'static,
    {
        let mut loads = self.under_way.loads.lock();
        if let Some(listed) = loads.get(key)
            && will_do(listed.began)
        {
            let running = Some(listed.work.join());
            return (Load { began: listed.began, running }, true);
        }
        let number = self.under_way.begun.fetch_add(1, Ordering::Relaxed);
        let landing =
            Landing { under_way: Arc::downgrade(&self.under_way), key: key.clone(), number };
        let began = Instant::now();
        let loading = AssertUnwindSafe(load()).catch_unwind();
        let work = Work::new(async move {
            // What was found is kept elsewhere before this is dropped, so nobody in between loads again.
            let _landing = landing;
            loading.await.unwrap_or_else(|panic| {
                Loaded::Failed(RepositoryError::Internal(Arc::new(Panicked::of(&*panic))))
            })
        });
        let running = Some(work.join());
        let replaced = loads.insert(key.clone(), Listed { began, number, work });
        drop(loads);
        // Perhaps the last to hold it, whose end takes the same lock.
        drop(replaced);
        (Load { began, running }, false)
    }
}

/// Takes a load off the list, however it ends.
struct Landing<K: Hash + Eq + Clone, V> {
    under_way: Weak<UnderWay<K, V>>,
    key: K,
    number: u64,
}

impl<K: Hash + Eq + Clone, V> Drop for Landing<K, V> {
    fn drop(&mut self) {
        let Some(under_way) = self.under_way.upgrade() else { return };
        let mut loads = under_way.loads.lock();
        let mut removed = loads.remove(&self.key);
        // A later load may have taken the place, and keeps it.
        if let Some(later) = removed.take_if(|load| load.number != self.number) {
            loads.insert(self.key.clone(), later);
        }
        drop(loads);
        drop(removed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_load_that_ends_leaves_a_later_one_on_the_list() {
        let loads = Loads::<u8, u8>::new();
        let begin = |will_do| {
            let (sender, receiver) = oneshot::channel();
            let loading = || async {
                receiver
                    .await
                    .map_or(Loaded::Missing, |found| Loaded::Found(Arc::new(found), Tier::Database))
            };
            let (load, joined) = loads.join_or_begin(&1, |_| will_do, loading);
            (load, joined, sender)
        };
        let (first, _, first_sender) = begin(true);
        let (second, joined, second_sender) = begin(false);
        assert!(!joined);

        first_sender.send(7).unwrap();
        assert!(matches!(first.outcome().await, Loaded::Found(found, _) if *found == 7));

        let (third, joined, _) = begin(true);
        assert!(joined);
        second_sender.send(8).unwrap();
        for load in [second, third] {
            assert!(matches!(load.outcome().await, Loaded::Found(found, _) if *found == 8));
        }
        assert!(!begin(true).1);
    }
}
