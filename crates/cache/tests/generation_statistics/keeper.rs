//! When the keeper folds.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use domain::{GenerationRollups, RepositoryError, RollupReading, RollupSnapshot};
use groovebase_cache::{RollupKeeper, RollupKeeperStatus};
use parking_lot::Mutex;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::given;

/// Notes when it is asked to fold, and answers as it was told to.
struct Folding {
    begun: Instant,
    at: Mutex<Vec<u128>>,
    answers: Mutex<VecDeque<Answer>>,
    /// The answer when no more are left.
    then: Mutex<Answer>,
    takes: Duration,
    dropped: Arc<AtomicBool>,
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Folded(u64),
    Fails,
    Panics,
}

struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Folding {
    fn new(answers: impl IntoIterator<Item = Answer>, then: Answer, takes: Duration) -> Arc<Self> {
        Arc::new(Self {
            begun: Instant::now(),
            at: Mutex::default(),
            answers: Mutex::new(answers.into_iter().collect()),
            then: Mutex::new(then),
            takes,
            dropped: Arc::default(),
        })
    }

    fn idle() -> Arc<Self> {
        Self::new([], Answer::Folded(0), Duration::ZERO)
    }

    /// When it was asked, in milliseconds since the beginning.
    fn at(&self) -> Vec<u128> {
        self.at.lock().clone()
    }
}

#[async_trait]
impl GenerationRollups for Folding {
    async fn read(&self, _: &RollupReading) -> Result<RollupSnapshot, RepositoryError> {
        Err(given::unavailable())
    }

