//! One transaction that records what several callers bring.

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::collections::HashMap;

use domain::{
    ArtistId, ArtistKey, ArtistName, AuditAction, AuditEntry, AuditRecord, AuditRecordId,
    AuditSubject, Author, Generation, GenerationId, NewGeneration, RepositoryError, Sums,
    Timestamp,
};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, prelude::Uuid};

use super::{IDS_PER_STATEMENT, Recorded, padded, read};
use crate::{
    entity::artist::{self, artist_name},
    error::Failure,
    group_commit::{GroupCommit, GroupWrite, Outcome, Told},
    query_statistics::{Operation, Table},
    rollups::Pending,
    store::{Backend, Store},
};

/// How often others may come first with the same identities, or drop a month that something is recorded in.
const MOST_ATTEMPTS: u32 = 20;

#[derive(Debug, thiserror::Error)]
#[error(
    "an identity is taken, but by no generation; `groovebase stats verify` tells, and `stats rebuild` repairs it"
)]
struct NeverFree;

/// What one caller brings.
#[derive(Debug)]
pub(crate) struct Recorder {
    /// Who it is.
    pub(super) author: Author,
    /// What is to be recorded, all of it or nothing.
    pub(super) generations: Vec<NewGeneration>,
}

impl<'a> IntoIterator for &'a Recorder {
    type Item = &'a NewGeneration;
    type IntoIter = std::slice::Iter<'a, NewGeneration>;

    fn into_iter(self) -> Self::IntoIter {
        self.generations.iter()
    }
}

impl GroupWrite for Recorder {
    type Written = Vec<Generation>;

    const OPERATION: Operation = Operation::Record;
    const TABLE: Table = Table::GenerationHistory;
    const MOST_ROWS: usize = 1_000;
    const MOST_COMMITTERS: usize = 2;

    fn group_commit(store: &Store) -> &GroupCommit<Self> {
        store.recorders()
    }

    fn rows(&self) -> usize {
        self.generations.len()
    }

    fn goes_with(&self, _: &Self) -> bool {
        true
    }

    async fn write(store: &Store, callers: &[Self]) -> Told<Self> {
        // Identities are the callers', so repeating counts nothing twice.
        let recorded = store
            .retry(Self::OPERATION, Self::TABLE, || async {
                // As a rule all of them are new, and nothing has to be looked up.
                let mut repeats = Repeats::Unlikely;
                for _ in 0..MOST_ATTEMPTS {
                    match attempt(store, callers, repeats).await {
                        Ok(Some(outcomes)) => return Ok(outcomes),
                        Ok(None) => repeats = Repeats::LookedUp,
                        // A month that was there was dropped because of its age.
                        Err(failure) if failure.lacks_partition() => {
                            store.partitions().forget();
                            store.partitions().ensure_for(store, callers.iter().flatten()).await?;
                        }
                        Err(failure) => return Err(failure),
                    }
                }
                Err(Failure::corrupt(NeverFree))
            })
            .await;
        store.tell_recorded();
        recorded
    }
}

/// Whether it is known which generations are recorded already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeats {
    Unlikely,
    LookedUp,
}

/// Returns nothing, and records nothing, when something turned out to be recorded that was not known to be.
async fn attempt(
    store: &Store,
    callers: &[Recorder],
    repeats: Repeats,
) -> Result<Option<Vec<Outcome<Recorder>>>, Failure> {
    let now = store.now();
    let all = || callers.iter().flatten();
    let database = store.database();
    let mut plan = Plan {
        now,
        artists: artists(database, all()).await?,
        recorded: match repeats {
            Repeats::Unlikely => HashMap::new(),
            Repeats::LookedUp => {
                let ids: Vec<GenerationId> = all().map(|new| new.id).collect();
                let recorded = read(store, database, &ids).await?.into_iter();
                recorded.map(|(id, it)| (id, Standing::Recorded(Box::new(it)))).collect()
            }
        },
        fresh: Vec::with_capacity(all().count()),
        audited: Vec::with_capacity(callers.len()),
    };
    let outcomes: Vec<Outcome<Recorder>> =
        callers.iter().map(|caller| plan.admit(caller)).collect();
    if repeats == Repeats::Unlikely && outcomes.iter().any(Result::is_err) {
        // A repetition is answered as the first time, even if the artist was removed since.
        return Ok(None);
    }
    if plan.fresh.is_empty() {
        return Ok(Some(outcomes));
    }
    let mut pending = Pending::default();
    for fresh in &plan.fresh {
        let details = &fresh.new.details;
        pending.add(fresh.artist_id(), fresh.created_at, details.kind(), &Sums::of(details));
    }
    let is_written = match store.backend() {
        #[cfg(feature = "postgres")]
        Backend::Postgres => postgres::write(store, &plan.fresh, pending, &plan.audited).await?,
        #[cfg(feature = "sqlite")]
        Backend::Sqlite => sqlite::write(store, &plan.fresh, pending, plan.audited).await?,
        #[cfg(not(all(feature = "postgres", feature = "sqlite")))]
        _ => return Err(RepositoryError::Conflict.into()),
    };
    Ok(is_written.then_some(outcomes))
}

