//! The audit log: who wrote what, when and for which request.
//!
//! Triggers refuse to change or remove what is in it, so that an edit by hand has to say that it is one.
//! A record has no foreign key: it outlives what it is about.

use sea_orm_migration::prelude::*;

use crate::{column::Dialect, sql_file};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = Dialect::of(manager.get_database_backend()).pick(
            include_str!("m20261121_000011_create_audit_log/postgres_up.sql"),
            include_str!("m20261121_000011_create_audit_log/sqlite_up.sql"),
        );
        sql_file::run(manager, sql, &[]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = Dialect::of(manager.get_database_backend()).pick(
            include_str!("m20261121_000011_create_audit_log/postgres_down.sql"),
            "DROP TABLE audit_log;",
        );
        sql_file::run(manager, sql, &[]).await
    }
}
