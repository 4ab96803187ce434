//! Reading and changing the schema of one database.

mod connect;
mod contents;
mod description;

use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sea_orm_migration::{
    MigratorTrait,
    prelude::{ConnectionTrait, DbErr},
    sea_orm::{
        DatabaseConnection, DatabaseTransaction, DbBackend, IsolationLevel, SqliteTransactionMode,
        Statement, TransactionOptions, TransactionTrait,
    },
};

use crate::{
    MigrationError,
    error::{INSUFFICIENT_PRIVILEGE, NOT_INSTALLED, UNDEFINED_OBJECT, code},
    extension::{self, Extension},
    migrator::{self, Migrator},
    roles::{self, Roles},
};

/// The advisory lock that schema work in one PostgreSQL database takes turns with. One for all of
/// its schemas, because they share extensions.
const LOCK: i64 = i64::from_be_bytes(*b"gbschema");

/// The table in which `sea-orm-migration` records what is applied.
const RECORD: &str = "seaql_migrations";

/// An open connection for schema work.
///
/// Every change is one transaction: it happens altogether or not at all. Processes that change one
/// database at the same time take turns, and the second finds nothing left to do. One value does one
/// thing at a time: it has one connection.
///
/// PostgreSQL's tables are made in, and looked for in, the first schema of the search path that
/// exists; `?options=-csearch_path%3Dmusic,public` at the end of the URL picks another than
/// `public`.
pub struct Schema {
    connection: DatabaseConnection,
}

/// How many changes to revert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steps {
    /// The last so many.
    N(u32),
    /// All of them, and the record of changes with them.
    All,
}

impl Default for Steps {
    fn default() -> Self {
        Self::N(1)
    }
}

/// What [`Schema::fresh`] may do to a database that is not empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Nothing.
    EmptyOnly,
    /// Drop everything in it: other people's tables too.
    DropEverything,
}

/// One change and whether the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStatus {
    /// The change's name; names sort in the order of application.
    pub name: String,
    /// Whether the database has it.
    pub applied: bool,
    /// When it was applied, to the second.
    pub applied_at: Option<SystemTime>,
}

impl Schema {
    /// Opens the database a URL names: `postgres://`, `postgresql://` or `sqlite://`.
    ///
    /// An SQLite file that is missing is made, unless the URL has a `mode` that says otherwise; it
    /// is put in WAL mode.
    pub async fn connect(url: &str) -> Result<Self, MigrationError> {
        Ok(Self { connection: connect::connect(url).await? })
    }

    /// Closes the connection and waits until it is closed. Dropping closes it some time later.
    pub async fn close(self) -> Result<(), MigrationError> {
        Ok(self.connection.close().await?)
    }

    /// Applies pending changes, oldest first: so many, or all. Returns the names of those applied.
    pub async fn up(&self, steps: Option<u32>) -> Result<Vec<String>, MigrationError> {
        let transaction = self.begin().await?;
        let applied = up(&transaction, steps).await?;
        transaction.commit().await?;
        Ok(applied)
    }

    /// Reverts applied changes, newest first. Returns the names of those reverted.
    ///
    /// Extensions stay: they belong to the database, and others may use them.
    pub async fn down(&self, steps: Steps) -> Result<Vec<String>, MigrationError> {
        let transaction = self.begin().await?;
        let before = status(&transaction).await?;
        if before.iter().all(|it| !it.applied) {
            return Ok(Vec::new());
        }
        let count = match steps {
            Steps::N(count) => Some(count),
            Steps::All => None,
        };
        Migrator::down(&transaction, count).await?;
        let after = record(&transaction).await?;
        if steps == Steps::All && after.is_empty() {
            transaction.execute_unprepared(&format!("DROP TABLE {RECORD}")).await?;
        }
        transaction.commit().await?;

        let reverted = before.into_iter().filter(|it| it.applied && !after.contains_key(&it.name));
        Ok(reverted.map(|it| it.name).rev().collect())
    }

    /// All changes this program knows, oldest first. Writes nothing.
    pub async fn status(&self) -> Result<Vec<MigrationStatus>, MigrationError> {
        status(&self.connection).await
    }

    /// The names of the changes the database does not have, oldest first. Writes nothing.
    pub async fn pending(&self) -> Result<Vec<String>, MigrationError> {
        let status = self.status().await?;
        Ok(status.into_iter().filter(|it| !it.applied).map(|it| it.name).collect())
    }

    /// The tables as the database itself describes them, in Markdown.
    pub async fn describe(&self) -> Result<String, MigrationError> {
        Ok(description::describe(&self.connection).await?)
    }

    /// Applies all changes to an empty database, after emptying it if that was consented to.
    /// Returns the names of those applied.
    ///
    /// On PostgreSQL it is the current schema that is meant: tables and views, sequences, functions
    /// and types, with what depends on them elsewhere. What extensions brought stays.
    pub async fn fresh(&self, consent: Consent) -> Result<Vec<String>, MigrationError> {
        let transaction = self.begin().await?;
        match consent {
            Consent::EmptyOnly => {
                let mut tables = contents::tables(&transaction).await?;
                if record(&transaction).await?.is_empty() {
                    tables.retain(|table| table != RECORD);
                }
                if !tables.is_empty() {
                    return Err(MigrationError::NotEmpty { tables });
                }
            }
            Consent::DropEverything => contents::drop_everything(&transaction).await?,
        }
        let applied = up(&transaction, None).await?;
        transaction.commit().await?;
        Ok(applied)
    }

