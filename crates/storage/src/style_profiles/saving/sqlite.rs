//! Writing on SQLite: a few statements over all rows.

use std::{collections::HashMap, sync::LazyLock};

use domain::{ArtistId, NewStyleProfile, ResearchStatus, Timestamp};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IdenStatic, IntoActiveModel, Iterable, QueryFilter,
    QuerySelect, Set, Value, prelude::Uuid,
};

use super::{Plan, Save, Stored, Writing, Written};
use crate::{
    audit_log::audit_all,
    entity::{
        StoredTime, StoredVector,
        artist::{self, stored_sources, stored_version},
        style_embedding, style_profile,
    },
    error::Failure,
    group_commit::Outcome,
    insert::{MOST_MODELS, insert_models, with_rows},
    store::{Backend, Store},
    style_profiles::rows,
};

const BACKEND: Backend = Backend::Sqlite;

/// What an artist is known by follows its profile.
const FOLLOW: (&str, usize, &str) = (
    "WITH saved (id, research_status, sources_count, confidence_score, last_updated) AS (VALUES",
    5,
    ") UPDATE artists SET research_status = saved.research_status, sources_count = saved.sources_count, \
     confidence_score = saved.confidence_score, last_updated = saved.last_updated \
     FROM saved WHERE artists.id = saved.id",
);

const REPLACING_EMBEDDING: &str =
    "ON CONFLICT (artist_id) DO UPDATE SET embedding = excluded.embedding";

/// A profile is written over the one there is, but for who it is of and since when.
static REPLACING_PROFILE: LazyLock<String> = LazyLock::new(|| {
    use style_profile::Column;
    let replaced = Column::iter()
        .filter(|column| !matches!(column, Column::Id | Column::ArtistId | Column::CreatedAt))
        .map(|column| format!("{0} = excluded.{0}", column.as_str()));
    format!("ON CONFLICT (artist_id) DO UPDATE SET {}", replaced.collect::<Vec<_>>().join(", "))
});

/// Saves what finds what it expects.
pub(super) async fn save(store: &Store, saves: &[Save]) -> Result<Vec<Outcome<Save>>, Failure> {
    let transaction = store.begin_versioned().await?;
    let keys: Vec<&str> = saves.iter().map(|save| save.key().as_str()).collect();
    let mut stored = HashMap::with_capacity(keys.len());
    for rows in rows(&*transaction, &keys).await? {
        stored.insert(rows.artist.name_key.clone(), Stored::of(&rows)?);
    }
    let plan = Plan::new(saves, stored, store.now());
    if plan.writings.is_empty() {
        return Ok(plan.told(HashMap::new()));
    }
    let written = write(&*transaction, &plan.writings, plan.now).await?;
    audit_all(BACKEND, &*transaction, plan.audited(store, saves, &written)).await?;
    transaction.commit().await?;
    Ok(plan.told(written))
}

/// Writes profiles of different artists over what is stored of these, inside a transaction that moves versions.
pub(crate) async fn write_all(
    store: &Store,
    transaction: &impl ConnectionTrait,
    profiles: Vec<(&NewStyleProfile, Option<Stored>)>,
) -> Result<(), Failure> {
    let now = store.now();
    let writings: Vec<Writing<'_>> =
        profiles.into_iter().map(|(profile, stored)| Writing::new(profile, stored, now)).collect();
    write(transaction, &writings, now).await.map(drop)
}

/// Writes profiles, and returns what came of each, by artist.
async fn write(
    transaction: &impl ConnectionTrait,
    writings: &[Writing<'_>],
    now: Timestamp,
) -> Result<HashMap<ArtistId, Written>, Failure> {
    let (mut new, mut known, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    let (mut embeddings, mut without) = (Vec::new(), Vec::new());
    for writing in writings {
        let Writing { profile, artist, .. } = writing;
        let is_known = writing.before.is_some();
        if is_known {
            known.push(following(writing, now)?);
        } else {
            let mut row = artist::pending(BACKEND, &profile.artist, now);
            row.id = Set(artist.as_uuid());
            row.follow(profile)?;
            new.push(row);
        }
        let times = (writing.created_at, now);
        rows.push(style_profile::row(BACKEND, profile, (writing.id, *artist), times));
        if let Some(embedding) = &profile.embedding {
            let row = style_embedding::Model {
                artist_id: artist.as_uuid(),
                embedding: StoredVector::new(BACKEND, embedding),
            };
            embeddings.push(row.into_active_model());
        } else if is_known {
            without.push(artist.as_uuid());
        }
    }

    insert_models(transaction, new, "").await?;
    with_rows(transaction, BACKEND, FOLLOW, known).await?;
    insert_models(transaction, rows, &REPLACING_PROFILE).await?;
    insert_models(transaction, embeddings, REPLACING_EMBEDDING).await?;
    if !without.is_empty() {
        style_embedding::Entity::delete_many()
            .filter(style_embedding::Column::ArtistId.is_in(without))
            .exec(transaction)
            .await?;
    }

    // The triggers of all three tables have run; whichever was last set the version.
    let mut versions = versions(transaction, writings).await?;
    let written = writings.iter().filter_map(|writing| {
        let version = stored_version(versions.remove(&writing.artist.as_uuid())?);
        let midi_templates = writing.profile.midi_templates.clone();
        Some(version.map(|version| (writing.artist, Written { version, midi_templates })))
    });
    written.collect()
}

fn following(writing: &Writing<'_>, now: Timestamp) -> Result<[Value; 5], Failure> {
    Ok([
        writing.artist.as_uuid().into(),
        ResearchStatus::Cached.as_str().into(),
        stored_sources(writing.profile)?.into(),
        writing.profile.confidence.get().into(),
        StoredTime::new(BACKEND, now).into(),
    ])
}

async fn versions(
    transaction: &impl ConnectionTrait,
    writings: &[Writing<'_>],
) -> Result<HashMap<Uuid, i64>, Failure> {
    let mut versions = HashMap::with_capacity(writings.len());
    for some in writings.chunks(MOST_MODELS) {
        let rows = artist::Entity::find()
            .select_only()
            .columns([artist::Column::Id, artist::Column::Version])
            .filter(artist::Column::Id.is_in(some.iter().map(|it| it.artist.as_uuid())))
            .into_tuple::<(Uuid, i64)>()
            .all(transaction)
            .await?;
        versions.extend(rows);
    }
    Ok(versions)
}
