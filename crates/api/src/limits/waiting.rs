//! A bound on the requests that wait, for the database above all, which finds out by itself how high it should be.
//!
//! More requests at once than a database can work on do not get more done, each only takes longer. How many that are is
//! different on each machine and at each hour, so it is not set but learned, as congestion control does, from how long
//! requests take beside how long they take when hardly anybody else is there (the gradient of Netflix's `concurrency-limits`
//! and of Envoy's adaptive concurrency): while half of them take more than [`SLOWER`] times as long the bound falls, in
//! proportion, and else it rises.
//!
//! Taking longer alone is no overload: a hundred callers who share a database each get their answers later than one would,
//! and soon enough. So an answer counts as slow from [`BEARABLE`] on, or at once while a line stands in front of a thread:
//! then there is more to do than can be done, and each who waits makes it longer for all.
//!
//! How long a route takes unhurried is learned from requests that began and ended with hardly anybody beside them, while
//! nobody was sent away. From others it is learned so slowly that an hour of overload is not taken for calm soon, and that a
//! database which stays slower is not taken for overload for ever.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How many times as long as unhurried half of the requests may take.
const SLOWER: f64 = 2.0;

/// How long an answer may take for as long as there is no line.
const BEARABLE: Duration = Duration::from_millis(50);

/// For how long there is one after somebody was sent away because of it.
const LINE: Duration = Duration::from_secs(1);

/// Slow answers are a burst until they have come for so long, with a line and without one: many callers who come at once find
/// connections that have yet to be opened, and caches that have yet to be filled.
const BURST_IN_LINE: Duration = Duration::from_millis(100);
const BURST: Duration = Duration::from_millis(500);

/// For how long none is one after the bound fell: what comes again so soon is overload that was kept down meanwhile.
const REST: Duration = Duration::from_secs(10);

/// Nobody is sent away while fewer wait. Some are no overload however much slower each gets beside the others: those who
/// record at the same moment wait for one commit, and get more done together than one after the other.
const LEAST: usize = 32;

/// The bound moves once in so long, and only after so many answers,
const WINDOW: Duration = Duration::from_millis(100);
const FEWEST: usize = 16;
/// unless it takes this long for them to come. Without any answer it rises: those who wait, for a body that does not arrive
/// perhaps, must not keep everybody else out.
const LONGEST_WINDOW: Duration = Duration::from_secs(1);
/// More would not tell more.
const ENOUGH: usize = 4_096;

/// To what part the bound falls at most, so that one odd window is not everything.
const STEEPEST: f64 = 1.0 / 8.0;
/// By what part it rises.
const RISE: usize = 8;

/// How much one calm answer weighs in what is learned, and in what time a hurried one would weigh as much as everything.
const CALM_WEIGHT: f64 = 1.0 / 32.0;
const HURRIED: Duration = Duration::from_mins(10);

/// The requests that wait.
#[derive(Debug)]
pub(crate) struct Waiting {
    now: AtomicUsize,
    most: AtomicUsize,
    least: usize,
    /// So many work side by side without any of them getting slower, as there are processors.
    calm: usize,
    ceiling: usize,
    began: Instant,
    /// When somebody was sent away because of a line, in milliseconds since the beginning and one more; 0 is never.
    line: AtomicU64,
    learned: Mutex<Learned>,
}

/// A request that waits.
#[derive(Debug)]
pub(super) struct Place<'a> {
    waiting: &'a Waiting,
    beside: usize,
    /// How many had been sent away.
    shed: u64,
    began: Instant,
}

#[derive(Debug)]
struct Learned {
    /// How long each route takes unhurried, in seconds.
    unhurried: HashMap<String, Unhurried>,
    /// How many times as long as that answers of this window took.
    slower: Vec<f64>,
    /// How many waited at once in this window.
    peak: usize,
    window: Instant,
    /// When the first of the slow windows just before it began.
    slow_since: Option<Instant>,
    /// When the bound fell last.
    fell: Option<Instant>,
}

#[derive(Debug)]
struct Unhurried {
    seconds: f64,
    learned: Instant,
}

