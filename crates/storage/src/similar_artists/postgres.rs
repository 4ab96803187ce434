//! Comparing embeddings with pgvector.

mod approximate;
mod conditions;
mod exact;
mod ranked;
mod rounding;

use domain::{Embedding, Engine, Metric, Search, SearchMode};
use sea_orm::prelude::PgVector;
use serde_json::Value;

use super::Found;
use crate::{
    error::Failure,
    store::Store,
    vector_index::{SearchSettings, SearchedIndex},
};

/// Above this many embeddings comparing all of them takes longer than people wait, and the index chooses.
const EXACT_UP_TO: u64 = 50_000;

/// Before a statement of which the plan is wanted.
const EXPLAIN: &str = "EXPLAIN (FORMAT JSON) ";

pub(super) async fn nearest(store: &Store, search: &Search) -> Result<Found, Failure> {
    if let Some(index) = index_for(store, search).await? {
        let candidates = approximate::nearest(store, search, index).await?;
        // An index gives up a search whose filter admits few; somebody who is there is found all the same.
        if usize::from(search.limit.get()) <= candidates.len() {
            return Ok(Found { candidates, mode: SearchMode::Approximate, compared: index.rows });
        }
    }
    exact::nearest(store, search).await
}

/// How the database would answer a search, in the words of its `EXPLAIN (FORMAT JSON)`.
pub(crate) async fn plan(store: &Store, search: &Search) -> Result<Value, Failure> {
    match index_for(store, search).await? {
        Some(index) => approximate::plan(store, search, index).await,
        None => exact::plan(store, search).await,
    }
}

/// The index, if the search wants one and there is one that serves it.
async fn index_for(store: &Store, search: &Search) -> Result<Option<SearchedIndex>, Failure> {
    let index = match (search.metric, search.engine) {
        (Metric::L2 | Metric::InnerProduct, _) | (Metric::Cosine, Engine::Exact) => None,
        (Metric::Cosine, Engine::Approximate) => store.searched_index().await?,
        (Metric::Cosine, Engine::Auto) => {
            store.searched_index().await?.filter(|index| EXACT_UP_TO < index.rows)
        }
    };
    let Some(index) = index else { return Ok(None) };
    let expected_scan = approximate::expected_scan(store, search, index).await?;
    Ok((expected_scan <= SearchSettings::EXPECTED_SCAN_TUPLES).then_some(index))
}

fn vector(embedding: &Embedding) -> PgVector {
    PgVector::from(embedding.as_slice().to_vec())
}
