//! Every embedding that the filter admits is compared: in the database in single precision, and those that may be among
//! the closest once more here.
//!
//! A row is ruled out when the least distance that it may have lies beyond the greatest that the last of the wanted rows
//! may have.

use domain::{ArtistKey, Search, SearchMode};
use futures::TryStreamExt;
use sea_orm::sqlx::{Postgres, QueryBuilder, Row};
use serde_json::Value;

use super::{
    super::Found, EXPLAIN, conditions::push_conditions, ranked::Ranked, rounding::Rounding, vector,
};
use crate::{entity::VECTOR_COLUMNS, error::Failure, store::Store};

/// Offsets of nothing keep inner queries from being merged into the outer: a distance is computed once, and only what is
/// asked for is looked up.
const MEASURED: &str = "
     OFFSET 0) AS measured) AS bounded
    ), reach AS MATERIALIZED (
     SELECT most FROM compared WHERE artist_id <> ALL (ARRAY(SELECT id FROM excepted))
     ORDER BY most LIMIT 1 OFFSET ";

const COUNTED: &str = ", counted.compared
    FROM (SELECT count(*) AS compared FROM compared) AS counted LEFT JOIN (
     SELECT artist_id AS id FROM compared
     WHERE least <= coalesce((SELECT most FROM reach), 'Infinity')
      AND artist_id <> ALL (ARRAY(SELECT id FROM excepted))
    ) AS near ON true
    LEFT JOIN LATERAL (SELECT * FROM artists WHERE id = near.id OFFSET 0) AS a ON true
    LEFT JOIN LATERAL (SELECT * FROM style_profiles WHERE artist_id = near.id OFFSET 0) AS p ON true
    LEFT JOIN LATERAL (SELECT * FROM style_embeddings WHERE artist_id = near.id OFFSET 0) AS e ON true";

pub(super) async fn nearest(store: &Store, search: &Search) -> Result<Found, Failure> {
    let wanted = u64::from(search.limit.get());
    let mut spare = 0;
    loop {
        let (ranked, compared) = closest(store, search, wanted + spare).await?;
        let Ranked { candidates, incomparable } = ranked;
        // Rows that cannot be compared may have taken the place of some that can.
        if incomparable <= spare {
            let compared = compared.saturating_sub(incomparable);
            return Ok(Found { candidates, mode: SearchMode::Exact, compared });
        }
        spare = incomparable;
    }
}

/// At least so many of the closest, and how many there are in all.
async fn closest(store: &Store, search: &Search, wanted: u64) -> Result<(Ranked, u64), Failure> {
    let query = statement("", search, wanted);
    let sql = query.sql();
    let sql = sql.as_str().to_owned();
    store.watch(&sql, read(store, search, query)).await
}

async fn read(
    store: &Store,
    search: &Search,
    mut query: QueryBuilder<Postgres>,
) -> Result<(Ranked, u64), Failure> {
    let mut ranked = Ranked::default();
    let mut compared = 0;
    // The plan for one filter is none for another.
    let query = query.build().persistent(search.filter.is_empty());
    let mut rows = query.fetch(store.database().get_postgres_connection_pool());
    while let Some(row) = rows.try_next().await? {
        compared = u64::try_from(row.try_get::<i64, _>("compared")?).map_err(Failure::corrupt)?;
        ranked.take(search, &row);
    }
    ranked.warn();
    Ok((ranked, compared))
}

/// How the database would find them.
pub(super) async fn plan(store: &Store, search: &Search) -> Result<Value, Failure> {
    let mut query = statement(EXPLAIN, search, search.limit.get().into());
    let pool = store.database().get_postgres_connection_pool();
    Ok(query.build().fetch_one(pool).await?.try_get(0)?)
}

fn statement(verb: &str, search: &Search, wanted: u64) -> QueryBuilder<Postgres> {
    let Search { target, except, limit: _, filter, metric: _, engine: _ } = search;
    let Rounding { operator, length, of_distance, of_length, at_all } = Rounding::of(search);
    let except: Vec<&str> = except.iter().map(ArtistKey::as_str).collect();
    let mut query = QueryBuilder::new(verb);
    query.push("WITH excepted AS MATERIALIZED (SELECT id FROM artists WHERE name_key = ANY (");
    query.push_bind(except).push(
        ")), compared AS MATERIALIZED (
         SELECT artist_id, distance - slack AS least, distance + slack AS most FROM (
          SELECT artist_id, distance, distance * ",
    );
    query.push_bind(of_distance).push(" + length * ").push_bind(of_length).push(" + ");
    query.push_bind(at_all).push(" AS slack FROM (SELECT e.artist_id, e.embedding ");
    query.push(operator).push(" ").push_bind(vector(target)).push(" AS distance, ").push(length);
    query.push(
        " AS length FROM style_embeddings e JOIN style_profiles p ON p.artist_id = e.artist_id",
    );
    push_conditions(&mut query, filter);
    // What a check of the table keeps out, unless somebody took that away, counts nowhere.
    query.push(" AND vector_norm(e.embedding) BETWEEN 1e-15 AND 1e15");
    query.push(MEASURED).push_bind(i64::try_from(wanted - 1).unwrap_or(i64::MAX));
    query.push(") SELECT ").push(VECTOR_COLUMNS).push(COUNTED);
    query
}
