//! A store in memory that does what a test tells it, when the test tells it.

#[path = "gate.rs"]
mod gate;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use domain::{
    ArtistId, ArtistKey, ArtistName, Change, ChangeFollower, Changes, Confidence, DrumFeel,
    Expected, JsonArray, NewStyleProfile, QuantitativeParams, RepositoryError, SavedProfile,
    SourcesCount, StyleProfile, StyleProfileId, StyleProfiles, TextDescription, Timestamp, Version,
};
use groovebase_cache::SharedProfiles;
use parking_lot::Mutex;
use tokio::sync::Notify;

use gate::Gate;

#[derive(Default)]
struct Rows {
    version: u64,
    artists: HashMap<ArtistKey, Row>,
    removed: HashMap<ArtistKey, Version>,
}

#[derive(Clone)]
struct Row {
    id: ArtistId,
    name: ArtistName,
    version: Version,
    profile: Option<Arc<StyleProfile>>,
}

impl Rows {
    fn next(&mut self) -> Version {
        self.version += 1;
        Version::new(self.version)
    }
}

pub(crate) struct Scripted {
    rows: Mutex<Rows>,
    changed: Notify,
    /// Where loads of one profile wait.
    pub(crate) finds: Gate,
    /// Where questions to the feed wait.
    pub(crate) rounds: Gate,
    /// Where saves wait, after their commit.
    pub(crate) saves: Gate,
    pub(crate) unreachable: AtomicBool,
    /// Only the feed cannot reach the store.
    pub(crate) feed_away: AtomicBool,
    pub(crate) feed_panics: AtomicBool,
    pub(crate) panics: AtomicBool,
    pub(crate) loads: AtomicUsize,
    pub(crate) batches: AtomicUsize,
    pub(crate) questions: AtomicUsize,
}

#[derive(Debug, thiserror::Error)]
#[error("the test says so")]
struct Away;

impl Scripted {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            rows: Mutex::default(),
            changed: Notify::new(),
            finds: Gate::default(),
            rounds: Gate::default(),
            saves: Gate::default(),
            unreachable: AtomicBool::new(false),
            feed_away: AtomicBool::new(false),
            feed_panics: AtomicBool::new(false),
            panics: AtomicBool::new(false),
            loads: AtomicUsize::new(0),
            batches: AtomicUsize::new(0),
            questions: AtomicUsize::new(0),
        })
    }

    /// Commits a profile as another instance would.
    pub(crate) fn commit(&self, artist: &str, text: &str) -> Arc<StyleProfile> {
        let new = profile(artist, text);
        let mut rows = self.rows.lock();
        let version = rows.next();
        let known = rows.artists.get(new.artist.key());
        let id = known.map_or_else(ArtistId::generate, |row| row.id);
        let now = Timestamp::from_unix_micros(1_795_000_000_000_000).unwrap();
        let NewStyleProfile {
            artist,
            text_description,
            quantitative_params,
            embedding,
            midi_templates,
            confidence,
            sources_count,
        } = new;
        let stored = Arc::new(StyleProfile {
            id: StyleProfileId::generate(),
            artist_id: id,
            artist: artist.clone(),
            version,
            text_description,
            quantitative_params,
            embedding,
            midi_templates,
            confidence,
            sources_count,
            created_at: now,
            updated_at: now,
        });
        let key = artist.key().clone();
        let row = Row { id, name: artist, version, profile: Some(Arc::clone(&stored)) };
        rows.artists.insert(key, row);
        drop(rows);
        self.changed.notify_one();
        stored
    }

    /// Removes an artist as another instance would.
    pub(crate) fn commit_removal(&self, artist: &str) -> Option<Version> {
        let mut rows = self.rows.lock();
        rows.artists.remove(&key(artist))?;
        let version = rows.next();
        rows.removed.insert(key(artist), version);
        drop(rows);
        self.changed.notify_one();
        Some(version)
    }

    fn answer(&self) -> Result<(), RepositoryError> {
        if self.unreachable.load(Ordering::SeqCst) {
            return Err(RepositoryError::Unavailable(Arc::new(Away)));
        }
        assert!(!self.panics.load(Ordering::SeqCst), "the test says so");
        Ok(())
    }

    fn feed_answer(&self) -> Result<(), RepositoryError> {
        assert!(!self.feed_panics.swap(false, Ordering::SeqCst), "the test says so");
        if self.feed_away.load(Ordering::SeqCst) {
            return Err(RepositoryError::Unavailable(Arc::new(Away)));
        }
        self.answer()
    }

    fn changes_since(&self, version: Version, limit: u32) -> Vec<Change> {
        let rows = self.rows.lock();
        let mut changes = BTreeMap::new();
        for row in rows.artists.values() {
            let Row { id, name, version, profile } = row.clone();
            let has_profile = profile.is_some();
            changes.insert(version, Change::Present { version, id, artist: name, has_profile });
        }
        for (key, version) in &rows.removed {
            changes.insert(*version, Change::Removed { version: *version, key: key.clone() });
        }
        changes
            .into_iter()
            .filter(|(at, _)| version < *at)
            .map(|(_, change)| change)
            .take(limit as usize)
            .collect()
    }
}

