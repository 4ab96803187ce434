//! API keys, with versions of the same counter as artists: whoever keeps keys in memory follows them
//! as caches follow artists.
//!
//! Noting that a key was used moves no version and takes no lock, so that the many uses of keys do
//! not get in the way of the few changes. A key is revoked and never removed: nobody who keeps keys
//! would hear of a row that is gone.

use sea_orm_migration::prelude::*;

use crate::{column::Dialect, sql_file};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = Dialect::of(manager.get_database_backend()).pick(
            include_str!("m20261121_000010_create_api_keys/postgres_up.sql"),
            include_str!("m20261121_000010_create_api_keys/sqlite_up.sql"),
        );
        sql_file::run(manager, sql, &[]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = Dialect::of(manager.get_database_backend()).pick(
            include_str!("m20261121_000010_create_api_keys/postgres_down.sql"),
            "DROP TABLE api_keys;",
        );
        sql_file::run(manager, sql, &[]).await
    }
}
