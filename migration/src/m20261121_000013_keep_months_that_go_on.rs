//! A month of the history that has not ended cannot be dropped. SQLite has no months to drop.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::sql_file;

const HISTORY: (&str, &str) = ("%history%", "generation_history");

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, include_str!("m20261121_000013_keep_months_that_go_on/postgres_up.sql")).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, include_str!("m20261121_000013_keep_months_that_go_on/postgres_down.sql"))
            .await
    }
}

async fn run(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    sql_file::run(manager, sql, &[HISTORY]).await
}
