//! The task that loads the index and keeps it up to date.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use domain::{RepositoryError, StyleVectors, VectorChange, Version};
use futures::FutureExt;
use tokio::{
    sync::watch,
    task::{JoinHandle, spawn_blocking},
    time::{Instant, sleep, timeout},
};

use super::{
    super::writer::{TooLarge, Writer},
    Progress, Shared, Stage,
};

/// How many changes are asked for at once. Two pages take memory at a time, about 8 MiB each, which the bound of the index
/// does not count.
const PAGE: u32 = 4_096;

/// An answer that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait after a first failure; twice as long after each further one, up to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// When more than one row in so many lives no more, loading again makes room.
const WORN_PART: usize = 64;

pub(super) struct Keeper {
    shared: Arc<Shared>,
    vectors: Arc<dyn StyleVectors>,
    told: watch::Sender<Progress>,
    /// What has been read so far, unless it is with `applying`.
    writer: Option<Writer>,
    /// What was read is being taken in while the next is read.
    applying: Option<JoinHandle<(Writer, Result<(), TooLarge>)>>,
    /// The generation that came last.
    generation: u64,
    /// How it was when there was too much.
    too_much: Option<TooMuch>,
}

/// What there was when it did not fit.
#[derive(Debug, Clone, Copy)]
struct TooMuch {
    /// So many rows had fitted.
    fitted: usize,
    /// So many artists there were.
    artists: usize,
}

/// The store did not answer in time.
#[derive(Debug, thiserror::Error)]
#[error("the store did not tell what changed in time")]
struct NoAnswer;

/// The panic itself was told by the hook for panics.
#[derive(Debug, thiserror::Error)]
#[error("catching up with what changed panicked")]
struct Panicked;

/// Taking changes in panicked; the panic itself was told by the hook for panics.
#[derive(Debug, thiserror::Error)]
#[error("the index in memory was lost")]
struct Lost;

impl Keeper {
    pub(super) const fn new(
        shared: Arc<Shared>,
        vectors: Arc<dyn StyleVectors>,
        told: watch::Sender<Progress>,
    ) -> Self {
        Self { shared, vectors, told, writer: None, applying: None, generation: 0, too_much: None }
    }

