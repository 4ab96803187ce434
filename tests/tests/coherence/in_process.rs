//! An instance in this process, with connections and caches of its own.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cache::{
    Bounds, CachedArtists, CachedProfile, CachedStyleProfiles, Feed, Freshness, Read, Redis,
    RedisSettings, RedisStyleProfiles, SharedProfiles,
};
use domain::{ArtistKey, Artists, Expected, StyleProfiles};
use groovebase_tests::{
    fixture,
    history::{Answer, Mode, State, Tier, Write},
};
use storage::{PoolLimits, Store};

use crate::{
    instance::{self, Done, Instance},
    unsteady::{Unsteady, Weather},
    world::Addresses,
};

/// An instance in this process, composed as the service is.
pub(crate) struct InProcess {
    store: Store,
    artists: CachedArtists,
    profiles: CachedStyleProfiles,
}

impl InProcess {
    /// Opens an instance that keeps so much in memory.
    pub(crate) async fn open(
        addresses: &Addresses,
        bounds: Bounds,
        memory_bytes: u64,
        weather: &Weather,
    ) -> anyhow::Result<Self> {
        let limits = PoolLimits {
            kept: 0,
            most: 12,
            acquire_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(5),
            ..PoolLimits::default()
        };
        let store = fixture::store_with(&addresses.postgres, &limits).await?;
        let feed = Feed::start(Unsteady::new(store.changes(), weather), bounds);
        let redis = Redis::open(&RedisSettings::new(addresses.redis.as_str()))?;
        let shared: Arc<dyn SharedProfiles> = Arc::new(RedisStyleProfiles::new(redis));
        let shared: Arc<dyn SharedProfiles> = Unsteady::new(shared, weather);
        let artists = CachedArtists::new(
            Unsteady::new(store.artists(), weather),
            feed.clone(),
            Some(Arc::clone(&shared)),
            memory_bytes,
        );
        let stored = Unsteady::new(store.style_profiles(), weather);
        let profiles = CachedStyleProfiles::new(stored, feed, Some(shared), memory_bytes);
        Ok(Self { store, artists, profiles })
    }

    /// Closes its connections.
    pub(crate) async fn close(&self) {
        self.store.close().await;
    }

    async fn read_one(
        &self,
        artist: &ArtistKey,
        freshness: Freshness,
    ) -> anyhow::Result<Read<Arc<CachedProfile>>> {
        // As the service does it.
        let at_hand = match freshness {
            Freshness::Default => self.profiles.at_hand(artist),
            Freshness::Strict => None,
        };
        match at_hand {
            Some(read) => Ok(read),
            None => Ok(self.profiles.read(artist, freshness).await?),
        }
    }
}

#[async_trait]
impl Instance for InProcess {
    fn most_at_once(&self) -> usize {
        4
    }

    async fn read(&self, keys: &[u16], mode: Mode) -> anyhow::Result<Vec<Answer>> {
        let freshness = match mode {
            Mode::Default => Freshness::Default,
            Mode::Strict => Freshness::Strict,
        };
        let artists: Vec<_> =
            keys.iter().map(|key| instance::artist_key(*key)).collect::<Result<_, _>>()?;
        let reads = match artists.as_slice() {
            [artist] => vec![self.read_one(artist, freshness).await?],
            artists => self.profiles.read_many(artists, freshness).await?,
        };
        reads.into_iter().map(answer).collect()
    }

    async fn write(&self, key: u16, write: Write) -> anyhow::Result<Done> {
        let artist = instance::artist(key)?;
        Ok(match write {
            Write::Save(content) | Write::Edit(content) => {
                let profile = instance::profile(key, content)?;
                let saved = self
                    .profiles
                    .save(&profile, Expected::Any, &domain::Author::at_the_command_line())
                    .await?;
                Done::Changed(Some(saved.profile.version))
            }
            Write::RemoveProfile => Done::removed(
                self.profiles
                    .remove(artist.key(), Expected::Any, &domain::Author::at_the_command_line())
                    .await?,
            ),
            Write::RemoveArtist => Done::removed(
                self.artists.remove(artist.key(), &domain::Author::at_the_command_line()).await?,
            ),
            Write::Create | Write::Touch => {
                let found = self
                    .artists
                    .find_or_create(&artist, &domain::Author::at_the_command_line())
                    .await?;
                Done::removed(found.created.then_some(found.artist.version))
            }
        })
    }
}

fn answer(read: Read<Arc<CachedProfile>>) -> anyhow::Result<Answer> {
    let Read { value, tier, age, stale } = read;
    let state = match value {
        None => State::Nothing,
        Some(cached) => {
            let profile = &cached.profile;
            let (text, templates) =
                (profile.text_description.as_str(), profile.midi_templates.elements());
            State::Profile {
                version: profile.version,
                content: instance::content(text, templates)?,
            }
        }
    };
    let tier = match tier {
        cache::Tier::Catalog => Tier::Catalog,
        cache::Tier::Memory => Tier::Memory,
        cache::Tier::Shared => Tier::Redis,
        cache::Tier::Database => Tier::Database,
    };
    Ok(Answer { state, tier, age: Some(age), stale })
}
