//! What a client may take, and what a limiter decides.

use std::{num::NonZeroU32, time::Duration};

use super::{sliding_window::SlidingWindow, token_bucket::TokenBucket};

/// The longest period of a limit, in milliseconds: 366 days.
const MAX_PERIOD_MS: u64 = 366 * 24 * 60 * 60 * 1000;

/// How much each key may take, valid because it exists. Time counts in whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit(pub(super) Algorithm);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    TokenBucket(TokenBucket),
    SlidingWindow(SlidingWindow),
}

impl RateLimit {
    /// A token bucket: it holds `capacity` permits, starts full, and gains `refill` permits evenly over each `period`.
    ///
    /// A client may take a burst of `capacity` at once and `refill` in each period in the long run; over any time `t` it
    /// takes at most `capacity + refill × t / period`. The arithmetic is exact: no fraction of a permit is lost or won.
    pub fn token_bucket(
        capacity: NonZeroU32,
        refill: NonZeroU32,
        period: Duration,
    ) -> Result<Self, InvalidRateLimit> {
        TokenBucket::new(capacity, refill, milliseconds(period)?)
            .map(|bucket| Self(Algorithm::TokenBucket(bucket)))
            .ok_or(InvalidRateLimit::TooFine)
    }

    /// A sliding window: at most `limit` permits in any stretch of time as long as `window`, wherever it begins.
    ///
    /// That bound is hard. To keep it in little memory, permits are counted in 32 slots of a window (fewer below 32 ms)
    /// and a slot leaves as a whole, so that a permit comes back after at least `window` and at most 1/32 of it (rounded
    /// up to whole milliseconds, twice) later: the limiter errs on the side of refusing, never of allowing.
    pub fn sliding_window(limit: NonZeroU32, window: Duration) -> Result<Self, InvalidRateLimit> {
        Ok(Self(Algorithm::SlidingWindow(SlidingWindow::new(limit, milliseconds(window)?))))
    }

    /// The most permits that a key can take at once.
    #[must_use]
    pub const fn permits(&self) -> u32 {
        match &self.0 {
            Algorithm::TokenBucket(bucket) => bucket.capacity(),
            Algorithm::SlidingWindow(window) => window.limit(),
        }
    }

    /// After this time without a take nothing is left to remember of a key, in milliseconds.
    pub(super) const fn longest_memory_ms(&self) -> u64 {
        match &self.0 {
            Algorithm::TokenBucket(bucket) => bucket.full_after_ms(),
            Algorithm::SlidingWindow(window) => window.empty_after_ms(),
        }
    }
}

fn milliseconds(period: Duration) -> Result<u64, InvalidRateLimit> {
    if !period.subsec_nanos().is_multiple_of(1_000_000) {
        return Err(InvalidRateLimit::NotWholeMilliseconds);
    }
    match u64::try_from(period.as_millis()) {
        Ok(period) if (1..=MAX_PERIOD_MS).contains(&period) => Ok(period),
        Ok(_) | Err(_) => Err(InvalidRateLimit::PeriodOutOfRange),
    }
}

/// Why there is no such [`RateLimit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRateLimit {
    /// The period is zero or longer than 366 days.
    #[error("the period of a rate limit is between 1 ms and 366 days")]
    PeriodOutOfRange,
    /// The period has a fraction of a millisecond.
    #[error("the period of a rate limit is in whole milliseconds")]
    NotWholeMilliseconds,
    /// Capacity times period, in milliseconds and reduced by what refill and period have in common, is beyond 2^53, so
    /// that the bucket could not be filled exactly.
    #[error("the token bucket is too large for so long a period")]
    TooFine,
}

/// What a limiter decided about one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether the permits were taken. Nothing is taken by a refused request.
    pub allowed: bool,
    /// The most permits that the key can have: for `RateLimit-Policy` and `X-RateLimit-Limit`.
    pub limit: u32,
    /// The permits that the key can still take now.
    pub remaining: u32,
    /// When refused: how long to wait for as many permits, if nobody else takes any. For `Retry-After`, where it is rounded
    /// up to seconds.
    pub retry_after: Option<Duration>,
    /// How long until the key has all its permits again, if nobody takes any.
    pub reset_after: Duration,
    /// Who decided.
    pub decided_by: Decider,
}

/// Who made a [`Decision`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decider {
    /// This process alone: it counts its own requests only.
    InProcess,
    /// Redis, for all instances together.
    Shared,
}

/// The outcome of a take, in the units of the algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) allowed: bool,
    pub(super) remaining: u32,
    pub(super) retry_after_ms: u64,
    pub(super) reset_after_ms: u64,
}

impl Outcome {
    pub(super) fn decided(self, limit: &RateLimit, decided_by: Decider) -> Decision {
        let Self { allowed, remaining, retry_after_ms, reset_after_ms } = self;
        Decision {
            allowed,
            limit: limit.permits(),
            remaining,
            retry_after: (!allowed).then_some(Duration::from_millis(retry_after_ms)),
            reset_after: Duration::from_millis(reset_after_ms),
            decided_by,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: NonZeroU32 = NonZeroU32::MIN;

    #[test]
    fn accepts_periods_from_a_millisecond_to_366_days() {
        let (shortest, longest) = (Duration::from_millis(1), Duration::from_millis(MAX_PERIOD_MS));

        for period in [shortest, longest] {
            assert!(RateLimit::sliding_window(ONE, period).is_ok(), "{period:?}");
            assert!(RateLimit::token_bucket(ONE, ONE, period).is_ok(), "{period:?}");
        }
        for period in [Duration::ZERO, longest + shortest, Duration::from_secs(u64::MAX)] {
            let refused = Err(InvalidRateLimit::PeriodOutOfRange);
            assert_eq!(RateLimit::sliding_window(ONE, period), refused, "{period:?}");
            assert_eq!(RateLimit::token_bucket(ONE, ONE, period), refused, "{period:?}");
        }
    }

    #[test]
    fn refuses_fractions_of_a_millisecond() {
        let refused = RateLimit::token_bucket(ONE, ONE, Duration::from_micros(1_500));

        assert_eq!(refused, Err(InvalidRateLimit::NotWholeMilliseconds));
    }

    #[test]
    fn refuses_a_bucket_that_cannot_be_filled_exactly() {
        let days = Duration::from_hours(366 * 24);

        let too_fine = RateLimit::token_bucket(NonZeroU32::MAX, ONE, days);
        let common = RateLimit::token_bucket(NonZeroU32::MAX, ONE, Duration::from_secs(1));

        assert_eq!(too_fine, Err(InvalidRateLimit::TooFine));
        assert!(common.is_ok());
    }
}
