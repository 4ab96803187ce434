//! The audit log: who wrote what, when and for which request.
//!
//! Triggers refuse to change or remove what is in it, so that an edit by hand has to say that it is one.
//! A record has no foreign key: it outlives what it is about.

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
            include_str!("m20261121_000011_create_audit_log/postgres_up.sql"),
            include_str!("m20261121_000011_create_audit_log/sqlite_up.sql"),
        );
        run(manager, sql).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = Dialect::of(manager.get_database_backend()).pick(
            include_str!("m20261121_000011_create_audit_log/postgres_down.sql"),
            "DROP TABLE audit_log;",
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
