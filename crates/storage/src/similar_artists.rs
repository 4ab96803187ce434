//! Similar artists. How embeddings are compared is each backend's own; how answers rank is the same.

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::cmp::Ordering;

use async_trait::async_trait;
use domain::{
    ArtistName, Exactness, Neighbour, Neighbours, RepositoryError, Search, SimilarArtists, Version,
};
use sea_orm::{
    ConnectionTrait, EntityTrait, QuerySelect,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    entity::{artist, artist::stored_version, removed_artist},
    error::Failure,
    store::{Backend, Store},
};

/// [`SimilarArtists`] in the database.
#[derive(Debug, Clone)]
pub(crate) struct SeaSimilarArtists(pub(crate) Store);

#[async_trait]
impl SimilarArtists for SeaSimilarArtists {
    async fn nearest(&self, search: &Search) -> Result<Neighbours, RepositoryError> {
        self.0
            .retry(|| async {
                let as_of = latest_version(self.0.database()).await?;
                let found = match self.0.backend() {
                    #[cfg(feature = "postgres")]
                    Backend::Postgres => postgres::nearest(self.0.database(), search).await?,
                    #[cfg(feature = "sqlite")]
                    Backend::Sqlite => sqlite::nearest(self.0.database(), search).await?,
                    #[cfg(not(all(feature = "postgres", feature = "sqlite")))]
                    _ => return Err(RepositoryError::Conflict.into()),
                };
                let Found { mut candidates, mode, compared } = found;
                candidates.sort_by(closest_first);
                candidates.truncate(search.limit.get().into());
                let neighbours = candidates
                    .into_iter()
                    .map(|Candidate { similarity, artist }| Neighbour { artist, score: similarity })
                    .collect();
                Ok(Neighbours { neighbours, exactness: Exactness { mode, compared, as_of } })
            })
            .await
    }

    async fn nearest_many(&self, searches: &[Search]) -> Result<Vec<Neighbours>, RepositoryError> {
        let mut answers = Vec::with_capacity(searches.len());
        for search in searches {
            answers.push(self.nearest(search).await?);
        }
        Ok(answers)
    }
}

/// What a backend's search yields: at least the wanted artists, in any order, and how it came by them.
struct Found {
    candidates: Vec<Candidate>,
    mode: domain::SearchMode,
    compared: u64,
}

struct Candidate {
    similarity: f64,
    artist: ArtistName,
}

fn closest_first(one: &Candidate, other: &Candidate) -> Ordering {
    other
        .similarity
        .partial_cmp(&one.similarity)
        .unwrap_or(Ordering::Equal)
        .then_with(|| one.artist.key().cmp(other.artist.key()))
}

async fn latest_version(database: &impl ConnectionTrait) -> Result<Version, Failure> {
    let present: Option<Option<i64>> = artist::Entity::find()
        .select_only()
        .expr(Expr::col(artist::Column::Version).max())
        .into_tuple()
        .one(database)
        .await?;
    let removed: Option<Option<i64>> = removed_artist::Entity::find()
        .select_only()
        .expr(Expr::col(removed_artist::Column::Version).max())
        .into_tuple()
        .one(database)
        .await?;
    stored_version(Ord::max(present.flatten(), removed.flatten()).unwrap_or(0))
}
