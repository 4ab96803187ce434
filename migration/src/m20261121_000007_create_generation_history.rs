//! Generation history: what was generated, by whom, how long it took and what it cost.

use sea_orm_migration::prelude::*;

use crate::column::Dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager.get_database_backend());
        manager.create_table(generation_history(dialect)).await?;

        // The identity is in the order of a page, because times repeat. This index also finds the
        // rows to set to NULL when an artist is removed.
        let by_artist = Index::create()
            .name("idx_generation_history_artist_id_created_at")
            .table(GenerationHistory::Table)
            .col(GenerationHistory::ArtistId)
            .col((GenerationHistory::CreatedAt, IndexOrder::Desc))
            .col((GenerationHistory::Id, IndexOrder::Desc))
            .take();
        manager.create_index(by_artist).await?;

        let by_time = Index::create()
            .name("idx_generation_history_created_at")
            .table(GenerationHistory::Table)
            .col((GenerationHistory::CreatedAt, IndexOrder::Desc))
            .col((GenerationHistory::Id, IndexOrder::Desc))
            .take();
        manager.create_index(by_time).await?;

        let by_provider = Index::create()
            .name("idx_generation_history_provider_used_created_at")
            .table(GenerationHistory::Table)
            .col(GenerationHistory::ProviderUsed)
            .col(GenerationHistory::CreatedAt)
            .take();
        manager.create_index(by_provider).await?;

        if dialect.is_postgres() {
            manager
                .get_connection()
                .execute_unprepared(
                    "COMMENT ON COLUMN generation_history.cost IS \
                     'nano-dollars: 1 USD is 1000000000'",
                )
                .await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(GenerationHistory::Table).take()).await
    }
}

fn generation_history(dialect: Dialect) -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table(GenerationHistory::Table)
        .col(dialect.id(GenerationHistory::Id, "ck_generation_history_id"))
        .col(dialect.uuid(GenerationHistory::ArtistId).null())
        .col(dialect.varchar(GenerationHistory::ProviderUsed, 50).not_null())
        .col(dialect.bigint(GenerationHistory::GenerationTimeMs).not_null())
        .col(dialect.bigint(GenerationHistory::TokensUsed).null())
        // Nano-dollars, because money is exact: 1 USD is 1,000,000,000.
        .col(dialect.bigint(GenerationHistory::Cost).null())
        .col(
            dialect
                .json(GenerationHistory::UserParams, "ck_generation_history_user_params")
                .not_null()
                .default("{}"),
        )
        .col(
            dialect
                .json(GenerationHistory::OutputFiles, "ck_generation_history_output_files")
                .not_null()
                .default("[]"),
        )
        .col(dialect.time(GenerationHistory::CreatedAt))
        .primary_key(Index::create().name("pk_generation_history").col(GenerationHistory::Id))
        // History is an account: it outlives the artist.
        .foreign_key(
            ForeignKey::create()
                .name("fk_generation_history_artist_id")
                .from(GenerationHistory::Table, GenerationHistory::ArtistId)
                .to(Artists::Table, Artists::Id)
                .on_delete(ForeignKeyAction::SetNull),
        );
    for (constraint, condition) in [
        ("ck_generation_history_provider_used", "length(provider_used) BETWEEN 1 AND 50"),
        ("ck_generation_history_generation_time_ms", "generation_time_ms BETWEEN 0 AND 4294967295"),
        ("ck_generation_history_tokens_used", "tokens_used BETWEEN 0 AND 4294967295"),
        // A million dollars, so that no sum of a believable number of rows leaves 64 bits.
        ("ck_generation_history_cost", "cost BETWEEN 0 AND 1000000000000000"),
    ] {
        table.check((constraint, Expr::cust(condition)));
    }
    dialect.strict(&mut table);
    table
}

#[derive(DeriveIden)]
enum GenerationHistory {
    Table,
    Id,
    ArtistId,
    ProviderUsed,
    GenerationTimeMs,
    TokensUsed,
    Cost,
    UserParams,
    OutputFiles,
    CreatedAt,
}

#[derive(DeriveIden)]
enum Artists {
    Table,
    Id,
}
