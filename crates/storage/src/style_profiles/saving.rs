//! Saving profiles, those of several callers in one transaction.

use std::{collections::HashMap, sync::Arc};

use domain::{
    ArtistId, ArtistKey, AuditAction, AuditEntry, AuditSubject, Author, Expected, NewStyleProfile,
    RepositoryError, SavedProfile,
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, Iterable,
    QueryFilter, QuerySelect, Set, TryIntoModel, Value, prelude::Uuid, sea_query::OnConflict,
};

use super::{Rows, expect, rows};
use crate::{
    audit_log::{audit_all, record},
    entity::{
        StoredTime, StoredVector,
        artist::{self, stored_version},
        style_embedding, style_profile,
    },
    error::Failure,
    group_commit::{GroupCommit, GroupWrite, Outcome, Told},
    insert::{power_of_two, with_rows},
    query_statistics::{Operation, Table},
    store::Store,
};

/// Rows of one statement at most. Few, so that few different statements are prepared on each connection.
const MOST_ROWS: usize = 64;

/// A profile that a caller wants to save.
#[derive(Debug)]
pub(crate) struct Save {
    pub(crate) profile: NewStyleProfile,
    pub(crate) expected: Expected,
    pub(crate) author: Author,
}

impl GroupWrite for Save {
    type Written = SavedProfile;

    const OPERATION: Operation = Operation::Save;
    const TABLE: Table = Table::StyleProfiles;
    const MOST_ROWS: usize = MOST_ROWS;
    // Whoever moves versions keeps all others who do so out until it is committed: a second one could prepare nothing.
    const MOST_COMMITTERS: usize = 1;

    fn group_commit(store: &Store) -> &GroupCommit<Self> {
        store.saves()
    }

    fn rows(&self) -> usize {
        1
    }

    /// An artist takes one version in a transaction, and a version stands for one profile. What can be repeated is kept
    /// apart from what cannot.
    fn goes_with(&self, other: &Self) -> bool {
        self.key() != other.key() && self.is_repeatable() == other.is_repeatable()
    }

    async fn write(store: &Store, callers: &[Self]) -> Told<Self> {
        if callers.iter().all(Self::is_repeatable) {
            store.retry(Self::OPERATION, Self::TABLE, || save(store, callers)).await
        } else {
            store.once(Self::OPERATION, Self::TABLE, save(store, callers)).await
        }
    }
}

impl Save {
    fn key(&self) -> &ArtistKey {
        self.profile.artist.key()
    }

    /// A second attempt would not find what it expects if the first one was committed.
    const fn is_repeatable(&self) -> bool {
        matches!(self.expected, Expected::Any)
    }
}

/// Saves what finds what it expects; the others are told what there is instead.
async fn save(store: &Store, saves: &[Save]) -> Result<Vec<Outcome<Save>>, Failure> {
    let _writer = store.writer().await?;
    let transaction = store.begin_versioned().await?;
    let keys: Vec<&str> = saves.iter().map(|save| save.key().as_str()).collect();
    let mut stored = HashMap::with_capacity(keys.len());
    for rows in rows(&*transaction, &keys).await? {
        stored.insert(rows.artist.name_key.clone(), rows);
    }

    let mut refusals: Vec<Option<RepositoryError>> = Vec::with_capacity(saves.len());
    let (mut admitted, mut before) = (Vec::new(), Vec::new());
    for save in saves {
        let rows = stored.remove(save.key().as_str());
        let refusal = expect(save.expected, rows.as_ref()).err();
        if refusal.is_none() {
            before.push(rows.as_ref().map(|it| stored_version(it.artist.version)).transpose()?);
            admitted.push((&save.profile, rows));
        }
        refusals.push(refusal.map(RepositoryError::from));
    }
    if admitted.is_empty() {
        return Ok(refusals.into_iter().flatten().map(Err).collect());
    }

    let written = write_all(store, &*transaction, admitted).await?;
    let authors = saves.iter().zip(&refusals).filter(|(_, refusal)| refusal.is_none());
    let audited = authors.zip(written.iter().zip(before)).map(|((save, _), (saved, before))| {
        let entry = AuditEntry {
            action: AuditAction::ProfileSaved,
            subject: AuditSubject::artist(save.key()),
            before,
            after: Some(saved.profile.version),
        };
        record(store, &save.author, entry)
    });
    audit_all(store.backend(), &*transaction, audited.collect()).await?;
    transaction.commit().await?;

    let mut written = written.into_iter();
    let outcome = |refusal: Option<RepositoryError>| match refusal {
        Some(refusal) => Err(refusal),
        None => written.next().ok_or(RepositoryError::Conflict),
    };
    Ok(refusals.into_iter().map(outcome).collect())
}

