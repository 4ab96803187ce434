//! The change feed, the same on every backend: its order is made by the triggers of the schema.

use async_trait::async_trait;
use domain::{ArtistId, ArtistKey, Change, Changes, RepositoryError, Version};
use sea_orm::{FromQueryResult, Statement, prelude::Uuid, sea_query::Value};

use crate::{
    entity::artist::{artist_name, stored_version},
    error::Failure,
    store::{Backend, Store},
};

/// [`Changes`] through SeaORM.
#[derive(Debug, Clone)]
pub(crate) struct SeaChanges(pub(crate) Store);

/// One statement sees one snapshot, so an artist never appears half removed. Each branch reads its own index in order.
const SINCE: &str = "
    SELECT * FROM (
     SELECT * FROM (
      SELECT a.version, a.name_key, a.name, a.id,
       EXISTS (SELECT 1 FROM style_profiles p WHERE p.artist_id = a.id) AS has_profile
      FROM artists a WHERE a.version > $1 ORDER BY a.version LIMIT $2) AS present
     UNION ALL
     SELECT * FROM (
      SELECT r.version, r.name_key, CAST(NULL AS text) AS name, CAST(NULL AS uuid) AS id, FALSE AS has_profile
      FROM removed_artists r WHERE r.version > $1 ORDER BY r.version LIMIT $2) AS removed
    ) AS changes ORDER BY version LIMIT $2";

#[derive(Debug, FromQueryResult)]
struct Row {
    version: i64,
    name_key: String,
    name: Option<String>,
    id: Option<Uuid>,
    has_profile: bool,
}

#[async_trait]
impl Changes for SeaChanges {
    async fn since(&self, version: Version, limit: u32) -> Result<Vec<Change>, RepositoryError> {
        self.0
            .retry(|| async {
                let after = i64::try_from(version.number()).unwrap_or(i64::MAX);
                let rows = Row::find_by_statement(self.statement(after, limit))
                    .all(self.0.database())
                    .await?;
                rows.into_iter().map(change).collect()
            })
            .await
    }
}

impl SeaChanges {
    fn statement(&self, after: i64, limit: u32) -> Statement {
        let values: [Value; 2] = [after.into(), i64::from(limit).into()];
        let backend = match self.0.backend() {
            Backend::Postgres => sea_orm::DbBackend::Postgres,
            Backend::Sqlite => sea_orm::DbBackend::Sqlite,
        };
        Statement::from_sql_and_values(backend, SINCE, values)
    }
}

fn change(row: Row) -> Result<Change, Failure> {
    let Row { version, name_key, name, id, has_profile } = row;
    let version = stored_version(version)?;
    match (name, id) {
        (Some(name), Some(id)) => Ok(Change::Present {
            version,
            id: ArtistId::from_uuid(id),
            artist: artist_name(&name)?,
            has_profile,
        }),
        _ => Ok(Change::Removed {
            version,
            key: ArtistKey::parse(&name_key).map_err(Failure::corrupt)?,
        }),
    }
}
