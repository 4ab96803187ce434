//! How an instance knows what is current: one task follows the store's change feed and keeps the catalog.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::{ArtistKey, ArtistName, Change, ChangeFollower, Changes, RepositoryError, StoreState};
use futures::FutureExt;
use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
    time::{Instant, sleep, timeout},
};

use crate::{catalog::Catalog, freshness::Bounds};

/// How often the feed is asked though nothing hinted at a change.
const INTERVAL: Duration = Duration::from_millis(250);

/// How many changes are asked for at once.
const PAGE: u32 = 10_000;

/// An answer that takes longer is given up, and its connection with it.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a strict read, or a write that only the feed can settle, waits for its round.
const STRICT_PATIENCE: Duration = Duration::from_secs(5);

/// How long somebody waits for a round who can do without.
const STATE_PATIENCE: Duration = Duration::from_millis(500);

/// Hints that come faster share a round. Strict reads do not wait for this.
const LEAST_SPACING: Duration = Duration::from_millis(2);
const MOST_SPACING: Duration = Duration::from_millis(50);

/// How many times as long as a round the time to the next one is, when hints never end: rounds shall not keep the database
/// from the writes that they are about.
const SPACING_PER_ROUND: u32 = 10;

/// How long to wait after a first failure; twice as long after each further one, up to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// The catalog of a store, kept up to date by a task that ends with the last clone of this.
///
/// A *round* notes the time, asks the store for changes after the last version applied, and applies them. Then the
/// catalog is known to be complete as of the noted time. Rounds begin when the store hints at a change, when a strict
/// read asks for one, and every 250 ms.
#[derive(Clone)]
pub struct Feed {
    shared: Arc<Shared>,
    task: Arc<Task>,
}

/// What the task and the readers share. The task does not hold the [`Feed`], or it would never end.
struct Shared {
    catalog: Catalog,
    bounds: Bounds,
    /// Rounds begun.
    begun: AtomicU64,
    /// The last round that ended.
    ended: watch::Receiver<Ended>,
    wanted: Notify,
    unreachable: AtomicBool,
    failing: AtomicBool,
    failures: AtomicU64,
    connections: AtomicU64,
    changes: AtomicU64,
    last_round_nanos: AtomicU64,
}

#[derive(Debug, Clone)]
struct Ended {
    /// Its number, counted from 1.
    round: u64,
    /// The last one that succeeded, which may be it.
    succeeded: u64,
    /// Why the last one that failed did.
    failure: Option<RepositoryError>,
    /// What the last one that succeeded found, if it could tell.
    state: Option<FeedState>,
}

/// A state of the whole store, as far as one connection tells it from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FeedState {
    connection: u64,
    state: StoreState,
}

struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Rounds as they end.
pub(crate) struct Rounds(watch::Receiver<Ended>);

impl Rounds {
    /// Waits until a round has ended after the last call. That never happens once the feed is not followed any more.
    pub(crate) async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The feed as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedStatus {
    /// How long ago the catalog was known to be complete; `None` before it was loaded.
    pub age: Option<Duration>,
    /// How long the last round took: from its question to the last change applied. A commit is known everywhere after
    /// about this time.
    pub last_round: Duration,
    /// Whether the last round failed because the database did not answer.
    pub unreachable: bool,
    /// Whether default reads can rely on the catalog at this moment.
    pub reliable: bool,
    /// The last version applied.
    pub applied: domain::Version,
    /// How many artists the catalog holds.
    pub artists: usize,
    /// Rounds begun so far.
    pub rounds: u64,
    /// Rounds that failed.
    pub failures: u64,
    /// Connections opened so far; every one after the first replaced a broken one.
    pub connections: u64,
    /// Changes applied so far, those of the first load included.
    pub changes: u64,
}

/// The feed is not followed any more, because the runtime that it was started on has ended.
#[derive(Debug, thiserror::Error)]
#[error("the change feed is not followed any more")]
struct Abandoned;

/// The panic itself was told by the hook for panics.
#[derive(Debug, thiserror::Error)]
#[error("a round of the change feed panicked")]
struct Panicked;

/// The store did not answer in time.
#[derive(Debug, thiserror::Error)]
#[error("the change feed did not answer in time")]
struct NoAnswer;

impl Feed {
    /// Starts to follow the changes of a store, which loads the catalog first. Until that is done every read goes to
    /// the store.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    #[must_use]
    pub fn start(changes: Arc<dyn Changes>, bounds: Bounds) -> Self {
        let (end, ended) =
            watch::channel(Ended { round: 0, succeeded: 0, failure: None, state: None });
        let shared = Arc::new(Shared {
            catalog: Catalog::new(),
            bounds,
            begun: AtomicU64::new(0),
            ended,
            wanted: Notify::new(),
            unreachable: AtomicBool::new(false),
            failing: AtomicBool::new(false),
            failures: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            last_round_nanos: AtomicU64::new(0),
        });
        let task = tokio::spawn(follow(Arc::clone(&shared), changes, end));
        Self { shared, task: Arc::new(Task(task.abort_handle())) }
    }

