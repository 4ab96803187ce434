//! The only reading of a driver's errors. Codes are read, never message texts.

mod query_error;

use std::{error::Error, io, sync::Arc};

use domain::RepositoryError;
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr, SqlxError};

/// Why work on the database ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The rules of the domain forbid it.
    #[error(transparent)]
    Refused(#[from] RepositoryError),
    /// The database failed.
    #[error("database failed")]
    Database(#[from] DbErr),
}

impl Failure {
    /// A row that breaks a rule of the domain, or a value that the schema cannot hold.
    pub(crate) fn corrupt(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Refused(RepositoryError::Internal(Arc::new(error)))
    }

    /// No turn to write in time, or the store was closed.
    pub(crate) fn unavailable(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Refused(RepositoryError::Unavailable(Arc::new(error)))
    }

    /// Whether the same work may succeed on another connection, and the database itself undid this attempt or never
    /// saw its end.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Database(error) if matches!(nature(error), Nature::ConnectionLost | Nature::Deadlock))
    }

    /// Whether no connection was to be had in time.
    pub(crate) fn is_without_connection(&self) -> bool {
        let Self::Database(error) = self else { return false };
        match error {
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => true,
            DbErr::Conn(RuntimeErr::SqlxError(error))
            | DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error)) => {
                matches!(error.as_ref(), SqlxError::PoolTimedOut)
            }
            _ => false,
        }
    }

    /// Whether a key is taken.
    pub(crate) fn is_taken(&self) -> bool {
        matches!(self, Self::Database(error) if nature(error) == Nature::Conflict)
    }

    /// Whether a row found no partition that it belongs to.
    pub(crate) fn lacks_partition(&self) -> bool {
        // check_violation, but of no constraint that has a name
        matches!(self, Self::Database(DbErr::Exec(RuntimeErr::SqlxError(error)))
            if matches!(error.as_ref(), SqlxError::Database(error)
                if error.code().is_some_and(|code| code == "23514") && error.constraint().is_none()))
    }

    /// Whether the server ran out of memory, shared memory or room on a disk.
    #[cfg(feature = "postgres")]
    pub(crate) fn lacks_resources(&self) -> bool {
        matches!(self, Self::Database(DbErr::Exec(RuntimeErr::SqlxError(error)))
            if matches!(error.as_ref(), SqlxError::Database(error)
                if error.code().is_some_and(|code| code.starts_with("53"))))
    }
}

/// Whether whoever could not connect may be let in later without anybody changing anything.
pub(crate) fn connecting_may_pass(error: &SqlxError) -> bool {
    match error {
        // A handshake that failed is invalid data.
        SqlxError::Io(error) => !matches!(
            error.kind(),
            io::ErrorKind::InvalidData
                | io::ErrorKind::InvalidInput
                | io::ErrorKind::PermissionDenied
        ),
        SqlxError::PoolTimedOut => true,
        SqlxError::Database(error) => error.code().is_some_and(|code| {
            code.len() == 5
                && matches!(sqlstate_nature(&code), Nature::ConnectionLost | Nature::Overloaded)
        }),
        _ => false,
    }
}

/// The same for a pool of connections.
pub(crate) fn pooling_may_pass(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => true,
        DbErr::Conn(RuntimeErr::SqlxError(error)) => connecting_may_pass(error),
        _ => false,
    }
}

impl From<SqlxError> for Failure {
    fn from(error: SqlxError) -> Self {
        Self::Database(DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error))))
    }
}

