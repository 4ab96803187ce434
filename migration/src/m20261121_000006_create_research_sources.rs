//! Research sources: what a profile was learned from.

use sea_orm_migration::prelude::*;

use crate::column::Dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager.get_database_backend());
        let mut table = Table::create();
        table
            .table(ResearchSources::Table)
            .col(dialect.id(ResearchSources::Id, "ck_research_sources_id"))
            .col(dialect.uuid(ResearchSources::ArtistId).not_null())
            .col(dialect.text(ResearchSources::SourceType).not_null())
            .col(dialect.text(ResearchSources::Url).null())
            .col(dialect.text(ResearchSources::FilePath).null())
            .col(dialect.text(ResearchSources::RawContent).null())
            .col(
                dialect
                    .json(ResearchSources::ExtractedData, "ck_research_sources_extracted_data")
                    .null(),
            )
            .col(dialect.double(ResearchSources::Confidence).null())
            .col(dialect.time(ResearchSources::CollectedAt))
            .primary_key(Index::create().name("pk_research_sources").col(ResearchSources::Id))
            .foreign_key(
                ForeignKey::create()
                    .name("fk_research_sources_artist_id")
                    .from(ResearchSources::Table, ResearchSources::ArtistId)
                    .to(Artists::Table, Artists::Id)
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .check((
                "ck_research_sources_source_type",
                Expr::cust("source_type IN ('paper', 'article', 'audio', 'midi')"),
            ))
            .check(("ck_research_sources_confidence", Expr::cust("confidence BETWEEN 0 AND 1")));
        dialect.strict(&mut table);
        manager.create_table(table).await?;

        let by_artist = Index::create()
            .name("idx_research_sources_artist_id_source_type")
            .table(ResearchSources::Table)
            .col(ResearchSources::ArtistId)
            .col(ResearchSources::SourceType)
            .take();
        manager.create_index(by_artist).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(ResearchSources::Table).take()).await
    }
}

#[derive(DeriveIden)]
enum ResearchSources {
    Table,
    Id,
    ArtistId,
    SourceType,
    Url,
    FilePath,
    RawContent,
    ExtractedData,
    Confidence,
    CollectedAt,
}

#[derive(DeriveIden)]
enum Artists {
    Table,
    Id,
}
