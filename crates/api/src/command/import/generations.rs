//! Generations, in the form in which the HTTP interface takes them.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use domain::{
    ArtistKey, ArtistName, Artists, Author, BulkLoad, GenerationId, Generations, NewGeneration,
    ProfileRecord, RepositoryError, TimeRange,
};
use serde::{Deserialize, de::IgnoredAny};
use storage::Store;

use super::{
    BadLine, Counts, Destination, Entry, Loaded, Numbered, OnError, Reason, Record, Upkeep,
};
use crate::{
    json::{self, InvalidDocument},
    routes::generations::NewGenerationBody,
};

/// How many artists are remembered to be stored, so that memory stays bounded.
const MOST_KNOWN: usize = 100_000;

/// What the identity is for.
const NO_ID: &str =
    "lacks the member 'id', by which it would not be counted again when it is imported again";

impl Record for NewGeneration {
    type Key = GenerationId;

    /// Unlike a profile's, an unknown member is refused: an amount under a misspelled name would be missing in the
    /// account.
    fn read(line: &[u8]) -> Result<Entry<Self>, InvalidDocument> {
        json::read(line, |node| {
            let body = NewGenerationBody::read(node, TimeRange::ALL);
            let id = body.as_ref().and_then(|body| body.id);
            if id.is_none() && lacks_id(line) {
                node.refuse::<()>(NO_ID);
            }
            Some(Entry { record: body?.into_generation(id?), unknown: Vec::new() })
        })
    }

    fn key(&self) -> GenerationId {
        self.id
    }
}

/// Whether a line that was refused has no identity at all, rather than one that is none.
fn lacks_id(line: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Identified {
        id: Option<IgnoredAny>,
    }

    matches!(serde_json::from_slice(line), Ok(Identified { id: None }))
}

/// What to do about artists that are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownArtists {
    /// Lines that name one are bad.
    #[default]
    Refuse,
    /// They are stored as pending.
    Create,
}

/// The account of a store.
pub struct Account {
    generations: Arc<dyn Generations>,
    artists: Arc<dyn Artists>,
    bulk_load: Arc<dyn BulkLoad>,
    unknown_artists: UnknownArtists,
    /// Artists that are stored, as far as they were asked for.
    known: HashSet<ArtistKey>,
    upkeep: Upkeep,
    /// One for all batches.
    author: Author,
    has_created: bool,
}

/// What lines did to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccountCounts {
    /// Generations that are recorded, by this import or already before it: the store does not tell which.
    pub recorded: u64,
    /// Artists that were made.
    pub artists: u64,
}

impl Counts for AccountCounts {
    fn listed(&self) -> Vec<(u64, &'static str)> {
        let Self { recorded, artists } = *self;
        vec![(recorded, "recorded, now or before"), (artists, "artists created")]
    }
}

impl Account {
    /// The account of this store.
    #[must_use]
    pub fn of(store: &Store, unknown_artists: UnknownArtists) -> Self {
        Self {
            generations: store.generations(),
            artists: store.artists(),
            bulk_load: store.bulk_load(),
            unknown_artists,
            known: HashSet::new(),
            upkeep: Upkeep::of(store),
            author: Author::at_the_command_line(),
            has_created: false,
        }
    }
}

impl Destination for Account {
    type Record = NewGeneration;
    type Counts = AccountCounts;

    async fn load(
        &mut self,
        batch: Vec<Numbered<NewGeneration>>,
        on_error: OnError,
        counts: &mut AccountCounts,
    ) -> Result<Loaded, RepositoryError> {
        self.upkeep.begin().await?;
        let mut attempt = Attempt { batch, on_error, refused: Vec::new() };
        // As a rule the first attempt succeeds; each other one knows more artists or has fewer lines.
        while !attempt.batch.is_empty() {
            match self.generations.record(attempt.generations(), &self.author).await {
                Ok(_) => break,
                Err(RepositoryError::UnknownArtist(artist)) => {
                    self.known.remove(artist.key());
                    let strangers = self.strangers(&attempt.batch).await?;
                    match self.unknown_artists {
                        UnknownArtists::Refuse => attempt.refuse(
                            strangers
                                .into_iter()
                                .map(|(id, artist)| (id, Reason::UnknownArtist(artist)))
                                .collect(),
                        ),
                        UnknownArtists::Create => {
                            counts.artists += self.create(strangers.into_values()).await?;
                        }
                    }
                }
                Err(RepositoryError::TakenGeneration(id)) => {
                    let mut taken = self.taken(&attempt.batch).await?;
                    taken.push(id);
                    attempt.refuse(
                        taken.into_iter().map(|id| (id, Reason::TakenGeneration(id))).collect(),
                    );
                }
                Err(error) => return Err(error),
            }
        }

        let written = attempt.batch.len() as u64;
        counts.recorded += written;
        self.upkeep.recorded(written);
        Ok(Loaded { written, refused: attempt.refused })
    }

