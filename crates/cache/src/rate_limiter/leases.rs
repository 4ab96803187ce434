//! Permits taken from Redis several at a time, so that not every request waits for it.

use std::{
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use moka::{policy::EvictionPolicy, sync::Cache};
use tokio::sync::Mutex;

use super::{Decision, InvalidTake, MAX_KEYS, RateLimit, RateLimiter, RateLimiterStatistics};

/// The largest part of a limit that is taken at once: one hundredth.
const PART: u32 = 100;

/// No more permits are taken at once, however large the limit.
const MOST: u32 = 64;

/// A [`RateLimiter`] for every request: most of them are decided in memory, with Redis too.
///
/// What a client takes is taken from Redis one permit at a time at first, then two, four and so on while it goes on, up to a
/// hundredth of the limit and at most 64; what is not needed yet is kept for the client's next requests here. A refusal
/// is remembered for as long as it says, because no permit comes back earlier.
///
/// All instances together never allow more than was taken from Redis. Permits may be used later than they were taken, so
/// in any stretch of time each instance may allow one such batch, a hundredth of the limit, beyond it. Permits that are kept
/// and not used in time are lost to the client: it errs on the side of refusing by as much.
///
/// Without a Redis nothing is taken in advance, and each decision is that of the [`RateLimiter`].
pub struct LeasingRateLimiter {
    limiter: RateLimiter,
    kept: Option<Cache<String, Arc<Mutex<Lease>>>>,
    most: u32,
}

/// What is kept for a client.
#[derive(Default)]
struct Lease {
    permits: u32,
    taken: u32,
    told: Option<(Instant, Decision)>,
}

impl LeasingRateLimiter {
    /// Decides by this limiter, whose limit this is.
    #[must_use]
    pub fn new(limiter: RateLimiter, limit: &RateLimit) -> Self {
        let memory = Duration::from_millis(limit.longest_memory_ms()).max(Duration::from_secs(1));
        let kept = limiter.is_shared().then(|| {
            Cache::builder()
                .max_capacity(MAX_KEYS)
                .eviction_policy(EvictionPolicy::lru())
                .time_to_idle(memory)
                .build()
        });
        Self { limiter, kept, most: (limit.permits() / PART).clamp(1, MOST) }
    }

    /// Takes one permit for this key. It never fails because Redis does.
    pub async fn take(&self, key: &str) -> Result<Decision, InvalidTake> {
        let Some(kept) = &self.kept else { return self.limiter.take(key).await };
        let lease = kept.get_with_by_ref(key, Arc::default);
        // One asks Redis for this key, and the others find what it got.
        let mut lease = lease.lock().await;
        if let Some(decision) = lease.decide(Instant::now()) {
            return Ok(decision);
        }
        let wanted = lease.taken.saturating_mul(2).clamp(1, self.most);
        let mut taken = wanted;
        let mut decision = self.limiter.take_many(key, count(taken)).await?;
        if !decision.allowed && 1 < wanted {
            taken = decision.remaining.clamp(1, wanted);
            decision = self.limiter.take_many(key, count(taken)).await?;
        }
        lease.taken = if decision.allowed { taken } else { 0 };
        lease.permits = if decision.allowed { taken - 1 } else { 0 };
        decision.remaining = decision.remaining.saturating_add(lease.permits);
        lease.told = Some((Instant::now(), decision));
        Ok(decision)
    }

    /// What was decided by asking: with Redis far less often than requests come.
    #[must_use]
    pub fn statistics(&self) -> RateLimiterStatistics {
        self.limiter.statistics()
    }
}

impl Lease {
    /// What is known without asking.
    fn decide(&mut self, now: Instant) -> Option<Decision> {
        let (at, told) = self.told?;
        let passed = now.saturating_duration_since(at);
        let reset_after = told.reset_after.saturating_sub(passed);
        if let Some(wait) = told.retry_after {
            let left = wait.checked_sub(passed).filter(|left| !left.is_zero())?;
            return Some(Decision { retry_after: Some(left), reset_after, ..told });
        }
        // By then the key has all its permits again: these would come on top.
        if reset_after.is_zero() {
            *self = Self::default();
            return None;
        }
        self.permits = self.permits.checked_sub(1)?;
        let decision = Decision { remaining: told.remaining.saturating_sub(1), ..told };
        self.told = Some((at, decision));
        Some(Decision { reset_after, ..decision })
    }
}

fn count(permits: u32) -> NonZeroU32 {
    NonZeroU32::new(permits).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Decider;

    fn told(remaining: u32, retry_after: Option<Duration>) -> Decision {
        Decision {
            allowed: retry_after.is_none(),
            limit: 100,
            remaining,
            retry_after,
            reset_after: Duration::from_secs(10),
            decided_by: Decider::Shared,
        }
    }

    #[test]
    fn what_was_taken_in_advance_is_handed_out_once() {
        let now = Instant::now();
        let mut lease = Lease { permits: 2, taken: 3, told: Some((now, told(50, None))) };

        let decided: Vec<_> = (0..3).map(|_| lease.decide(now)).collect();

        let left = |decision: &Option<Decision>| decision.map(|decision| decision.remaining);
        assert_eq!(decided.iter().map(left).collect::<Vec<_>>(), [Some(49), Some(48), None]);
        assert_eq!(lease.taken, 3, "the next batch is larger");
    }

    #[test]
    fn a_refusal_stands_for_as_long_as_it_says() {
        let now = Instant::now();
        let wait = Duration::from_secs(2);
        let mut lease = Lease { permits: 0, taken: 0, told: Some((now, told(0, Some(wait)))) };

        let soon = lease.decide(now + Duration::from_millis(500));
        let later = lease.decide(now + wait);

        let soon = soon.unwrap();
        assert!(!soon.allowed);
        assert_eq!(soon.retry_after, Some(Duration::from_millis(1_500)));
        assert_eq!(later, None, "then it has to be asked again");
    }

    #[test]
    fn permits_that_would_come_on_top_of_a_full_key_are_dropped() {
        let now = Instant::now();
        let mut lease = Lease { permits: 9, taken: 10, told: Some((now, told(50, None))) };

        assert_eq!(lease.decide(now + Duration::from_secs(10)), None);
        assert_eq!((lease.permits, lease.taken), (0, 0));
    }
}