impl Waiting {
    /// Nobody waits, and the bound is where it is never higher.
    pub(super) fn new(ceiling: usize) -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Self::with(LEAST, processors.max(2), ceiling)
    }

    fn with(least: usize, calm: usize, ceiling: usize) -> Self {
        let learned = Learned {
            unhurried: HashMap::new(),
            slower: Vec::new(),
            peak: 0,
            window: Instant::now(),
            slow_since: None,
            fell: None,
        };
        Self {
            now: AtomicUsize::new(0),
            most: AtomicUsize::new(ceiling),
            least: least.min(ceiling),
            calm,
            ceiling,
            began: Instant::now(),
            line: AtomicU64::new(0),
            learned: Mutex::new(learned),
        }
    }

    /// Whether another request may wait.
    pub(super) fn has_room(&self) -> bool {
        self.now() < self.most() || self.has_room_after_all(Instant::now())
    }

    /// Looks whether the bound is one that nothing speaks for any more: answers move it, and there may be none.
    fn has_room_after_all(&self, now: Instant) -> bool {
        // Who is refused does not wait for others who learn.
        let Ok(mut learned) = self.learned.try_lock() else { return false };
        if LONGEST_WINDOW <= now.duration_since(learned.window) {
            self.end_window(&mut learned, now);
        }
        self.now() < self.most()
    }

    /// How many wait.
    pub(super) fn now(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }

    /// How many may wait at present.
    pub(super) fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    /// Waits from now on, having begun then, when so many had been sent away.
    pub(super) fn enter(&self, began: Instant, shed: u64) -> Place<'_> {
        let beside = self.now.fetch_add(1, Ordering::Relaxed);
        Place { waiting: self, beside, shed, began }
    }

    /// Notes that somebody was sent away because of the line in front of a thread.
    pub(super) fn note_line(&self, now: Instant) {
        self.line.store(self.millis(now) + 1, Ordering::Relaxed);
    }

    fn is_behind_a_line(&self, now: Instant) -> bool {
        let line = self.line.load(Ordering::Relaxed);
        line != 0 && self.millis(now) < line + LINE.as_secs() * 1_000
    }

    fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.began).as_millis()).unwrap_or(u64::MAX / 2)
    }

    fn is_calm(&self, beside: usize) -> bool {
        beside < self.calm
    }

    /// Learns from an answer, and moves the bound when it is time.
    fn learn(&self, route: &str, took: Duration, is_calm: bool, peak: usize, now: Instant) {
        let is_bearable = took <= BEARABLE && !self.is_behind_a_line(now);
        let took = took.as_secs_f64();
        let learned = &mut *self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        let usual = if let Some(unhurried) = learned.unhurried.get_mut(route) {
            let usual = unhurried.seconds;
            unhurried.learn(took, is_calm, now);
            usual
        } else {
            let first = Unhurried { seconds: took, learned: now };
            learned.unhurried.insert(route.to_owned(), first);
            took
        };
        learned.peak = learned.peak.max(peak);
        if learned.slower.len() < ENOUGH {
            learned.slower.push(if is_bearable { 1.0 } else { took / usual.max(1e-9) });
        }
        let window = if FEWEST <= learned.slower.len() { WINDOW } else { LONGEST_WINDOW };
        if now.duration_since(learned.window) < window {
            return;
        }
        self.end_window(learned, now);
    }

    /// Moves the bound by what was learned in the window. A window without answers speaks for no bound.
    fn end_window(&self, learned: &mut Learned, now: Instant) {
        let half = learned.slower.len() / 2;
        let slower = if learned.slower.is_empty() {
            0.0
        } else {
            *learned.slower.select_nth_unstable_by(half, f64::total_cmp).1
        };
        // Whoever is slow with hardly anybody beside is slow for another reason: a body that takes its time, for example.
        let is_slow = SLOWER < slower && self.least < learned.peak;
        let burst = if self.is_behind_a_line(now) { BURST_IN_LINE } else { BURST };
        let is_burst = learned.fell.is_none_or(|fell| REST <= now.saturating_duration_since(fell))
            && learned.slow_since.is_none_or(|since| learned.window < since + burst);
        if !is_slow || !is_burst {
            let slower = is_slow.then_some(slower);
            learned.fell = slower.map(|_| now).or(learned.fell);
            self.most.store(self.next(self.most(), slower, learned.peak), Ordering::Relaxed);
        }
        learned.slow_since = is_slow.then(|| learned.slow_since.unwrap_or(learned.window));
        learned.slower.clear();
        learned.peak = 0;
        learned.window = now;
    }

    /// The bound after a window in which half of the answers took so many times as long as unhurried, if that is slow.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a part of a small number, rounded down on purpose"
    )]
    fn next(&self, most: usize, slower: Option<f64>, peak: usize) -> usize {
        let next = if let Some(slower) = slower {
            // A bound that nobody reached is not what was too high.
            (most.min(peak) as f64 * (SLOWER / slower).max(STEEPEST)) as usize
        } else {
            most + (most / RISE).max(1)
        };
        next.clamp(self.least, self.ceiling)
    }
}

