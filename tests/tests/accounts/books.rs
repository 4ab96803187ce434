//! What everybody in a run knows together.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::{ArtistKey, ArtistName};
use tokio::time::{Instant, sleep};

use crate::{
    tally::Tally,
    violation::{Rule, Violation},
};

/// Nobody has to wait any longer for an acknowledgement, whatever breaks meanwhile.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// What everybody in a run knows together.
#[derive(Debug, Default)]
pub(crate) struct Books {
    /// What was acknowledged: added after the answer came.
    acknowledged: Mutex<Tally>,
    /// What was sent: added before it is.
    sent: Mutex<Tally>,
    violations: Mutex<Vec<Violation>>,
    /// Those who may be posted about.
    pub(crate) artists: Mutex<Vec<ArtistName>>,
    pub(crate) removed: Mutex<BTreeSet<ArtistKey>>,
    enough: AtomicBool,
    pub(crate) counts: Counts,
}

/// How often what happened.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) posts: Count,
    pub(crate) acknowledged: Count,
    /// Acknowledged, and sent again on purpose.
    pub(crate) repeated: Count,
    /// Sent again because there was no answer.
    pub(crate) retried: Count,
    /// Retried, and it turned out that the first time had done it.
    pub(crate) done_before: Count,
    pub(crate) given_up: Count,
    pub(crate) refused: Count,
    pub(crate) readings: Count,
    pub(crate) audits: Count,
    pub(crate) audits_without_answer: Count,
    pub(crate) artists_removed: Count,
}

/// How often something happened.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// Once more. Returns how often it happened before.
    pub(crate) fn up(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl fmt::Display for Count {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(formatter)
    }
}

impl Books {
    /// Notes what is about to be sent.
    pub(crate) fn send(&self, tally: &Tally) {
        lock(&self.sent).merge(tally);
    }

    /// Notes what was acknowledged.
    pub(crate) fn acknowledge(&self, tally: &Tally) {
        lock(&self.acknowledged).merge(tally);
        self.counts.acknowledged.up();
    }

    /// What was acknowledged until now.
    pub(crate) fn acknowledged(&self) -> Tally {
        lock(&self.acknowledged).clone()
    }

    /// What was sent until now.
    pub(crate) fn sent(&self) -> Tally {
        lock(&self.sent).clone()
    }

    /// Notes broken promises.
    pub(crate) fn broken(&self, violations: impl IntoIterator<Item = Violation>) {
        lock(&self.violations).extend(violations);
    }

    /// All promises that were broken until now.
    pub(crate) fn violations(&self) -> Vec<Violation> {
        lock(&self.violations).clone()
    }

    /// Whether it is time to finish.
    pub(crate) fn is_enough(&self) -> bool {
        self.enough.load(Ordering::Relaxed)
    }

    /// Lets everybody finish.
    pub(crate) fn finish(&self) {
        self.enough.store(true, Ordering::Relaxed);
    }

    /// Waits until so many more posts were acknowledged, or the run is over.
    pub(crate) async fn advance(&self, posts: u64) {
        let goal = self.counts.acknowledged.get() + posts;
        let began = Instant::now();
        while self.counts.acknowledged.get() < goal && !self.is_enough() {
            if LONGEST_WAIT < began.elapsed() {
                self.broken([Rule::ServiceBehaves.broken("nothing is acknowledged any more")]);
                self.finish();
            }
            sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Takes a lock that nobody holds for long.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
