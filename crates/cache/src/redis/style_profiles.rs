//! Style profiles in Redis: one envelope per profile, under `groovebase:profile:<artist's key>`.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use async_trait::async_trait;
use deadpool_redis::redis::Script;
use domain::{ArtistKey, StyleProfile, Version};
use tokio::task::JoinSet;

use super::{
    KEYS_AT_ONCE, Redis,
    envelope::{self, Unreadable},
    newer, reads,
    statistics::Counter,
};
use crate::style_profiles::shared::SharedProfiles;

/// How long an envelope is kept, give or take [`JITTER`], unless Redis needs the room.
const KEPT_FOR: Duration = Duration::from_hours(7 * 24);
/// Envelopes that were stored together do not all end together.
const JITTER: f64 = 0.1;
/// So many are stored at once; connections are shared, so they travel together.
const STORES_AT_ONCE: usize = 16;

static PUT: LazyLock<Script> = LazyLock::new(|| Script::new(&newer::PUT));
static FORGET: LazyLock<Script> = LazyLock::new(|| Script::new(&newer::FORGET));

/// Deletes what still begins with these bytes; the checksum is among them.
static DISCARD: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) == ARGV[1] then
            return redis.call('DEL', KEYS[1])
        end
        return 0",
    )
});

/// Style profiles in a Redis. Clones share it.
#[derive(Debug, Clone)]
pub struct RedisStyleProfiles {
    redis: Redis,
    counters: Arc<Counters>,
}

/// Counts since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SharedProfileStatistics {
    /// Profiles found at the version asked for.
    pub hits: u64,
    /// Profiles that were not there.
    pub misses: u64,
    /// Profiles that were there at another version.
    pub other_versions: u64,
    /// Profiles about which Redis said nothing.
    pub unanswered: u64,
    /// Bytes that are no envelope, by what is wrong with them.
    pub unreadable: UnreadableEnvelopes,
    /// Profiles stored.
    pub stored: u64,
    /// Profiles not stored since a newer one was there.
    pub outdated: u64,
    /// Profiles not stored since they are too large.
    pub too_large: u64,
    /// Bytes of envelopes read.
    pub read_bytes: u64,
    /// Bytes of envelopes sent.
    pub sent_bytes: u64,
}

/// Envelopes that could not be read, by what is wrong with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnreadableEnvelopes {
    /// Something else lies under the key.
    pub not_an_envelope: u64,
    /// Written by another build.
    pub unknown_format: u64,
    /// Written by another build.
    pub unknown_codec: u64,
    /// Cut short.
    pub truncated: u64,
    /// Changed since it was written.
    pub checksum_mismatch: u64,
    /// That of another artist.
    pub other_key: u64,
    /// Whole, but put together wrongly.
    pub malformed: u64,
    /// Whole, but with a value that the domain does not admit.
    pub invalid_value: u64,
}

impl RedisStyleProfiles {
    /// Keeps profiles in this Redis.
    #[must_use]
    pub fn new(redis: Redis) -> Self {
        Self { redis, counters: Arc::default() }
    }

    /// The Redis that they are kept in.
    #[must_use]
    pub const fn redis(&self) -> &Redis {
        &self.redis
    }

    /// Counts since the start.
    #[must_use]
    pub fn statistics(&self) -> SharedProfileStatistics {
        self.counters.read()
    }

    fn key(&self, artist: &ArtistKey) -> String {
        self.redis.key("profile", artist.as_str())
    }

    /// What lies under the key of this artist, as a profile, if it is one. Damage is cleared away.
    async fn opened(
        &self,
        artist: &ArtistKey,
        version: Version,
        bytes: Option<Vec<u8>>,
    ) -> Option<StyleProfile> {
        let Some(bytes) = bytes else {
            self.counters.misses.add(1);
            return None;
        };
        self.counters.read_bytes.add(bytes.len());
        match envelope::decode(&bytes, artist, version) {
            Ok(profile) => {
                self.counters.hits.add(1);
                Some(profile)
            }
            Err(reason) => {
                self.counters.count(reason);
                if reason.is_damage() {
                    self.discard(artist, &bytes, reason).await;
                }
                None
            }
        }
    }

    /// Without this, damage that claims a version of the far future would be kept until it expires.
    async fn discard(&self, artist: &ArtistKey, bytes: &[u8], reason: Unreadable) {
        let key = self.key(artist);
        let beginning = bytes.get(..envelope::HEADER_BYTES).unwrap_or(bytes);
        tracing::warn!(redis.key = key, "Redis holds {reason}. It is a miss and is cleared away");
        // Whatever becomes of this, what was read is a miss.
        let _ = self
            .redis
            .run("discard a damaged profile", async |connection| {
                let mut call = DISCARD.key(&key);
                call.arg(beginning).invoke_async::<()>(connection).await
            })
            .await;
    }

    async fn store(&self, profile: &StyleProfile) {
        let key = self.key(profile.artist.key());
        let stored = self
            .redis
            .run("store a profile", async |connection| {
                // Made here, so that it is not made while Redis is away.
                let Some(bytes) = envelope::encode(profile) else { return Ok(None) };
                self.counters.sent_bytes.add(bytes.len());
                let mut call = PUT.key(&key);
                let lifetime_ms = u64::try_from(lifetime(fastrand::f64()).as_millis());
                call.arg(bytes).arg(lifetime_ms.unwrap_or(u64::MAX));
                call.invoke_async::<bool>(connection).await.map(Some)
            })
            .await;
        match stored {
            Ok(Some(true)) => self.counters.stored.add(1),
            Ok(Some(false)) => self.counters.outdated.add(1),
            Ok(None) => self.counters.too_large.add(1),
            // Counted and told by the client.
            Err(_) => {}
        }
    }
}

