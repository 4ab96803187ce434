//! All keys in memory, and the check of one.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::{
    ApiKey, ApiKeyId, ApiKeys, KeyChange, KeyHash, KeyStanding, KeyText, PublicKeyId, Timestamp,
    Version,
};
use parking_lot::RwLock;
use subtle::ConstantTimeEq;
use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
    time::{Instant, timeout},
};

use super::{
    hasher::KeyHasher,
    keeper::keep,
    uses::{LastUse, write_uses, write_uses_for_ever},
};
use crate::{feed::Feed, freshness::Bounds};

/// How long a check waits for a round when the keys were not confirmed lately,
const PATIENCE: Duration = Duration::from_secs(1);
/// and when the keys cannot open anything without one: a service that has just started has yet to load them, and its first
/// callers are better late than refused.
const LONGER_PATIENCE: Duration = Duration::from_secs(3);

/// What a key is compared with that is not there.
const NOBODYS: KeyHash = KeyHash::new([0; KeyHash::BYTES]);

/// Every API key of a store, kept up to date by a task that ends with the last clone of this.
///
/// The task follows the change feed: when a round of the feed has ended, which is four times a second at least, it asks the
/// store which keys changed. So a key that was revoked anywhere opens nothing here a moment later. A key that this instance
/// changed is entered with [`Self::enter`] before anybody hears of it.
///
/// A check asks nobody unless the keys were not confirmed for longer than [`Bounds::max_staleness`]; then it waits for the
/// next round. While the database cannot be reached, keys open what they did for [`Bounds::max_stale_if_error`], and then
/// nothing.
#[derive(Clone)]
pub struct Keyring {
    shared: Arc<Shared>,
    tasks: Arc<Tasks>,
}

/// What the tasks and the checks share. The tasks do not hold the [`Keyring`], or they would never end.
pub(super) struct Shared {
    pub(super) keys: Arc<dyn ApiKeys>,
    hasher: KeyHasher,
    bounds: Bounds,
    ring: RwLock<Ring>,
    /// Rounds begun.
    pub(super) begun: AtomicU64,
    pub(super) wanted: Notify,
    progress: watch::Receiver<Progress>,
}

/// How far the task is. A *round* asks for changes until there are no more.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    /// The last round that ended, counted from 1.
    pub(super) round: u64,
    /// The last one that succeeded, which may be it.
    pub(super) succeeded: u64,
    /// When the question was sent whose answer completed the keys.
    pub(super) confirmed: Option<Instant>,
}

impl Progress {
    fn is_failing(self) -> bool {
        self.succeeded < self.round
    }

    fn is_confirmed_within(self, age: Duration) -> bool {
        self.confirmed.is_some_and(|at| at.elapsed() <= age)
    }
}

/// The keys.
#[derive(Default)]
struct Ring {
    held: HashMap<PublicKeyId, Arc<Held>>,
    /// Somebody may change by hand what people know a key by.
    public_ids: HashMap<ApiKeyId, PublicKeyId>,
}

/// One key.
struct Held {
    key: Arc<ApiKey>,
    last_use: Arc<LastUse>,
}

struct Tasks([AbortHandle; 2]);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Tasks {
    fn stop(&self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// Why a key opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum KeyRefusal {
    /// There is no such key, or its secret is another one.
    #[error("the key is not known")]
    Unknown,
    /// Its time is over.
    #[error("the key has expired")]
    Expired,
    /// Somebody took it back.
    #[error("the key was revoked")]
    Revoked,
    /// Nobody can tell, because the database did not answer for too long.
    #[error("whether the key is good cannot be told without the database")]
    Unavailable,
}

/// How the keys in memory stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyringStatus {
    /// How many keys there are, good ones and others.
    pub keys: usize,
    /// How long ago they were known to be complete; `None` before they were loaded.
    pub age: Option<Duration>,
    /// Whether the last round failed.
    pub failing: bool,
    /// Whether a check can rely on them at this moment.
    pub reliable: bool,
}

impl Keyring {
    /// Begins to load the keys of a store, and follows its changes.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    #[must_use]
    pub fn start(keys: Arc<dyn ApiKeys>, hasher: KeyHasher, feed: Feed) -> Self {
        let (told, progress) = watch::channel(Progress::default());
        let shared = Arc::new(Shared {
            keys,
            hasher,
            bounds: feed.bounds(),
            ring: RwLock::default(),
            begun: AtomicU64::new(0),
            wanted: Notify::new(),
            progress,
        });
        let keeping = tokio::spawn(keep(Arc::clone(&shared), feed, told));
        let writing = tokio::spawn(write_uses_for_ever(Arc::clone(&shared)));
        let tasks = Arc::new(Tasks([keeping.abort_handle(), writing.abort_handle()]));
        Self { shared, tasks }
    }

    /// Hashes secrets, and makes keys.
    #[must_use]
    pub fn hasher(&self) -> &KeyHasher {
        &self.shared.hasher
    }

    /// Returns the key that is presented, if it is good, and notes that it was used.
    ///
    /// The same work is done for every key, known or not, and hashes are compared in constant time.
    pub async fn check(
        &self,
        presented: &KeyText,
        now: Timestamp,
    ) -> Result<Arc<ApiKey>, KeyRefusal> {
        self.shared.await_reliable().await?;
        self.shared.look(presented, now)
    }

    /// Enters a key that this instance made or changed, so that its next check knows.
    pub fn enter(&self, key: &ApiKey) {
        self.shared.apply([KeyChange::Present(key.clone())]);
    }

