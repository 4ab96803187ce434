//! The threads that compare.

use std::{
    any::Any,
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use domain::{Neighbours, RepositoryError, Search};
use numkong::cap;
use parking_lot::Mutex;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use tokio::sync::oneshot;

use super::{
    pass::{Pass, TOGETHER},
    snapshot::Snapshot,
};

/// So few products take less time than waking a thread.
const AT_ONCE: usize = 2_000;

/// So many searches share a pass at most, unless one caller asks for more: who comes first waits for all of them.
const SHARED: usize = 64;

/// Threads that do nothing but compare. A pass that is alone has all of them; when there are as many passes as threads,
/// each has one, and who asks then waits in line. Those in line share the next pass, which reads the codes once for all of
/// them.
pub(super) struct Scanner {
    threads: Arc<Threads>,
    passes: AtomicU64,
    nanos: AtomicU64,
}

struct Threads {
    pool: ThreadPool,
    number: usize,
    /// Whether matrices may be multiplied.
    multiplies: bool,
    line: Mutex<Line>,
}

/// Who is served, and who waits.
#[derive(Default)]
struct Line {
    /// Passes that have not been answered, as many as there are threads at most.
    under_way: usize,
    waiting: VecDeque<Asked>,
}

/// Searches in one snapshot, and who waits for the answers.
struct Asked {
    snapshot: Arc<Snapshot>,
    searches: Vec<Search>,
    reply: Reply,
}

type Reply = oneshot::Sender<Result<Vec<Neighbours>, RepositoryError>>;

/// A pass, and who waits for it.
struct Job {
    pass: Pass,
    askers: Mutex<Option<Askers>>,
    threads: Arc<Threads>,
}

/// Who waits for a pass, in the order of its questions.
struct Askers {
    replies: Vec<(usize, Reply)>,
    _turn: Turn,
}

/// The right to make a pass. When it ends, who waits in line has it.
struct Turn(Arc<Threads>);

impl Drop for Turn {
    fn drop(&mut self) {
        Threads::hand_on(&self.0);
    }
}

/// A comparison panicked.
#[derive(Debug, thiserror::Error)]
#[error("a search panicked: {0}")]
struct Panicked(String);

/// The threads that compare have ended.
#[derive(Debug, thiserror::Error)]
#[error("a search was given up")]
struct GivenUp;

impl Scanner {
    /// So many threads, at least one.
    pub(super) fn new(threads: usize) -> Result<Self, ThreadPoolBuildError> {
        let number = threads.max(1);
        let pool = ThreadPoolBuilder::new()
            .num_threads(number)
            .thread_name(|index| format!("similar-{index}"))
            .build()?;
        let multiplies =
            may_multiply(numkong::configure_thread(), numkong::capabilities::available());
        Ok(Self {
            threads: Arc::new(Threads { pool, number, multiplies, line: Mutex::default() }),
            passes: AtomicU64::new(0),
            nanos: AtomicU64::new(0),
        })
    }

    /// The answers to searches, all from one snapshot, in the order asked for.
    pub(super) async fn answer(
        &self,
        snapshot: Arc<Snapshot>,
        searches: Vec<Search>,
    ) -> Result<Vec<Neighbours>, RepositoryError> {
        let began = Instant::now();
        let answers = self.compared(snapshot, searches).await;
        self.passes.fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
        answers
    }

    async fn compared(
        &self,
        snapshot: Arc<Snapshot>,
        searches: Vec<Search>,
    ) -> Result<Vec<Neighbours>, RepositoryError> {
        if snapshot.rows() * searches.len() <= AT_ONCE {
            let multiplies = self.threads.multiplies;
            let at_once = AssertUnwindSafe(|| {
                let pass = Pass::new(snapshot, searches, multiplies);
                pass.take_part(|| false);
                pass.answers()
            });
            return catch_unwind(at_once).map_err(|panic| panicked(&*panic));
        }
        let (reply, answers) = oneshot::channel();
        Threads::ask(&self.threads, Asked { snapshot, searches, reply });
        answers.await.map_err(|_| RepositoryError::Internal(Arc::new(GivenUp)))?
    }

    /// How many passes there were, and how long they took together.
    pub(super) fn passes(&self) -> (u64, Duration) {
        let nanos = Duration::from_nanos(self.nanos.load(Ordering::Relaxed));
        (self.passes.load(Ordering::Relaxed), nanos)
    }
}

impl Threads {
    /// Begins a pass, or waits in line for one.
    fn ask(threads: &Arc<Self>, asked: Asked) {
        {
            let mut line = threads.line.lock();
            if threads.number <= line.under_way {
                line.waiting.push_back(asked);
                return;
            }
            line.under_way += 1;
        }
        Self::begin(Turn(Arc::clone(threads)), vec![asked]);
    }

    /// Has those in line served, now that a pass ended.
    fn hand_on(threads: &Arc<Self>) {
        // Whoever is gone may be the last to hold a whole index, which is not freed while others wait for the lock.
        let (_gone, next) = {
            let mut line = threads.line.lock();
            let gone = line.leave_out_who_is_gone();
            let next = line.next(threads.number);
            if next.is_empty() {
                line.under_way -= 1;
            }
            (gone, next)
        };
        if !next.is_empty() {
            Self::begin(Turn(Arc::clone(threads)), next);
        }
    }

    /// Has one of the threads make a pass for all of them, and those that have nothing to do help.
    fn begin(turn: Turn, asked: Vec<Asked>) {
        let threads = Arc::clone(&turn.0);
        threads.clone().pool.spawn(move || {
            // Who asked is told by the end of the channel, and whose turn is next by that of the turn.
            let job = catch_unwind(AssertUnwindSafe(|| Job::new(turn, asked)));
            let Ok(Some(job)) = job else { return };
            let under_way = threads.line.lock().under_way;
            for _ in under_way..threads.number {
                let helping = Arc::clone(&job);
                threads.pool.spawn(move || helping.run(|| helping.is_wanted_elsewhere()));
            }
            // Only those who run it hold it: should they all be gone without an answer, nobody waits for one.
            job.run(|| false);
        });
    }
}

impl Asked {
    /// Whether one pass is quicker than two: it multiplies every row, so those who look at few take longer in it, and only
    /// with embeddings that are compared in one way.
    fn may_share_with(&self, other: &Self) -> bool {
        let mut searches = self.searches.iter().chain(&other.searches);
        let Some(first) = searches.next() else { return true };
        Arc::ptr_eq(&self.snapshot, &other.snapshot)
            && first.filter.is_empty()
            && searches.all(|it| it.metric == first.metric && it.filter.is_empty())
    }
}

impl Line {
    /// Takes out of the line who does not wait any more.
    fn leave_out_who_is_gone(&mut self) -> VecDeque<Asked> {
        let (gone, waiting) =
            self.waiting.drain(..).partition(|asked: &Asked| asked.reply.is_closed());
        self.waiting = waiting;
        gone
    }

    /// Those whose turn it is, out of the line: a share of who waits, for as many threads, all of whom may share a pass. None
    /// if nobody waits.
    fn next(&mut self, threads: usize) -> Vec<Asked> {
        let searches: usize = self.waiting.iter().map(|asked| asked.searches.len()).sum();
        let share = searches.div_ceil(threads).clamp(TOGETHER, SHARED);
        let mut next: Vec<Asked> = Vec::new();
        let mut taken = 0;
        while let Some(asked) = self.waiting.front() {
            let belongs = next.first().is_none_or(|first| {
                taken + asked.searches.len() <= share && first.may_share_with(asked)
            });
            if !belongs {
                break;
            }
            taken += asked.searches.len();
            next.extend(self.waiting.pop_front());
        }
        next
    }
}

impl Job {
    /// One pass for all of them, which ask in one snapshot. None if there are none.
    fn new(turn: Turn, asked: Vec<Asked>) -> Option<Arc<Self>> {
        let snapshot = Arc::clone(&asked.first()?.snapshot);
        let threads = Arc::clone(&turn.0);
        let (mut searches, mut replies) = (Vec::new(), Vec::with_capacity(asked.len()));
        for Asked { snapshot: _, searches: its, reply } in asked {
            replies.push((its.len(), reply));
            searches.extend(its);
        }
        Some(Arc::new(Self {
            pass: Pass::new(snapshot, searches, threads.multiplies),
            askers: Mutex::new(Some(Askers { replies, _turn: turn })),
            threads,
        }))
    }

    /// Takes part in the pass, and answers if that was the end of it. Nobody waits for who comes late: then there is
    /// nothing left to look at.
    fn run(&self, is_wanted_elsewhere: impl Fn() -> bool) {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let ends = || self.is_waited_for_by_nobody() || is_wanted_elsewhere();
            self.pass.take_part(ends).then(|| self.pass.answers())
        }));
        match outcome {
            Ok(None) => {}
            Ok(Some(answers)) => self.reply(Ok(answers)),
            Err(panic) => self.reply(Err(panicked(&*panic))),
        }
    }

    fn reply(&self, outcome: Result<Vec<Neighbours>, RepositoryError>) {
        let Some(Askers { replies, _turn }) = self.askers.lock().take() else { return };
        let mut answers = outcome.map(Vec::into_iter);
        for (searches, reply) in replies {
            let own = match &mut answers {
                Ok(answers) => Ok(answers.by_ref().take(searches).collect()),
                Err(error) => Err(error.clone()),
            };
            // Whoever asked may have gone.
            let _ = reply.send(own);
        }
    }

    /// Whether it was answered, or all who asked have gone.
    fn is_waited_for_by_nobody(&self) -> bool {
        let askers = self.askers.lock();
        askers.as_ref().is_none_or(|it| it.replies.iter().all(|(_, reply)| reply.is_closed()))
    }

    fn is_wanted_elsewhere(&self) -> bool {
        self.threads.number <= self.threads.line.lock().under_way
    }
}

