//! One transaction that records what several callers bring.

use std::collections::HashMap;

use domain::{
    ArtistId, ArtistKey, ArtistName, Generation, GenerationId, NewGeneration, RepositoryError,
    Sums, Timestamp,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Value, prelude::Uuid,
};

use super::{IDS_PER_STATEMENT, read};
use crate::{
    entity::{
        StoredTime,
        artist::{self, artist_name},
        generation::{COLUMNS, values},
    },
    error::Failure,
    insert::insert,
    rollups::Pending,
    store::{Backend, Store},
};

/// How often a month may be dropped while something is recorded in it.
const MOST_DROPPED: u32 = 10;

/// What one caller is told.
pub(super) type Outcome = Result<Vec<Generation>, RepositoryError>;

/// Records what each caller brings, all of it or nothing; what one brings too much does not stop another.
pub(super) async fn record(
    store: &Store,
    callers: &[Vec<NewGeneration>],
) -> Result<Vec<Outcome>, RepositoryError> {
    // Identities are the callers', so repeating counts nothing twice.
    let recorded = store
        .retry(|| async {
            // As a rule all of them are new, and nothing has to be looked up.
            let mut repeats = Repeats::Unlikely;
            let mut dropped = 0;
            loop {
                match attempt(store, callers, repeats).await {
                    Ok(Some(outcomes)) => return Ok(outcomes),
                    Ok(None) => repeats = Repeats::LookedUp,
                    // A month that was there was dropped because of its age.
                    Err(failure) if failure.lacks_partition() && dropped < MOST_DROPPED => {
                        dropped += 1;
                        store.partitions().forget();
                    }
                    Err(failure) => return Err(failure),
                }
            }
        })
        .await;
    store.tell_recorded();
    recorded
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
    callers: &[Vec<NewGeneration>],
    repeats: Repeats,
) -> Result<Option<Vec<Outcome>>, Failure> {
    let now = store.now();
    let all = || callers.iter().flatten();
    let times = all().map(|new| new.created_at.unwrap_or(now).unix_micros());
    store.partitions().ensure(store, times).await?;

    let _writer = store.writer().await?;
    let transaction = store.begin().await?;
    let mut plan = Plan {
        now,
        artists: artists(&transaction, all()).await?,
        recorded: match repeats {
            Repeats::Unlikely => HashMap::new(),
            Repeats::LookedUp => {
                let ids: Vec<GenerationId> = all().map(|new| new.id).collect();
                read(store, &transaction, &ids).await?
            }
        },
        fresh: Vec::with_capacity(all().count()),
    };
    let outcomes: Vec<Outcome> = callers.iter().map(|caller| plan.admit(caller)).collect();
    if repeats == Repeats::Unlikely && outcomes.iter().any(Result::is_err) {
        // A repetition is answered as the first time, even if the artist was removed since.
        return Ok(None);
    }
    if plan.fresh.is_empty() {
        return Ok(Some(outcomes));
    }
    if !insert_rows(store, &transaction, &plan.fresh).await? {
        return Ok(None);
    }
    let mut pending = Pending::default();
    for Fresh { new, artist, created_at } in &plan.fresh {
        pending.add(*artist, *created_at, new.details.kind(), &Sums::of(&new.details));
    }
    pending.insert(&transaction, store.backend()).await?;
    transaction.commit().await?;
    Ok(Some(outcomes))
}

/// What is to be recorded.
struct Plan<'a> {
    now: Timestamp,
    artists: HashMap<ArtistKey, (ArtistId, ArtistName)>,
    /// What is recorded under identities that callers bring, or will be.
    recorded: HashMap<GenerationId, Generation>,
    fresh: Vec<Fresh<'a>>,
}

/// A generation that is not recorded yet.
struct Fresh<'a> {
    new: &'a NewGeneration,
    artist: Option<ArtistId>,
    created_at: Timestamp,
}

impl<'a> Plan<'a> {
    /// Takes in what one caller brings, unless something in it is refused.
    fn admit(&mut self, caller: &'a [NewGeneration]) -> Outcome {
        let already = self.fresh.len();
        let outcome = caller.iter().map(|new| self.admit_one(new)).collect();
        if Result::is_err(&outcome) {
            for Fresh { new, .. } in self.fresh.drain(already..) {
                self.recorded.remove(&new.id);
            }
        }
        outcome
    }

    fn admit_one(&mut self, new: &'a NewGeneration) -> Result<Generation, RepositoryError> {
        if let Some(recorded) = self.recorded.get(&new.id) {
            return if new.is_recorded_as(recorded) {
                Ok(recorded.clone())
            } else {
                Err(RepositoryError::TakenGeneration(new.id))
            };
        }
        let artist = match &new.artist {
            None => None,
            Some(name) => match self.artists.get(name.key()) {
                Some(known) => Some(known),
                None => return Err(RepositoryError::UnknownArtist(name.clone())),
            },
        };
        let created_at = new.created_at.unwrap_or(self.now);
        self.fresh.push(Fresh { new, artist: artist.map(|&(id, _)| id), created_at });
        let generation = Generation {
            id: new.id,
            artist: artist.map(|(_, name)| name.clone()),
            created_at,
            details: new.details.clone(),
        };
        self.recorded.insert(new.id, generation.clone());
        Ok(generation)
    }
}

/// Inserts rows, unless one of them is there already.
async fn insert_rows(
    store: &Store,
    database: &impl ConnectionTrait,
    fresh: &[Fresh<'_>],
) -> Result<bool, Failure> {
    let backend = store.backend();
    let wanted = fresh.len() as u64;
    let conflict = match backend {
        // Identities are kept apart there: those of one table are unique, and there is a table for each month.
        Backend::Postgres => {
            let mut ids = Vec::with_capacity(fresh.len());
            for it in fresh {
                ids.push((it.new.id.as_uuid(), StoredTime::new(backend, it.created_at)));
            }
            // Everybody inserts them in one order, so that no two wait for each other in a circle.
            ids.sort_unstable_by_key(|&(id, _)| id);
            let ids = ids.into_iter().map(|(id, time)| [id.into(), time.into()]).collect();
            let into = ("generation_ids", "id, created_at", "ON CONFLICT (id) DO NOTHING");
            if insert(database, backend, into, ids).await? != wanted {
                return Ok(false);
            }
            ""
        }
        Backend::Sqlite => "ON CONFLICT (id) DO NOTHING",
    };
    let rows: Vec<[Value; COLUMNS.len()]> =
        fresh.iter().map(|it| values(backend, it.new, it.artist, it.created_at)).collect();
    let columns = COLUMNS.join(", ");
    Ok(insert(database, backend, ("generation_history", &columns, conflict), rows).await? == wanted)
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
            .filter(artist::Column::NameKey.is_in(some.iter().map(|key| key.as_str())))
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
