//! Caches with the mistakes that caches have, to see that a run finds them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use domain::{Artists, Expected, StyleProfiles};
use groovebase_tests::{
    fixture,
    history::{Answer, Mode, State, Tier, Write},
};
use storage::PoolLimits;
use tokio::sync::{Mutex as AsyncMutex, watch};

use crate::{
    instance::{self, Done, Instance},
    run::BOUNDS,
    unsteady::{Unsteady, Weather},
    world::Addresses,
};

/// What is wrong with a cache. All else about it is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// What was loaded is kept, whatever was written while it was on its way.
    KeepsWhatComesLate,
    /// A strict read is content with an answer that was under way when it began.
    JoinsWhatIsUnderWay,
    /// Nobody looks whether what is kept has become old.
    TrustsItsMemory,
}

/// A cache that is simple and wrong.
pub(crate) struct Mistaken {
    artists: Arc<dyn Artists>,
    profiles: Arc<dyn StyleProfiles>,
    mistake: Mistake,
    kept: Mutex<HashMap<u16, (Instant, State)>>,
    /// Writes so far, for those who load.
    writes: AtomicU64,
    under_way: AsyncMutex<HashMap<u16, watch::Receiver<Option<State>>>>,
}

impl Mistaken {
    pub(crate) async fn open(
        addresses: &Addresses,
        mistake: Mistake,
        weather: &Weather,
    ) -> anyhow::Result<Arc<dyn Instance>> {
        let limits = PoolLimits { kept: 0, most: 12, ..PoolLimits::default() };
        let store = fixture::store_with(&addresses.postgres, &limits).await?;
        Ok(Arc::new(Self {
            artists: store.artists(),
            profiles: Unsteady::new(store.style_profiles(), weather),
            mistake,
            kept: Mutex::default(),
            writes: AtomicU64::new(0),
            under_way: AsyncMutex::default(),
        }))
    }

    async fn stored(&self, key: u16) -> anyhow::Result<State> {
        let profile = self.profiles.find(&instance::artist_key(key)?).await?;
        let Some(profile) = profile else { return Ok(State::Nothing) };
        let (text, templates) =
            (profile.text_description.as_str(), profile.midi_templates.elements());
        let content = instance::content(text, templates)?;
        Ok(State::Profile { version: profile.version, content })
    }

    fn at_hand(&self, key: u16) -> Option<State> {
        let good_for = match self.mistake {
            Mistake::TrustsItsMemory => Duration::MAX,
            Mistake::KeepsWhatComesLate | Mistake::JoinsWhatIsUnderWay => BOUNDS.max_staleness / 2,
        };
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&key).filter(|(loaded, _)| loaded.elapsed() < good_for).map(|(_, state)| *state)
    }

    async fn load(&self, key: u16) -> anyhow::Result<State> {
        let (began, writes) = (Instant::now(), self.writes.load(Ordering::SeqCst));
        let state = self.stored(key).await?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_late = self.writes.load(Ordering::SeqCst) != writes;
        if !is_late || self.mistake == Mistake::KeepsWhatComesLate {
            kept.insert(key, (began, state));
        }
        Ok(state)
    }

    async fn strict(&self, key: u16) -> anyhow::Result<State> {
        if self.mistake != Mistake::JoinsWhatIsUnderWay {
            return self.stored(key).await;
        }
        let mut under_way = self.under_way.lock().await;
        if let Some(mut joined) = under_way.get(&key).cloned() {
            drop(under_way);
            if let Ok(state) = joined.wait_for(Option::is_some).await
                && let Some(state) = *state
            {
                return Ok(state);
            }
            return self.stored(key).await;
        }
        let (sender, receiver) = watch::channel(None);
        under_way.insert(key, receiver);
        drop(under_way);
        let state = self.stored(key).await;
        self.under_way.lock().await.remove(&key);
        sender.send_replace(Some(state?));
        self.stored(key).await
    }

    fn forget(&self, key: u16) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        self.writes.fetch_add(1, Ordering::SeqCst);
        kept.remove(&key);
    }
}

#[async_trait]
impl Instance for Mistaken {
    fn most_at_once(&self) -> usize {
        1
    }

    async fn read(&self, keys: &[u16], mode: Mode) -> anyhow::Result<Vec<Answer>> {
        let mut answers = Vec::new();
        for key in keys {
            let (state, tier) = match (mode, self.at_hand(*key)) {
                (Mode::Strict, _) => (self.strict(*key).await?, Tier::Database),
                (Mode::Default, Some(state)) => (state, Tier::Memory),
                (Mode::Default, None) => (self.load(*key).await?, Tier::Database),
            };
            answers.push(Answer { state, tier, age: None, stale: false });
        }
        Ok(answers)
    }

    async fn write(&self, key: u16, write: Write) -> anyhow::Result<Done> {
        let artist = instance::artist(key)?;
        let done = match write {
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
        };
        self.forget(key);
        Ok(done)
    }
}
