//! Opening the store of a server that may not be there yet.

use std::time::{Duration, Instant};

use storage::Store;
use tokio::time::sleep;

use super::{ServeError, open_store};
use crate::{causes::with_causes, config::DatabaseSettings};

/// How long to wait before the second attempt; each wait is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// How long to wait at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How often the log says that the database is still away.
const REMINDER: Duration = Duration::from_secs(30);

/// Opens the store, and tries again for as long as the database is away.
///
/// What waiting cannot cure is an error at once: a password that is refused, a database that does not exist, changes of
/// the schema that are pending.
pub(super) async fn open_patiently(settings: &DatabaseSettings) -> Result<Store, ServeError> {
    let began = Instant::now();
    let mut told: Option<Instant> = None;
    let mut pause = FIRST_PAUSE;
    loop {
        match open_store(settings).await {
            Ok(store) => {
                if told.is_some() {
                    let waited_ms = began.elapsed().as_millis();
                    tracing::info!(waited_ms, "The database answers");
                }
                store.warm_up().await;
                return Ok(store);
            }
            Err(error) if error.may_pass() => {
                if told.is_none_or(|told| REMINDER <= told.elapsed()) {
                    let waited_ms = began.elapsed().as_millis();
                    let reason = with_causes(&error);
                    tracing::warn!(waited_ms, reason, "Waiting for the database: {reason}");
                    told = Some(Instant::now());
                }
            }
            Err(error) => return Err(error),
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
