//! The task that keeps the keys in memory up to date.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use domain::{KeyChange, RepositoryError, Version};
use futures::FutureExt;
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::keyring::{Progress, Shared};
use crate::feed::Feed;

/// How many changes are asked for at once.
const PAGE: u32 = 1_000;

/// An answer that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(3);

/// Rounds of the feed may end hundreds of times a second while artists are written; keys seldom change meanwhile.
const SPACING: Duration = Duration::from_millis(100);

/// The store did not answer in time.
#[derive(Debug, thiserror::Error)]
#[error("the store did not tell which keys changed in time")]
struct NoAnswer;

/// The panic itself was told by the hook for panics.
#[derive(Debug, thiserror::Error)]
#[error("catching up with keys panicked")]
struct Panicked;

/// Rounds until nobody is interested any more.
pub(super) async fn keep(shared: Arc<Shared>, feed: Feed, told: watch::Sender<Progress>) {
    let mut rounds = feed.rounds();
    let mut applied = Version::ZERO;
    let mut was_failing = false;
    loop {
        let round = shared.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let outcome = AssertUnwindSafe(catch_up(&shared, &mut applied))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(RepositoryError::Internal(Arc::new(Panicked))));
        match (&outcome, was_failing) {
            (Ok(_), true) => tracing::info!("The API keys are up to date again"),
            (Err(error), false) => {
                tracing::warn!(%error, "The API keys cannot be brought up to date; trying again");
            }
            (Ok(_), false) | (Err(_), true) => {}
        }
        was_failing = outcome.is_err();
        told.send_modify(|progress| {
            progress.round = round;
            if let Ok(asked) = outcome {
                progress.succeeded = round;
                progress.confirmed = Some(asked);
            }
        });
        tokio::select! {
            () = shared.wanted.notified() => {}
            () = async { sleep(SPACING).await; rounds.next().await } => {}
        }
    }
}

/// Asks for changes until there are no more, and returns when the question was sent that completed the keys.
async fn catch_up(shared: &Shared, applied: &mut Version) -> Result<Instant, RepositoryError> {
    loop {
        // Before the question is sent: what is committed while it travels may or may not be in the answer.
        let asked = Instant::now();
        let answer = timeout(PATIENCE, shared.keys.since(*applied, PAGE)).await;
        let changes = answer.map_err(|_| RepositoryError::Unavailable(Arc::new(NoAnswer)))??;
        let is_all = changes.len() < PAGE as usize;
        *applied = changes.last().map_or(*applied, KeyChange::version);
        shared.apply(changes);
        if is_all {
            return Ok(asked);
        }
    }
}