    /// Waits for a round that begins after this call, and returns once the catalog holds every change that was
    /// committed before this call.
    ///
    /// Any number of callers share one round. Fails when the round fails, with the store's error.
    pub async fn confirm(&self) -> Result<(), RepositoryError> {
        self.confirm_state().await.map(drop)
    }

    /// The same; returns the state of the store at some moment after this call, if the store can tell it.
    async fn confirm_state(&self) -> Result<Option<FeedState>, RepositoryError> {
        let mut ended = self.shared.ended.clone();
        // A round under way may have asked already; the one after it has not.
        let needed = self.shared.begun.load(Ordering::SeqCst) + 1;
        self.shared.wanted.notify_one();
        loop {
            {
                let ended = ended.borrow_and_update();
                if needed <= ended.succeeded {
                    return Ok(ended.state.clone());
                }
                if needed <= ended.round {
                    return Err(ended.failure.clone().unwrap_or_else(abandoned));
                }
            }
            ended.changed().await.map_err(|_| abandoned())?;
        }
    }

    /// The same, for somebody who cannot wait long.
    pub(crate) async fn confirm_soon(&self) -> Result<(), RepositoryError> {
        timeout(STRICT_PATIENCE, self.confirm()).await.map_err(|_| no_answer())?
    }

    /// The state of the store at some moment after this call; `None` if it cannot be told soon.
    pub(crate) async fn state(&self) -> Option<FeedState> {
        self.reliable()?;
        timeout(STATE_PATIENCE, self.confirm_state()).await.ok()?.ok()?
    }

    /// The feed as it stands.
    #[must_use]
    pub fn status(&self) -> FeedStatus {
        let shared = &self.shared;
        let age = shared.catalog.confirmed().map(|at| at.elapsed());
        FeedStatus {
            age,
            reliable: age.is_some_and(|age| age <= shared.bounds.max_staleness),
            last_round: Duration::from_nanos(shared.last_round_nanos.load(Ordering::Relaxed)),
            unreachable: self.is_unreachable(),
            applied: shared.catalog.applied(),
            artists: shared.catalog.len(),
            rounds: shared.begun.load(Ordering::Relaxed),
            failures: shared.failures.load(Ordering::Relaxed),
            connections: shared.connections.load(Ordering::Relaxed),
            changes: shared.changes.load(Ordering::Relaxed),
        }
    }

    /// What a default read may rely on.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        self.shared.bounds
    }

    /// When the catalog was confirmed, and how long ago that is, if that was recently enough for a default read.
    pub(crate) fn reliable(&self) -> Option<(Instant, Duration)> {
        let at = self.shared.catalog.confirmed()?;
        let age = at.elapsed();
        (age <= self.shared.bounds.max_staleness).then_some((at, age))
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.shared.catalog
    }

    /// How many artists have a profile, as of now or a moment ago; `None` when that cannot be told without the store.
    #[must_use]
    pub fn profiles(&self) -> Option<u64> {
        self.reliable()?;
        Some(self.catalog().profiles())
    }

    /// The name of an artist as it was first stored, if the catalog has the artist.
    #[must_use]
    pub fn name_of(&self, artist: &ArtistKey) -> Option<ArtistName> {
        self.shared.catalog.name_of(artist)
    }

    /// Stops following. Strict reads fail from now on, and default reads go to the store once the catalog is too old.
    pub fn stop(&self) {
        self.task.0.abort();
    }

    /// The rounds that end from now on.
    pub(crate) fn rounds(&self) -> Rounds {
        Rounds(self.shared.ended.clone())
    }

    /// Asks for a round without waiting for it.
    pub(crate) fn wake(&self) {
        self.shared.wanted.notify_one();
    }

    /// Makes sure that this instance's own writes, which are not in the catalog yet, are seen by its reads from now on.
    pub(crate) async fn settle(&self) {
        if let Err(error) = self.confirm_soon().await {
            tracing::warn!(%error, "A write could not be confirmed; reads go to the database until one can");
            self.shared.catalog.distrust();
        }
    }

    /// Whether the database did not answer the last round.
    pub(crate) fn is_unreachable(&self) -> bool {
        self.shared.unreachable.load(Ordering::Relaxed)
    }
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Feed").field("status", &self.status()).finish_non_exhaustive()
    }
}

fn abandoned() -> RepositoryError {
    RepositoryError::Unavailable(Arc::new(Abandoned))
}

