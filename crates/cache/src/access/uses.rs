//! When keys were used, and how the store learns of it: in one batch a minute.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use domain::{ApiKeyId, Timestamp};
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
    let mut taken = Taken { shared, uses: shared.take_uses() };
    if taken.uses.is_empty() {
        return;
    }
    let keys = taken.uses.len();
    match timeout(PATIENCE, shared.keys.note_uses(&taken.uses)).await {
        Ok(Ok(())) => taken.uses.clear(),
        Ok(Err(error)) => {
            tracing::warn!(%error, keys, "When API keys were used could not be noted");
        }
        Err(_) => tracing::warn!(keys, "When API keys were used could not be noted in time"),
    }
}

/// What is about to be told. It is given back unless it was, also when whoever tells is stopped.
struct Taken<'a> {
    shared: &'a Shared,
    uses: Vec<(ApiKeyId, Timestamp)>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.shared.give_back_uses(&self.uses);
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
