//! The sliding window: a hard bound on what any stretch of time holds.
//!
//! Permits are counted in slots, as in Figma's limiter of 2017 ("An alternative approach to rate limiting"), which counts
//! a window in sixty parts. Here the slot that has left the window in part still counts in full; so no stretch of the
//! window's length ever holds more than the limit, and the price is that a permit comes back up to a slot late. The
//! weighted counter of two windows, which is more widespread, lets through up to twice the limit when its traffic is not
//! even, and a log of every request takes memory in proportion to the limit.

use std::num::NonZeroU32;

use super::limit::Outcome;

/// The slots of a window that is long enough to have them all.
const SLOTS: u64 = 32;

/// The limit of a window and how it is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlidingWindow {
    limit: NonZeroU32,
    window_ms: u64,
    slot_ms: u64,
    /// How many slots cover the window.
    slots: u64,
}

/// What was taken in each slot that still counts, by the number of the slot since the clock's beginning, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Taken(Vec<(u64, u32)>);

impl SlidingWindow {
    pub(super) const fn new(limit: NonZeroU32, window_ms: u64) -> Self {
        let slot_ms = window_ms.div_ceil(SLOTS);
        Self { limit, window_ms, slot_ms, slots: window_ms.div_ceil(slot_ms) }
    }

    pub(super) const fn limit(&self) -> u32 {
        self.limit.get()
    }

    #[cfg(feature = "redis")]
    pub(super) const fn window_ms(&self) -> u64 {
        self.window_ms
    }

    #[cfg(feature = "redis")]
    pub(super) const fn slot_ms(&self) -> u64 {
        self.slot_ms
    }

    #[cfg(feature = "redis")]
    pub(super) const fn slots(&self) -> u64 {
        self.slots
    }

    pub(super) const fn empty_after_ms(&self) -> u64 {
        (self.slots + 1) * self.slot_ms
    }

    /// Takes `cost` permits if the window has room for as many.
    pub(super) fn take(&self, taken: &mut Taken, now_ms: u64, cost: u32) -> Outcome {
        let slot = now_ms / self.slot_ms;
        taken.forget_before(slot.saturating_sub(self.slots));
        taken.bring_back_to(slot);
        let used = taken.sum();
        let limit = u64::from(self.limit());
        let excess = (used + u64::from(cost)).saturating_sub(limit);
        let allowed = excess == 0;
        if allowed {
            taken.add(slot, cost);
        }
        let left =
            if allowed { limit - used - u64::from(cost) } else { limit.saturating_sub(used) };
        let gone_after_ms = |slot: Option<u64>| {
            slot.map_or(0, |slot| ((slot + self.slots + 1) * self.slot_ms).saturating_sub(now_ms))
        };
        Outcome {
            allowed,
            remaining: u32::try_from(left).unwrap_or(u32::MAX),
            retry_after_ms: gone_after_ms(taken.slot_of_oldest(excess)),
            reset_after_ms: gone_after_ms(taken.0.last().map(|(slot, _)| *slot)),
        }
    }
}

impl Taken {
    fn forget_before(&mut self, first: u64) {
        self.0.retain(|(slot, _)| first <= *slot);
    }

    /// After the clock went back, what lies ahead counts as taken now: it leaves a window later, not whenever the clock
    /// has caught up.
    fn bring_back_to(&mut self, last: u64) {
        let mut ahead = 0;
        self.0.retain(|(slot, count)| {
            let keep = *slot <= last;
            if !keep {
                ahead += count;
            }
            keep
        });
        if 0 < ahead {
            self.add(last, ahead);
        }
    }

    fn add(&mut self, slot: u64, count: u32) {
        match self.0.last_mut() {
            Some((last, sum)) if *last == slot => *sum += count,
            Some(_) | None => self.0.push((slot, count)),
        }
    }