/// Writes profiles of different artists over what is stored of these, inside a transaction that began with the lock on
/// versions.
pub(crate) async fn write_all(
    store: &Store,
    transaction: &impl ConnectionTrait,
    profiles: Vec<(&NewStyleProfile, Option<Rows>)>,
) -> Result<Vec<SavedProfile>, Failure> {
    if profiles.is_empty() {
        return Ok(Vec::new());
    }
    let (backend, now) = (store.backend(), store.now());
    let (mut artists, mut kept) = (Vec::with_capacity(profiles.len()), Vec::new());
    let (mut new, mut known) = (Vec::new(), Vec::new());
    let (mut rows, mut embeddings, mut without) = (Vec::new(), Vec::new(), Vec::new());
    for (profile, stored) in profiles {
        let (artist, replaced) = match stored {
            Some(Rows { artist, profile, .. }) => (Some(artist), profile),
            None => (None, None),
        };
        let mut row = match &artist {
            Some(artist) => artist.clone().into_active_model(),
            None => artist::pending(backend, &profile.artist, now),
        };
        row.follow(profile)?;
        row.last_updated = Set(StoredTime::new(backend, now));
        let is_known = artist.is_some();
        let artist = row.clone().try_into_model()?;
        let id = ArtistId::from_uuid(artist.id);
        rows.push(style_profile::row(backend, profile, id, replaced.as_ref(), now));
        let embedding = profile.embedding.as_ref().map(|embedding| style_embedding::Model {
            artist_id: artist.id,
            embedding: StoredVector::new(backend, embedding),
        });
        match &embedding {
            Some(embedding) => embeddings.push(embedding.clone().into_active_model()),
            None if is_known => without.push(artist.id),
            None => {}
        }
        if is_known {
            known.push(following(&artist));
        } else {
            new.push(row);
        }
        kept.push((embedding, replaced.is_none()));
        artists.push(artist);
    }

    // Artists first: those of children that change take a version only if they have none of this transaction.
    insert_many(transaction, new, None).await?;
    with_rows(transaction, backend, FOLLOW, known).await?;
    let mut written = upsert_profiles(transaction, rows).await?;
    let embedding = OnConflict::column(style_embedding::Column::ArtistId)
        .update_column(style_embedding::Column::Embedding)
        .to_owned();
    insert_many(transaction, embeddings, Some(&embedding)).await?;
    if !without.is_empty() {
        style_embedding::Entity::delete_many()
            .filter(style_embedding::Column::ArtistId.is_in(without))
            .exec(transaction)
            .await?;
    }

    // The triggers of all three tables have run; whichever was last set the versions.
    let versions = versions(transaction, artists.iter().map(|artist| artist.id)).await?;
    let saved = artists.into_iter().zip(kept).map(|(mut artist, (embedding, created))| {
        let row = written.remove(&artist.id).ok_or(RepositoryError::Conflict)?;
        artist.version = *versions.get(&artist.id).ok_or(RepositoryError::Conflict)?;
        let profile = Arc::new(style_profile::profile(&artist, row, embedding)?);
        Ok(SavedProfile { profile, created })
    });
    saved.collect()
}

/// What an artist is known by follows its profile.
const FOLLOW: (&str, usize, &str) = (
    "WITH saved (id, research_status, sources_count, confidence_score, last_updated) AS (VALUES",
    5,
    ") UPDATE artists SET research_status = saved.research_status, sources_count = saved.sources_count, \
     confidence_score = saved.confidence_score, last_updated = saved.last_updated \
     FROM saved WHERE artists.id = saved.id",
);

fn following(artist: &artist::Model) -> [Value; 5] {
    [
        artist.id.into(),
        artist.research_status.clone().into(),
        artist.sources_count.into(),
        artist.confidence_score.into(),
        artist.last_updated.into(),
    ]
}

/// Writes profiles over those of the same artists, and returns what is stored now, by artist.
async fn upsert_profiles(
    transaction: &impl ConnectionTrait,
    rows: Vec<style_profile::ActiveModel>,
) -> Result<HashMap<Uuid, style_profile::Model>, Failure> {
    use style_profile::Column;

    let replaced = Column::iter()
        .filter(|column| !matches!(column, Column::Id | Column::ArtistId | Column::CreatedAt));
    let replace = OnConflict::column(Column::ArtistId).update_columns(replaced).to_owned();
    let mut stored = HashMap::with_capacity(rows.len());
    for some in in_powers_of_two(rows) {
        // As the database understands them: it may write a number in another way.
        let rows = style_profile::Entity::insert_many(some)
            .on_conflict(replace.clone())
            .exec_with_returning(transaction)
            .await?;
        stored.extend(rows.into_iter().map(|row| (row.artist_id, row)));
    }
    Ok(stored)
}

async fn insert_many<A: ActiveModelTrait + Send>(
    transaction: &impl ConnectionTrait,
    rows: Vec<A>,
    conflict: Option<&OnConflict>,
) -> Result<(), Failure> {
    for some in in_powers_of_two(rows) {
        let mut insert = A::Entity::insert_many(some);
        if let Some(conflict) = conflict {
            insert = insert.on_conflict(conflict.clone());
        }
        insert.exec_without_returning(transaction).await?;
    }
    Ok(())
}

/// In parts of as many as a power of two, so that few different statements are prepared on each connection.
fn in_powers_of_two<T>(rows: Vec<T>) -> impl Iterator<Item = Vec<T>> {
    let mut rows = rows.into_iter();
    std::iter::from_fn(move || {
        let count = power_of_two(rows.len().min(MOST_ROWS));
        (count != 0).then(|| rows.by_ref().take(count).collect())
    })
}

async fn versions(
    database: &impl ConnectionTrait,
    artists: impl Iterator<Item = Uuid>,
) -> Result<HashMap<Uuid, i64>, Failure> {
    let versions = artist::Entity::find()
        .select_only()
        .columns([artist::Column::Id, artist::Column::Version])
        .filter(artist::Column::Id.is_in(artists))
        .into_tuple::<(Uuid, i64)>()
        .all(database)
        .await?;
    Ok(versions.into_iter().collect())
}
