//! Warming: the profiles that were read most are in memory again soon after a start.

use std::{num::NonZeroU32, time::Duration};

use domain::ArtistKey;
use tokio::{
    task::AbortHandle,
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{
    freshness::Freshness,
    style_profiles::{CachedStyleProfiles, Representation, shared::SharedProfiles},
};

/// How many profiles are fetched at once.
const BATCH: usize = 50;

/// How often the shared tier is asked what to warm, a second apart.
const ATTEMPTS: usize = 5;

/// How often reads are told to the shared tier.
const NOTING: Duration = Duration::from_secs(30);

/// How much is warmed, and how fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WarmingSettings {
    /// At most so many profiles.
    pub profiles: usize,
    /// At most so many a second, to leave the database to those who ask.
    pub per_second: NonZeroU32,
}

/// 5,000 profiles, 1,000 a second.
impl Default for WarmingSettings {
    fn default() -> Self {
        Self { profiles: 5_000, per_second: NonZeroU32::new(1_000).unwrap_or(NonZeroU32::MIN) }
    }
}

/// The task that warms a cache and from then on tells the shared tier what is read. It ends when this is dropped.
///
/// What is read most is known to the shared tier only; without one there is nothing to warm by.
#[derive(Debug)]
pub struct Warming(AbortHandle);

impl Warming {
    /// Starts the task.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    #[must_use]
    pub fn start<R: Representation>(
        profiles: CachedStyleProfiles<R>,
        settings: WarmingSettings,
    ) -> Self {
        let task = tokio::spawn(async move {
            warm(&profiles, settings).await;
            note_reads(&profiles).await;
        });
        Self(task.abort_handle())
    }
}

impl Drop for Warming {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn warm<R: Representation>(profiles: &CachedStyleProfiles<R>, settings: WarmingSettings) {
    let Some(shared) = profiles.shared() else { return };
    while profiles.feed().confirm().await.is_err() {
        sleep(Duration::from_secs(1)).await;
    }
    let Some(artists) = most_read(shared.as_ref(), settings.profiles).await else {
        tracing::info!("Nothing is known of what was read before, so nothing is warmed");
        return;
    };
    tracing::info!(profiles = artists.len(), "Warming the cache");
    let batch_time = Duration::from_secs(1).mul_f64(
        f64::from(u32::try_from(BATCH).unwrap_or(u32::MAX)) / f64::from(settings.per_second.get()),
    );
    let mut pace = interval(batch_time);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut warmed, mut told) = (0, 0);
    for batch in artists.chunks(BATCH) {
        pace.tick().await;
        match profiles.read_many(batch, Freshness::Default).await {
            Ok(reads) => warmed += reads.iter().filter(|read| read.value.is_some()).count(),
            Err(error) => {
                tracing::warn!(%error, warmed, "Warming the cache stopped");
                return;
            }
        }
        // Every tenth of the way.
        if told + artists.len() / 10 < warmed {
            told = warmed;
            tracing::info!(warmed, profiles = artists.len(), "Warming the cache");
        }
    }
    tracing::info!(warmed, "The cache is warm");
}

/// Asks several times, since a shared tier that does not answer yet says the same as one that knows nothing.
async fn most_read(shared: &dyn SharedProfiles, limit: usize) -> Option<Vec<ArtistKey>> {
    for _ in 0..ATTEMPTS {
        let artists = shared.most_read(limit).await;
        if !artists.is_empty() {
            return Some(artists);
        }
        sleep(Duration::from_secs(1)).await;
    }
    None
}

async fn note_reads<R: Representation>(profiles: &CachedStyleProfiles<R>) {
    let Some(shared) = profiles.shared() else { return };
    // What warming itself read says nothing.
    profiles.feed().catalog().take_reads();
    loop {
        sleep(NOTING).await;
        let reads = profiles.feed().catalog().take_reads();
        if !reads.is_empty() {
            shared.note_reads(&reads).await;
        }
    }
}
