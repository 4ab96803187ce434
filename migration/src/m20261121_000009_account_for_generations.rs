//! The account of generations: a history in parts that can be dropped by the month, with the model,
//! the outcome and the kinds of tokens of each, and tables of sums to answer from.
//!
//! The history outlives the artist: its rows keep the identity of an artist that was removed, which
//! resolves to nothing from then on, because no identity is used again. A foreign key would have to
//! set it to NULL, and removing an artist with a million entries would rewrite a million rows.
//!
//! How each database keeps the history is said in the SQL files beside this one; the tables of sums
//! are the same on both.

mod rollups;

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
        rollups::create(manager).await?;
        let sql = Dialect::of(manager.get_database_backend()).pick(
            include_str!("m20261121_000009_account_for_generations/postgres_up.sql"),
            include_str!("m20261121_000009_account_for_generations/sqlite_up.sql"),
        );
        run(manager, sql).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = Dialect::of(manager.get_database_backend()).pick(
            include_str!("m20261121_000009_account_for_generations/postgres_down.sql"),
            include_str!("m20261121_000009_account_for_generations/sqlite_down.sql"),
        );
        run(manager, sql).await?;
        rollups::drop(manager).await
    }
}

/// Runs a file, on PostgreSQL with the placeholders filled in.
async fn run(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    if manager.get_database_backend() != DbBackend::Postgres {
        connection.execute_unprepared(sql).await?;
        return Ok(());
    }

    let query = "SELECT quote_ident(current_schema()) AS schema, \
                 quote_literal(quote_ident(current_schema()) || '.generation_history') AS history";
    let row = connection
        .query_one_raw(Statement::from_string(DbBackend::Postgres, query))
        .await?
        .ok_or_else(|| DbErr::RecordNotFound("current schema".to_owned()))?;
    let history: String = row.try_get("", "history")?;
    let schema: String = row.try_get("", "schema")?;

    let sql = sql.replace("%history%", &history).replace("%schema%", &schema);
    connection.execute_unprepared(&sql).await?;
    Ok(())
}
