//! API keys, with versions of the same counter as artists: whoever keeps keys in memory follows them
//! as caches follow artists.
//!
//! Noting that a key was used moves no version and takes no lock, so that the many uses of keys do
//! not get in the way of the few changes. A key is revoked and never removed: nobody who keeps keys
//! would hear of a row that is gone.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{DbBackend, Statement},
};

use crate::column::Dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = Dialect::of(manager.get_database_backend()).pick(
            include_str!("m20261121_000010_create_api_keys/postgres_up.sql"),
            include_str!("m20261121_000010_create_api_keys/sqlite_up.sql"),
        );
        run(manager, sql).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = Dialect::of(manager.get_database_backend()).pick(
            include_str!("m20261121_000010_create_api_keys/postgres_down.sql"),
            "DROP TABLE api_keys;",
        );
        run(manager, sql).await
    }
}

/// Runs a file, on PostgreSQL with the name of the schema filled in.
async fn run(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    if manager.get_database_backend() != DbBackend::Postgres {
        connection.execute_unprepared(sql).await?;
        return Ok(());
    }
    let query = "SELECT quote_ident(current_schema()) AS schema";
    let row = connection
        .query_one_raw(Statement::from_string(DbBackend::Postgres, query))
        .await?
        .ok_or_else(|| DbErr::RecordNotFound("current schema".to_owned()))?;
    let schema: String = row.try_get("", "schema")?;
    connection.execute_unprepared(&sql.replace("%schema%", &schema)).await?;
    Ok(())
}