#[async_trait]
impl SharedProfiles for RedisStyleProfiles {
    async fn find(&self, artist: &ArtistKey, version: Version) -> Option<StyleProfile> {
        let found = self.redis.get("find a profile", "find profiles", self.key(artist)).await;
        let Ok(bytes) = found else {
            self.counters.unanswered.add(1);
            return None;
        };
        self.opened(artist, version, bytes).await
    }

    async fn find_many(&self, artists: &[(ArtistKey, Version)]) -> Vec<Option<StyleProfile>> {
        let mut profiles = Vec::with_capacity(artists.len());
        for batch in artists.chunks(KEYS_AT_ONCE) {
            let keys: Vec<_> = batch.iter().map(|(artist, _)| self.key(artist)).collect();
            let Ok(found) = self.redis.get_many("find profiles", &keys).await else {
                // A Redis that failed once is not asked for the rest.
                self.counters.unanswered.add(artists.len() - profiles.len());
                break;
            };
            for ((artist, version), bytes) in batch.iter().zip(found) {
                profiles.push(self.opened(artist, *version, bytes).await);
            }
        }
        profiles.resize(artists.len(), None);
        profiles
    }

    async fn put(&self, profile: &StyleProfile) {
        self.store(profile).await;
    }

    async fn put_many(&self, profiles: &[Arc<StyleProfile>]) {
        let mut stores = JoinSet::new();
        for profile in profiles {
            if STORES_AT_ONCE <= stores.len() {
                stores.join_next().await;
            }
            let (tier, profile) = (self.clone(), Arc::clone(profile));
            stores.spawn(async move { tier.store(&profile).await });
        }
        stores.join_all().await;
    }

    async fn forget(&self, artist: &ArtistKey, version: Version) {
        let key = self.key(artist);
        let header = envelope::header(version);
        // Counted and told by the client. What stays is of an older version and serves nobody.
        let _ = self
            .redis
            .run("forget a profile", async |connection| {
                FORGET.key(&key).arg(&header).invoke_async::<()>(connection).await
            })
            .await;
    }

    async fn note_reads(&self, reads: &[(ArtistKey, u64)]) {
        reads::note(&self.redis, reads).await;
    }

    async fn most_read(&self, limit: usize) -> Vec<ArtistKey> {
        reads::most(&self.redis, limit).await
    }
}

/// `dice` is a number from 0 to 1.
fn lifetime(dice: f64) -> Duration {
    KEPT_FOR.mul_f64(1.0 - JITTER + 2.0 * JITTER * dice)
}

#[derive(Debug, Default)]
struct Counters {
    hits: Counter,
    misses: Counter,
    other_versions: Counter,
    unanswered: Counter,
    not_an_envelope: Counter,
    unknown_format: Counter,
    unknown_codec: Counter,
    truncated: Counter,
    checksum_mismatch: Counter,
    other_key: Counter,
    malformed: Counter,
    invalid_value: Counter,
    stored: Counter,
    outdated: Counter,
    too_large: Counter,
    read_bytes: Counter,
    sent_bytes: Counter,
}

impl Counters {
    fn count(&self, reason: Unreadable) {
        let counter = match reason {
            Unreadable::OtherVersion => &self.other_versions,
            Unreadable::NotAnEnvelope => &self.not_an_envelope,
            Unreadable::UnknownFormat => &self.unknown_format,
            Unreadable::UnknownCodec => &self.unknown_codec,
            Unreadable::Truncated => &self.truncated,
            Unreadable::ChecksumMismatch => &self.checksum_mismatch,
            Unreadable::OtherKey => &self.other_key,
            Unreadable::Malformed => &self.malformed,
            Unreadable::InvalidValue => &self.invalid_value,
        };
        counter.add(1);
    }

    fn read(&self) -> SharedProfileStatistics {
        let Self {
            hits,
            misses,
            other_versions,
            unanswered,
            not_an_envelope,
            unknown_format,
            unknown_codec,
            truncated,
            checksum_mismatch,
            other_key,
            malformed,
            invalid_value,
            stored,
            outdated,
            too_large,
            read_bytes,
            sent_bytes,
        } = self;
        SharedProfileStatistics {
            hits: hits.get(),
            misses: misses.get(),
            other_versions: other_versions.get(),
            unanswered: unanswered.get(),
            unreadable: UnreadableEnvelopes {
                not_an_envelope: not_an_envelope.get(),
                unknown_format: unknown_format.get(),
                unknown_codec: unknown_codec.get(),
                truncated: truncated.get(),
                checksum_mismatch: checksum_mismatch.get(),
                other_key: other_key.get(),
                malformed: malformed.get(),
                invalid_value: invalid_value.get(),
            },
            stored: stored.get(),
            outdated: outdated.get(),
            too_large: too_large.get(),
            read_bytes: read_bytes.get(),
            sent_bytes: sent_bytes.get(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_spread_over_a_fifth_of_a_week() {
        let hours = |dice| lifetime(dice).as_secs_f64() / 3_600.0;

        assert!((hours(0.0) - 151.2).abs() < 1e-6);
        assert!((hours(0.5) - 168.0).abs() < 1e-6);
        assert!((hours(1.0) - 184.8).abs() < 1e-6);
    }
}