/// What is to be recorded.
struct Plan<'a> {
    now: Timestamp,
    artists: HashMap<ArtistKey, (ArtistId, ArtistName)>,
    /// What is recorded under identities that callers bring, or will be.
    recorded: HashMap<GenerationId, Standing>,
    fresh: Vec<Fresh<'a>>,
    audited: Vec<AuditRecord>,
}

/// What is known of an identity.
enum Standing {
    Recorded(Box<Recorded>),
    /// It will be recorded: its place among those.
    Fresh(usize),
}

/// A generation that is not recorded yet.
struct Fresh<'a> {
    new: &'a NewGeneration,
    artist: Option<(ArtistId, ArtistName)>,
    created_at: Timestamp,
}

impl<'a> Plan<'a> {
    /// Takes in what one caller brings, unless something in it is refused.
    fn admit(&mut self, caller: &'a Recorder) -> Outcome<Recorder> {
        let Recorder { author, generations } = caller;
        let already = self.fresh.len();
        let outcome = generations.iter().map(|new| self.admit_one(new)).collect();
        if Result::is_err(&outcome) {
            for Fresh { new, .. } in self.fresh.drain(already..) {
                self.recorded.remove(&new.id);
            }
        }
        if let Some(first) = self.fresh.get(already) {
            let recorded = self.fresh.len() - already;
            self.audited.push(AuditRecord {
                id: AuditRecordId::generate(),
                at: self.now,
                author: author.clone(),
                entry: AuditEntry {
                    action: AuditAction::GenerationsRecorded,
                    subject: AuditSubject {
                        generation: Some(first.new.id),
                        entries: u64::try_from(recorded).ok(),
                        ..AuditSubject::default()
                    },
                    before: None,
                    after: None,
                },
            });
        }
        outcome
    }

    fn admit_one(&mut self, new: &'a NewGeneration) -> Result<Generation, RepositoryError> {
        match self.recorded.get(&new.id) {
            Some(Standing::Recorded(recorded)) => return repeated(new, Recorded::clone(recorded)),
            Some(&Standing::Fresh(place)) => {
                let Some(fresh) = self.fresh.get(place) else { return Err(taken(new)) };
                let is_nobodys = fresh.artist.is_none();
                return repeated(new, Recorded { generation: fresh.generation(), is_nobodys });
            }
            None => {}
        }
        let artist = match &new.artist {
            None => None,
            Some(name) => match self.artists.get(name.key()) {
                Some(known) => Some(known),
                None => return Err(RepositoryError::UnknownArtist(name.clone())),
            },
        };
        let created_at = new.created_at.unwrap_or(self.now);
        let fresh = Fresh { new, artist: artist.cloned(), created_at };
        let generation = fresh.generation();
        self.recorded.insert(new.id, Standing::Fresh(self.fresh.len()));
        self.fresh.push(fresh);
        Ok(generation)
    }
}

/// The answer to who brings what is recorded, unless it is something else.
fn repeated(
    new: &NewGeneration,
    Recorded { generation, is_nobodys }: Recorded,
) -> Result<Generation, RepositoryError> {
    if new.is_recorded_as(&generation) && (!is_nobodys || new.artist.is_none()) {
        Ok(generation)
    } else {
        Err(taken(new))
    }
}

fn taken(new: &NewGeneration) -> RepositoryError {
    RepositoryError::TakenGeneration(new.id)
}

impl Fresh<'_> {
    fn generation(&self) -> Generation {
        Generation {
            id: self.new.id,
            artist: self.artist.as_ref().map(|(_, name)| name.clone()),
            created_at: self.created_at,
            details: self.new.details.clone(),
        }
    }

    fn artist_id(&self) -> Option<ArtistId> {
        self.artist.as_ref().map(|&(id, _)| id)
    }
}

/// The artists that some generations name, by key.
async fn artists(
    database: &impl ConnectionTrait,
    generations: impl Iterator<Item = &NewGeneration>,
) -> Result<HashMap<ArtistKey, (ArtistId, ArtistName)>, Failure> {
    let mut keys: Vec<&ArtistKey> =
        generations.filter_map(|new| new.artist.as_ref()).map(ArtistName::key).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut known = HashMap::with_capacity(keys.len());
    for some in keys.chunks(IDS_PER_STATEMENT) {
        let rows: Vec<(Uuid, String)> = artist::Entity::find()
            .select_only()
            .columns([artist::Column::Id, artist::Column::Name])
            .filter(artist::Column::NameKey.is_in(padded(some).map(|key| key.as_str())))
            .into_tuple()
            .all(database)
            .await?;
        for (id, name) in rows {
            let name = artist_name(&name)?;
            known.insert(name.key().clone(), (ArtistId::from_uuid(id), name));
        }
    }
    Ok(known)
}
