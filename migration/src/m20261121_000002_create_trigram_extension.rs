//! Trigram indexes, for the search by name in [`create_artists`](crate::m20261121_000003_create_artists).

use sea_orm_migration::prelude::*;

use crate::extension::Extension;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        Extension::Trigram.create(manager).await
    }

    /// Leaves the extension: it belongs to the database, whose other tables may use it, and may have
    /// been there before.
    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}