/// Whether matrices may be multiplied on a processor with these capabilities.
///
/// Where it has tiles for that, they are what products are made with, and Linux ends a process that uses them without
/// having been given leave. The leave is for all threads; where there are no tiles it is denied, and not needed.
const fn may_multiply(has_leave: bool, capabilities: u64) -> bool {
    has_leave || capabilities & (cap::SAPPHIREAMX | cap::GRANITEAMX) == 0
}

fn panicked(panic: &(dyn Any + Send)) -> RepositoryError {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref().cloned()).unwrap_or_default();
    RepositoryError::Internal(Arc::new(Panicked(text)))
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, sync::mpsc};

    use domain::{Metric, ResearchStatus};

    use super::*;
    use crate::similar_artists::pass::tests::{around, snapshot};

    type Answers = oneshot::Receiver<Result<Vec<Neighbours>, RepositoryError>>;

    fn asked(snapshot: &Arc<Snapshot>, searches: Vec<Search>) -> (Asked, Answers) {
        let (reply, answers) = oneshot::channel();
        (Asked { snapshot: Arc::clone(snapshot), searches, reply }, answers)
    }

    fn job(scanner: &Scanner, asked: Vec<Asked>) -> Arc<Job> {
        scanner.threads.line.lock().under_way += 1;
        Job::new(Turn(Arc::clone(&scanner.threads)), asked).unwrap()
    }

    fn under_way(scanner: &Scanner) -> usize {
        scanner.threads.line.lock().under_way
    }

    #[test]
    fn a_pass_ends_when_nobody_waits_for_it() {
        let scanner = Scanner::new(1).unwrap();
        let snapshot = snapshot(4);
        for wanted in 1..=3 {
            let (one, ones) = asked(&snapshot, vec![around(1)]);
            let (another, anothers) = asked(&snapshot, vec![around(2)]);
            let job = job(&scanner, vec![one, another]);
            drop(anothers);
            let answers = Cell::new(Some(ones));
            let looks = Cell::new(0);

            job.run(|| {
                looks.set(looks.get() + 1);
                if looks.get() == wanted {
                    answers.take();
                }
                false
            });

            assert_eq!(looks.get(), wanted);
            assert!(job.pass.take_part(|| false), "nothing was left to look at");
        }
    }

    #[test]
    fn a_pass_that_was_given_up_counts_no_more() {
        let scanner = Scanner::new(1).unwrap();
        let (asked, answers) = asked(&snapshot(4), vec![around(1)]);
        let job = job(&scanner, vec![asked]);
        assert_eq!(under_way(&scanner), 1);

        drop(answers);
        job.run(|| false);
        drop(job);

        assert_eq!(under_way(&scanner), 0);
    }

    #[test]
    fn who_waits_in_line_shares_the_next_pass() {
        let scanner = Scanner::new(1).unwrap();
        let snapshot = snapshot(4);
        let questions = [vec![around(1)], vec![around(2), around(3)], vec![], vec![around(4)]];
        let (release, released) = mpsc::channel::<()>();
        scanner.threads.pool.spawn(move || {
            let _ = released.recv();
        });

        let receivers: Vec<_> = questions
            .iter()
            .map(|searches| {
                let (asked, answers) = asked(&snapshot, searches.clone());
                Threads::ask(&scanner.threads, asked);
                answers
            })
            .collect();
        let waiting = scanner.threads.line.lock().waiting.len();
        assert_eq!((under_way(&scanner), waiting), (1, 3));
        release.send(()).unwrap();

        for (searches, answers) in questions.into_iter().zip(receivers) {
            let alone = Pass::new(Arc::clone(&snapshot), searches, false);
            alone.take_part(|| false);
            assert_eq!(answers.blocking_recv().unwrap().unwrap(), alone.answers());
        }
        // The thread that answered is the one that takes what it took back.
        scanner.threads.pool.install(|| {});
        assert_eq!((under_way(&scanner), scanner.threads.line.lock().waiting.len()), (0, 0));
    }

    #[test]
    fn those_in_line_are_shared_out_by_snapshot() {
        let (first, second) = (snapshot(1), snapshot(1));
        let mut line = Line::default();
        let mut receivers = Vec::new();
        let mut wait = |line: &mut Line, snapshot, searches| {
            let (asked, answers) = asked(snapshot, vec![around(1); searches]);
            line.waiting.push_back(asked);
            receivers.push(answers);
        };
        for searches in [1, 90, 1, 1] {
            wait(&mut line, &first, searches);
        }
        wait(&mut line, &second, 1);
        for _ in 0..200 {
            wait(&mut line, &first, 1);
        }
        receivers.remove(2);
        assert_eq!(line.leave_out_who_is_gone().len(), 1);

        let mut next = || line.next(2).len();

        // Too many beside another one, by themselves; who is gone is left out; another snapshot is another pass.
        assert_eq!([next(), next(), next(), next()], [1, 1, 1, 1]);
        assert_eq!([next(), next(), next(), next(), next()], [64, 64, 36, 18, 9]);
        assert_eq!([next(), next(), next(), next()], [5, 4, 0, 0]);
    }

    #[test]
    fn searches_that_differ_do_not_share_a_pass() {
        let snapshot = snapshot(1);
        let with = |change: fn(&mut Search)| {
            let mut search = around(1);
            change(&mut search);
            asked(&snapshot, vec![search]).0
        };
        let plain = with(|_| {});

        assert!(plain.may_share_with(&with(|search| search.target = around(2).target)));
        assert!(!plain.may_share_with(&with(|search| search.metric = Metric::L2)));
        let some = with(|search| search.filter.statuses = vec![ResearchStatus::Cached]);
        assert!(!plain.may_share_with(&some) && !some.may_share_with(&plain));
        assert!(!some.may_share_with(&some));
    }

    #[test]
    fn matrices_are_multiplied_where_the_system_lets_tiles_be_used_or_there_are_none() {
        assert!(may_multiply(true, cap::SERIAL | cap::SAPPHIREAMX));
        assert!(may_multiply(false, cap::SERIAL | cap::HASWELL));
        assert!(!may_multiply(false, cap::SERIAL | cap::SAPPHIREAMX));
        assert!(!may_multiply(false, cap::SERIAL | cap::GRANITEAMX));
    }
}
