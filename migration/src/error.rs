//! How schema work fails, and the only reading of a driver's error.

use std::{borrow::Cow, error::Error, io, sync::Arc};

use sea_orm_migration::{
    DbErr,
    sea_orm::{RuntimeErr, sqlx},
};

/// Why the schema could not be read or changed. Whatever failed, nothing was changed.
///
/// No variant carries the URL, and none of the sources does: it may hold a password.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum MigrationError {
    /// The URL names a database Groovebase does not know.
    #[error("database URL must start with postgres://, postgresql:// or sqlite://")]
    UnsupportedUrl,
    /// The database cannot be reached, does not exist or refuses the role, or the URL is malformed.
    #[error("cannot connect to the database")]
    Connect(#[source] Arc<dyn Error + Send + Sync>),
    /// The server is away, starting or has no connection left, or the connection broke; trying again may help.
    #[error("the database cannot be reached")]
    Away(#[source] Arc<dyn Error + Send + Sync>),
    /// The server has no pgvector to make the extension from.
    #[error(
        "pgvector is not installed on the server; on Debian and Ubuntu it is the package \
         postgresql-{server}-pgvector"
    )]
    PgVectorNotInstalled {
        /// The server's major version.
        server: u32,
    },
    /// The server has no `pg_trgm` to make the extension from.
    #[error(
        "the extension pg_trgm is not installed on the server, which runs PostgreSQL {server}; it \
         is part of PostgreSQL's contributed modules, the package postgresql-contrib"
    )]
    PgTrgmNotInstalled {
        /// The server's major version.
        server: u32,
    },
    /// The role may not create an extension. Once somebody else has, it can migrate.
    #[error(
        "this role may not create the extension {extension}: run `CREATE EXTENSION {extension};` \
         in this database once, as a superuser or as a role allowed to"
    )]
    ExtensionNotAllowed {
        /// The extension's name.
        extension: &'static str,
    },
    /// The extension exists in a schema where this connection does not look.
    #[error("the extension {extension} is in a schema that is not on the search path")]
    ExtensionOutOfReach {
        /// The extension's name.
        extension: &'static str,
    },
    /// The role may not read or change what it has to.
    #[error("this role lacks a privilege that schema work needs")]
    NotPermitted(#[source] Arc<dyn Error + Send + Sync>),
    /// The database is an SQLite file.
    #[error("SQLite has no roles: whoever may write to the file may do everything")]
    NoRoles,
    /// No schema on the search path exists.
    #[error("no schema on the search path exists")]
    NoSchema,
    /// The database cannot keep every name.
    #[error(
        "database is encoded in {encoding}, it must be UTF8: make it with `CREATE DATABASE … ENCODING 'UTF8'`"
    )]
    NotUtf8 {
        /// The encoding it has, as PostgreSQL names it.
        encoding: String,
    },
    /// There is something in the database, and consent was given for an empty one only.
    #[error("database is not empty, it has the tables {}", tables.join(", "))]
    NotEmpty {
        /// The tables and views found.
        tables: Vec<String>,
    },
    /// The database has a change this program does not know: it was migrated by a newer one.
    #[error("database is newer than this program, which does not know the change {0}")]
    UnknownApplied(String),
    /// The database refused something or failed.
    #[error("database failed")]
    Database(#[source] Arc<dyn Error + Send + Sync>),
}

/// A role lacks a privilege.
pub(crate) const INSUFFICIENT_PRIVILEGE: &str = "42501";
/// The server does not have an extension's files; old ones say the second.
pub(crate) const NOT_INSTALLED: [&str; 2] = ["0A000", "58P01"];
/// A type or an operator class is not there.
pub(crate) const UNDEFINED_OBJECT: &str = "42704";
/// `CREATE` without a schema to create in.
const INVALID_SCHEMA_NAME: &str = "3F000";

/// The SQLSTATE, or SQLite's result code, of an error the database reported.
pub(crate) fn code(error: &DbErr) -> Option<String> {
    let (DbErr::Conn(error) | DbErr::Exec(error) | DbErr::Query(error)) = error else {
        return None;
    };
    let RuntimeErr::SqlxError(error) = error else { return None };
    error.as_database_error()?.code().map(Cow::into_owned)
}

/// Whether whoever could not connect, or lost the connection, may be let in later without anybody changing anything.
pub(crate) fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        // A handshake that failed is invalid data.
        sqlx::Error::Io(error) => !matches!(
            error.kind(),
            io::ErrorKind::InvalidData
                | io::ErrorKind::InvalidInput
                | io::ErrorKind::PermissionDenied
        ),
        sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            // SQLite's codes are shorter. connection_exception, insufficient_resources; admin_shutdown, crash_shutdown,
            // cannot_connect_now.
            code.len() == 5
                && (code.starts_with("08")
                    || code.starts_with("53")
                    || matches!(&*code, "57P01" | "57P02" | "57P03"))
        }),
        _ => false,
    }
}

fn is_away(error: &DbErr) -> bool {
    match error {
        DbErr::Conn(error) | DbErr::Exec(error) | DbErr::Query(error) => {
            matches!(error, RuntimeErr::SqlxError(error) if may_pass(error))
        }
        _ => false,
    }
}

impl From<DbErr> for MigrationError {
    fn from(error: DbErr) -> Self {
        if is_away(&error) {
            return Self::Away(Arc::new(error));
        }
        match code(&error).as_deref() {
            Some(INSUFFICIENT_PRIVILEGE) => Self::NotPermitted(Arc::new(error)),
            Some(INVALID_SCHEMA_NAME) => Self::NoSchema,
            _ => Self::Database(Arc::new(error)),
        }
    }
}
