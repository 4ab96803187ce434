//! Comparing every embedding, in process.

use std::slice;

use domain::{ArtistName, Search, SearchMode, StyleVector};
use futures::TryStreamExt;
use sea_orm::sqlx::{self, AssertSqlSafe};
use tokio::task::consume_budget;

use super::{Found, closest::Closest};
use crate::{
    entity::{VECTOR_COLUMNS, VectorRow},
    error::Failure,
    store::Store,
};

/// Everybody with an embedding and a profile.
const EVERYBODY: &str = "
    FROM style_embeddings AS e
    JOIN style_profiles AS p ON p.artist_id = e.artist_id
    JOIN artists AS a ON a.id = e.artist_id";

pub(super) async fn nearest(store: &Store, search: &Search) -> Result<Found, Failure> {
    let mut pass = Pass::of(search);
    compare(store, slice::from_mut(&mut pass)).await?;
    Ok(pass.into())
}

/// Answers all searches from the same reading.
pub(super) async fn nearest_many(
    store: &Store,
    searches: &[Search],
) -> Result<Vec<Found>, Failure> {
    let mut passes: Vec<Pass<'_>> = searches.iter().map(Pass::of).collect();
    compare(store, &mut passes).await?;
    Ok(passes.into_iter().map(Found::from).collect())
}

async fn compare(store: &Store, passes: &mut [Pass<'_>]) -> Result<(), Failure> {
    let everybody = format!("SELECT {VECTOR_COLUMNS}{EVERYBODY}");
    store.watch(&everybody, compare_with(store, &everybody, passes)).await
}

async fn compare_with(
    store: &Store,
    everybody: &str,
    passes: &mut [Pass<'_>],
) -> Result<(), Failure> {
    let mut incomparable: u64 = 0;
    let everybody = AssertSqlSafe(everybody.to_owned());
    let mut rows = sqlx::query(everybody).fetch(store.database().get_sqlite_connection_pool());
    while let Some(row) = rows.try_next().await? {
        match row.compared() {
            Ok((artist, Some(vector))) => {
                let length = vector.embedding.length();
                for pass in &mut *passes {
                    pass.compare(&artist, &vector, length);
                }
            }
            Ok((_, None)) => {}
            Err(_) => incomparable += 1,
        }
        // Rows are mostly there already, and then waiting for one gives nobody else a turn.
        consume_budget().await;
    }

    if 0 < incomparable {
        tracing::warn!(rows = incomparable, "What is stored of some artists cannot be compared");
    }
    Ok(())
}

/// One search on its way through the rows.
struct Pass<'search> {
    search: &'search Search,
    target_length: f64,
    compared: u64,
    closest: Closest,
}

impl<'search> Pass<'search> {
    fn of(search: &'search Search) -> Self {
        Self {
            search,
            target_length: search.target.length(),
            compared: 0,
            closest: Closest::new(search.limit),
        }
    }

    fn compare(&mut self, artist: &ArtistName, vector: &StyleVector, length: f64) {
        let Search { target, except, limit: _, metric, filter, engine: _ } = self.search;
        let StyleVector { embedding, research_status, confidence, quantitative_params } = vector;
        if !filter.admits(*research_status, *confidence, quantitative_params.feel()) {
            return;
        }
        self.compared += 1;
        if !except.contains(artist.key()) {
            let (target, numbers) = (target.numbers(), embedding.numbers());
            let score = metric.score_of(target, self.target_length, numbers, length);
            self.closest.take(score, artist);
        }
    }
}

impl From<Pass<'_>> for Found {
    fn from(pass: Pass<'_>) -> Self {
        let Pass { search: _, target_length: _, compared, closest } = pass;
        Self { candidates: closest.into_neighbours(), mode: SearchMode::Exact, compared }
    }
}
