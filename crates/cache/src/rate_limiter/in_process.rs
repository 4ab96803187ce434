//! The limiter of one process.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use moka::{
    policy::EvictionPolicy,
    sync::{Cache, CacheBuilder},
};
use parking_lot::Mutex;

use super::{
    limit::{Algorithm, Decider, Decision, RateLimit},
    sliding_window::{SlidingWindow, Taken},
    token_bucket::{Level, TokenBucket},
};

/// What is remembered of each key, on a clock that never goes back.
pub(super) struct InProcess {
    limit: RateLimit,
    states: States,
    epoch: Instant,
}

type Kept<State> = Cache<String, Arc<Mutex<State>>>;

enum States {
    TokenBucket(TokenBucket, Kept<Level>),
    SlidingWindow(SlidingWindow, Kept<Taken>),
}

impl InProcess {
    pub(super) fn new(limit: RateLimit, max_keys: u64) -> Self {
        Self {
            limit,
            states: match limit.0 {
                Algorithm::TokenBucket(bucket) => {
                    States::TokenBucket(bucket, kept(&limit, max_keys))
                }
                Algorithm::SlidingWindow(window) => {
                    States::SlidingWindow(window, kept(&limit, max_keys))
                }
            },
            epoch: Instant::now(),
        }
    }

    pub(super) fn take(&self, key: &str, cost: u32) -> Decision {
        let outcome = match &self.states {
            States::TokenBucket(bucket, levels) => {
                let level = levels
                    .get_with_by_ref(key, || Arc::new(Mutex::new(bucket.start(self.now_ms()))));
                let mut level = level.lock();
                // The time is read under the lock, so that it is never behind what is kept.
                bucket.take(&mut level, self.now_ms(), cost)
            }
            States::SlidingWindow(window, windows) => {
                let taken = windows.get_with_by_ref(key, Arc::default);
                let mut taken = taken.lock();
                window.take(&mut taken, self.now_ms(), cost)
            }
        };
        outcome.decided(&self.limit, Decider::InProcess)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// How many keys are remembered, after those that are due have been dropped.
    #[cfg(test)]
    fn keys(&self) -> u64 {
        match &self.states {
            States::TokenBucket(_, levels) => {
                levels.run_pending_tasks();
                levels.entry_count()
            }
            States::SlidingWindow(_, windows) => {
                windows.run_pending_tasks();
                windows.entry_count()
            }
        }
    }
}

/// Keys that were not used for so long that nothing is left to remember are dropped; beyond `max_keys`, the one that was
/// not used for longest.
fn kept<State: Send + Sync + 'static>(limit: &RateLimit, max_keys: u64) -> Kept<State> {
    // The margin keeps a key a little too long rather than too short: its clock is another one.
    let idle = Duration::from_millis(limit.longest_memory_ms()) + Duration::from_millis(100);
    CacheBuilder::new(max_keys).eviction_policy(EvictionPolicy::lru()).time_to_idle(idle).build()
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, thread};

    use super::*;

    fn per(limit: u32, period: Duration) -> [RateLimit; 2] {
        let limit = NonZeroU32::new(limit).unwrap();
        [
            RateLimit::token_bucket(limit, limit, period).unwrap(),
            RateLimit::sliding_window(limit, period).unwrap(),
        ]
    }

    /// Waits until the condition holds.
    fn until(what: &str, condition: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !condition() {
            assert!(Instant::now() < deadline, "{what} did not happen in time");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn counts_each_key_apart() {
        for limit in per(1, Duration::from_hours(1)) {
            let limiter = InProcess::new(limit, 10);

            assert!(limiter.take("a", 1).allowed, "{limit:?}");
            assert!(!limiter.take("a", 1).allowed, "{limit:?}");
            assert!(limiter.take("b", 1).allowed, "{limit:?}");
        }
    }

    #[test]
    fn drops_keys_that_are_idle() {
        for limit in per(5, Duration::from_millis(50)) {
            let limiter = InProcess::new(limit, 1_000);
            for key in 0..100 {
                limiter.take(&format!("client {key}"), 1);
            }

            until("the end of idle keys", || limiter.keys() == 0);
        }
    }

    #[test]
    fn forgets_the_key_that_was_not_used_for_longest_when_there_are_too_many() {
        for limit in per(1, Duration::from_hours(1)) {
            let limiter = InProcess::new(limit, 100);
            for key in 0..1_000 {
                limiter.take(&format!("client {key}"), 1);
                limiter.take("busy", 1);
                limiter.keys();
            }

            assert!(limiter.keys() <= 100, "{limit:?}");
            assert!(!limiter.take("busy", 1).allowed, "{limit:?}");
            assert!(limiter.take("client 0", 1).allowed, "{limit:?}");
        }
    }

    #[test]
    fn allows_no_more_than_the_limit_to_many_threads() {
        for limit in per(100, Duration::from_hours(1)) {
            let limiter = InProcess::new(limit, 10);

            let allowed: usize = thread::scope(|scope| {
                let takers: Vec<_> = (0..8)
                    .map(|_| {
                        scope.spawn(|| (0..50).filter(|_| limiter.take("k", 1).allowed).count())
                    })
                    .collect();
                takers.into_iter().map(|taker| taker.join().unwrap()).sum()
            });

            assert_eq!(allowed, 100, "{limit:?}");
        }
    }
}
