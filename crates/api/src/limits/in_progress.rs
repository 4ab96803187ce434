//! A bound on the requests in progress: whoever comes beyond it is sent away at once instead of waiting in a line that only
//! grows.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Instant,
};

/// The requests in progress, and how many were sent away.
#[derive(Debug)]
pub struct InProgress {
    most: usize,
    now: AtomicUsize,
    shed: AtomicU64,
    began: Instant,
    /// When the log was told last, in seconds since the beginning and one more; 0 is never.
    told: AtomicU64,
    untold: AtomicU64,
}

/// A request in progress, until it is dropped.
#[derive(Debug)]
pub struct Permit(Arc<InProgress>);

impl InProgress {
    /// Nothing is in progress yet.
    #[must_use]
    pub fn new(most: NonZeroUsize) -> Self {
        Self {
            most: most.get(),
            now: AtomicUsize::new(0),
            shed: AtomicU64::new(0),
            began: Instant::now(),
            told: AtomicU64::new(0),
            untold: AtomicU64::new(0),
        }
    }

    /// Lets a request in, if there is room.
    #[must_use]
    pub fn enter(self: &Arc<Self>) -> Option<Permit> {
        let entered = self.now.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
            (now < self.most).then(|| now + 1)
        });
        entered.is_ok().then(|| Permit(Arc::clone(self)))
    }

    /// How many there are.
    #[must_use]
    pub fn now(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }

    /// How many there may be.
    #[must_use]
    pub const fn most(&self) -> usize {
        self.most
    }

    /// How many were sent away.
    #[must_use]
    pub fn shed(&self) -> u64 {
        self.shed.load(Ordering::Relaxed)
    }

    /// Counts a request that was sent away. One line a second at most: a line for each would be load as well.
    pub(super) fn note_shed(&self) {
        self.shed.fetch_add(1, Ordering::Relaxed);
        self.untold.fetch_add(1, Ordering::Relaxed);
        let (second, told) =
            (self.began.elapsed().as_secs() + 1, self.told.load(Ordering::Relaxed));
        let is_due = told < second
            && self
                .told
                .compare_exchange(told, second, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if is_due {
            let requests = self.untold.swap(0, Ordering::Relaxed);
            tracing::warn!(
                requests,
                in_progress = self.now(),
                "Requests are sent away: there is too much to do"
            );
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lets_in_as_many_as_there_is_room_for() {
        let requests = Arc::new(InProgress::new(NonZeroUsize::new(2).unwrap()));

        let (first, second) = (requests.enter(), requests.enter());
        let third = requests.enter();
        drop(first);
        let fourth = requests.enter();

        assert!(second.is_some() && third.is_none() && fourth.is_some());
        assert_eq!(requests.now(), 2);
    }
}
