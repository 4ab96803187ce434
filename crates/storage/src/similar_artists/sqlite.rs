//! Comparing every embedding, in process.

use std::{cmp::Ordering, collections::BinaryHeap};

use domain::{Search, SearchMode};
use futures::TryStreamExt;
use sea_orm::{DatabaseConnection, EntityTrait, FromQueryResult, QuerySelect};

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
    name: String,
    name_key: String,
    embedding: StoredVector,
}

pub(super) async fn nearest(
    database: &DatabaseConnection,
    search: &Search,
) -> Result<Found, Failure> {
    let Search { target, except, limit, metric, .. } = search;
    let mut compared = 0;
    let mut closest: BinaryHeap<Ranked> = BinaryHeap::with_capacity(usize::from(limit.get()) + 1);
    let query = Entity::find()
        .select_only()
        .column(Column::Embedding)
        .columns([artist::Column::Name, artist::Column::NameKey])
        .inner_join(artist::Entity)
        .into_model::<Row>();
    let mut rows = query.stream(database).await?;
    while let Some(Row { name, name_key: key, embedding }) = rows.try_next().await? {
        compared += 1;
        if except.iter().any(|except| except.as_str() == key) {
            continue;
        }
        let similarity = metric.score(target, &embedding.embedding()?);
        closest.push(Ranked { similarity, key, name });
        if usize::from(limit.get()) < closest.len() {
            closest.pop();
        }
    }

    let candidates = closest
        .into_iter()
        .map(|Ranked { similarity, key: _, name }| {
            Ok(Candidate { similarity, artist: artist_name(&name)? })
        })
        .collect::<Result<_, Failure>>()?;
    Ok(Found { candidates, mode: SearchMode::Exact, compared })
}

/// Orders the farthest last, ties by key, so that a heap gives up the farthest first.
struct Ranked {
    similarity: f64,
    key: String,
    name: String,
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
