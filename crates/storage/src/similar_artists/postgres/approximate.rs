//! The vector index chooses what to compare; what it finds is ranked again in double precision.

use domain::{ArtistKey, Neighbour, Search};
use sea_orm::sqlx::{self, Postgres, QueryBuilder, Row, Transaction};
use serde_json::Value;

use super::{EXPLAIN, conditions::push_conditions, ranked::Ranked, vector};
use crate::{entity::VECTOR_COLUMNS, error::Failure, store::Store, vector_index::SearchedIndex};

/// Rows beyond the wanted ones: single precision may rank near ties wrongly, and an embedding may be without a profile.
const SPARE: usize = 16;

/// Settings are read back where they are used: as long as a connection has not met a vector, the server takes any text
/// for a setting of the extension.
const NEAREST: &str = "::text[]) WITH ORDINALITY AS asked (name, place) ORDER BY place) AS settings
    ), nearest AS MATERIALIZED (SELECT e.artist_id, e.embedding FROM style_embeddings e";

/// Everything else is looked up for the rows that the index found.
const LOOKED_UP: &str = ", set.settings
    FROM nearest e
    JOIN artists a ON a.id = e.artist_id
    JOIN style_profiles p ON p.artist_id = e.artist_id
    CROSS JOIN set
    WHERE a.name_key <> ALL (";

/// At least the wanted artists, unless the index did not find so many.
pub(super) async fn nearest(
    store: &Store,
    search: &Search,
    index: SearchedIndex,
) -> Result<Vec<Neighbour>, Failure> {
    let (names, values): (Vec<&str>, Vec<String>) = index.settings.named().into_iter().unzip();
    let mut transaction = begin(store, &names, &values).await?;
    let mut query = statement("", search, &names);
    let sql = query.sql();
    let sql = sql.as_str().to_owned();
    let rows = store.watch(&sql, query.build().fetch_all(&mut *transaction)).await?;
    transaction.commit().await?;

    if let Some(row) = rows.first() {
        let set: Vec<String> = row.try_get("settings")?;
        if set != values {
            return Err(Failure::corrupt(SettingsRefused { asked: values, set }));
        }
    }
    let mut ranked = Ranked::default();
    for row in &rows {
        ranked.take(search, row);
    }
    ranked.warn();
    Ok(ranked.candidates)
}

/// How many rows the index would look at for this search, as the planner expects.
///
/// Each is looked up for the filter, somewhere in the table. When few pass, comparing all of them is faster, and reading
/// the table in its order is much faster while it is not in memory.
pub(super) async fn expected_scan(
    store: &Store,
    search: &Search,
    index: SearchedIndex,
) -> Result<u64, Failure> {
    let wanted = wanted(search) as u64;
    if search.filter.is_empty() {
        return Ok(wanted);
    }
    let mut query = QueryBuilder::new(EXPLAIN);
    query.push("SELECT FROM style_profiles p");
    push_conditions(&mut query, &search.filter);
    let pool = store.database().get_postgres_connection_pool();
    let plan: Value = query.build().persistent(false).fetch_one(pool).await?.try_get(0)?;
    let admitted = plan.pointer("/0/Plan/Plan Rows").and_then(Value::as_u64).unwrap_or(0);
    Ok((wanted * index.rows).div_ceil(admitted.max(1)))
}

fn wanted(search: &Search) -> usize {
    usize::from(search.limit.get()) + search.except.len() + SPARE
}

/// How the database would find them.
pub(super) async fn plan(
    store: &Store,
    search: &Search,
    index: SearchedIndex,
) -> Result<Value, Failure> {
    let (names, values): (Vec<&str>, Vec<String>) = index.settings.named().into_iter().unzip();
    let mut transaction = begin(store, &names, &values).await?;
    let row = statement(EXPLAIN, search, &names).build().fetch_one(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(row.try_get(0)?)
}

/// Begins a transaction in which the settings hold.
async fn begin(
    store: &Store,
    names: &[&str],
    values: &[String],
) -> Result<Transaction<'static, Postgres>, Failure> {
    let mut transaction = store.begin_raw().await?;
    sqlx::query(
        "SELECT count(set_config(name, value, true))
         FROM unnest($1::text[], $2::text[]) AS asked (name, value)",
    )
    .bind(names)
    .bind(values)
    .execute(&mut *transaction)
    .await?;
    Ok(transaction)
}

/// The innermost query is bare: a join in it would lose the index, or cut the answer short. What the filter says is a
/// subquery for each row, so that the index goes on until enough rows pass.
fn statement(verb: &str, search: &Search, settings: &[&str]) -> QueryBuilder<Postgres> {
    let Search { target, except, limit: _, filter, metric: _, engine: _ } = search;
    let except: Vec<&str> = except.iter().map(ArtistKey::as_str).collect();
    let mut query = QueryBuilder::new(verb);
    query.push(
        "WITH set AS MATERIALIZED (
         SELECT ARRAY(SELECT current_setting(name) FROM unnest(",
    );
    query.push_bind(settings).push(NEAREST);
    if !filter.is_empty() {
        query.push(" WHERE (SELECT true FROM style_profiles p");
        push_conditions(&mut query, filter);
        query.push(" AND p.artist_id = e.artist_id)");
    }
    query.push(" ORDER BY e.embedding <=> ").push_bind(vector(target));
    // As a number in the text, so that the plan for any values expects no more rows than one made for these: the server
    // keeps it then, and plans once a connection instead of once a search.
    query.push(" LIMIT ").push(wanted(search));
    query.push(") SELECT ").push(VECTOR_COLUMNS).push(LOOKED_UP).push_bind(except).push(")");
    query
}

#[derive(Debug, thiserror::Error)]
#[error("the server was asked for the settings {asked:?} and set {set:?}")]
struct SettingsRefused {
    asked: Vec<String>,
    set: Vec<String>,
}