/// Rounds until nobody is interested any more. Those who wait for one are told when there will be none.
async fn follow(shared: Arc<Shared>, changes: Arc<dyn Changes>, end: watch::Sender<Ended>) {
    let mut follower = None;
    let mut pause = FIRST_PAUSE;
    loop {
        let round = shared.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let outcome = AssertUnwindSafe(shared.round(&mut follower, &*changes))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(RepositoryError::Internal(Arc::new(Panicked))));
        match &outcome {
            Ok(()) => pause = FIRST_PAUSE,
            Err(error) => tracing::debug!(%error, "The change feed could not be read"),
        }
        let failed = outcome.is_err();
        shared.note(&outcome);
        let connection = shared.connections.load(Ordering::Relaxed);
        let state = follower.as_ref().and_then(|follower| follower.state());
        tell(&end, round, outcome, state.map(|state| FeedState { connection, state }));

        if failed {
            follower = None;
            // Nobody who wants a round waits out a long pause, and nobody can make rounds follow each other at once.
            sleep(FIRST_PAUSE).await;
            let rest = pause.saturating_sub(FIRST_PAUSE);
            tokio::select! {
                () = shared.wanted.notified() => {}
                () = sleep(rest.mul_f64(0.5 + fraction())) => {}
            }
            pause = LAST_PAUSE.min(pause * 2);
            continue;
        }
        let Some(following) = follower.as_mut() else { continue };
        let ended = Instant::now();
        tokio::select! {
            () = shared.wanted.notified() => {}
            () = sleep(INTERVAL) => {}
            hinted = following.hint() => match hinted {
                Ok(()) => tokio::select! {
                    () = shared.wanted.notified() => {}
                    () = sleep(LEAST_SPACING.max(shared.spacing().saturating_sub(ended.elapsed()))) => {}
                },
                // The next round opens another connection.
                Err(error) => {
                    tracing::debug!(%error, "The connection to the change feed was lost");
                    follower = None;
                }
            },
        }
    }
}

impl Shared {
    /// How long hints are gathered.
    fn spacing(&self) -> Duration {
        let round = Duration::from_nanos(self.last_round_nanos.load(Ordering::Relaxed));
        (round * SPACING_PER_ROUND).clamp(LEAST_SPACING, MOST_SPACING)
    }

    /// One round. A connection that was good before may have been lost since, so there is a second attempt on a new
    /// one.
    async fn round(
        &self,
        follower: &mut Option<Box<dyn ChangeFollower>>,
        changes: &dyn Changes,
    ) -> Result<(), RepositoryError> {
        if let Some(open) = follower.as_mut() {
            match self.catch_up(open.as_mut()).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    tracing::debug!(%error, "The connection to the change feed was lost");
                    *follower = None;
                }
            }
        }
        let opened = timeout(PATIENCE, changes.follow()).await.map_err(|_| no_answer())??;
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.catch_up(follower.insert(opened).as_mut()).await
    }

    /// Asks for changes until there are no more.
    async fn catch_up(&self, follower: &mut dyn ChangeFollower) -> Result<(), RepositoryError> {
        loop {
            // Before the question is sent: what is committed while it travels may or may not be in the answer.
            let asked = Instant::now();
            let answer = follower.since(self.catalog.applied(), PAGE);
            let changes = timeout(PATIENCE, answer).await.map_err(|_| no_answer())??;
            let complete = changes.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
            self.apply(changes);
            if complete {
                self.catalog.confirm(asked);
                let nanos = u64::try_from(asked.elapsed().as_nanos()).unwrap_or(u64::MAX);
                self.last_round_nanos.store(nanos, Ordering::Relaxed);
                return Ok(());
            }
        }
    }

    fn apply(&self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        self.changes.fetch_add(u64::try_from(changes.len()).unwrap_or(0), Ordering::Relaxed);
        self.catalog.apply(changes);
    }

    fn note(&self, outcome: &Result<(), RepositoryError>) {
        let unreachable = matches!(outcome, Err(RepositoryError::Unavailable(_)));
        self.unreachable.store(unreachable, Ordering::Relaxed);
        let was_failing = self.failing.swap(outcome.is_err(), Ordering::Relaxed);
        match (outcome, was_failing) {
            (Ok(()), true) => tracing::info!("The change feed is followed again"),
            (Err(error), false) => {
                tracing::warn!(%error, "The change feed cannot be followed; trying again");
            }
            (Ok(()), false) | (Err(_), true) => {}
        }
        if outcome.is_err() {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Tells everybody how a round ended.
fn tell(
    end: &watch::Sender<Ended>,
    round: u64,
    outcome: Result<(), RepositoryError>,
    state: Option<FeedState>,
) {
    end.send_modify(|ended| {
        ended.round = round;
        match outcome {
            Ok(()) => {
                ended.succeeded = round;
                ended.state = state;
            }
            Err(error) => ended.failure = Some(error),
        }
    });
}

fn no_answer() -> RepositoryError {
    RepositoryError::Unavailable(Arc::new(NoAnswer))
}

/// Some number from 0 to 1, so that instances that failed together do not try again together.
fn fraction() -> f64 {
    fastrand::f64()
}
