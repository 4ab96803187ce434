//! What the database knows of its vector indexes.

use sea_orm::sqlx::{self, PgConnection, Row, postgres::PgRow};

use super::{
    BuildProgress, StoredVectorIndex, VectorIndexParameters, VectorIndexStatus, builder, parameters,
};
use crate::{error::Failure, store::Store};

/// The indexes over all embeddings that serve searches by cosine, whoever made them. What is searched comes first.
const INDEXES: &str = "
    SELECT c.relname::text AS name, m.amname::text AS kind, i.indisvalid AND i.indisready AS valid,
     coalesce(c.reloptions, '{}') AS options, pg_relation_size(c.oid) AS size,
     obj_description(c.oid, 'pg_class') AS comment
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_am m ON m.oid = c.relam AND m.amname IN ('ivfflat', 'hnsw')
    JOIN pg_opclass o ON o.oid = i.indclass[0] AND o.opcname = 'vector_cosine_ops'
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] AND a.attname = 'embedding'
    WHERE i.indrelid = 'style_embeddings'::regclass AND i.indpred IS NULL
    ORDER BY valid DESC, c.relname IN ('idx_embedding_ivfflat', 'idx_embedding_hnsw') DESC, name";

const PROGRESS: &str = "
    SELECT phase, CASE WHEN 0 < tuples_total THEN 100 * tuples_done / tuples_total
     WHEN 0 < blocks_total THEN 100 * blocks_done / blocks_total END AS percent
    FROM pg_stat_progress_create_index
    WHERE relid = 'style_embeddings'::regclass AND datname = current_database()";

pub(super) async fn status(store: &Store) -> Result<VectorIndexStatus, Failure> {
    let mut connection = store.database().get_postgres_connection_pool().acquire().await?;
    let rows = rows(&mut connection).await?;
    let (mut in_use, mut others) = (None, Vec::new());
    for index in indexes(&mut connection, rows).await? {
        if index.valid && in_use.is_none() {
            in_use = Some(index);
        } else {
            others.push(index);
        }
    }
    Ok(VectorIndexStatus { rows, in_use, others, building: progress(&mut connection).await? })
}

pub(super) async fn rows(connection: &mut PgConnection) -> Result<u64, Failure> {
    let rows: i64 =
        sqlx::query_scalar("SELECT count(*) FROM style_embeddings").fetch_one(connection).await?;
    u64::try_from(rows).map_err(Failure::corrupt)
}

pub(super) async fn indexes(
    connection: &mut PgConnection,
    rows: u64,
) -> Result<Vec<StoredVectorIndex>, Failure> {
    let found = sqlx::query(INDEXES).fetch_all(connection).await?;
    found.iter().map(|row| index(row, rows)).collect()
}

pub(super) async fn progress(
    connection: &mut PgConnection,
) -> Result<Option<BuildProgress>, Failure> {
    let Some(row) = sqlx::query(PROGRESS).fetch_optional(connection).await? else {
        return Ok(None);
    };
    let percent: Option<i64> = row.try_get("percent")?;
    let percent = percent.and_then(|percent| u8::try_from(percent).ok());
    Ok(Some(BuildProgress { phase: row.try_get("phase")?, percent }))
}

/// What a comment tells of an index: `{"rows": 100000}`.
pub(super) fn comment(rows: u64) -> String {
    serde_json::json!({ "rows": rows }).to_string()
}

fn rows_when_built(comment: &str) -> Option<u64> {
    serde_json::from_str::<serde_json::Value>(comment).ok()?.get("rows")?.as_u64()
}

fn index(row: &PgRow, rows: u64) -> Result<StoredVectorIndex, Failure> {
    let options: Vec<String> = row.try_get("options")?;
    let option = |name: &str, otherwise: u32| {
        let values = options.iter().filter_map(|option| option.split_once('='));
        values
            .filter(|&(key, _)| key == name)
            .find_map(|(_, value)| value.parse().ok())
            .unwrap_or(otherwise)
    };
    // What is not said is what pgvector takes then.
    let parameters = match row.try_get("kind")? {
        "ivfflat" => VectorIndexParameters::IvfFlat { lists: option("lists", 100) },
        _ => VectorIndexParameters::Hnsw {
            m: option("m", 16),
            ef_construction: option("ef_construction", 64),
        },
    };
    let rows_when_built = row.try_get::<Option<&str>, _>("comment")?.and_then(rows_when_built);
    let name: String = row.try_get("name")?;
    Ok(StoredVectorIndex {
        made_by_hand: !builder::is_ours(&name),
        name,
        parameters,
        valid: row.try_get("valid")?,
        rows_when_built,
        size_bytes: u64::try_from(row.try_get::<i64, _>("size")?).map_err(Failure::corrupt)?,
        outgrown: parameters::outgrown(parameters, rows_when_built, rows),
    })
}