#[async_trait]
impl StyleProfiles for Scripted {
    async fn find(&self, artist: &ArtistKey) -> Result<Option<Arc<StyleProfile>>, RepositoryError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        let found = self.rows.lock().artists.get(artist).and_then(|row| row.profile.clone());
        self.finds.pass().await;
        self.answer()?;
        Ok(found)
    }

    async fn find_many(
        &self,
        artists: &[ArtistKey],
    ) -> Result<Vec<Option<Arc<StyleProfile>>>, RepositoryError> {
        self.batches.fetch_add(1, Ordering::SeqCst);
        let found: Vec<_> = {
            let rows = self.rows.lock();
            let found = |artist| rows.artists.get(artist).and_then(|row: &Row| row.profile.clone());
            artists.iter().map(found).collect()
        };
        self.finds.pass().await;
        self.answer()?;
        Ok(found)
    }

    async fn save(
        &self,
        profile: &NewStyleProfile,
        _: Expected,
        _: &domain::Author,
    ) -> Result<SavedProfile, RepositoryError> {
        self.answer()?;
        let saved = self.commit(profile.artist.as_str(), profile.text_description.as_str());
        self.saves.pass().await;
        Ok(SavedProfile { profile: saved, created: false })
    }

    async fn remove(
        &self,
        artist: &ArtistKey,
        _: Expected,
        _: &domain::Author,
    ) -> Result<Option<Version>, RepositoryError> {
        self.answer()?;
        let mut rows = self.rows.lock();
        let version = rows.next();
        let Some(row) = rows.artists.get_mut(artist) else { return Ok(None) };
        row.profile = None;
        row.version = version;
        Ok(Some(version))
    }
}

#[async_trait]
impl domain::Artists for Scripted {
    async fn find(&self, _: &ArtistKey) -> Result<Option<domain::Artist>, RepositoryError> {
        unimplemented!("no test looks for an artist")
    }

    async fn find_or_create(
        &self,
        _: &ArtistName,
        _: &domain::Author,
    ) -> Result<domain::FoundArtist, RepositoryError> {
        unimplemented!("no test makes an artist")
    }

    async fn page(
        &self,
        _: &domain::ArtistFilter,
        _: domain::Limit<500>,
    ) -> Result<domain::Page<domain::Artist, domain::ArtistCursor>, RepositoryError> {
        unimplemented!("no test lists artists")
    }

    async fn set_status(
        &self,
        _: &ArtistKey,
        _: domain::ResearchStatus,
        _: &domain::Author,
    ) -> Result<Option<domain::Artist>, RepositoryError> {
        unimplemented!("no test sets a status")
    }

    async fn remove(
        &self,
        artist: &ArtistKey,
        _: &domain::Author,
    ) -> Result<Option<Version>, RepositoryError> {
        Ok(self.commit_removal(artist.as_str()))
    }