    async fn finish(&mut self) -> Result<(), RepositoryError> {
        if self.has_created {
            self.bulk_load.finish().await?;
        }
        self.upkeep.finish().await
    }
}

/// What is left of a batch, and what was taken out of it.
struct Attempt {
    batch: Vec<Numbered<NewGeneration>>,
    on_error: OnError,
    refused: Vec<BadLine>,
}

impl Attempt {
    fn generations(&self) -> Vec<NewGeneration> {
        self.batch.iter().map(|it| it.record.clone()).collect()
    }

    /// Takes lines out, and where that is asked for everything after the first of them.
    fn refuse(&mut self, mut refusals: HashMap<GenerationId, Reason>) {
        let (on_error, refused) = (self.on_error, &mut self.refused);
        let mut is_over = false;
        self.batch.retain(|Numbered { line, record }| {
            if is_over {
                return false;
            }
            let Some(reason) = refusals.remove(&record.id) else { return true };
            if on_error == OnError::Stop {
                is_over = true;
                refused.clear();
            }
            refused.push(BadLine { line: *line, reason });
            false
        });
        refused.sort_unstable_by_key(|bad| bad.line);
    }
}

impl Account {
    /// The lines that name artists who are not stored.
    ///
    /// What is recorded already is none of them: its artist may have been removed since.
    async fn strangers(
        &mut self,
        batch: &[Numbered<NewGeneration>],
    ) -> Result<HashMap<GenerationId, ArtistName>, RepositoryError> {
        let unknown = self.unknown(batch).await?;
        let mut strangers = HashMap::new();
        for Numbered { line: _, record } in batch {
            if let Some(artist) = &record.artist
                && unknown.contains(artist.key())
                && self.recorded_as(record).await? != Some(true)
            {
                strangers.insert(record.id, artist.clone());
            }
        }
        Ok(strangers)
    }

    /// The artists that lines name and that are not stored.
    async fn unknown(
        &mut self,
        batch: &[Numbered<NewGeneration>],
    ) -> Result<HashSet<ArtistKey>, RepositoryError> {
        if MOST_KNOWN < self.known.len() {
            self.known.clear();
        }
        let mut unknown = HashSet::new();
        for artist in batch.iter().filter_map(|it| it.record.artist.as_ref()) {
            let key = artist.key();
            if self.known.contains(key) || unknown.contains(key) {
                continue;
            }
            if self.artists.find(key).await?.is_some() {
                self.known.insert(key.clone());
            } else {
                unknown.insert(key.clone());
            }
        }
        Ok(unknown)
    }

    /// The lines whose identity is recorded with something else in it.
    async fn taken(
        &self,
        batch: &[Numbered<NewGeneration>],
    ) -> Result<Vec<GenerationId>, RepositoryError> {
        let mut taken = Vec::new();
        for Numbered { line: _, record } in batch {
            if self.recorded_as(record).await? == Some(false) {
                taken.push(record.id);
            }
        }
        Ok(taken)
    }

    /// Whether what is recorded under a generation's identity is that generation; `None` when nothing is.
    async fn recorded_as(&self, new: &NewGeneration) -> Result<Option<bool>, RepositoryError> {
        let recorded = self.generations.find(new.id).await?;
        Ok(recorded.map(|recorded| new.is_recorded_as(&recorded)))
    }

    /// Stores artists as pending, and returns how many there were.
    async fn create(
        &mut self,
        artists: impl Iterator<Item = ArtistName> + Send,
    ) -> Result<u64, RepositoryError> {
        let mut all: Vec<ArtistName> = artists.collect();
        // One artist has many lines, in any spelling, and the map of lines has no order.
        all.sort_unstable_by(|one, other| {
            one.key().cmp(other.key()).then_with(|| one.as_str().cmp(other.as_str()))
        });
        all.dedup_by(|one, other| one.key() == other.key());
        let record = |artist| ProfileRecord::Artist { artist, sources: Vec::new() };
        let records = all.into_iter().map(record).collect();
        self.has_created = true;
        Ok(self.bulk_load.load(records, &self.author).await?.created)
    }
}