    /// When a key was used here that the store has not been told of.
    #[must_use]
    pub fn last_use(&self, key: &PublicKeyId) -> Option<Timestamp> {
        self.shared.ring.read().held.get(key)?.last_use.get()
    }

    /// Whether keys could open anything lately.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.shared.is_usable()
    }

    /// How the keys in memory stand.
    #[must_use]
    pub fn status(&self) -> KeyringStatus {
        let progress = *self.shared.progress.borrow();
        KeyringStatus {
            keys: self.shared.ring.read().held.len(),
            age: progress.confirmed.map(|at| at.elapsed()),
            failing: progress.is_failing(),
            reliable: progress.is_confirmed_within(self.shared.bounds.max_staleness),
        }
    }

    /// Stops following, and tells the store when keys were used. Keys are good for as long as if the database were gone.
    pub async fn close(&self) {
        self.tasks.stop();
        write_uses(&self.shared).await;
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Keyring").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl Shared {
    /// Waits until the keys are as complete as a check needs them.
    async fn await_reliable(&self) -> Result<(), KeyRefusal> {
        let progress = *self.progress.borrow();
        if progress.is_confirmed_within(self.bounds.max_staleness) {
            return Ok(());
        }
        // When the last round failed, the next one may take long to fail too, and nobody waits for it. Before the first
        // success there is nothing to go by, and any round may be the one.
        let (patience, age) = if self.is_usable() {
            (PATIENCE, self.bounds.max_staleness)
        } else {
            (LONGER_PATIENCE, self.usable_age())
        };
        if (!progress.is_failing() || progress.confirmed.is_none())
            && let Ok(true) = timeout(patience, self.confirm(age)).await
        {
            return Ok(());
        }
        if self.is_usable() { Ok(()) } else { Err(KeyRefusal::Unavailable) }
    }

    fn is_usable(&self) -> bool {
        self.progress.borrow().is_confirmed_within(self.usable_age())
    }

    /// How long ago the keys may have been confirmed to open anything while the database cannot be reached.
    fn usable_age(&self) -> Duration {
        self.bounds.max_staleness.max(self.bounds.max_stale_if_error)
    }

    /// Waits for a round that begins after this call, or until the keys were confirmed within this age; tells whether it
    /// succeeded.
    async fn confirm(&self, age: Duration) -> bool {
        let mut progress = self.progress.clone();
        let needed = self.begun.load(Ordering::SeqCst) + 1;
        self.wanted.notify_one();
        loop {
            {
                let progress = *progress.borrow_and_update();
                if needed <= progress.succeeded || progress.is_confirmed_within(age) {
                    return true;
                }
                if needed <= progress.round {
                    return false;
                }
            }
            if progress.changed().await.is_err() {
                return false;
            }
        }
    }

    fn look(&self, presented: &KeyText, now: Timestamp) -> Result<Arc<ApiKey>, KeyRefusal> {
        let hash = self.hasher.hash(presented.secret());
        let held = self.ring.read().held.get(presented.public_id()).cloned();
        let expected = held.as_ref().map_or(&NOBODYS, |held| &held.key.hash);
        let is_same: bool = hash.as_bytes().ct_eq(expected.as_bytes()).into();
        match held.filter(|_| is_same) {
            None => Err(KeyRefusal::Unknown),
            Some(held) => match held.key.standing(now) {
                KeyStanding::Good => {
                    held.last_use.note(now);
                    Ok(Arc::clone(&held.key))
                }
                KeyStanding::Expired => Err(KeyRefusal::Expired),
                KeyStanding::Revoked => Err(KeyRefusal::Revoked),
            },
        }
    }

    /// Enters changes; nothing replaces a later one.
    pub(super) fn apply(&self, changes: impl IntoIterator<Item = KeyChange>) {
        let mut ring = self.ring.write();
        for change in changes {
            match change {
                KeyChange::Present(key) => ring.enter(key),
                KeyChange::Unreadable { version, id } => ring.drop_before(version, id),
            }
        }
    }

    /// Takes what the store has not been told of.
    pub(super) fn take_uses(&self) -> Vec<(ApiKeyId, Timestamp)> {
        let ring = self.ring.read();
        ring.held.values().filter_map(|held| Some((held.key.id, held.last_use.take()?))).collect()
    }

    /// Gives back what the store could not be told.
    pub(super) fn give_back_uses(&self, uses: &[(ApiKeyId, Timestamp)]) {
        let ring = self.ring.read();
        for (id, at) in uses {
            if let Some(held) = ring.find(*id) {
                held.last_use.note(*at);
            }
        }
    }
}

impl Ring {
    fn find(&self, id: ApiKeyId) -> Option<&Arc<Held>> {
        // Others may have taken, by hand, what it was known by.
        self.held.get(self.public_ids.get(&id)?).filter(|held| held.key.id == id)
    }

    fn enter(&mut self, key: ApiKey) {
        let before = self.find(key.id);
        if before.is_some_and(|before| key.version <= before.key.version) {
            return;
        }
        let last_use = before.map(|before| Arc::clone(&before.last_use)).unwrap_or_default();
        self.drop_before(key.version, key.id);
        self.public_ids.insert(key.id, key.public_id.clone());
        let public_id = key.public_id.clone();
        self.held.insert(public_id, Arc::new(Held { key: Arc::new(key), last_use }));
    }

    /// Drops a key as it was before this version.
    fn drop_before(&mut self, version: Version, id: ApiKeyId) {
        if self.find(id).is_some_and(|held| held.key.version < version)
            && let Some(public_id) = self.public_ids.remove(&id)
        {
            self.held.remove(&public_id);
        }
    }
}
