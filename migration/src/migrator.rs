//! All changes, oldest first.

use sea_orm_migration::{MigrationTrait, MigratorTrait};

use crate::{
    m20261121_000001_create_vector_extension, m20261121_000002_create_trigram_extension,
    m20261121_000003_create_artists, m20261121_000004_create_style_profiles,
    m20261121_000005_create_style_embeddings, m20261121_000006_create_research_sources,
    m20261121_000007_create_generation_history, m20261121_000008_track_versions,
    m20261121_000009_account_for_generations, m20261121_000010_create_api_keys,
    m20261121_000011_create_audit_log, m20261121_000012_index_months_of_artists,
    m20261121_000013_keep_months_that_go_on,
};

/// The order in which changes are applied; reverting goes the other way.
pub(crate) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_create_vector_extension::Migration),
            Box::new(m20261121_000002_create_trigram_extension::Migration),
            Box::new(m20261121_000003_create_artists::Migration),
            Box::new(m20261121_000004_create_style_profiles::Migration),
            Box::new(m20261121_000005_create_style_embeddings::Migration),
            Box::new(m20261121_000006_create_research_sources::Migration),
            Box::new(m20261121_000007_create_generation_history::Migration),
            Box::new(m20261121_000008_track_versions::Migration),
            Box::new(m20261121_000009_account_for_generations::Migration),
            Box::new(m20261121_000010_create_api_keys::Migration),
            Box::new(m20261121_000011_create_audit_log::Migration),
            Box::new(m20261121_000012_index_months_of_artists::Migration),
            Box::new(m20261121_000013_keep_months_that_go_on::Migration),
        ]
    }
}

/// The names of all changes, oldest first.
pub(crate) fn names() -> Vec<String> {
    Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect()
}
