//! The sums of artists by month alone are found by time.
//!
//! Those over all time begin at one moment, so an index by time leads from each of them to all of them; and planners took
//! it, instead of the key, to look one up.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = "
            DROP INDEX idx_generation_artist_rollups_width_starts_at;
            CREATE INDEX idx_generation_artist_rollups_month ON generation_artist_rollups (starts_at) WHERE width = 4";
        manager.get_connection().execute_unprepared(sql).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = "
            DROP INDEX idx_generation_artist_rollups_month;
            CREATE INDEX idx_generation_artist_rollups_width_starts_at
             ON generation_artist_rollups (width, starts_at)";
        manager.get_connection().execute_unprepared(sql).await?;
        Ok(())
    }
}
