//! Versions: every change to an artist, its profile or its embedding takes the next number of one
//! counter, and **the order of versions is the order of commits**.
//!
//! Triggers do it, so that an edit made by hand in `psql` or `sqlite3` counts too. How each database
//! keeps the promise, and what a writer should know, is said in the SQL files beside this one. In
//! short, for PostgreSQL: whoever takes a version holds a lock until its transaction ends, so
//! nobody can take a later one and commit earlier.
//!
//! A counter does not start at zero but at the microseconds since the Unix epoch. A database that is
//! dropped and made again, or reverted and migrated again, therefore does not repeat the versions
//! caches may still remember. (A second would have to see a million changes for it to fall behind.)

use sea_orm_migration::prelude::*;

use crate::{column::Dialect, sql_file};

/// The first of the two keys of the advisory lock on versions; the second is the identity of the
/// sequence, so that schemas in one database do not wait for each other.
const LOCK_CLASS: i32 = i32::from_be_bytes(*b"gbvr");

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = Dialect::of(manager.get_database_backend()).pick(
            include_str!("m20261121_000008_track_versions/postgres_up.sql"),
            include_str!("m20261121_000008_track_versions/sqlite_up.sql"),
        );
        sql_file::run(
            manager,
            &sql.replace("%lock_class%", &LOCK_CLASS.to_string()),
            &[("%sequence%", "store_version")],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = Dialect::of(manager.get_database_backend()).pick(
            include_str!("m20261121_000008_track_versions/postgres_down.sql"),
            include_str!("m20261121_000008_track_versions/sqlite_down.sql"),
        );
        sql_file::run(
            manager,
            &sql.replace("%lock_class%", &LOCK_CLASS.to_string()),
            &[("%sequence%", "store_version")],
        )
        .await
    }
}
