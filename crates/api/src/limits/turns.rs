//! How late a thread runs: a bound on the line of requests in front of it, which nothing else can see.
//!
//! What is answered from memory never waits for anything, so under more than a thread can do its requests are not in
//! progress: they lie in socket buffers. How long they lie there is the length of a turn, in which the thread serves all
//! that was ready when the turn began; a task that is made in one turn is run in the next, which measures it.
//!
//! The rule is that of `CoDel` (RFC 8289), as it is used for requests ("Fail at Scale", ACM Queue 13/8): turns that are long
//! for a moment are a burst, which a line is good for; turns that are long without a break for [`INTERVAL`] are a line that
//! stands. Then each turn has [`BUDGET`] for whoever it lets in, and the rest of its requests are sent away, which takes a
//! fraction of the time. So a turn lets somebody in however many ask, and takes little longer than its budget.
//!
//! Whether the line would still stand without that cannot be seen meanwhile, so it is tried now and then.

use std::{
    cell::Cell,
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use actix_web::rt;

/// A line of that length is good for nothing if it stays. Twice the RFC's figure, for what a turn does beside answering.
const TARGET: Duration = Duration::from_millis(10);

/// So many in one turn may be all there are: as many as share a database, on the same machine perhaps, where it wants the
/// processor too. Each of them waits for the others and then asks again, which is no overload before it takes so long.
const FEW: u32 = 100;
const TARGET_OF_FEW: Duration = Duration::from_millis(50);

/// Between turns further apart than this nobody waited.
const GAP: Duration = Duration::from_millis(20);

/// How long it has to stay: the RFC's figure for few, and half of that for many, of whom each that is let in meanwhile waits
/// as long.
const INTERVAL: Duration = Duration::from_millis(50);
const INTERVAL_OF_FEW: Duration = Duration::from_millis(100);

/// For how long a turn lets requests in at most while a line stands. An answer that waits for the database takes several
/// turns, so it is shorter than what is bearable once.
const BUDGET: Duration = Duration::from_micros(500);

/// How long a turn should take at most then. What was let in goes on computing on other threads, for the database perhaps, and
/// takes from this one what it needs to send the others away; so a turn that took longer halves the budget of the next, and
/// another one returns a bit of it. The first request of a turn is let in whatever is left.
const SHORT: Duration = Duration::from_millis(1);
const RETURNED: Duration = Duration::from_micros(20);

/// How long the thread leaves the processor to others after each turn then; Linux makes half as much again of it.
const REST: Duration = Duration::from_micros(100);

/// After how long it is tried whether the line would still stand: for [`INTERVAL_OF_FEW`] a turn may let in whoever it wants
/// for as long as it is not long, and if that is enough for everybody, the line is gone. A machine that paused leaves a line
/// that is gone as soon as it is tried, so this is soon; under overload that lasts, those who are let in by a try wait long,
/// so it is [`LATER`] times as long the next time, also when the line is gone for less than that.
const FIRST_PERIOD: Duration = Duration::from_secs(2);
const LATER: u32 = 4;
const LONGEST_PERIOD: Duration = Duration::from_secs(32);

/// The turns of one thread.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// When the turn under way began, if somebody asked something in it.
    began: Cell<Option<Instant>>,
    ended: Cell<Option<Instant>>,
    /// How many asked something in it.
    asked: Cell<u32>,
    /// Since when every turn was long.
    long_since: Cell<Option<Instant>>,
    /// Until when the line in front of the thread counts as standing.
    stands_until: Cell<Option<Instant>>,
    /// How long the time is before it is tried.
    period: Cell<Duration>,
    /// What is left of the budget while it does.
    budget: Cell<Duration>,
}

impl Turns {
    /// Whether there is time for another request in this turn.
    pub(super) fn has_time(self: &Rc<Self>) -> bool {
        let now = Instant::now();
        if self.began.get().is_none() {
            self.begin(now);
            let turns = Rc::clone(self);
            drop(rt::spawn(async move { turns.pass() }));
        }
        self.has_time_at(now)
    }

    fn begin(&self, now: Instant) {
        if self.ended.get().is_some_and(|ended| GAP < now.duration_since(ended)) {
            self.long_since.set(None);
        }
        self.began.set(Some(now));
        self.asked.set(0);
    }

    fn has_time_at(&self, now: Instant) -> bool {
        self.asked.set(self.asked.get().saturating_add(1));
        let began = self.began.get().unwrap_or(now);
        if !self.is_standing(now) && self.long_since.get().is_some() {
            self.judge(began, now);
        }
        let Some(until) = self.stands_until.get().filter(|until| now < *until) else { return true };
        let is_trying = until.duration_since(now) <= INTERVAL_OF_FEW;
        let has_time =
            now.duration_since(began) <= if is_trying { self.target() } else { self.budget.get() };
        if is_trying && !has_time {
            self.stand(now);
        }
        has_time
    }

