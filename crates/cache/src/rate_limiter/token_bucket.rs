//! The token bucket: bursts up to its capacity, an even rate in the long run.
//!
//! The level counts in parts of a permit small enough that both a permit and what flows in per millisecond are whole
//! numbers of them; with at most 2^53 parts in a full bucket, a script in Redis, which has only doubles, computes the same.

use std::num::NonZeroU32;

use super::limit::Outcome;

/// Whole numbers up to here are exact in a double.
const MAX_EXACT: u64 = 1 << 53;

/// The size of a bucket and how fast it fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenBucket {
    /// In permits.
    capacity: NonZeroU32,
    /// The parts of a permit.
    permit: u64,
    /// The parts that flow in during each millisecond.
    rate: u64,
}

/// How full a bucket was, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Level {
    /// In parts of a permit.
    level: u64,
    at_ms: u64,
}

impl TokenBucket {
    /// `None` if the arithmetic would not be exact.
    pub(super) fn new(capacity: NonZeroU32, refill: NonZeroU32, period_ms: u64) -> Option<Self> {
        let refill = u64::from(refill.get());
        let common = greatest_common_divisor(refill, period_ms);
        let bucket = Self { capacity, permit: period_ms / common, rate: refill / common };
        u64::from(capacity.get())
            .checked_mul(bucket.permit)
            .is_some_and(|full| full <= MAX_EXACT)
            .then_some(bucket)
    }

    pub(super) const fn capacity(&self) -> u32 {
        self.capacity.get()
    }

    #[cfg(feature = "redis")]
    pub(super) const fn permit(&self) -> u64 {
        self.permit
    }

    #[cfg(feature = "redis")]
    pub(super) const fn rate(&self) -> u64 {
        self.rate
    }

    /// The parts in a full bucket.
    pub(super) const fn full(&self) -> u64 {
        self.capacity.get() as u64 * self.permit
    }

    pub(super) const fn full_after_ms(&self) -> u64 {
        self.full().div_ceil(self.rate)
    }

    pub(super) const fn start(&self, now_ms: u64) -> Level {
        Level { level: self.full(), at_ms: now_ms }
    }

    /// Takes `cost` permits if there are as many. After the clock went back, the bucket fills from then on.
    pub(super) fn take(&self, bucket: &mut Level, now_ms: u64, cost: u32) -> Outcome {
        bucket.at_ms = bucket.at_ms.min(now_ms);
        let gained = (now_ms - bucket.at_ms).saturating_mul(self.rate);
        let mut level = bucket.level.saturating_add(gained).min(self.full());
        let needed = u64::from(cost) * self.permit;
        let allowed = needed <= level;
        if allowed {
            level -= needed;
            *bucket = Level { level, at_ms: now_ms };
        }
        Outcome {
            allowed,
            remaining: u32::try_from(level / self.permit).unwrap_or(u32::MAX),
            retry_after_ms: if allowed { 0 } else { (needed - level).div_ceil(self.rate) },
            reset_after_ms: (self.full() - level).div_ceil(self.rate),
        }
    }
}

const fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bucket(capacity: u32, refill: u32, period_ms: u64) -> TokenBucket {
        let of = |number| NonZeroU32::new(number).unwrap();
        TokenBucket::new(of(capacity), of(refill), period_ms).unwrap()
    }

    #[test]
    fn allows_a_burst_and_then_the_rate() {
        let bucket = bucket(3, 2, 1_000);
        let mut level = bucket.start(0);

        let burst: Vec<bool> = (0..4).map(|_| bucket.take(&mut level, 0, 1).allowed).collect();
        let early = bucket.take(&mut level, 499, 1);
        let due = bucket.take(&mut level, 500, 1);

        assert_eq!(burst, [true, true, true, false]);
        assert_eq!((early.allowed, early.retry_after_ms), (false, 1));
        assert_eq!((due.allowed, due.remaining, due.reset_after_ms), (true, 0, 1_500));
    }

    #[test]
    fn gains_nothing_from_a_clock_that_goes_back() {
        let bucket = bucket(1, 1, 1_000);
        let mut level = bucket.start(10_000);
        bucket.take(&mut level, 10_000, 1);

        let back = bucket.take(&mut level, 1, 1);
        let later = bucket.take(&mut level, 1_001, 1);

        assert_eq!((back.allowed, back.retry_after_ms), (false, 1_000));
        assert!(later.allowed);
    }

    proptest! {
        /// Over any stretch of time no more is taken than the capacity and what flows in meanwhile.
        #[test]
        fn keeps_its_bound_over_every_stretch(
            capacity in 1_u32..20,
            refill in 1_u32..20,
            period_ms in 1_u64..2_000,
            steps in prop::collection::vec((0_u64..400, 1_u32..20), 1..60),
        ) {
            let bucket = bucket(capacity, refill, period_ms);
            let mut level = bucket.start(0);
            let mut now = 0;
            let mut taken = Vec::new();
            for (wait, cost) in steps {
                now += wait;
                if cost <= capacity && bucket.take(&mut level, now, cost).allowed {
                    taken.push((now, u64::from(cost)));
                }
            }

            for (first, (from, _)) in taken.iter().enumerate() {
                let mut sum = 0;
                for (to, cost) in &taken[first..] {
                    sum += cost;
                    let allowed = u64::from(capacity) * period_ms + u64::from(refill) * (to - from);
                    prop_assert!(sum * period_ms <= allowed, "{sum} between {from} and {to}");
                }
            }
        }

        /// A refused take succeeds after exactly the time that the refusal named, and not a millisecond earlier.
        #[test]
        fn names_the_first_time_that_succeeds(
            capacity in 1_u32..20,
            refill in 1_u32..20,
            period_ms in 1_u64..2_000,
            cost in 1_u32..20,
            spent in 1_u32..20,
        ) {
            let (cost, spent) = (cost.min(capacity), spent.min(capacity));
            let bucket = bucket(capacity, refill, period_ms);
            let mut level = bucket.start(0);
            bucket.take(&mut level, 0, spent);

            let refused = bucket.take(&mut level, 0, cost);
            prop_assume!(!refused.allowed);
            let (mut early, mut due) = (level, level);

            prop_assert!(!bucket.take(&mut early, refused.retry_after_ms - 1, cost).allowed);
            prop_assert!(bucket.take(&mut due, refused.retry_after_ms, cost).allowed);
        }
    }
}