    fn sum(&self) -> u64 {
        self.0.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// The slot with which the oldest `count` permits have left, unless there are none to leave.
    fn slot_of_oldest(&self, count: u64) -> Option<u64> {
        let mut left = 0;
        self.0.iter().find_map(|(slot, taken)| {
            left += u64::from(*taken);
            (0 < count && count <= left).then_some(*slot)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn window(limit: u32, window_ms: u64) -> SlidingWindow {
        SlidingWindow::new(NonZeroU32::new(limit).unwrap(), window_ms)
    }

    #[test]
    fn gives_a_permit_back_within_a_slot_of_the_window() {
        let window = window(2, 3_200);
        let mut taken = Taken::default();
        assert!(window.take(&mut taken, 150, 1).allowed);
        assert!(window.take(&mut taken, 1_000, 1).allowed);

        let refused = window.take(&mut taken, 1_000, 1);
        let early = window.take(&mut taken, 3_399, 1);
        let due = window.take(&mut taken, 3_400, 1);

        assert_eq!((refused.allowed, refused.retry_after_ms), (false, 2_400));
        assert_eq!((refused.remaining, refused.reset_after_ms), (0, 3_300));
        assert!(!early.allowed);
        assert_eq!((due.allowed, due.remaining), (true, 0));
    }

    #[test]
    fn holds_what_lies_ahead_of_a_clock_that_went_back_for_one_window() {
        let window = window(1, 3_200);
        let mut taken = Taken::default();
        window.take(&mut taken, 1_000_000, 1);

        let back = window.take(&mut taken, 5_000, 1);
        let later = window.take(&mut taken, 5_000 + back.retry_after_ms, 1);

        assert_eq!((back.allowed, back.retry_after_ms), (false, 3_300));
        assert!(later.allowed);
    }

    #[test]
    fn keeps_no_more_than_a_window_of_slots() {
        let window = window(u32::MAX, 1_000);
        let mut taken = Taken::default();

        for now in 0..10_000 {
            window.take(&mut taken, now, 1);
        }

        assert!(taken.0.len() <= usize::try_from(SLOTS + 1).unwrap(), "{}", taken.0.len());
    }

    proptest! {
        /// A log of every request, which is exact, is never exceeded; and what it would allow is refused for a slot at most.
        #[test]
        fn never_exceeds_the_limit_and_is_late_by_a_slot_at_most(
            limit in 1_u32..10,
            window_ms in 1_u64..3_000,
            steps in prop::collection::vec((0_u64..300, 1_u32..4), 1..80),
        ) {
            let window = window(limit, window_ms);
            let mut taken = Taken::default();
            let mut log: Vec<(u64, u32)> = Vec::new();
            let within = |log: &[(u64, u32)], since: u64, now: u64| -> u32 {
                log.iter().filter(|(at, _)| now < at + since).map(|(_, cost)| cost).sum()
            };
            let mut now = 0;
            for (wait, cost) in steps {
                now += wait;
                let cost = cost.min(limit);
                let outcome = window.take(&mut taken, now, cost);
                if outcome.allowed {
                    prop_assert!(within(&log, window_ms, now) + cost <= limit);
                    log.push((now, cost));
                } else {
                    prop_assert!(limit < within(&log, window.empty_after_ms(), now) + cost);
                }
            }
            prop_assert!(window.empty_after_ms() <= window_ms + 2 * window_ms.div_ceil(SLOTS));
        }

        /// A refused take succeeds after exactly the time that the refusal named, and not a millisecond earlier.
        #[test]
        fn names_the_first_time_that_succeeds(
            limit in 1_u32..10,
            window_ms in 1_u64..3_000,
            waits in prop::collection::vec(0_u64..300, 1..40),
            cost in 1_u32..10,
        ) {
            let window = window(limit, window_ms);
            let mut taken = Taken::default();
            let mut now = 0;
            for wait in waits {
                now += wait;
                window.take(&mut taken, now, 1);
            }

            let refused = window.take(&mut taken, now, cost.min(limit));
            prop_assume!(!refused.allowed);
            let (mut early, mut due) = (taken.clone(), taken);

            let before = now + refused.retry_after_ms - 1;
            prop_assert!(!window.take(&mut early, before, cost.min(limit)).allowed);
            prop_assert!(window.take(&mut due, before + 1, cost.min(limit)).allowed);
        }
    }
}