    /// Takes the line for one that stands, if every turn has been long for an interval and so is this one already.
    fn judge(&self, began: Instant, now: Instant) {
        if !self.is_long(began, now) {
            return;
        }
        let Some(since) = self.long_since.get() else {
            // However long it was: one turn alone is a burst, or a machine that paused.
            self.long_since.set(Some(began));
            return;
        };
        if self.interval() <= now.duration_since(since) {
            self.long_since.set(None);
            self.stand(now);
            self.budget.set(BUDGET);
        }
    }

    fn stand(&self, now: Instant) {
        let period = self.period.get();
        // Overload may show only after a try, when what was let in comes back from the database.
        let stands_on = self.stands_until.get().is_some_and(|until| now < until + period);
        let period = if stands_on { (period * LATER).min(LONGEST_PERIOD) } else { FIRST_PERIOD };
        self.period.set(period);
        self.stands_until.set(Some(now + period));
    }

    /// Whether this turn is too long already. One who asks for much is no line.
    fn is_long(&self, began: Instant, now: Instant) -> bool {
        self.target() < now.duration_since(began) && 1 < self.asked.get()
    }

    /// How long this turn may take.
    fn target(&self) -> Duration {
        if self.asked.get() <= FEW { TARGET_OF_FEW } else { TARGET }
    }

    /// For how long turns may take longer.
    fn interval(&self) -> Duration {
        if self.asked.get() <= FEW { INTERVAL_OF_FEW } else { INTERVAL }
    }

    /// Ends the turn under way. A thread in front of which a line stands would never be idle, and those who share its
    /// processor, such as the threads of an embedded database and those of the system that write to the disk, would wait
    /// until it is taken away from it, while whoever was let in waits for them.
    fn pass(&self) {
        let now = Instant::now();
        self.end(now);
        if self.is_standing(now) {
            thread::sleep(REST);
        }
    }

    fn is_standing(&self, now: Instant) -> bool {
        self.stands_until.get().is_some_and(|until| now < until)
    }