impl Unhurried {
    fn learn(&mut self, took: f64, is_calm: bool, now: Instant) {
        let since = now.saturating_duration_since(self.learned);
        let weight = if is_calm {
            CALM_WEIGHT
        } else {
            (since.as_secs_f64() / HURRIED.as_secs_f64()).min(CALM_WEIGHT)
        };
        self.seconds += weight * (took - self.seconds);
        self.learned = now;
    }
}

impl Place<'_> {
    /// Was answered as it should be, by this route, when so many had been sent away.
    pub(super) fn answered(self, route: &str, shed: u64) {
        let now = Instant::now();
        let beside = self.waiting.now().saturating_sub(1);
        let is_calm =
            shed == self.shed && self.waiting.is_calm(self.beside) && self.waiting.is_calm(beside);
        let peak = self.beside.max(beside) + 1;
        self.waiting.learn(route, now.duration_since(self.began), is_calm, peak, now);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.waiting.now.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Duration = Duration::from_millis(30);

    /// A window of answers that took so many times as long as usual, while so many waited.
    fn window(waiting: &Waiting, at: &mut Instant, slower: u32, beside: usize) {
        for _ in 0..20 {
            *at += Duration::from_millis(10);
            let is_calm = waiting.is_calm(beside);
            waiting.learn("GET /a", USUAL * slower, is_calm, beside + 1, *at);
        }
    }

    #[test]
    fn the_bound_falls_while_answers_are_slow_and_rises_again() {
        let (waiting, mut at) = (Waiting::with(2, 2, 1_000), Instant::now());

        window(&waiting, &mut at, 1, 0);
        assert_eq!(waiting.most(), 1_000);
        for _ in 0..3 {
            window(&waiting, &mut at, 4, 63);
        }
        assert_eq!(waiting.most(), 1_000, "a burst");
        window(&waiting, &mut at, 4, 63);
        // From as many as waited, and not from a bound that nobody reached.
        assert_eq!(waiting.most(), 32);
        for _ in 0..10 {
            window(&waiting, &mut at, 4, 31);
        }
        assert_eq!(waiting.most(), 2);
        for _ in 0..100 {
            window(&waiting, &mut at, 1, 5);
        }
        assert_eq!(waiting.most(), 1_000);
    }

    #[test]
    fn what_is_slow_again_soon_after_the_bound_fell_is_no_burst() {
        let (waiting, mut at) = (Waiting::with(2, 2, 1_000), Instant::now());
        window(&waiting, &mut at, 1, 0);
        for _ in 0..4 {
            window(&waiting, &mut at, 4, 63);
        }
        let fallen = waiting.most();
        window(&waiting, &mut at, 1, 5);
        assert!(fallen < waiting.most());

        window(&waiting, &mut at, 4, 63);
        assert!(waiting.most() < fallen, "{}", waiting.most());

        at += REST;
        window(&waiting, &mut at, 1, 5);
        let risen = waiting.most();
        window(&waiting, &mut at, 4, 63);
        assert_eq!(waiting.most(), risen, "a burst");
    }

    #[test]
    fn what_is_bearable_is_overload_behind_a_line_only() {
        let (waiting, mut at) = (Waiting::with(2, 2, 1_000), Instant::now());
        let quickly = |waiting: &Waiting, at: &mut Instant, ms| {
            for _ in 0..20 {
                *at += Duration::from_millis(10);
                waiting.learn("GET /b", Duration::from_millis(ms), ms == 1, 64, *at);
            }
        };
        quickly(&waiting, &mut at, 1);

        quickly(&waiting, &mut at, 50);
        assert_eq!(waiting.most(), 1_000);
        waiting.note_line(at);
        for _ in 0..3 {
            quickly(&waiting, &mut at, 50);
        }
        assert!(waiting.most() <= 8, "{}", waiting.most());
        at += LINE;
        for _ in 0..100 {
            quickly(&waiting, &mut at, 50);
        }
        assert_eq!(waiting.most(), 1_000);
        for _ in 0..5 {
            quickly(&waiting, &mut at, 51);
        }
        assert!(waiting.most() <= 8, "{}", waiting.most());
    }

    #[test]
    fn one_slow_client_alone_is_no_overload() {
        let (waiting, at) = (Waiting::with(2, 2, 1_000), Instant::now());
        waiting.learn("GET /a", USUAL, true, 1, at);

        for second in 1..10 {
            waiting.learn("GET /a", USUAL * 1_000, true, 1, at + Duration::from_secs(2 * second));
        }

        assert_eq!(waiting.most(), 1_000);
    }

    #[test]
    fn overload_is_not_taken_for_calm() {
        let (waiting, mut at) = (Waiting::with(2, 2, 1_000), Instant::now());
        window(&waiting, &mut at, 1, 0);

        // A minute of it.
        for _ in 0..300 {
            window(&waiting, &mut at, 4, 31);
        }

        assert_eq!(waiting.most(), 2);
    }

    #[test]
    fn a_database_that_stays_slower_is_not_taken_for_overload_for_ever() {
        let (waiting, mut at) = (Waiting::with(2, 2, 1_000), Instant::now());
        window(&waiting, &mut at, 1, 0);

        // Half an hour.
        for _ in 0..9_000 {
            window(&waiting, &mut at, 4, 31);
        }

        assert_eq!(waiting.most(), 1_000);
    }

    #[test]
    fn a_few_very_slow_answers_move_nothing() {
        let (waiting, mut at) = (Waiting::with(2, 2, 1_000), Instant::now());
        window(&waiting, &mut at, 1, 0);

        for number in 0..200 {
            at += Duration::from_millis(10);
            let slower = if number % 3 == 0 { 1_000 } else { 1 };
            waiting.learn("GET /a", USUAL * slower, false, 40, at);
        }

        assert_eq!(waiting.most(), 1_000);
    }

    #[test]
    fn who_waits_for_ever_does_not_keep_everybody_else_out() {
        let (waiting, began) = (Waiting::with(2, 2, 1_000), Instant::now());
        let mut at = began;
        window(&waiting, &mut at, 1, 0);
        for _ in 0..4 {
            window(&waiting, &mut at, 8, 15);
        }
        assert_eq!(waiting.most(), 4);
        let held: Vec<_> = (0..4).map(|_| waiting.enter(began, 0)).collect();

        // In the first of these seconds the last slow answers still count.
        let after = |seconds| at + Duration::from_secs(seconds);
        let bounds = [1, 2, 3, 4]
            .map(|seconds| (waiting.has_room_after_all(after(seconds)), waiting.most()));

        assert_eq!(bounds, [(false, 2), (false, 3), (false, 4), (true, 5)]);
        assert_eq!(waiting.now(), held.len());
    }

    #[test]
    fn who_waits_is_counted_until_the_end() {
        let waiting = Waiting::with(1, 1, 2);
        let now = Instant::now();

        let (first, second) = (waiting.enter(now, 0), waiting.enter(now, 0));
        assert!(!waiting.has_room());
        first.answered("GET /a", 0);
        assert!(waiting.has_room());
        drop(second);

        assert_eq!(waiting.now(), 0);
    }
}
