//! The task that folds what is recorded.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::{GenerationRollups, RepositoryError};
use futures::FutureExt;
use parking_lot::Mutex;
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, sleep},
};

/// How often the store is asked to fold though this instance recorded nothing: others may have, and ended since.
const INTERVAL: Duration = Duration::from_secs(1);

/// Folds follow each other no faster, so that one takes in what many recorded.
const SPACING: Duration = Duration::from_millis(100);

/// After a fold of so many sums the next one follows at once.
const MANY: u64 = 1_000;

/// How long to wait after a first failure; twice as long after each further one, up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(10);

/// The task that folds a store's pending sums, so that questions find few of them. It ends when this is dropped.
#[derive(Debug)]
pub struct RollupKeeper {
    progress: Arc<Progress>,
    task: AbortHandle,
}

#[derive(Debug, Default)]
struct Progress {
    folds: AtomicU64,
    sums: AtomicU64,
    /// When the first of the last attempts failed, all of which did.
    failing_since: Mutex<Option<Instant>>,
}

/// What was folded by this instance since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RollupKeeperStatus {
    /// Folds that found something.
    pub folds: u64,
    /// Pending sums that were folded.
    pub sums: u64,
    /// For how long every attempt has failed; `None` when the last one did not.
    pub failing_for: Option<Duration>,
}

/// The panic itself was told by the hook for panics.
#[derive(Debug, thiserror::Error)]
#[error("a fold of generations panicked")]
struct Panicked;

impl RollupKeeper {
    /// Starts to fold: soon after each time that `recorded` is told of a commit, and every second anyway.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    #[must_use]
    pub fn start(rollups: Arc<dyn GenerationRollups>, recorded: watch::Receiver<()>) -> Self {
        let progress = Arc::new(Progress::default());
        let task = tokio::spawn(fold_on(rollups, recorded, Arc::clone(&progress)));
        Self { progress, task: task.abort_handle() }
    }

    /// Ends the task. A fold under way is dropped, and what it would have folded stays pending.
    pub fn stop(&self) {
        self.task.abort();
    }

    /// What was folded so far.
    #[must_use]
    pub fn status(&self) -> RollupKeeperStatus {
        let Progress { folds, sums, failing_since } = &*self.progress;
        RollupKeeperStatus {
            folds: folds.load(Ordering::Relaxed),
            sums: sums.load(Ordering::Relaxed),
            failing_for: failing_since.lock().map(|since| since.elapsed()),
        }
    }
}

impl Drop for RollupKeeper {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn fold_on(
    rollups: Arc<dyn GenerationRollups>,
    mut recorded: watch::Receiver<()>,
    progress: Arc<Progress>,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        // Before the fold: it may miss what is recorded while it runs.
        recorded.mark_unchanged();
        let outcome = AssertUnwindSafe(rollups.fold())
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(RepositoryError::Internal(Arc::new(Panicked))));
        progress.note(&outcome);

        let Ok(sums) = outcome else {
            // Instances that failed together do not try again together.
            sleep(pause.mul_f64(1.0 - fastrand::f64() / 2.0)).await;
            pause = LAST_PAUSE.min(pause * 2);
            continue;
        };
        pause = FIRST_PAUSE;
        if MANY <= sums {
            continue;
        }
        sleep(SPACING).await;
        tokio::select! {
            () = told(&mut recorded) => {}
            () = sleep(INTERVAL.saturating_sub(SPACING)) => {}
        }
    }
}

/// Waits until something was recorded. That never happens once nobody can tell of it any more.
async fn told(recorded: &mut watch::Receiver<()>) {
    if recorded.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl Progress {
    fn note(&self, outcome: &Result<u64, RepositoryError>) {
        let was_failing = {
            let mut since = self.failing_since.lock();
            let now_failing = outcome.is_err().then(|| since.unwrap_or_else(Instant::now));
            std::mem::replace(&mut *since, now_failing).is_some()
        };
        match (outcome, was_failing) {
            (Ok(_), true) => tracing::info!("Recorded generations are folded again"),
            (Err(error), false) => {
                tracing::warn!(%error, "Recorded generations cannot be folded; trying again");
            }
            (Ok(_), false) | (Err(_), true) => {}
        }
        if let Ok(sums @ 1..) = outcome {
            self.folds.fetch_add(1, Ordering::Relaxed);
            self.sums.fetch_add(*sums, Ordering::Relaxed);
        }
    }
}
