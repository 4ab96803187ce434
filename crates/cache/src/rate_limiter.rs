//! How often each client may do something.

mod in_process;
mod leases;
mod limit;
#[cfg(feature = "redis")]
mod shared;
mod sliding_window;
mod token_bucket;

use std::{
    num::{NonZeroU32, NonZeroU64},
    sync::atomic::{AtomicU64, Ordering},
};

pub use leases::LeasingRateLimiter;
pub use limit::{Decider, Decision, InvalidRateLimit, RateLimit};

use self::in_process::InProcess;
#[cfg(feature = "redis")]
use self::shared::Shared;
use crate::key::{self, InvalidKey};
#[cfg(feature = "redis")]
use crate::{key::Namespace, redis::Redis};

/// The keys that a process remembers unless told otherwise.
const MAX_KEYS: u64 = 100_000;

/// Limits what each key, for example an account or an address, may take.
///
/// **Shared.** With a Redis, each take is one atomic script there, on Redis' clock: all instances together allow each key
/// no more than the limit, whatever their own clocks say. A take whose answer was lost may have been counted, so the
/// shared limiter errs on the side of refusing. Keys vanish from Redis once there is nothing left to remember. Under
/// `maxmemory` with an eviction policy, a key that is evicted starts again with all its permits. Limiters of one namespace
/// that are given different limits count apart, so a change of the limit starts anew.
///
/// **In process.** Without a Redis, and while it is away, this process decides with the same algorithm on its own monotonic
/// clock. Then each of `n` instances allows the limit for itself, `n` times the limit in all; [`Self::with_fallback`]
/// sets a smaller one for that time. What one side counted the other does not know: when Redis goes or returns, a key
/// may take its limit once more. The return needs no help.
///
/// In process at most 100,000 keys are remembered ([`Self::with_max_keys`]), each in about 250 bytes (up to 700 bytes for
/// a window of many slots) and the key itself. Idle keys are dropped. Beyond that number the key that was not used for
/// longest is forgotten and starts again with all its permits.
///
/// A key stands in Redis as it is given; hash it before if it is a secret.
pub struct RateLimiter {
    limit: RateLimit,
    #[cfg(feature = "redis")]
    shared: Option<Shared>,
    fallback: RateLimit,
    max_keys: u64,
    in_process: InProcess,
    counts: Counts,
}

impl RateLimiter {
    /// A limiter for this process alone.
    #[must_use]
    pub fn in_process(limit: RateLimit) -> Self {
        Self {
            limit,
            #[cfg(feature = "redis")]
            shared: None,
            fallback: limit,
            max_keys: MAX_KEYS,
            in_process: InProcess::new(limit, MAX_KEYS),
            counts: Counts::default(),
        }
    }

    /// A limiter for all instances that name the same Redis, namespace and limit.
    #[cfg(feature = "redis")]
    #[must_use]
    pub fn shared(redis: Redis, namespace: &Namespace, limit: RateLimit) -> Self {
        let shared = Shared::new(redis, namespace, limit);
        Self { shared: Some(shared), ..Self::in_process(limit) }
    }

    /// Applies another limit when this process decides alone.
    #[must_use]
    pub fn with_fallback(self, fallback: RateLimit) -> Self {
        let in_process = InProcess::new(fallback, self.max_keys);
        Self { fallback, in_process, ..self }
    }

    /// Remembers at most so many keys in process.
    #[must_use]
    pub fn with_max_keys(self, max_keys: NonZeroU64) -> Self {
        let max_keys = max_keys.get();
        let in_process = InProcess::new(self.fallback, max_keys);
        Self { max_keys, in_process, ..self }
    }

    /// Takes one permit for this key.
    pub async fn take(&self, key: &str) -> Result<Decision, InvalidTake> {
        self.take_many(key, NonZeroU32::MIN).await
    }

    /// Takes this many permits for this key, all or none.
    ///
    /// It waits for Redis no longer than its budget, and does not fail when Redis does. When this process decides alone
    /// under a smaller limit, more permits than that are taken as all of them.
    pub async fn take_many(&self, key: &str, permits: NonZeroU32) -> Result<Decision, InvalidTake> {
        let (key, permits, limit) = (key::checked(key)?, permits.get(), self.limit.permits());
        if limit < permits {
            return Err(InvalidTake::BeyondLimit { permits, limit });
        }
        let decision = self.decide(key, permits).await;
        self.counts.note(&decision);
        Ok(decision)
    }

    #[cfg(feature = "redis")]
    async fn decide(&self, key: &str, permits: u32) -> Decision {
        let Some(shared) = &self.shared else { return self.decide_alone(key, permits) };
        if let Ok(decision) = shared.take(key, permits).await {
            return decision;
        }
        // The client has said so already, once and not for each request.
        self.counts.fallbacks.fetch_add(1, Ordering::Relaxed);
        self.decide_alone(key, permits)
    }

    #[cfg(not(feature = "redis"))]
    #[expect(clippy::unused_async, reason = "with Redis it waits")]
    async fn decide(&self, key: &str, permits: u32) -> Decision {
        self.decide_alone(key, permits)
    }

    fn decide_alone(&self, key: &str, permits: u32) -> Decision {
        self.in_process.take(key, permits.min(self.fallback.permits()))
    }

    /// Whether other instances are asked.
    #[cfg(feature = "redis")]
    const fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    #[cfg(not(feature = "redis"))]
    #[expect(clippy::unused_self, reason = "with Redis it depends")]
    const fn is_shared(&self) -> bool {
        false
    }

    /// What this limiter decided so far.
    #[must_use]
    pub fn statistics(&self) -> RateLimiterStatistics {
        let Counts { allowed, refused, fallbacks } = &self.counts;
        RateLimiterStatistics {
            allowed: allowed.load(Ordering::Relaxed),
            refused: refused.load(Ordering::Relaxed),
            fallbacks: fallbacks.load(Ordering::Relaxed),
        }
    }
}

/// Why nothing could be decided. Exhaustive on purpose: callers decide by variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTake {
    /// The key is none.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// More permits than the limit can never be taken at once.
    #[error("at most {limit} permits can be taken at once, not {permits}")]
    BeyondLimit {
        /// The permits asked for.
        permits: u32,
        /// The most there can be.
        limit: u32,
    },
}

/// What a limiter decided since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RateLimiterStatistics {
    /// Requests that were allowed.
    pub allowed: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// Decisions, among the ones above, that this process made alone because Redis was away.
    pub fallbacks: u64,
}

#[derive(Default)]
struct Counts {
    allowed: AtomicU64,
    refused: AtomicU64,
    fallbacks: AtomicU64,
}

impl Counts {
    fn note(&self, decision: &Decision) {
        let count = if decision.allowed { &self.allowed } else { &self.refused };
        count.fetch_add(1, Ordering::Relaxed);
    }
}
