//! The threads that compare.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use domain::{Neighbours, RepositoryError, Search};
use numkong::cap;
use parking_lot::Mutex;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use tokio::sync::oneshot;

use super::{pass::Pass, snapshot::Snapshot};

/// So few products take less time than waking a thread.
const AT_ONCE: usize = 2_000;

/// Threads that do nothing but compare. A pass that is alone has all of them; when there are as many passes as threads,
/// each has one.
pub(super) struct Scanner {
    pool: ThreadPool,
    threads: usize,
    /// Whether matrices may be multiplied.
    multiplies: bool,
    /// Passes that have not been answered.
    at_work: Arc<AtomicUsize>,
    passes: AtomicU64,
    nanos: AtomicU64,
}

/// A pass, and who waits for it.
struct Job {
    pass: Pass,
    asker: Mutex<Option<Asker>>,
    threads: usize,
    at_work: Arc<AtomicUsize>,
}

type Reply = oneshot::Sender<Result<Vec<Neighbours>, RepositoryError>>;

struct Asker {
    reply: Reply,
    _at_work: AtWork,
}

/// One of the passes that have not been answered.
struct AtWork(Arc<AtomicUsize>);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
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
        let threads = threads.max(1);
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("similar-{index}"))
            .build()?;
        let multiplies =
            may_multiply(numkong::configure_thread(), numkong::capabilities::available());
        Ok(Self {
            pool,
            threads,
            multiplies,
            at_work: Arc::default(),
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
        let answers = self.pass(Pass::new(snapshot, searches, self.multiplies)).await;
        self.passes.fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
        answers
    }

    async fn pass(&self, pass: Pass) -> Result<Vec<Neighbours>, RepositoryError> {
        if pass.work() <= AT_ONCE {
            let at_once = AssertUnwindSafe(|| {
                pass.take_part(|| false);
                pass.answers()
            });
            return catch_unwind(at_once).map_err(|panic| panicked(&*panic));
        }
        let (reply, answers) = oneshot::channel();
        let (job, at_work) = self.job(pass, reply);
        let leading = Arc::clone(&job);
        self.pool.spawn(move || leading.run(|| false));
        for _ in at_work..self.threads {
            let helping = Arc::clone(&job);
            self.pool.spawn(move || helping.run(|| helping.is_wanted_elsewhere()));
        }
        // Only those who run it hold it: should they all be gone without an answer, nobody waits for one.
        drop(job);
        answers.await.map_err(|_| RepositoryError::Internal(Arc::new(GivenUp)))?
    }

    /// A pass that somebody waits for, and how many of them there are now.
    fn job(&self, pass: Pass, reply: Reply) -> (Arc<Job>, usize) {
        let at_work = self.at_work.fetch_add(1, Ordering::AcqRel) + 1;
        let asker = Asker { reply, _at_work: AtWork(Arc::clone(&self.at_work)) };
        let job = Job {
            pass,
            asker: Mutex::new(Some(asker)),
            threads: self.threads,
            at_work: Arc::clone(&self.at_work),
        };
        (Arc::new(job), at_work)
    }

    /// How many passes there were, and how long they took together.
    pub(super) fn passes(&self) -> (u64, Duration) {
        let nanos = Duration::from_nanos(self.nanos.load(Ordering::Relaxed));
        (self.passes.load(Ordering::Relaxed), nanos)
    }
}

impl Job {
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

    fn reply(&self, answers: Result<Vec<Neighbours>, RepositoryError>) {
        if let Some(Asker { reply, _at_work }) = self.asker.lock().take() {
            // Whoever asked may have gone.
            let _ = reply.send(answers);
        }
    }

    /// Whether it was answered, or whoever asked has gone.
    fn is_waited_for_by_nobody(&self) -> bool {
        self.asker.lock().as_ref().is_none_or(|asker| asker.reply.is_closed())
    }

    fn is_wanted_elsewhere(&self) -> bool {
        self.threads <= self.at_work.load(Ordering::Acquire)
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
    use std::cell::Cell;

    use super::*;
    use crate::similar_artists::pass::tests::pass;

    #[test]
    fn a_pass_ends_when_nobody_waits_for_it() {
        let scanner = Scanner::new(1).unwrap();
        for wanted in 1..=3 {
            let (reply, answers) = oneshot::channel();
            let (job, _) = scanner.job(pass(4, 1, true), reply);
            let answers = Cell::new(Some(answers));
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
        let (reply, answers) = oneshot::channel();
        let (job, at_work) = scanner.job(pass(4, 1, true), reply);
        assert_eq!((at_work, scanner.at_work.load(Ordering::SeqCst)), (1, 1));

        drop(answers);
        job.run(|| false);
        drop(job);

        assert_eq!(scanner.at_work.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn matrices_are_multiplied_where_the_system_lets_tiles_be_used_or_there_are_none() {
        assert!(may_multiply(true, cap::SERIAL | cap::SAPPHIREAMX));
        assert!(may_multiply(false, cap::SERIAL | cap::HASWELL));
        assert!(!may_multiply(false, cap::SERIAL | cap::SAPPHIREAMX));
        assert!(!may_multiply(false, cap::SERIAL | cap::GRANITEAMX));
    }
}
