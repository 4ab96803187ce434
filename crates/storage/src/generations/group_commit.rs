//! One commit for everybody who records at the same time.
//!
//! A commit waits for the disk, and costs the same for one row as for a thousand. So whoever comes while a commit is under
//! way waits in a queue, and the next one takes all of them along. Nobody is kept waiting for company: a caller who is
//! alone is committed at once.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use domain::{Generation, RepositoryError};
use tokio::sync::oneshot;

use super::recording::{self, Outcome, Recorder};
use crate::{error::Failure, store::Store};

/// Generations of one transaction at most, unless one caller brings more.
const MOST_TOGETHER: usize = 1_000;

/// While one commit is written or waits for the disk, another is prepared.
const MOST_COMMITTERS: usize = 2;

/// Who waits for a commit.
#[derive(Debug, Default)]
pub(crate) struct GroupCommit {
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    committers: usize,
}

#[derive(Debug)]
struct Waiting {
    recorder: Recorder,
    answer: oneshot::Sender<Outcome>,
}

/// Records what one caller brings, all or nothing, and returns when it is committed.
pub(super) async fn record(store: &Store, recorder: Recorder) -> Outcome {
    // Before it is in the queue: nobody else has to wait for the room that this caller needs.
    store.partitions().ensure_for(store, &recorder.generations).await?;

    let (answer, answered) = oneshot::channel();
    let begins = {
        let mut queue = store.group_commit().queue();
        queue.waiting.push_back(Waiting { recorder, answer });
        let begins = queue.committers < MOST_COMMITTERS;
        queue.committers += usize::from(begins);
        begins
    };
    if begins {
        // A task of its own: a caller who goes away takes nobody else's commit along.
        store.spawn(Committer { store: store.clone(), has_left: false }.run());
    }
    answered.await.unwrap_or_else(|lost| Err(Failure::unavailable(lost).into()))
}

impl GroupCommit {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing that holds it can stop half-way.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn take(&mut self) -> Vec<Waiting> {
        let mut taken: Vec<Waiting> = Vec::new();
        let mut generations = 0;
        while let Some(next) = self.waiting.front() {
            generations += next.recorder.generations.len();
            if !taken.is_empty() && MOST_TOGETHER < generations {
                break;
            }
            taken.extend(self.waiting.pop_front());
        }
        taken
    }
}

/// Commits for others until nobody waits.
struct Committer {
    store: Store,
    has_left: bool,
}

impl Committer {
    async fn run(mut self) {
        while let Some(waiting) = self.next() {
            let (callers, answers): (Vec<_>, Vec<_>) =
                waiting.into_iter().map(|it| (it.recorder, it.answer)).unzip();
            for (answer, outcome) in answers.into_iter().zip(self.record(&callers).await) {
                // Whoever went away does not hear of it.
                let _ = answer.send(outcome);
            }
        }
    }

    /// Who is to be committed next.
    ///
    /// With nobody left, this one leaves before anybody else can queue up and rely on it.
    fn next(&mut self) -> Option<Vec<Waiting>> {
        let mut queue = self.store.group_commit().queue();
        let taken = queue.take();
        if taken.is_empty() {
            queue.committers -= 1;
            self.has_left = true;
            return None;
        }
        Some(taken)
    }

    async fn record(&self, callers: &[Recorder]) -> Vec<Outcome> {
        match recording::record(&self.store, callers).await {
            Ok(outcomes) => outcomes,
            Err(error @ RepositoryError::Unavailable(_)) => failed(&error, callers.len()),
            // Something in it is more than the store can take: only whoever brought it shall hear of that.
            Err(error) if callers.len() == 1 => failed(&error, 1),
            Err(_) => {
                let mut outcomes = Vec::with_capacity(callers.len());
                for caller in callers {
                    let alone = recording::record(&self.store, std::slice::from_ref(caller)).await;
                    outcomes.extend(alone.unwrap_or_else(|error| failed(&error, 1)));
                }
                outcomes
            }
        }
    }
}

impl Drop for Committer {
    /// One that was cut off tells whoever relies on it.
    fn drop(&mut self) {
        if !self.has_left {
            let mut queue = self.store.group_commit().queue();
            queue.committers -= 1;
            if queue.committers == 0 {
                queue.waiting.clear();
            }
        }
    }
}

fn failed(
    error: &RepositoryError,
    callers: usize,
) -> Vec<Result<Vec<Generation>, RepositoryError>> {
    (0..callers).map(|_| Err(error.clone())).collect()
}
