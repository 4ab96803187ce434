//! Leaves a Redis alone that keeps failing, and finds out when it is back.
//!
//! A circuit breaker as Michael Nygard describes it in "Release It!": closed while all is well; open, letting nothing
//! through, after some failures in a row; after a pause half-open, letting one probe through whose outcome decides.
//! It reads no clock and rolls no dice: both are arguments.

use std::time::{Duration, Instant};

use super::trouble::RedisTrouble;

/// So many failures in a row open it. Before the first success one is enough: nothing says that it ever worked.
const FAILURES: u32 = 5;
/// How long the first pause lasts, at least; each that follows a failed probe is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause, before its jitter.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A pause is longer by up to this share, so that instances do not all probe at once.
const JITTER: f64 = 0.2;

#[derive(Debug)]
pub(super) struct Breaker {
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing has succeeded or failed yet.
    Untried,
    Closed {
        failures: u32,
    },
    Open {
        outage: Outage,
        pause: Duration,
        until: Instant,
    },
    /// A probe is under way.
    HalfOpen {
        outage: Outage,
        pause: Duration,
    },
}

/// Since when Redis has been of no use, and why, as the last probe found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outage {
    pub(super) since: Instant,
    pub(super) why: RedisTrouble,
}

/// Leave to ask Redis something. Exactly one of [`Breaker::succeeded`], [`Breaker::failed`] and [`Breaker::abandoned`]
/// must follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    Ordinary,
    Probe,
}

/// What somebody should hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Redis is left alone from now on.
    Away(RedisTrouble),
    /// It answers again, after so long.
    Back(Duration),
}

impl Breaker {
    pub(super) const fn new() -> Self {
        Self { state: State::Untried }
    }

    /// Leave to ask, unless Redis is better left alone.
    pub(super) fn admit(&mut self, now: Instant) -> Option<Pass> {
        match self.state {
            State::Untried | State::Closed { .. } => Some(Pass::Ordinary),
            State::Open { outage, pause, until } if until <= now => {
                self.state = State::HalfOpen { outage, pause };
                Some(Pass::Probe)
            }
            State::Open { .. } | State::HalfOpen { .. } => None,
        }
    }

    /// What was asked with this leave was answered.
    pub(super) fn succeeded(&mut self, pass: Pass, now: Instant) -> Option<Turn> {
        match (&self.state, pass) {
            (State::Untried | State::Closed { .. }, _) => {
                self.state = State::Closed { failures: 0 };
                None
            }
            (&State::HalfOpen { outage, .. }, Pass::Probe) => {
                self.state = State::Closed { failures: 0 };
                Some(Turn::Back(now.saturating_duration_since(outage.since)))
            }
            // A late answer to a question from before the outage says nothing about now.
            (State::Open { .. } | State::HalfOpen { .. }, _) => None,
        }
    }

    /// What was asked with this leave has no answer. `dice` is a number from 0 to 1.
    pub(super) fn failed(
        &mut self,
        pass: Pass,
        why: RedisTrouble,
        now: Instant,
        dice: f64,
    ) -> Option<Turn> {
        match (&mut self.state, pass) {
            (State::Closed { failures }, _) if *failures + 1 < FAILURES => {
                *failures += 1;
                None
            }
            (State::Untried | State::Closed { .. }, _) => {
                let outage = Outage { since: now, why };
                self.open(outage, FIRST_PAUSE, now, dice);
                Some(Turn::Away(why))
            }
            (&mut State::HalfOpen { outage, pause }, Pass::Probe) => {
                let pause = (pause * 2).min(LONGEST_PAUSE);
                self.open(Outage { why, ..outage }, pause, now, dice);
                None
            }
            (State::Open { .. } | State::HalfOpen { .. }, _) => None,
        }
    }

    /// Whoever had this leave went away before there was an outcome. The next to ask may probe at once.
    pub(super) fn abandoned(&mut self, pass: Pass, now: Instant) {
        if let (&State::HalfOpen { outage, pause }, Pass::Probe) = (&self.state, pass) {
            self.state = State::Open { outage, pause, until: now };
        }
    }

    pub(super) const fn is_untried(&self) -> bool {
        matches!(self.state, State::Untried)
    }

    /// Whether nothing has failed since it last worked.
    pub(super) const fn is_well(&self) -> bool {
        matches!(self.state, State::Closed { failures: 0 })
    }

    pub(super) const fn outage(&self) -> Option<Outage> {
        match self.state {
            State::Untried | State::Closed { .. } => None,
            State::Open { outage, .. } | State::HalfOpen { outage, .. } => Some(outage),
        }
    }