    async fn fold(&self) -> Result<u64, RepositoryError> {
        self.at.lock().push(self.begun.elapsed().as_millis());
        let _under_way = SetOnDrop(Arc::clone(&self.dropped));
        sleep(self.takes).await;
        let answer = self.answers.lock().pop_front().unwrap_or(*self.then.lock());
        match answer {
            Answer::Folded(sums) => Ok(sums),
            Answer::Fails => Err(given::unavailable()),
            Answer::Panics => panic!("as it was told to"),
        }
    }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn start(folding: &Arc<Folding>) -> (RollupKeeper, watch::Sender<()>) {
    let (told, recorded) = watch::channel(());
    (RollupKeeper::start(Arc::clone(folding) as _, recorded), told)
}

#[tokio::test(start_paused = true)]
async fn folds_every_second_though_nobody_tells_of_anything() {
    let folding = Folding::idle();
    let (keeper, told) = start(&folding);

    sleep(millis(2_500)).await;
    drop(told);
    sleep(millis(2_000)).await;

    assert_eq!(folding.at(), [0, 1_000, 2_000, 3_000, 4_000]);
    assert_eq!(keeper.status(), RollupKeeperStatus::default());
}

#[tokio::test(start_paused = true)]
async fn folds_when_it_is_told() {
    let folding = Folding::idle();
    let (keeper, told) = start(&folding);

    sleep(millis(300)).await;
    told.send_replace(());
    sleep(millis(450)).await;
    told.send_replace(());
    sleep(millis(50)).await;

    assert_eq!(folding.at(), [0, 300, 750]);
    drop(keeper);
}

#[tokio::test(start_paused = true)]
async fn folds_what_was_recorded_while_it_folded() {
    let folding = Folding::new([], Answer::Folded(1), millis(20));
    let (keeper, told) = start(&folding);

    sleep(millis(10)).await;
    told.send_replace(());
    sleep(millis(200)).await;

    assert_eq!(folding.at(), [0, 120]);
    drop(keeper);
}

#[tokio::test(start_paused = true)]
async fn folds_no_more_than_ten_times_a_second() {
    let folding = Folding::new([], Answer::Folded(999), Duration::ZERO);
    let (keeper, told) = start(&folding);

    for _ in 0..100 {
        sleep(millis(10)).await;
        told.send_replace(());
    }

    let at = folding.at();
    assert!(at.windows(2).all(|pair| 100 <= pair[1] - pair[0]), "{at:?}");
    assert!(9 <= at.len(), "{at:?}");
    drop(keeper);
}

#[tokio::test(start_paused = true)]
async fn goes_on_at_once_while_there_is_much() {
    let much = [10_000, 10_000, 1_000, 3].map(Answer::Folded);
    let folding = Folding::new(much, Answer::Folded(0), millis(5));
    let (keeper, told) = start(&folding);

    sleep(millis(2)).await;
    // The next fold takes it in.
    told.send_replace(());
    sleep(millis(498)).await;

    assert_eq!(folding.at(), [0, 5, 10, 15]);
    let expected = RollupKeeperStatus { folds: 4, sums: 21_003, failing_for: None };
    assert_eq!(keeper.status(), expected);
}

#[tokio::test(start_paused = true)]
async fn tries_again_after_longer_and_longer_pauses() {
    let folding = Folding::new([], Answer::Fails, Duration::ZERO);
    let (keeper, told) = start(&folding);

    for _ in 0..600 {
        sleep(millis(100)).await;
        // Which is no reason to try earlier.
        told.send_replace(());
    }
    let failing_for = keeper.status().failing_for.unwrap();
    assert!(Duration::from_secs(59) <= failing_for, "{failing_for:?}");
    let at = folding.at();
    let longest = std::iter::successors(Some(100), |pause| Some(10_000.min(pause * 2)));
    for (pair, longest) in at.windows(2).zip(longest) {
        let pause = pair[1] - pair[0];
        assert!(longest / 2 <= pause && pause <= longest + 1, "{pause} of {longest}: {at:?}");
    }
    assert!(10 <= at.len(), "{at:?}");

    *folding.then.lock() = Answer::Folded(2);
    sleep(millis(10_001)).await;
    let status = keeper.status();
    assert_eq!((status.failing_for, status.sums % 2), (None, 0));
    assert_ne!(status.sums, 0);

    // From the beginning.
    folding.answers.lock().push_back(Answer::Fails);
    let before = folding.at().len();
    sleep(millis(1_150)).await;
    assert!(before + 2 <= folding.at().len());
}

#[tokio::test(start_paused = true)]
async fn survives_a_panic() {
    let folding = Folding::new([Answer::Panics], Answer::Folded(1), Duration::ZERO);
    let (keeper, _told) = start(&folding);

    sleep(millis(150)).await;

    assert_eq!(keeper.status(), RollupKeeperStatus { folds: 1, sums: 1, failing_for: None });
}

#[tokio::test(start_paused = true)]
async fn stops_when_told_to_and_when_dropped() {
    for stop in [|keeper: RollupKeeper| keeper.stop(), drop] {
        let folding = Folding::new([], Answer::Folded(1), millis(700));
        let (keeper, told) = start(&folding);

        sleep(millis(100)).await;
        assert!(!folding.dropped.load(Ordering::SeqCst));
        stop(keeper);
        told.send_replace(());
        sleep(millis(5_000)).await;

        assert_eq!(folding.at(), [0]);
        assert!(folding.dropped.load(Ordering::SeqCst));
        assert_eq!(Arc::strong_count(&folding), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn logs_trouble_when_it_begins_and_when_it_ends() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let answers = [Answer::Fails, Answer::Fails, Answer::Fails, Answer::Folded(1), Answer::Fails];
    let folding = Folding::new(answers, Answer::Folded(1), Duration::ZERO);
    let (keeper, _told) = start(&folding);

    sleep(millis(10_000)).await;

    let text = String::from_utf8(log.0.lock().clone()).unwrap();
    let lines: Vec<_> = text
        .lines()
        .map(|line| (line.contains(" WARN "), line.contains(" INFO ") && line.contains("again")))
        .collect();
    let (begins, ends) = ((true, false), (false, true));
    assert_eq!(lines, [begins, ends, begins, ends], "{text}");
    drop(keeper);
}

/// What was logged.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
