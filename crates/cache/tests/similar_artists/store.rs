//! A store in memory that compares everything, and that a test can make slow, unreachable or wrong.

#[path = "../races/gate.rs"]
mod gate;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use domain::{
    ArtistId, ArtistKey, ArtistName, Change, ChangeFollower, Changes, Embedding, Exactness,
    Expected, Neighbour, Neighbours, NewStyleProfile, RepositoryError, SavedProfile, Search,
    SearchMode, SimilarArtists, StyleProfile, StyleProfileId, StyleProfiles, StyleVector,
    StyleVectors, Timestamp, VectorChange, Version,
};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::given;
use gate::Gate;

/// No test has as many questions for vectors as this.
const ENDLESS: usize = 10_000;

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
    vector: Option<StyleVector>,
}

impl Rows {
    fn next(&mut self) -> Version {
        self.version += 1;
        Version::new(self.version)
    }
}

#[derive(Default)]
pub(crate) struct Store {
    rows: Mutex<Rows>,
    changed: Notify,
    /// Where questions for vectors wait, after they have been answered.
    pub(crate) vectors: Gate,
    /// Only questions for what changed after this version wait there.
    pub(crate) held_after: AtomicU64,
    /// Questions for vectors that reached the store.
    pub(crate) questions: AtomicUsize,
    /// Where questions to the feed wait, after they have been answered.
    pub(crate) rounds: Gate,
    /// Nothing reaches the store.
    pub(crate) is_away: AtomicBool,
    /// Questions for vectors fail, though the store is there.
    pub(crate) has_no_vectors: AtomicBool,
    /// The next question for vectors panics.
    pub(crate) panics: AtomicBool,
    /// Searches that reached the store.
    pub(crate) searches: AtomicUsize,
}

#[derive(Debug, thiserror::Error)]
#[error("the test says so")]
struct Away;

impl Store {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Commits what searches look at, as another instance would.
    pub(crate) fn commit(&self, artist: &str, vector: Option<StyleVector>) -> Version {
        let name = given::name(artist);
        let mut rows = self.rows.lock();
        let version = rows.next();
        let known = rows.artists.get(name.key());
        let id = known.map_or_else(ArtistId::generate, |row| row.id);
        rows.artists.insert(name.key().clone(), Row { id, name, version, vector });
        drop(rows);
        self.changed.notify_one();
        version
    }

    /// Removes an artist as another instance would.
    pub(crate) fn commit_removal(&self, artist: &str) {
        let key = given::name(artist).key().clone();
        let mut rows = self.rows.lock();
        if rows.artists.remove(&key).is_some() {
            let version = rows.next();
            rows.removed.insert(key, version);
        }
        drop(rows);
        self.changed.notify_one();
    }

    /// Calls an artist something else, as somebody would by hand.
    pub(crate) fn commit_name(&self, from: &str, to: &str) {
        let (from, to) = (given::name(from), given::name(to));
        let mut rows = self.rows.lock();
        let Some(row) = rows.artists.remove(from.key()) else { return };
        if from.key() != to.key() {
            let version = rows.next();
            rows.removed.insert(from.key().clone(), version);
        }
        let version = rows.next();
        rows.artists.insert(to.key().clone(), Row { name: to, version, ..row });
        drop(rows);
        self.changed.notify_one();
    }

    /// Loses an artist with the last version, which is taken again by the next change: a failover to a replica that had
    /// not heard of it.
    pub(crate) fn lose(&self, artist: &str) {
        let mut rows = self.rows.lock();
        rows.artists.remove(given::name(artist).key());
        rows.version -= 1;
    }

    /// The last version taken.
    pub(crate) fn version(&self) -> Version {
        Version::new(self.rows.lock().version)
    }

    /// How many artists have an embedding.
    pub(crate) fn vectors(&self) -> usize {
        self.rows.lock().artists.values().filter(|row| row.vector.is_some()).count()
    }

    /// The answer to a search, found by comparing everything.
    pub(crate) fn compare(&self, search: &Search) -> Neighbours {
        let rows = self.rows.lock();
        let admitted: Vec<_> = rows
            .artists
            .values()
            .filter_map(|row| Some((&row.name, row.vector.as_ref()?)))
            .filter(|(_, vector)| {
                let feel = vector.quantitative_params.feel();
                search.filter.admits(vector.research_status, vector.confidence, feel)
            })
            .collect();
        let score = |embedding: &Embedding| search.metric.score(&search.target, embedding);
        let mut neighbours: Vec<_> = admitted
            .iter()
            .filter(|(name, _)| !search.except.contains(name.key()))
            .map(|(name, vector)| Neighbour {
                artist: (*name).clone(),
                score: score(&vector.embedding),
            })
            .collect();
        neighbours.sort_by(|one, other| {
            let by_score = other.score.partial_cmp(&one.score).unwrap();
            by_score.then_with(|| one.artist.key().cmp(other.artist.key()))
        });
        neighbours.truncate(search.limit.get().into());
        let exactness = Exactness {
            mode: SearchMode::Exact,
            compared: admitted.len() as u64,
            as_of: Version::new(rows.version),
        };
        Neighbours { neighbours, exactness }
    }