    /// Makes the roles of an installation, or brings them and their rights up to date. The
    /// connection must be an administrator's.
    ///
    /// The tables of the database, if there are any, become the owner's.
    pub async fn make_roles(&self, roles: &Roles) -> Result<(), MigrationError> {
        if self.connection.get_database_backend() != DbBackend::Postgres {
            return Err(MigrationError::NoRoles);
        }
        let transaction = self.begin().await?;
        roles::make(&transaction, roles).await?;
        Ok(transaction.commit().await?)
    }

    /// Begins a transaction that no other schema work can overlap.
    async fn begin(&self) -> Result<DatabaseTransaction, MigrationError> {
        if self.connection.get_database_backend() == DbBackend::Postgres {
            // Not the role's default: a stricter level would read as of before the wait.
            let isolation_level = Some(IsolationLevel::ReadCommitted);
            let options = TransactionOptions { isolation_level, ..Default::default() };
            let transaction = self.connection.begin_with_options(options).await?;
            // The notices are about objects that are or are not there already, and about the vector
            // index that is made before its vectors; neither is news.
            transaction
                .execute_unprepared(&format!(
                    "SELECT pg_advisory_xact_lock({LOCK}); SET LOCAL client_min_messages = warning"
                ))
                .await?;
            Ok(transaction)
        } else {
            let options = TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..Default::default()
            };
            Ok(self.connection.begin_with_options(options).await?)
        }
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let backend = self.connection.get_database_backend();
        formatter.debug_struct("Schema").field("backend", &backend).finish_non_exhaustive()
    }
}

async fn up(
    transaction: &DatabaseTransaction,
    steps: Option<u32>,
) -> Result<Vec<String>, MigrationError> {
    refuse_other_encodings(transaction).await?;
    let pending = status(transaction).await?.into_iter().filter(|it| !it.applied);
    let limit = steps.map_or(usize::MAX, |steps| usize::try_from(steps).unwrap_or(usize::MAX));
    let mut applied = Vec::new();
    for MigrationStatus { name, .. } in pending.take(limit) {
        // Apart from the change, whose failures mean something else.
        Migrator::install(transaction).await?;
        // One at a time, to know which of them failed.
        if let Err(error) = Migrator::up(transaction, Some(1)).await {
            return Err(explain(transaction, &name, error).await);
        }
        applied.push(name);
    }
    if !applied.is_empty() && transaction.get_database_backend() == DbBackend::Postgres {
        roles::restrict(transaction).await?;
    }
    Ok(applied)
}

/// Names are Unicode. SQLite has no other text here: drivers write UTF-8.
async fn refuse_other_encodings(transaction: &DatabaseTransaction) -> Result<(), MigrationError> {
    if transaction.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let query = Statement::from_string(DbBackend::Postgres, "SHOW server_encoding");
    let row = transaction.query_one_raw(query).await?;
    match row.map(|row| row.try_get_by_index::<String>(0)).transpose()? {
        Some(encoding) if encoding != "UTF8" => Err(MigrationError::NotUtf8 { encoding }),
        _ => Ok(()),
    }
}

/// Says what the failure of one change means. The change was rolled back to its savepoint, so the
/// transaction still answers questions.
async fn explain(transaction: &DatabaseTransaction, name: &str, error: DbErr) -> MigrationError {
    let Some(code) = code(&error) else { return error.into() };
    if let Some(made) = extension::made_by(name) {
        if code == INSUFFICIENT_PRIVILEGE {
            return MigrationError::ExtensionNotAllowed { extension: made.name() };
        }
        if NOT_INSTALLED.contains(&code.as_str()) {
            return match (made, server(transaction).await) {
                (_, Err(error)) => error.into(),
                (Extension::Vector, Ok(server)) => MigrationError::PgVectorNotInstalled { server },
                (Extension::Trigram, Ok(server)) => MigrationError::PgTrgmNotInstalled { server },
            };
        }
    }
    if let Some(needed) = extension::needed_by(name)
        && code == UNDEFINED_OBJECT
    {
        return MigrationError::ExtensionOutOfReach { extension: needed.name() };
    }
    error.into()
}

/// The major version of a PostgreSQL server.
async fn server(connection: &impl ConnectionTrait) -> Result<u32, DbErr> {
    let query = "SELECT current_setting('server_version_num')::integer / 10000";
    let row = connection
        .query_one_raw(Statement::from_string(DbBackend::Postgres, query))
        .await?
        .ok_or_else(|| DbErr::RecordNotFound("server version".to_owned()))?;
    let major: i32 = row.try_get_by_index(0)?;
    Ok(major.unsigned_abs())
}

async fn status(connection: &impl ConnectionTrait) -> Result<Vec<MigrationStatus>, MigrationError> {
    let record = record(connection).await?;
    let names = migrator::names();
    if let Some(unknown) = record.keys().find(|name| !names.contains(name)) {
        return Err(MigrationError::UnknownApplied(unknown.clone()));
    }
    let status = names.into_iter().map(|name| {
        let seconds = record.get(&name).copied();
        let applied_at = seconds.and_then(|seconds| {
            UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
        });
        MigrationStatus { name, applied: seconds.is_some(), applied_at }
    });
    Ok(status.collect())
}

/// What the database says was applied, and when in seconds since the Unix epoch.
///
/// `sea-orm-migration` finds the table in `information_schema`, where a role that may not read it
/// does not see it and would take everything to be pending.
async fn record(connection: &impl ConnectionTrait) -> Result<BTreeMap<String, i64>, DbErr> {
    if !contents::tables(connection).await?.iter().any(|table| table == RECORD) {
        return Ok(BTreeMap::new());
    }
    let query = format!("SELECT version, applied_at FROM {RECORD}");
    let statement = Statement::from_string(connection.get_database_backend(), query);
    let rows = connection.query_all_raw(statement).await?;
    rows.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).collect()
}
