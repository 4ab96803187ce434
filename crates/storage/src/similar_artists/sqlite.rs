//! Comparing every embedding, in process.

use std::{
    cmp::Ordering,
    collections::{BinaryHeap, HashMap},
};

use domain::{ArtistId, Embedding, Limit, SearchMode};
use futures::TryStreamExt;
use sea_orm::{
    ColumnTrait, DatabaseConnection, EntityTrait, FromQueryResult, QueryFilter, QuerySelect,
    prelude::Uuid,
};

use super::{Candidate, Found};
use crate::{
    entity::{
        StoredVector,
        artist::{self, artist_name},
        style_embedding::{Column, Entity},
    },
    error::Failure,
};

#[derive(Debug, FromQueryResult)]
struct Row {
    artist_id: Uuid,
    name_key: String,
    embedding: StoredVector,
}

pub(super) async fn nearest(
    database: &DatabaseConnection,
    target: &Embedding,
    except: Option<ArtistId>,
    limit: Limit<20>,
) -> Result<Found, Failure> {
    let mut compared = 0;
    let mut closest: BinaryHeap<Ranked> = BinaryHeap::with_capacity(usize::from(limit.get()) + 1);
    let query = Entity::find()
        .select_only()
        .column(Column::Embedding)
        .column(artist::Column::NameKey)
        .column(Column::ArtistId)
        .inner_join(artist::Entity)
        .into_model::<Row>();
    let mut rows = query.stream(database).await?;
    while let Some(Row { artist_id: id, name_key: key, embedding }) = rows.try_next().await? {
        compared += 1;
        if except.is_some_and(|except| except.as_uuid() == id) {
            continue;
        }
        let similarity = target.cosine(&embedding.embedding()?);
        closest.push(Ranked { similarity, key, id });
        if usize::from(limit.get()) < closest.len() {
            closest.pop();
        }
    }
    drop(rows);

    let ids = closest.iter().map(|ranked| ranked.id);
    let names: HashMap<Uuid, String> = artist::Entity::find()
        .select_only()
        .columns([artist::Column::Id, artist::Column::Name])
        .filter(artist::Column::Id.is_in(ids))
        .into_tuple::<(Uuid, String)>()
        .all(database)
        .await?
        .into_iter()
        .collect();
    let mut candidates = Vec::with_capacity(closest.len());
    for Ranked { similarity, id, .. } in closest {
        // An artist that was removed since the scan is no candidate any more.
        if let Some(name) = names.get(&id) {
            candidates.push(Candidate { similarity, artist: artist_name(name)? });
        }
    }
    Ok(Found { candidates, mode: SearchMode::Exact, compared })
}

/// Orders the farthest last, ties by key, so that a heap gives up the farthest first.
struct Ranked {
    similarity: f64,
    key: String,
    id: Uuid,
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        other.similarity.total_cmp(&self.similarity).then_with(|| self.key.cmp(&other.key))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ranked {}