    fn answer(&self) -> Result<(), RepositoryError> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(RepositoryError::Unavailable(Arc::new(Away)));
        }
        Ok(())
    }

    fn changes_since(&self, version: Version, limit: u32) -> Vec<Change> {
        let rows = self.rows.lock();
        let mut changes = BTreeMap::new();
        for row in rows.artists.values().filter(|row| version < row.version) {
            let Row { id, name, version, vector } = row.clone();
            let has_profile = vector.is_some();
            changes.insert(version, Change::Present { version, id, artist: name, has_profile });
        }
        for (key, &at) in rows.removed.iter().filter(|(_, at)| version < **at) {
            changes.insert(at, Change::Removed { version: at, key: key.clone() });
        }
        changes.into_values().take(limit as usize).collect()
    }

    fn vectors_since(&self, version: Version, limit: u32) -> Vec<VectorChange> {
        let rows = self.rows.lock();
        let mut changes = BTreeMap::new();
        for row in rows.artists.values().filter(|row| version < row.version) {
            let Row { id: _, name, version, vector } = row.clone();
            let change = match vector {
                Some(vector) => VectorChange::Present { version, artist: name, vector },
                None => VectorChange::Absent { version, key: name.key().clone() },
            };
            changes.insert(version, change);
        }
        for (key, &at) in rows.removed.iter().filter(|(_, at)| version < **at) {
            changes.insert(at, VectorChange::Absent { version: at, key: key.clone() });
        }
        changes.into_values().take(limit as usize).collect()
    }
}

#[async_trait]
impl StyleVectors for Store {
    async fn since(
        &self,
        version: Version,
        limit: u32,
    ) -> Result<Vec<VectorChange>, RepositoryError> {
        let questions = self.questions.fetch_add(1, Ordering::SeqCst);
        // Whoever asks without a pause leaves a paused clock no chance to go on.
        assert!(questions < ENDLESS, "this has no end");
        let changes = self.vectors_since(version, limit);
        if self.held_after.load(Ordering::SeqCst) <= version.number() {
            self.vectors.pass().await;
        }
        assert!(!self.panics.swap(false, Ordering::SeqCst), "the test says so");
        self.answer()?;
        if self.has_no_vectors.load(Ordering::SeqCst) {
            return Err(RepositoryError::Unavailable(Arc::new(Away)));
        }
        Ok(changes)
    }
}

#[async_trait]
impl SimilarArtists for Store {
    async fn nearest(&self, search: &Search) -> Result<Neighbours, RepositoryError> {
        self.answer()?;
        self.searches.fetch_add(1, Ordering::SeqCst);
        Ok(self.compare(search))
    }

    async fn nearest_many(&self, searches: &[Search]) -> Result<Vec<Neighbours>, RepositoryError> {
        self.answer()?;
        self.searches.fetch_add(searches.len(), Ordering::SeqCst);
        Ok(searches.iter().map(|search| self.compare(search)).collect())
    }
}

#[async_trait]
impl StyleProfiles for Store {
    async fn find(&self, _: &ArtistKey) -> Result<Option<Arc<StyleProfile>>, RepositoryError> {
        unimplemented!("no test reads a profile")
    }

    async fn find_many(
        &self,
        _: &[ArtistKey],
    ) -> Result<Vec<Option<Arc<StyleProfile>>>, RepositoryError> {
        unimplemented!("no test reads profiles")
    }

    async fn save(
        &self,
        profile: &NewStyleProfile,
        _: Expected,
        _: &domain::Author,
    ) -> Result<SavedProfile, RepositoryError> {
        self.answer()?;
        let profile = profile.clone();
        let vector = profile.embedding.clone().map(|embedding| StyleVector {
            embedding,
            research_status: domain::ResearchStatus::Cached,
            confidence: profile.confidence,
            quantitative_params: profile.quantitative_params,
        });
        let version = self.commit(profile.artist.as_str(), vector);
        let artist_id = self.rows.lock().artists[profile.artist.key()].id;
        let now = Timestamp::from_unix_micros(1_795_000_000_000_000).unwrap();
        let NewStyleProfile {
            artist,
            text_description,
            quantitative_params,
            embedding,
            midi_templates,
            confidence,
            sources_count,
        } = profile;
        let profile = Arc::new(StyleProfile {
            id: StyleProfileId::generate(),
            artist_id,
            artist,
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
        Ok(SavedProfile { profile, created: false })
    }

    async fn remove(
        &self,
        artist: &ArtistKey,
        _: Expected,
        _: &domain::Author,
    ) -> Result<Option<Version>, RepositoryError> {
        self.answer()?;
        Ok(Some(self.commit(artist.as_str(), None)))
    }
}

/// The feed of a store.
pub(crate) struct Told(pub(crate) Arc<Store>);

#[async_trait]
impl Changes for Told {
    async fn since(&self, version: Version, limit: u32) -> Result<Vec<Change>, RepositoryError> {
        self.0.answer()?;
        Ok(self.0.changes_since(version, limit))
    }

    async fn follow(&self) -> Result<Box<dyn ChangeFollower>, RepositoryError> {
        self.0.answer()?;
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
        let changes = self.0.changes_since(version, limit);
        self.0.rounds.pass().await;
        self.0.answer()?;
        Ok(changes)
    }

    async fn hint(&mut self) -> Result<(), RepositoryError> {
        self.0.changed.notified().await;
        Ok(())
    }
}
