//! Comparing embeddings with pgvector.

use domain::{ArtistKey, Embedding, Limit, Search, SearchMode};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, FromQueryResult, Statement, TransactionTrait,
    prelude::PgVector,
};

use super::{Candidate, Found};
use crate::{
    entity::{StoredVector, artist::artist_name},
    error::Failure,
};

/// Above this many embeddings comparing all of them takes longer than people wait, and the index chooses.
const EXACT_UP_TO: u64 = 50_000;

/// Candidates beyond the wanted ones: single precision may rank near ties wrongly, double precision decides.
const SPARE: u16 = 16;

/// Adding zero keeps the index out, so every row is compared. Ties are broken before the cut.
const EXACT: &str = "
    SELECT a.name, e.embedding FROM style_embeddings e JOIN artists a ON a.id = e.artist_id
    WHERE a.name_key <> ALL($2)
    ORDER BY (e.embedding <=> $1) + 0, a.name_key LIMIT $3";

/// The innermost query is bare: a condition or a join in it could cut the answer short or lose the index.
const APPROXIMATE: &str = "
    WITH nearest AS MATERIALIZED (
     SELECT artist_id, embedding FROM style_embeddings ORDER BY embedding <=> $1 LIMIT $3)
    SELECT a.name, n.embedding FROM nearest n JOIN artists a ON a.id = n.artist_id
    WHERE a.name_key <> ALL($2)";

#[derive(Debug, FromQueryResult)]
struct Row {
    name: String,
    embedding: StoredVector,
}

pub(super) async fn nearest(
    database: &DatabaseConnection,
    search: &Search,
) -> Result<Found, Failure> {
    let Search { target, except, limit, metric, .. } = search;
    let compared = count(database).await?;
    let (mode, rows) = if compared <= EXACT_UP_TO {
        (SearchMode::Exact, rows(EXACT, target, except, *limit).all(database).await?)
    } else {
        let transaction = database.begin().await?;
        // A tenth of the lists, and more of them as long as rows are missing.
        transaction
            .execute_unprepared(
                "SET LOCAL ivfflat.probes = 10; SET LOCAL ivfflat.iterative_scan = relaxed_order",
            )
            .await?;
        let rows = rows(APPROXIMATE, target, except, *limit).all(&transaction).await?;
        transaction.commit().await?;
        (SearchMode::Approximate, rows)
    };

    let mut candidates = Vec::with_capacity(rows.len());
    for Row { name, embedding } in rows {
        let similarity = metric.score(target, &embedding.embedding()?);
        candidates.push(Candidate { similarity, artist: artist_name(&name)? });
    }
    Ok(Found { candidates, mode, compared })
}

fn rows(
    sql: &str,
    target: &Embedding,
    except: &[ArtistKey],
    limit: Limit<20>,
) -> sea_orm::SelectorRaw<sea_orm::SelectModel<Row>> {
    let target = PgVector::from(target.as_slice().to_vec());
    let except: Vec<String> = except.iter().map(|key| key.as_str().to_owned()).collect();
    let wanted = i64::from(limit.get() + 1 + SPARE);
    Row::find_by_statement(Statement::from_sql_and_values(
        DbBackend::Postgres,
        sql,
        [target.into(), except.into(), wanted.into()],
    ))
}

async fn count(database: &impl ConnectionTrait) -> Result<u64, Failure> {
    use sea_orm::{EntityTrait, PaginatorTrait};

    Ok(crate::entity::style_embedding::Entity::find().count(database).await?)
}
