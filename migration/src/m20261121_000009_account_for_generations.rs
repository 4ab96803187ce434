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

use sea_orm_migration::prelude::*;

use crate::{column::Dialect, sql_file};

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
        sql_file::run(manager, sql, &[("%history%", "generation_history")]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = Dialect::of(manager.get_database_backend()).pick(
            include_str!("m20261121_000009_account_for_generations/postgres_down.sql"),
            include_str!("m20261121_000009_account_for_generations/sqlite_down.sql"),
        );
        sql_file::run(manager, sql, &[("%history%", "generation_history")]).await?;
        rollups::drop(manager).await
    }
}