    fn end(&self, now: Instant) {
        let Some(began) = self.began.take() else { return };
        self.ended.set(Some(now));
        if self.is_standing(now) {
            let took = now.duration_since(began);
            let budget = self.budget.get();
            let next = if SHORT < took { budget / 2 } else { (budget + RETURNED).min(BUDGET) };
            self.budget.set(next);
            return;
        }
        if !self.is_long(began, now) {
            self.long_since.set(None);
        }
        self.judge(began, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Milliseconds after a beginning.
    struct Clock(Instant);

    impl Clock {
        fn at(&self, ms: u64) -> Instant {
            self.0 + Duration::from_millis(ms)
        }

        fn later(&self, ms: u64, micros: u64) -> Instant {
            self.at(ms) + Duration::from_micros(micros)
        }
    }

    fn turn(turns: &Turns, began: Instant, ended: Instant) {
        turn_of(turns, 2, began, ended);
    }

    fn turn_of(turns: &Turns, asked: u32, began: Instant, ended: Instant) {
        turns.begin(began);
        for _ in 0..asked {
            turns.has_time_at(began);
        }
        turns.end(ended);
    }

    /// Turns of 60 ms up to this time.
    fn long_until(turns: &Turns, clock: &Clock, ms: u64) {
        for began in (0..ms).step_by(60) {
            turn(turns, clock.at(began), clock.at(began + 60));
        }
    }

    #[test]
    fn a_burst_is_let_in() {
        let (turns, clock) = (Turns::default(), Clock(Instant::now()));
        long_until(&turns, &clock, 60);

        turns.begin(clock.at(60));

        assert!(turns.has_time_at(clock.at(99)));
    }

    #[test]
    fn a_line_stands_as_soon_as_it_is_one_and_not_at_the_end_of_the_turn() {
        let (turns, clock) = (Turns::default(), Clock(Instant::now()));
        long_until(&turns, &clock, 60);

        turns.begin(clock.at(60));
        assert!(turns.has_time_at(clock.at(60)) && turns.has_time_at(clock.at(105)));

        assert!(!turns.has_time_at(clock.at(112)));
    }

    #[test]
    fn many_are_a_line_sooner_than_few() {
        for (asked, stands) in [(FEW, false), (FEW + 1, true)] {
            let (turns, clock) = (Turns::default(), Clock(Instant::now()));
            for began in (0..60).step_by(20) {
                turn_of(&turns, asked, clock.at(began), clock.at(began + 20));
            }

            turns.begin(clock.at(60));

            assert_eq!(!turns.has_time_at(clock.at(62)), stands, "{asked}");
        }
    }

    #[test]
    fn a_line_that_stands_leaves_each_turn_its_budget() {
        let (turns, clock) = (Turns::default(), Clock(Instant::now()));
        long_until(&turns, &clock, 120);

        turns.begin(clock.at(120));

        assert!(turns.has_time_at(clock.at(120)) && turns.has_time_at(clock.later(120, 500)));
        assert!(!turns.has_time_at(clock.at(121)));
        turns.end(clock.at(121));
        turns.begin(clock.at(121));
        assert!(turns.has_time_at(clock.at(121)) && !turns.has_time_at(clock.at(122)));
    }

    #[test]
    fn turns_that_stay_long_let_in_ever_less_but_always_somebody() {
        let (turns, clock) = (Turns::default(), Clock(Instant::now()));
        long_until(&turns, &clock, 120);
        for began in (120..200).step_by(5) {
            turn(&turns, clock.at(began), clock.at(began + 5));
        }

        turns.begin(clock.at(200));
        assert!(turns.has_time_at(clock.at(200)));
        assert!(!turns.has_time_at(clock.later(200, 100)));
        turns.end(clock.at(201));

        for began in 201..300 {
            turn(&turns, clock.at(began), clock.at(began + 1));
        }
        turns.begin(clock.at(300));
        assert!(turns.has_time_at(clock.later(300, 500)));
    }

    #[test]
    fn one_client_who_asks_for_much_is_no_line() {
        let (turns, clock) = (Turns::default(), Clock(Instant::now()));

        for began in (0..960).step_by(80) {
            turn_of(&turns, 1, clock.at(began), clock.at(began + 80));
        }

        turns.begin(clock.at(960));
        assert!(turns.has_time_at(clock.at(1_039)));
    }

    #[test]
    fn one_short_turn_breaks_a_line() {
        let (turns, clock) = (Turns::default(), Clock(Instant::now()));
        long_until(&turns, &clock, 60);
        turn(&turns, clock.at(60), clock.at(70));

        turn(&turns, clock.at(70), clock.at(130));

        turns.begin(clock.at(130));
        assert!(turns.has_time_at(clock.at(150)));
    }

    #[test]
    fn long_turns_far_apart_are_no_line() {
        let (turns, clock) = (Turns::default(), Clock(Instant::now()));
        for began in [0, 105, 210] {
            turn(&turns, clock.at(began), clock.at(began + 80));
        }

        turns.begin(clock.at(315));

        assert!(turns.has_time_at(clock.at(390)));
    }

    #[test]
    fn a_line_is_gone_when_a_longer_turn_is_enough_for_everybody() {
        let (turns, clock) = (Turns::default(), Clock(Instant::now()));
        long_until(&turns, &clock, 120);

        turns.begin(clock.at(2_070));
        assert!(turns.has_time_at(clock.at(2_085)));
        turns.end(clock.at(2_085));

        turns.begin(clock.at(2_121));
        assert!(turns.has_time_at(clock.at(2_190)));
    }

    #[test]
    fn one_long_turn_is_let_in_however_many_ask() {
        let (turns, clock) = (Turns::default(), Clock(Instant::now()));

        turns.begin(clock.at(0));

        for asked in 0..300 {
            assert!(turns.has_time_at(clock.later(0, asked * 500)));
        }
        turns.end(clock.at(150));
        turns.begin(clock.at(150));
        assert!(turns.has_time_at(clock.at(159)));
    }

    #[test]
    fn a_line_that_is_there_again_after_a_try_is_tried_later() {
        let (turns, clock) = (Turns::default(), Clock(Instant::now()));
        long_until(&turns, &clock, 120);
        turn(&turns, clock.at(2_070), clock.at(2_075));
        for began in (2_130..2_250).step_by(60) {
            turn(&turns, clock.at(began), clock.at(began + 60));
        }

        // A try would let this one in.
        turns.begin(clock.at(4_200));
        assert!(!turns.has_time_at(clock.at(4_210)));
        turns.end(clock.at(4_210));
        turns.begin(clock.at(10_200));
        assert!(turns.has_time_at(clock.at(10_210)));
    }

    #[test]
    fn a_line_that_stands_on_is_tried_ever_more_rarely() {
        let (turns, clock) = (Turns::default(), Clock(Instant::now()));
        long_until(&turns, &clock, 120);
        let mut ends = 2_120;

        for period in [8_000, 32_000, 32_000, 32_000] {
            // Too short for the budget is not too long for a try.
            turns.begin(clock.at(ends - 80));
            assert!(turns.has_time_at(clock.at(ends - 40)), "{ends}");
            assert!(!turns.has_time_at(clock.at(ends - 20)), "{ends}");
            turns.end(clock.at(ends - 15));

            turns.begin(clock.at(ends + 1));
            assert!(!turns.has_time_at(clock.at(ends + 4)), "{ends}");
            turns.end(clock.at(ends + 4));
            ends += period - 20;
        }
    }

    #[actix_web::test]
    async fn a_turn_ends_when_the_thread_has_served_who_was_there() {
        let turns = Rc::new(Turns::default());

        assert!(turns.has_time() && turns.began.get().is_some());
        tokio::task::yield_now().await;

        assert!(turns.began.get().is_none() && turns.ended.get().is_some());
    }
}
