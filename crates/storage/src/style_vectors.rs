//! What searches compare, in the order of the change feed.

use async_trait::async_trait;
use domain::{ArtistKey, RepositoryError, StyleVectors, VectorChange, Version};
use futures::{Stream, TryStreamExt};
use sea_orm::sqlx::{self, AssertSqlSafe};

use crate::{
    changes::bounds,
    entity::{VECTOR_COLUMNS, VectorRow, artist::stored_version},
    error::Failure,
    query_statistics::{Operation, Table},
    store::{Backend, Store},
};

/// [`StyleVectors`] in the database.
#[derive(Debug, Clone)]
pub(crate) struct SeaStyleVectors(pub(crate) Store);

/// One statement sees one snapshot, so an artist never appears with somebody else's embedding. As in the change feed
/// each branch reads its own index in order, and the rest is looked up last: for the rows that are told. What comes out
/// is in no order: embeddings are too large for a database to sort in memory.
const SINCE: &str = "
    FROM (
     SELECT * FROM (
      SELECT version, name_key, name, research_status, id
      FROM artists WHERE version > $1 ORDER BY version LIMIT $2) AS present
     UNION ALL
     SELECT * FROM (
      SELECT version, name_key, CAST(NULL AS text) AS name, CAST(NULL AS text) AS research_status,
       CAST(NULL AS uuid) AS id
      FROM removed_artists WHERE version > $1 ORDER BY version LIMIT $2) AS removed
     ORDER BY version LIMIT $2
    ) AS a
    LEFT JOIN style_profiles AS p ON p.artist_id = a.id
    LEFT JOIN style_embeddings AS e ON e.artist_id = p.artist_id";

#[async_trait]
impl StyleVectors for SeaStyleVectors {
    async fn since(
        &self,
        version: Version,
        limit: u32,
    ) -> Result<Vec<VectorChange>, RepositoryError> {
        let (after, limit) = bounds(version, limit);
        self.0
            .retry(Operation::Changes, Table::StyleEmbeddings, || async {
                let sql = format!("SELECT {VECTOR_COLUMNS}{SINCE}");
                let since = AssertSqlSafe(sql.clone());
                let mut changes = match self.0.backend() {
                    #[cfg(feature = "postgres")]
                    Backend::Postgres => {
                        let pool = self.0.database().get_postgres_connection_pool();
                        let rows = sqlx::query(since).bind(after).bind(limit).fetch(pool);
                        self.0.watch(&sql, read(rows)).await?
                    }
                    #[cfg(feature = "sqlite")]
                    Backend::Sqlite => {
                        let pool = self.0.database().get_sqlite_connection_pool();
                        let rows = sqlx::query(since).bind(after).bind(limit).fetch(pool);
                        self.0.watch(&sql, read(rows)).await?
                    }
                    #[cfg(not(all(feature = "postgres", feature = "sqlite")))]
                    _ => return Err(RepositoryError::Conflict.into()),
                };
                changes.sort_by_key(VectorChange::version);
                Ok(changes)
            })
            .await
    }
}

/// Reads the rows of [`SINCE`] as they come.
async fn read(
    mut rows: impl Stream<Item = Result<impl VectorRow, sqlx::Error>> + Unpin,
) -> Result<Vec<VectorChange>, Failure> {
    let mut changes = Vec::new();
    while let Some(row) = rows.try_next().await? {
        changes.push(change(&row)?);
    }
    Ok(changes)
}

/// Reads a row of [`SINCE`].
///
/// What somebody wrote by hand and cannot be stops nobody from hearing of all the others.
fn change(row: &impl VectorRow) -> Result<VectorChange, Failure> {
    let version = stored_version(row.version()?)?;
    if !row.is_present() {
        return Ok(without_vector(version, row.name_key()));
    }
    Ok(match row.compared() {
        Ok((artist, Some(vector))) => VectorChange::Present { version, artist, vector },
        Ok((artist, None)) => VectorChange::Absent { version, key: artist.key().clone() },
        Err(error) => {
            tracing::warn!(%error, version = version.number(), "What is stored of an artist cannot be compared");
            without_vector(version, row.name_key())
        }
    })
}

fn without_vector(version: Version, name_key: &str) -> VectorChange {
    match ArtistKey::parse(name_key) {
        Ok(key) if key.as_str() == name_key => VectorChange::Absent { version, key },
        Ok(_) | Err(_) => VectorChange::Unnamed { version },
    }
}