    fn open(&mut self, outage: Outage, pause: Duration, now: Instant, dice: f64) {
        let until = now + pause.mul_f64(1.0 + JITTER * dice.clamp(0.0, 1.0));
        self.state = State::Open { outage, pause, until };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHY: RedisTrouble = RedisTrouble::Unreachable;

    fn after(start: Instant, seconds: f64) -> Instant {
        start + Duration::from_secs_f64(seconds)
    }

    fn working(now: Instant) -> Breaker {
        let mut breaker = Breaker::new();
        let pass = breaker.admit(now).unwrap();
        assert_eq!(breaker.succeeded(pass, now), None);
        breaker
    }

    fn fail(breaker: &mut Breaker, now: Instant) -> Option<Turn> {
        let pass = breaker.admit(now).unwrap();
        breaker.failed(pass, WHY, now, 0.0)
    }

    fn open(now: Instant) -> Breaker {
        let mut breaker = Breaker::new();
        assert_eq!(fail(&mut breaker, now), Some(Turn::Away(WHY)));
        breaker
    }

    #[test]
    fn opens_after_five_failures_in_a_row() {
        let now = Instant::now();
        let mut breaker = working(now);

        let turns: Vec<_> = (0..5).map(|_| fail(&mut breaker, now)).collect();

        assert_eq!(turns, [None, None, None, None, Some(Turn::Away(WHY))]);
        assert_eq!(breaker.admit(now), None);
        assert_eq!(breaker.outage(), Some(Outage { since: now, why: WHY }));
    }

    #[test]
    fn a_success_between_failures_keeps_it_closed() {
        let now = Instant::now();
        let mut breaker = working(now);

        for _ in 0..10 {
            for _ in 0..4 {
                assert_eq!(fail(&mut breaker, now), None);
            }
            let pass = breaker.admit(now).unwrap();
            assert_eq!(breaker.succeeded(pass, now), None);
        }

        assert_eq!(breaker.outage(), None);
    }

    #[test]
    fn is_well_only_while_nothing_has_failed() {
        let now = Instant::now();
        assert!(!Breaker::new().is_well());
        let mut breaker = working(now);
        assert!(breaker.is_well());

        fail(&mut breaker, now);
        assert!(!breaker.is_well());
        assert_eq!(breaker.succeeded(Pass::Ordinary, now), None);
        assert!(breaker.is_well());

        let mut breaker = open(now);
        assert!(!breaker.is_well());
        breaker.admit(after(now, 1.0)).unwrap();
        assert!(!breaker.is_well());
    }

    #[test]
    fn opens_at_once_when_nothing_ever_worked() {
        let now = Instant::now();

        let breaker = open(now);

        assert!(breaker.outage().is_some());
    }

    #[test]
    fn lets_exactly_one_probe_through_after_the_pause() {
        let start = Instant::now();
        let mut breaker = open(start);

        assert_eq!(breaker.admit(after(start, 0.999)), None);
        assert_eq!(breaker.admit(after(start, 1.0)), Some(Pass::Probe));
        assert_eq!(breaker.admit(after(start, 60.0)), None);
        let turn = breaker.succeeded(Pass::Probe, after(start, 60.5));

        assert_eq!(turn, Some(Turn::Back(Duration::from_millis(60_500))));
        assert_eq!(breaker.admit(after(start, 61.0)), Some(Pass::Ordinary));
    }

    #[test]
    fn pauses_double_up_to_ten_seconds() {
        let mut now = Instant::now();
        let mut breaker = open(now);

        for pause in [1.0, 2.0, 4.0, 8.0, 10.0, 10.0] {
            assert_eq!(breaker.admit(after(now, pause - 0.001)), None, "{pause}");
            now = after(now, pause);
            assert_eq!(fail(&mut breaker, now), None);
        }
    }

    #[test]
    fn jitter_lengthens_a_pause_by_a_fifth_at_most() {
        let start = Instant::now();
        let mut breaker = Breaker::new();
        let pass = breaker.admit(start).unwrap();
        breaker.failed(pass, WHY, start, 1.0);

        assert_eq!(breaker.admit(after(start, 1.199)), None);
        assert_eq!(breaker.admit(after(start, 1.2)), Some(Pass::Probe));
    }

    #[test]
    fn an_abandoned_probe_leaves_the_next_one_to_probe() {
        let start = Instant::now();
        let mut breaker = open(start);
        let probe = breaker.admit(after(start, 1.0)).unwrap();

        breaker.abandoned(probe, after(start, 1.5));

        assert_eq!(breaker.admit(after(start, 1.5)), Some(Pass::Probe));
    }

    #[test]
    fn a_failed_probe_tells_the_new_reason_and_keeps_the_beginning() {
        let start = Instant::now();
        let mut breaker = open(start);
        let probe = breaker.admit(after(start, 1.0)).unwrap();

        breaker.failed(probe, RedisTrouble::Loading, after(start, 1.0), 0.0);

        assert_eq!(breaker.outage(), Some(Outage { since: start, why: RedisTrouble::Loading }));
    }

    #[test]
    fn late_outcomes_from_before_the_outage_change_nothing() {
        let start = Instant::now();
        let mut breaker = open(start);

        assert_eq!(breaker.succeeded(Pass::Ordinary, start), None);
        assert_eq!(breaker.admit(start), None);
        assert_eq!(breaker.admit(after(start, 1.0)), Some(Pass::Probe));
        assert_eq!(breaker.succeeded(Pass::Ordinary, after(start, 1.0)), None);
        assert_eq!(breaker.failed(Pass::Ordinary, WHY, after(start, 1.0), 0.0), None);
        breaker.abandoned(Pass::Ordinary, after(start, 1.0));

        assert_eq!(breaker.admit(after(start, 1.0)), None);
    }
}
