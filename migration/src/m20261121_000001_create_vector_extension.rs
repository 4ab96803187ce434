//! pgvector, for [`create_style_embeddings`](crate::m20261121_000005_create_style_embeddings).

use sea_orm_migration::prelude::*;

use crate::extension::Extension;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        Extension::Vector.create(manager).await
    }

    /// Leaves the extension: it belongs to the database, whose other tables may use it, and may have
    /// been there before.
    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}
