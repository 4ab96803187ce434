//! Artists: who is known, under which name and key, and as of which version.

use sea_orm_migration::prelude::*;

use crate::column::Dialect;

/// The most sources of all four kinds together: what 16 bits count, of each.
const MOST_SOURCES: u32 = 4 * 65_535;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager.get_database_backend());
        manager.create_table(artists(dialect)).await?;

        let version = Index::create()
            .name("idx_artists_version")
            .table(Artists::Table)
            .col(Artists::Version)
            .take();
        manager.create_index(version).await?;

        let status = Index::create()
            .name("idx_artists_research_status_name_key")
            .table(Artists::Table)
            .col(Artists::ResearchStatus)
            .col(Artists::NameKey)
            .take();
        manager.create_index(status).await?;

        if dialect.is_postgres() {
            // The search is `LIKE '%…%'`, which no B-tree serves.
            let search = Index::create()
                .name("idx_artists_name_search")
                .table(Artists::Table)
                .index_type(IndexType::Custom("gin".into()))
                .col(Artists::NameSearch.into_index_column().with_operator_class("gin_trgm_ops"))
                .take();
            manager.create_index(search).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Artists::Table).take()).await
    }
}

fn artists(dialect: Dialect) -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table(Artists::Table)
        .col(dialect.id(Artists::Id, "ck_artists_id"))
        .col(dialect.varchar(Artists::Name, 255).not_null())
        .col(dialect.text(Artists::NameKey).not_null())
        // The key without diacritics, for search only: artists may share it.
        .col(dialect.text(Artists::NameSearch).not_null())
        .col(dialect.text(Artists::ResearchStatus).not_null().default("pending"))
        .col(dialect.count(Artists::SourcesCount, MOST_SOURCES, "ck_artists_sources_count"))
        .col(dialect.double(Artists::ConfidenceScore).not_null().default(0.0))
        // The triggers of `track_versions` set it, whatever a statement says.
        .col(dialect.bigint(Artists::Version).not_null().default(0))
        .col(dialect.time(Artists::CreatedAt))
        .col(dialect.time(Artists::LastUpdated))
        .primary_key(Index::create().name("pk_artists").col(Artists::Id))
        .index(Index::create().unique().name("uq_artists_name").col(Artists::Name))
        .index(Index::create().unique().name("uq_artists_name_key").col(Artists::NameKey))
        .check(("ck_artists_name", Expr::cust("length(name) BETWEEN 1 AND 255")))
        // Bytes, because an entry of a PostgreSQL index holds about 2,700 of them.
        .check((
            "ck_artists_name_key",
            Expr::cust(dialect.pick(
                "octet_length(name_key) BETWEEN 1 AND 2048",
                "length(CAST(name_key AS BLOB)) BETWEEN 1 AND 2048",
            )),
        ))
        .check((
            "ck_artists_research_status",
            Expr::cust("research_status IN ('pending', 'researching', 'cached', 'failed')"),
        ))
        .check(("ck_artists_confidence_score", Expr::cust("confidence_score BETWEEN 0 AND 1")));
    dialect.strict(&mut table);
    table
}

#[derive(DeriveIden)]
enum Artists {
    Table,
    Id,
    Name,
    NameKey,
    NameSearch,
    ResearchStatus,
    SourcesCount,
    ConfidenceScore,
    Version,
    CreatedAt,
    LastUpdated,
}