    /// Rounds until nobody is interested any more.
    pub(super) async fn keep(mut self) {
        let mut rounds = self.shared.feed.rounds();
        let mut failed: Option<Duration> = None;
        loop {
            match failed {
                None => {
                    while !self.has_work() {
                        tokio::select! {
                            () = self.shared.wanted.notified() => break,
                            () = rounds.next() => {}
                        }
                    }
                }
                // Nobody who wants a round waits out a long pause, and nobody can make rounds follow each other at once.
                Some(pause) => {
                    sleep(FIRST_PAUSE).await;
                    tokio::select! {
                        () = self.shared.wanted.notified() => {}
                        () = sleep(pause) => {}
                    }
                }
            }
            let round = self.shared.begun.fetch_add(1, Ordering::SeqCst) + 1;
            let began = Instant::now();
            let outcome = AssertUnwindSafe(self.round())
                .catch_unwind()
                .await
                .unwrap_or_else(|_| Err(RepositoryError::Internal(Arc::new(Panicked))));
            let took = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1);
            self.shared.last_round.store(took, Ordering::Relaxed);
            failed = match (&outcome, failed) {
                (Ok(()), None) => None,
                (Ok(()), Some(_)) => {
                    tracing::info!("The index of similar artists keeps up again");
                    None
                }
                (Err(error), None) => {
                    tracing::warn!(%error, "The index of similar artists cannot catch up; trying again");
                    Some(FIRST_PAUSE)
                }
                (Err(_), Some(pause)) => Some(LAST_PAUSE.min(pause * 2)),
            };
            self.tell(round, outcome);
        }
    }

    /// Whether there is something to ask for though nobody waits for it.
    fn has_work(&self) -> bool {
        let catalog = self.shared.feed.catalog();
        match self.too_much {
            // The catalog comes first: other reads rely on it, and names are shared with it.
            None => {
                let is_behind = |writer: &Writer| {
                    writer.applied() < catalog.newest() || writer.from() < catalog.applied()
                };
                catalog.confirmed().is_some() && self.writer.as_ref().is_none_or(is_behind)
            }
            // Not every artist has an embedding, so that a good part of them going is worth an attempt too.
            Some(TooMuch { fitted, artists }) => {
                let now = catalog.len();
                now <= fitted || now <= artists / 4 * 3
            }
        }
    }

    /// Brings the index up to date, or finds out that there is to be none.
    async fn round(&mut self) -> Result<(), RepositoryError> {
        if self.too_much.is_some() {
            if !self.has_work() {
                return Ok(());
            }
            self.too_much = None;
            self.shared.stage.send_replace(Stage::Loading);
        }
        let mut outcome = self.catch_up().await;
        if outcome.is_err() {
            // What was read before that is not asked for again.
            outcome = self.taken_in().await.and(outcome);
        }
        match outcome {
            Err(Trouble::TooLarge(too_large)) => {
                self.give_up(too_large).await;
                Ok(())
            }
            Err(Trouble::Store(error)) => Err(error),
            Ok(()) => Ok(()),
        }
    }

    /// Asks for changes until there are no more. What was read is taken in while the next is read.
    async fn catch_up(&mut self) -> Result<(), Trouble> {
        self.taken_in().await?;
        // Every one of these versions was committed before the first question.
        let catalog = self.shared.feed.catalog();
        let (told, newest) = (catalog.applied(), catalog.newest());
        let mut from = self.writer.as_ref().map_or(Version::ZERO, Writer::from);
        loop {
            // Before the question is sent: what is committed while it travels may or may not be in the answer.
            let asked = Instant::now();
            let answer = timeout(PATIENCE, self.vectors.since(from, PAGE)).await;
            let changes = answer.map_err(|_| no_answer())??;
            let is_all = changes.len() < PAGE as usize;
            from = changes.last().map_or(from, VectorChange::version);
            self.taken_in().await?;
            self.take_in(changes);
            if is_all {
                self.taken_in().await?;
                self.complete(newest, told, asked);
                return Ok(());
            }
        }
    }

    /// Begins to take changes in.
    fn take_in(&mut self, changes: Vec<VectorChange>) {
        let Shared { feed, bound, ledger, .. } = &*self.shared;
        let writer = self.writer.take();
        let mut writer = writer.unwrap_or_else(|| Writer::new(*bound, self.generation, ledger));
        let feed = feed.clone();
        self.applying = Some(spawn_blocking(move || {
            let outcome = writer.apply(changes, |key| feed.name_of(key));
            (writer, outcome)
        }));
    }

    /// Waits until what was read has been taken in.
    ///
    /// Searches see it when there is nothing left to read: between two pages an artist is missing that has changed again
    /// since, and is on a later one.
    async fn taken_in(&mut self) -> Result<(), Trouble> {
        let Some(applying) = self.applying.take() else { return Ok(()) };
        let Ok((writer, outcome)) = applying.await else {
            self.forget(Stage::Loading).await;
            return Err(Trouble::Store(RepositoryError::Internal(Arc::new(Lost))));
        };
        outcome.map_err(Trouble::TooLarge)?;
        self.writer = Some(writer);
        Ok(())
    }

    /// Notes that there is nothing up to this version that is not in the index, nor was when this was asked.
    fn complete(&mut self, newest: Version, told: Version, asked: Instant) {
        let Some(mut writer) = self.writer.take() else { return };
        writer.complete(newest, told);
        self.publish(&writer);
        self.told.send_modify(|progress| progress.complete_as_of = Some(asked));
        self.shared.stage.send_if_modified(|stage| {
            let was_loading = *stage != Stage::Loaded;
            *stage = Stage::Loaded;
            if was_loading {
                let bytes = self.shared.ledger.bytes();
                tracing::info!(bytes, "The index of similar artists is loaded");
            }
            was_loading
        });
        self.writer = Some(writer);
    }

    fn publish(&mut self, writer: &Writer) {
        self.generation = writer.generation();
        let next = Some(Arc::new(writer.snapshot()));
        let last = std::mem::replace(&mut *self.shared.snapshot.write(), next);
        // Freeing what only the last one held takes longer than anybody should wait for the lock.
        drop(last);
        self.told.send_modify(|progress| progress.applied = writer.applied());
    }

    /// Gives the memory back.
    async fn forget(&mut self, stage: Stage) {
        let lost = (self.writer.take(), self.shared.snapshot.write().take());
        // That takes longer than a thread may that answers others meanwhile.
        let freed = spawn_blocking(move || drop(lost)).await;
        if let Err(error) = freed {
            tracing::error!(%error, "The memory of the index of similar artists was not given back");
        }
        self.shared.stage.send_replace(stage);
    }

    async fn give_up(&mut self, TooLarge { fitted, dead }: TooLarge) {
        if fitted < WORN_PART * dead {
            tracing::info!("The index of similar artists is loaded again to make room");
            self.forget(Stage::Loading).await;
            return;
        }
        let bound_bytes = self.shared.bound;
        tracing::warn!(
            bound_bytes,
            fitted,
            "The index of similar artists does not fit into its memory; the database answers"
        );
        self.too_much = Some(TooMuch { fitted, artists: self.shared.feed.catalog().len() });
        self.forget(Stage::TooLarge).await;
    }

    /// Tells everybody how a round ended.
    fn tell(&self, round: u64, outcome: Result<(), RepositoryError>) {
        let counter = if outcome.is_ok() { &self.shared.catch_ups } else { &self.shared.failures };
        counter.fetch_add(1, Ordering::Relaxed);
        self.told.send_modify(|progress| {
            progress.round = round;
            match outcome {
                Ok(()) => progress.succeeded = round,
                Err(error) => progress.failure = Some(error),
            }
        });
    }
}

/// Why a round ended early.
enum Trouble {
    Store(RepositoryError),
    TooLarge(TooLarge),
}

impl From<RepositoryError> for Trouble {
    fn from(error: RepositoryError) -> Self {
        Self::Store(error)
    }
}

fn no_answer() -> RepositoryError {
    RepositoryError::Unavailable(Arc::new(NoAnswer))
}
