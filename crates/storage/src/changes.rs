//! The change feed. Its order is made by the triggers of the schema; how a follower is woken is each backend's own.

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use async_trait::async_trait;
use domain::{ArtistId, ArtistKey, Change, ChangeFollower, Changes, RepositoryError, Version};
use sea_orm::prelude::Uuid;

use crate::{
    entity::artist::{artist_name, stored_version},
    error::Failure,
    query_statistics::{Operation, Table},
    store::{Backend, Store},
};

/// [`Changes`] in the database.
#[derive(Debug, Clone)]
pub(crate) struct SeaChanges(pub(crate) Store);

/// One statement sees one snapshot, so an artist never appears half removed. Each branch reads its own index in order.
/// Profiles are looked up last: for the rows that are told, and not for all that there are because a few may be.
const SINCE: &str = "
    SELECT changes.version, changes.name, changes.id, style_profiles.artist_id IS NOT NULL AS has_profile
    FROM (
     SELECT * FROM (
      SELECT version, name, id FROM artists WHERE version > $1 ORDER BY version LIMIT $2) AS present
     UNION ALL
     SELECT * FROM (
      SELECT version, name_key AS name, CAST(NULL AS uuid) AS id
      FROM removed_artists WHERE version > $1 ORDER BY version LIMIT $2) AS removed
     ORDER BY version LIMIT $2
    ) AS changes
    LEFT JOIN style_profiles ON style_profiles.artist_id = changes.id
    ORDER BY changes.version";

#[async_trait]
impl Changes for SeaChanges {
    async fn since(&self, version: Version, limit: u32) -> Result<Vec<Change>, RepositoryError> {
        self.0
            .retry(Operation::Changes, Table::Artists, || async {
                match self.0.backend() {
                    #[cfg(feature = "postgres")]
                    Backend::Postgres => {
                        let pool = self.0.database().get_postgres_connection_pool();
                        let mut connection = pool.acquire().await?;
                        let since = postgres::since(&mut connection, version, limit);
                        self.0.watch(SINCE, since).await
                    }
                    #[cfg(feature = "sqlite")]
                    Backend::Sqlite => {
                        let pool = self.0.database().get_sqlite_connection_pool();
                        let mut connection = pool.acquire().await?;
                        let since = sqlite::since(&mut connection, version, limit);
                        self.0.watch(SINCE, since).await
                    }
                    #[cfg(not(all(feature = "postgres", feature = "sqlite")))]
                    _ => Err(RepositoryError::Conflict.into()),
                }
            })
            .await
    }

    async fn follow(&self) -> Result<Box<dyn ChangeFollower>, RepositoryError> {
        match self.0.backend() {
            #[cfg(feature = "postgres")]
            Backend::Postgres => Ok(Box::new(postgres::Follower::open(&self.0).await?)),
            #[cfg(feature = "sqlite")]
            Backend::Sqlite => Ok(Box::new(sqlite::Follower::open(&self.0).await?)),
            #[cfg(not(all(feature = "postgres", feature = "sqlite")))]
            _ => Err(RepositoryError::Conflict),
        }
    }
}

/// What the statements of the feed are given for `$1` and `$2`.
pub(crate) fn bounds(version: Version, limit: u32) -> (i64, i64) {
    (i64::try_from(version.number()).unwrap_or(i64::MAX), i64::from(limit))
}

/// Reads a row of [`SINCE`]. A removed artist has no identity, and its key for a name.
///
/// A name that is none stops nobody from hearing of all the others.
fn change(
    version: i64,
    name: &str,
    id: Option<Uuid>,
    has_profile: bool,
) -> Result<Change, Failure> {
    let version = stored_version(version)?;
    let named = match id {
        Some(id) => artist_name(name).map(|artist| Change::Present {
            version,
            id: ArtistId::from_uuid(id),
            artist,
            has_profile,
        }),
        None => ArtistKey::parse(name)
            .map(|key| Change::Removed { version, key })
            .map_err(Failure::corrupt),
    };
    Ok(named.unwrap_or_else(|error| {
        tracing::warn!(%error, version = version.number(), "An artist has a name that is none");
        Change::Unnamed { version }
    }))
}