    async fn suggest(&self, _: &ArtistName, _: usize) -> Result<Vec<ArtistName>, RepositoryError> {
        unimplemented!("no test asks for suggestions")
    }
}

/// The feed of a scripted store.
pub(crate) struct Told(pub(crate) Arc<Scripted>);

#[async_trait]
impl Changes for Told {
    async fn since(&self, version: Version, limit: u32) -> Result<Vec<Change>, RepositoryError> {
        self.0.feed_answer()?;
        Ok(self.0.changes_since(version, limit))
    }

    async fn follow(&self) -> Result<Box<dyn ChangeFollower>, RepositoryError> {
        self.0.feed_answer()?;
        Ok(Box::new(Self(Arc::clone(&self.0))))
    }
}

#[async_trait]
impl ChangeFollower for Told {
    async fn since(
        &mut self,
        version: Version,
        limit: u32,
    ) -> Result<Vec<Change>, RepositoryError> {
        self.0.questions.fetch_add(1, Ordering::SeqCst);
        let changes = self.0.changes_since(version, limit);
        self.0.rounds.pass().await;
        self.0.feed_answer()?;
        Ok(changes)
    }

    async fn hint(&mut self) -> Result<(), RepositoryError> {
        self.0.changed.notified().await;
        Ok(())
    }
}

/// A shared tier that keeps whatever it is given, even what is older than what it has, and that a test can write to.
#[derive(Default)]
pub(crate) struct Shelf {
    pub(crate) kept: Mutex<HashMap<ArtistKey, StyleProfile>>,
    pub(crate) questions: AtomicUsize,
    pub(crate) puts: AtomicUsize,
    /// Where questions for one profile wait, after they have been answered.
    pub(crate) finds: Gate,
}

#[async_trait]
impl SharedProfiles for Shelf {
    async fn find(&self, artist: &ArtistKey, _: Version) -> Option<StyleProfile> {
        self.questions.fetch_add(1, Ordering::SeqCst);
        let found = self.kept.lock().get(artist).cloned();
        self.finds.pass().await;
        found
    }

    async fn find_many(&self, artists: &[(ArtistKey, Version)]) -> Vec<Option<StyleProfile>> {
        self.questions.fetch_add(1, Ordering::SeqCst);
        let kept = self.kept.lock();
        artists.iter().map(|(artist, _)| kept.get(artist).cloned()).collect()
    }

    async fn put(&self, profile: &StyleProfile) {
        self.kept.lock().insert(profile.artist.key().clone(), profile.clone());
        self.puts.fetch_add(1, Ordering::SeqCst);
    }

    async fn put_many(&self, profiles: &[Arc<StyleProfile>]) {
        for profile in profiles {
            self.put(profile).await;
        }
    }

    async fn forget(&self, artist: &ArtistKey, _: Version) {
        self.kept.lock().remove(artist);
    }

    async fn note_reads(&self, _: &[(ArtistKey, u64)]) {}

    async fn most_read(&self, _: usize) -> Vec<ArtistKey> {
        Vec::new()
    }
}

pub(crate) fn key(artist: &str) -> ArtistKey {
    ArtistName::try_from(artist).unwrap().key().clone()
}

pub(crate) fn profile(artist: &str, text: &str) -> NewStyleProfile {
    NewStyleProfile {
        artist: ArtistName::try_from(artist).unwrap(),
        text_description: TextDescription::try_from(text.to_owned()).unwrap(),
        quantitative_params: QuantitativeParams::try_from(DrumFeel {
            tempo_min: 82.0,
            tempo_max: 104.5,
            tempo_avg: 92.1,
            swing_percent: 56.5,
            ghost_note_prob: 0.4,
            syncopation_level: 0.55,
            velocity_mean: 78.25,
            velocity_std: 18.0,
        })
        .unwrap(),
        embedding: None,
        midi_templates: JsonArray::default(),
        confidence: Confidence::try_from(0.8).unwrap(),
        sources_count: SourcesCount::default(),
    }
}