impl From<Failure> for RepositoryError {
    fn from(failure: Failure) -> Self {
        let error = match failure {
            Failure::Refused(error) => return error,
            Failure::Database(error) => error,
        };
        match nature(&error) {
            Nature::Conflict => Self::Conflict,
            Nature::ConnectionLost | Nature::Deadlock | Nature::Overloaded => {
                Self::Unavailable(Arc::new(error))
            }
            Nature::Full => Self::Full(Arc::new(error)),
            Nature::Unexpected => Self::Internal(Arc::new(error)),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nature {
    Conflict,
    ConnectionLost,
    Deadlock,
    Overloaded,
    Full,
    Unexpected,
}

fn nature(error: &DbErr) -> Nature {
    match error {
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout | ConnAcquireErr::ConnectionClosed) => {
            Nature::Overloaded
        }
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => driver_nature(error),
        _ => Nature::Unexpected,
    }
}

fn driver_nature(error: &SqlxError) -> Nature {
    match error {
        SqlxError::Io(_)
        | SqlxError::Tls(_)
        | SqlxError::Protocol(_)
        | SqlxError::WorkerCrashed => Nature::ConnectionLost,
        SqlxError::PoolTimedOut | SqlxError::PoolClosed => Nature::Overloaded,
        SqlxError::Database(error) => match error.code() {
            Some(code) if code.len() == 5 => sqlstate_nature(&code),
            Some(code) => code.parse().map_or(Nature::Unexpected, sqlite_nature),
            None => Nature::Unexpected,
        },
        _ => Nature::Unexpected,
    }
}

/// Codes of the PostgreSQL manual, appendix A.
fn sqlstate_nature(code: &str) -> Nature {
    match code {
        // unique_violation, foreign_key_violation
        "23505" | "23503" => Nature::Conflict,
        // serialization_failure, deadlock_detected
        "40001" | "40P01" => Nature::Deadlock,
        // admin_shutdown, crash_shutdown, cannot_connect_now
        "57P01" | "57P02" | "57P03" => Nature::ConnectionLost,
        // query_canceled (statement timeout), lock_not_available, read_only_sql_transaction (after a failover)
        "57014" | "55P03" | "25006" => Nature::Overloaded,
        // disk_full
        "53100" => Nature::Full,
        // connection_exception
        code if code.starts_with("08") => Nature::ConnectionLost,
        // insufficient_resources: too many connections, out of memory
        code if code.starts_with("53") => Nature::Overloaded,
        _ => Nature::Unexpected,
    }
}

/// Result codes of sqlite.org/rescode.html; the low byte is the primary code.
fn sqlite_nature(code: i32) -> Nature {
    match code {
        // SQLITE_CONSTRAINT_FOREIGNKEY, _PRIMARYKEY, _UNIQUE
        787 | 1555 | 2067 => Nature::Conflict,
        _ => match code & 0xff {
            // BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, CANTOPEN
            5 | 6 | 7 | 8 | 9 | 10 | 14 => Nature::Overloaded,
            // FULL
            13 => Nature::Full,
            _ => Nature::Unexpected,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_what_may_come_back_only() {
        let io = |kind: io::ErrorKind| SqlxError::Io(kind.into());

        for error in [
            io(io::ErrorKind::ConnectionRefused),
            io(io::ErrorKind::UnexpectedEof),
            io(io::ErrorKind::NotFound),
            SqlxError::PoolTimedOut,
        ] {
            assert!(connecting_may_pass(&error), "{error:?}");
        }
        for error in [
            io(io::ErrorKind::InvalidData),
            io(io::ErrorKind::PermissionDenied),
            SqlxError::Tls("server does not support TLS".into()),
            SqlxError::Configuration("no".into()),
        ] {
            assert!(!connecting_may_pass(&error), "{error:?}");
        }
    }

    #[test]
    fn reads_codes() {
        for (code, expected) in [
            ("23505", Nature::Conflict),
            ("40P01", Nature::Deadlock),
            ("57P01", Nature::ConnectionLost),
            ("08006", Nature::ConnectionLost),
            ("57014", Nature::Overloaded),
            ("53300", Nature::Overloaded),
            ("53100", Nature::Full),
            ("23514", Nature::Unexpected),
        ] {
            assert_eq!(sqlstate_nature(code), expected, "{code}");
        }
        for (code, expected) in [
            (2067, Nature::Conflict),
            (517, Nature::Overloaded),
            (13, Nature::Full),
            (275, Nature::Unexpected),
        ] {
            assert_eq!(sqlite_nature(code), expected, "{code}");
        }
    }
}
