//! A month of the history that has not ended cannot be dropped. SQLite has no months to drop.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::sql_file;

const HISTORY: (&str, &str) = ("%history%", "generation_history");

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let check = include_str!("m20261121_000013_keep_months_that_go_on/check.sql");
        run(manager, check, " A month that has not ended is refused.").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, "", "").await
    }
}

/// Makes the function that drops months, with a check at its beginning and a word about it in its description.
async fn run(manager: &SchemaManager<'_>, check: &str, refusal: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let sql = include_str!("m20261121_000013_keep_months_that_go_on/postgres.sql")
        .replace("%check%", check.trim_end())
        .replace("%refusal%", refusal);
    sql_file::run(manager, &sql, &[HISTORY]).await
}
