//! The index in memory, kept up to date by a task of its own.

mod keeper;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::{RepositoryError, StyleVectors, Version};
use parking_lot::{Mutex, RwLock};
use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
    time::{Instant, timeout},
};

use super::{segment::Ledger, snapshot::Snapshot, status::IndexState};
use crate::feed::Feed;
use keeper::Keeper;

/// How long a search waits for the index to catch up before it goes another way.
const PATIENCE: Duration = Duration::from_millis(500);

/// After a search waited in vain, others do not wait for so long.
const FINDING_OUT: Duration = Duration::from_secs(1);

/// The index. It ends with the last of those who hold it.
pub(super) struct Index {
    shared: Arc<Shared>,
    progress: watch::Receiver<Progress>,
    task: AbortHandle,
    /// When a search waited in vain.
    in_vain: Mutex<Option<Instant>>,
}

/// What the task and the searches share.
struct Shared {
    feed: Feed,
    /// How many bytes the index may take.
    bound: u64,
    ledger: Ledger,
    /// Nothing until it is loaded, and when it is too large.
    snapshot: RwLock<Option<Arc<Snapshot>>>,
    stage: watch::Sender<Stage>,
    /// Rounds begun.
    begun: AtomicU64,
    wanted: Notify,
    catch_ups: AtomicU64,
    failures: AtomicU64,
    /// How long the last round took, in nanoseconds; 0 before the first.
    last_round: AtomicU64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Loading,
    Loaded,
    TooLarge,
}

/// How far the task is. A *round* asks for changes until there are no more.
#[derive(Debug, Clone)]
struct Progress {
    /// The last round that ended, counted from 1.
    round: u64,
    /// The last one that succeeded, which may be it.
    succeeded: u64,
    /// Why the last one that failed did.
    failure: Option<RepositoryError>,
    /// Every change up to this version is in the snapshot.
    applied: Version,
    /// When the question was sent whose answer completed the snapshot.
    complete_as_of: Option<Instant>,
}

/// The index is not kept any more, because the runtime that it was started on has ended.
#[derive(Debug, thiserror::Error)]
#[error("the index in memory is not kept any more")]
struct Abandoned;

/// The index did not catch up in time.
#[derive(Debug, thiserror::Error)]
#[error("the index in memory did not catch up in time")]
struct TooSlow;

impl Drop for Index {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Index {
    /// Begins to load an index that may take so many bytes.
    pub(super) fn start(vectors: Arc<dyn StyleVectors>, feed: Feed, bound: u64) -> Self {
        let shared = Arc::new(Shared {
            feed,
            bound,
            ledger: Ledger::default(),
            snapshot: RwLock::new(None),
            stage: watch::Sender::new(Stage::Loading),
            begun: AtomicU64::new(0),
            wanted: Notify::new(),
            catch_ups: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            last_round: AtomicU64::new(0),
        });
        let (told, progress) = watch::channel(Progress {
            round: 0,
            succeeded: 0,
            failure: None,
            applied: Version::ZERO,
            complete_as_of: None,
        });
        let keeper = Keeper::new(Arc::clone(&shared), vectors, told);
        let task = tokio::spawn(keeper.keep()).abort_handle();
        Self { shared, progress, task, in_vain: Mutex::new(None) }
    }

    /// Ends the task. What is loaded stays as it is.
    pub(super) fn stop(&self) {
        self.task.abort();
    }

    /// What searches look at, if it is loaded.
    pub(super) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.shared.snapshot.read().clone()
    }

    /// A snapshot with every change up to this version, waiting for it if need be. `None` when there is no index, or when
    /// others waited in vain just now; then the database has to answer, and also when it took too long or failed.
    pub(super) async fn up_to(
        &self,
        version: Version,
    ) -> Result<Option<Arc<Snapshot>>, RepositoryError> {
        match self.snapshot() {
            Some(snapshot) if snapshot.applied < version => {
                if self.is_in_vain() {
                    Ok(None)
                } else {
                    self.after(Some(version)).await
                }
            }
            snapshot => Ok(snapshot),
        }
    }

    /// A snapshot with every change that was committed before this call. `None` when there is no index.
    pub(super) async fn up_to_now(&self) -> Result<Option<Arc<Snapshot>>, RepositoryError> {
        match self.snapshot() {
            Some(_) => self.after(None).await,
            None => Ok(None),
        }
    }

    /// Whether a search waited in vain just now.
    pub(super) fn is_in_vain(&self) -> bool {
        self.in_vain.lock().is_some_and(|at| at.elapsed() < FINDING_OUT)
    }

    /// When the snapshot was last known to be complete.
    pub(super) fn complete_as_of(&self) -> Option<Instant> {
        self.progress.borrow().complete_as_of
    }

    async fn after(
        &self,
        version: Option<Version>,
    ) -> Result<Option<Arc<Snapshot>>, RepositoryError> {
        let outcome = timeout(PATIENCE, self.wait(version)).await;
        let outcome =
            outcome.unwrap_or_else(|_| Err(RepositoryError::Unavailable(Arc::new(TooSlow))));
        *self.in_vain.lock() = outcome.is_err().then(Instant::now);
        outcome.map(|()| self.snapshot())
    }

    /// Waits for a round that begins after this call, or for any that is past this version.
    async fn wait(&self, version: Option<Version>) -> Result<(), RepositoryError> {
        let mut progress = self.progress.clone();
        // A round under way may have asked already; the one after it has not.
        let needed = self.shared.begun.load(Ordering::SeqCst) + 1;
        self.shared.wanted.notify_one();
        loop {
            {
                let progress = progress.borrow_and_update();
                let is_past = version.is_some_and(|version| version <= progress.applied);
                if is_past || needed <= progress.succeeded {
                    return Ok(());
                }
                if needed <= progress.round {
                    return Err(progress.failure.clone().unwrap_or_else(abandoned));
                }
            }
            progress.changed().await.map_err(|_| abandoned())?;
        }
    }

    /// Waits until it is loaded, or known to be too large.
    pub(super) async fn loaded(&self) {
        let mut stage = self.shared.stage.subscribe();
        // It fails when the index is gone, which this holds.
        let _ = stage.wait_for(|stage| *stage != Stage::Loading).await;
    }

    pub(super) fn state(&self) -> IndexState {
        let stage = *self.shared.stage.borrow();
        match stage {
            Stage::Loading => IndexState::Loading,
            Stage::TooLarge => IndexState::TooLarge,
            Stage::Loaded => {
                let newest = self.shared.feed.catalog().newest();
                let is_behind = self.snapshot().is_none_or(|snapshot| snapshot.applied < newest);
                if is_behind { IndexState::Behind } else { IndexState::Ready }
            }
        }
    }

    /// How many bytes it takes.
    pub(super) fn bytes(&self) -> u64 {
        self.shared.ledger.bytes()
    }

    /// How often it asked for changes with success, and how often without.
    pub(super) fn rounds(&self) -> (u64, u64) {
        let now = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (now(&self.shared.catch_ups), now(&self.shared.failures))
    }

    /// How long it took the last time.
    pub(super) fn last_round(&self) -> Option<Duration> {
        match self.shared.last_round.load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }
}

fn abandoned() -> RepositoryError {
    RepositoryError::Unavailable(Arc::new(Abandoned))
}
