//! When keys were used, and how the store learns of it: in one batch a minute.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use domain::Timestamp;
use tokio::time::{interval, timeout};

use super::keyring::Shared;

/// How often the store is told.
const EVERY: Duration = Duration::from_mins(1);

/// A store that takes longer is told another time.
const PATIENCE: Duration = Duration::from_secs(3);

/// Uses so close to each other are one, so that requests of one key do not fight for a word of memory.
const TOGETHER_MICROS: i64 = 1_000_000;

/// There is nothing to tell.
const NONE: i64 = i64::MIN;

/// When a key was last used, if the store was not told of it.
pub(super) struct LastUse(AtomicI64);

impl Default for LastUse {
    fn default() -> Self {
        Self(AtomicI64::new(NONE))
    }
}

impl LastUse {
    pub(super) fn note(&self, now: Timestamp) {
        let now = now.unix_micros();
        if self.0.load(Ordering::Relaxed).saturating_add(TOGETHER_MICROS) <= now {
            self.0.fetch_max(now, Ordering::Relaxed);
        }
    }

    pub(super) fn get(&self) -> Option<Timestamp> {
        Timestamp::from_unix_micros(self.0.load(Ordering::Relaxed)).ok()
    }

    pub(super) fn take(&self) -> Option<Timestamp> {
        Timestamp::from_unix_micros(self.0.swap(NONE, Ordering::Relaxed)).ok()
    }
}

pub(super) async fn write_uses_for_ever(shared: Arc<Shared>) {
    let mut ticks = interval(EVERY);
    // The first one is at once, when nothing was used.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        write_uses(&shared).await;
    }
}

/// Tells the store when keys were used. What cannot be told is told another time.
pub(super) async fn write_uses(shared: &Shared) {
    let uses = shared.take_uses();
    if uses.is_empty() {
        return;
    }
    match timeout(PATIENCE, shared.keys.note_uses(&uses)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(%error, keys = uses.len(), "When API keys were used could not be noted");
            shared.give_back_uses(&uses);
        }
        Err(_) => {
            tracing::warn!(keys = uses.len(), "When API keys were used could not be noted in time");
            shared.give_back_uses(&uses);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_use_is_told_once() {
        let at = |micros| Timestamp::from_unix_micros(micros).unwrap();
        let last_use = LastUse::default();

        assert_eq!(last_use.take(), None);
        last_use.note(at(5_000_000));
        last_use.note(at(5_400_000));
        assert_eq!(last_use.get(), Some(at(5_000_000)));
        last_use.note(at(7_000_000));
        last_use.note(at(6_000_000));
        assert_eq!(last_use.take(), Some(at(7_000_000)));
        assert_eq!(last_use.take(), None);
    }
}
