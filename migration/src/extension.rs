//! The PostgreSQL extensions the schema stands on.

use sea_orm_migration::{
    DbErr, SchemaManager,
    prelude::ConnectionTrait,
    sea_orm::{DbBackend, Statement},
};

/// An extension that migrations make where it is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extension {
    /// The type `vector` and its indexes.
    Vector,
    /// Trigram indexes, for `LIKE '%…%'`.
    Trigram,
}

/// The extension a change makes.
pub(crate) fn made_by(migration: &str) -> Option<Extension> {
    match migration {
        "m20261121_000001_create_vector_extension" => Some(Extension::Vector),
        "m20261121_000002_create_trigram_extension" => Some(Extension::Trigram),
        _ => None,
    }
}

/// The extension whose types or operator classes a change uses.
pub(crate) fn needed_by(migration: &str) -> Option<Extension> {
    match migration {
        "m20261121_000003_create_artists" => Some(Extension::Trigram),
        "m20261121_000005_create_style_embeddings" => Some(Extension::Vector),
        _ => None,
    }
}

impl Extension {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Vector => "vector",
            Self::Trigram => "pg_trgm",
        }
    }

    /// Makes the extension unless the database has it; does nothing on SQLite.
    ///
    /// Where it exists `CREATE EXTENSION` is not run at all, so a role that may not create
    /// extensions can migrate a database somebody prepared for it.
    pub(crate) async fn create(self, manager: &SchemaManager<'_>) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        let connection = manager.get_connection();
        let name = self.name();
        if exists(connection, &format!("SELECT FROM pg_extension WHERE extname = '{name}'")).await?
        {
            return Ok(());
        }

        // A database has an extension once, in one schema. `public`, where it can be used, leaves it
        // in reach of other schemas in the database and survives a `DROP SCHEMA` of ours.
        let public = "SELECT FROM pg_namespace WHERE nspname = 'public' \
                      AND nspname = ANY (current_schemas(false)) \
                      AND has_schema_privilege(oid, 'CREATE')";
        let place = if exists(connection, public).await? { " WITH SCHEMA public" } else { "" };
        connection
            .execute_unprepared(&format!("CREATE EXTENSION IF NOT EXISTS {name}{place}"))
            .await?;
        Ok(())
    }
}

async fn exists(connection: &impl ConnectionTrait, query: &str) -> Result<bool, DbErr> {
    let statement = Statement::from_string(DbBackend::Postgres, query);
    Ok(connection.query_one_raw(statement).await?.is_some())
}
