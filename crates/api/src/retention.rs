//! Looking after the history: room for the months to come, and none for those that nobody wants any more.

use std::{panic::AssertUnwindSafe, time::Duration};

use domain::Timestamp;
use futures::FutureExt as _;
use storage::Store;
use tokio::task::AbortHandle;

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_hours(1);

/// The same after a failure: whoever records generations of a month that has no room yet waits for it to be made.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_mins(1);

/// A task that makes room for the months to come and drops those that are too old, until it is stopped or dropped.
///
/// Instances may do so side by side: what one has done, another finds done.
#[derive(Debug)]
pub struct HistoryKeeper(AbortHandle);

impl HistoryKeeper {
    /// Starts it; without a retention nothing is dropped.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    #[must_use]
    pub fn start(store: Store, retention: Option<Duration>) -> Self {
        let look_after = move || look_after(store.clone(), retention);
        Self(tokio::spawn(keep_on(look_after, tokio::time::sleep)).abort_handle())
    }

    /// Ends it.
    pub fn stop(&self) {
        self.0.abort();
    }
}

impl Drop for HistoryKeeper {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Looks after the history again and again, sooner when that failed. Nothing that happens there ends it.
async fn keep_on<Looking, Waiting>(
    look_after: impl Fn() -> Looking,
    wait: impl Fn(Duration) -> Waiting,
) where
    Looking: Future<Output = bool>,
    Waiting: Future<Output = ()>,
{
    loop {
        // The panic itself is told by the hook for panics.
        let is_done = AssertUnwindSafe(look_after()).catch_unwind().await.unwrap_or(false);
        wait(if is_done { PAUSE } else { PAUSE_AFTER_FAILURE }).await;
    }
}

/// Returns whether all of it was done.
async fn look_after(store: Store, retention: Option<Duration>) -> bool {
    // One may fail where the other does not.
    let prepared = prepare(&store).await;
    let retired = match retention {
        Some(retention) => retire_after(&store, retention).await,
        None => true,
    };
    prepared && retired
}

/// A clock that is ahead must not drop what is not old enough.
async fn retire_after(store: &Store, retention: Duration) -> bool {
    match store.earlier_now().await.map(|now| earlier(now, retention)) {
        Ok(Some(before)) => retire(store, before).await,
        Ok(None) => true,
        Err(error) => {
            tracing::warn!(%error, "Generations that are too old cannot be dropped now");
            false
        }
    }
}

async fn prepare(store: &Store) -> bool {
    let prepared = store.accounts().prepare_months().await;
    if let Err(error) = &prepared {
        tracing::warn!(%error, "Room for the generations of the coming months cannot be made");
    }
    prepared.is_ok()
}

async fn retire(store: &Store, before: Timestamp) -> bool {
    match store.accounts().retire(before).await {
        Ok(retired) => {
            if 0 < retired.months {
                tracing::info!(
                    generations = retired.generations,
                    months = retired.months,
                    "Dropped generations that are older than the retention; what they took stays in statistics"
                );
            }
            true
        }
        Err(error) => {
            tracing::warn!(%error, "Generations that are too old cannot be dropped now");
            false
        }
    }
}

/// The time that was so long ago; `None` when that is before all times.
fn earlier(now: Timestamp, by: Duration) -> Option<Timestamp> {
    let micros = now.unix_micros().checked_sub(i64::try_from(by.as_micros()).ok()?)?;
    Timestamp::from_unix_micros(micros).ok()
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    #[test]
    fn tries_again_sooner_after_a_failure_and_goes_on_after_a_panic() {
        let rounds = Cell::new(0);
        let look_after = || {
            let round = rounds.replace(rounds.get() + 1);
            async move {
                match round {
                    1 => panic!("as it was told to"),
                    round => round != 2,
                }
            }
        };
        let pauses = RefCell::new(Vec::new());
        let wait = |pause| {
            pauses.borrow_mut().push(pause);
            let is_over = pauses.borrow().len() == 4;
            async move {
                if is_over {
                    std::future::pending::<()>().await;
                }
            }
        };

        assert!(keep_on(look_after, wait).now_or_never().is_none());

        let (hour, minute) = (Duration::from_hours(1), Duration::from_mins(1));
        assert_eq!(*pauses.borrow(), [hour, minute, minute, hour]);
    }

    #[test]
    fn what_is_older_than_time_is_no_time() {
        let now: Timestamp = "2026-11-21T12:00:00.000001Z".parse().unwrap();
        let days = |days: u64| Duration::from_secs(days * 86_400);
        let at = |by| earlier(now, by).map(|time| time.to_string());

        assert_eq!(at(Duration::ZERO).as_deref(), Some("2026-11-21T12:00:00.000001Z"));
        assert_eq!(at(days(1)).as_deref(), Some("2026-11-20T12:00:00.000001Z"));
        assert_eq!(at(days(400)).as_deref(), Some("2025-10-17T12:00:00.000001Z"));
        assert_eq!(at(days(3_650_000)), None);
        assert_eq!(at(Duration::MAX), None);
    }
}
