//! Style embeddings, apart from the profiles: beside text a vector of 1.5 KB is pushed out of line
//! in PostgreSQL, and every distance would pay for fetching it.

use sea_orm_migration::prelude::*;

use crate::column::Dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager.get_database_backend());
        let mut embedding = ColumnDef::new(StyleEmbeddings::Embedding);
        // A vector without a length has no direction, and one search that met it would fail.
        let condition = dialect.pick(
            "vector_norm(embedding) BETWEEN 1e-15 AND 1e15",
            // 384 little-endian `f32`.
            "length(embedding) = 1536 AND embedding <> zeroblob(1536)",
        );
        embedding
            .custom(dialect.pick("vector(384)", "BLOB"))
            .check(("ck_style_embeddings_embedding", Expr::cust(condition)));
        let mut table = Table::create();
        table
            .table(StyleEmbeddings::Table)
            .col(dialect.uuid(StyleEmbeddings::ArtistId).not_null())
            .col(embedding.not_null())
            .primary_key(Index::create().name("pk_style_embeddings").col(StyleEmbeddings::ArtistId))
            .foreign_key(
                ForeignKey::create()
                    .name("fk_style_embeddings_artist_id")
                    .from(StyleEmbeddings::Table, StyleEmbeddings::ArtistId)
                    .to(Artists::Table, Artists::Id)
                    .on_delete(ForeignKeyAction::Cascade),
            );
        dialect.strict(&mut table);
        manager.create_table(table).await?;

        if dialect.is_postgres() {
            // PLAIN: the 1,544 bytes of a vector fit in line, and stay there whatever columns are
            // added to the row later. `vector` as such may be moved out.
            //
            // The index on an empty table knows no centres and finds next to nothing; it is rebuilt
            // after loads, by a command of `groovebase`.
            manager
                .get_connection()
                .execute_unprepared(
                    "ALTER TABLE style_embeddings ALTER COLUMN embedding SET STORAGE PLAIN;
                     CREATE INDEX idx_embedding_ivfflat ON style_embeddings
                         USING ivfflat (embedding vector_cosine_ops) WITH (lists = 100);",
                )
                .await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(StyleEmbeddings::Table).take()).await
    }
}

#[derive(DeriveIden)]
enum StyleEmbeddings {
    Table,
    ArtistId,
    Embedding,
}

#[derive(DeriveIden)]
enum Artists {
    Table,
    Id,
}
