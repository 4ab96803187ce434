#![doc = include_str!("../README.md")]
#![expect(
    elided_lifetimes_in_paths,
    reason = "`MigrationTrait` elides them and `async_trait` needs both sides equal"
)]

mod column;
mod error;
mod extension;
mod migrator;
mod roles;
mod schema;
mod sql_file;

mod m20261121_000001_create_vector_extension;
mod m20261121_000002_create_trigram_extension;
mod m20261121_000003_create_artists;
mod m20261121_000004_create_style_profiles;
mod m20261121_000005_create_style_embeddings;
mod m20261121_000006_create_research_sources;
mod m20261121_000007_create_generation_history;
mod m20261121_000008_track_versions;
mod m20261121_000009_account_for_generations;
mod m20261121_000010_create_api_keys;
mod m20261121_000011_create_audit_log;
mod m20261121_000012_index_months_of_artists;
mod m20261121_000013_keep_months_that_go_on;

pub use error::MigrationError;
pub use roles::{InvalidRole, Role, Roles};
pub use schema::{Consent, MigrationStatus, Schema, Steps};
