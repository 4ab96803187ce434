//! What statistics say of a failure.

use domain::RepositoryError;
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr, SqlxError};

use super::{Failure, Nature, nature};
use crate::{query_statistics::QueryError, store::Away};

impl Failure {
    /// How the database failed, if it was the database.
    pub(crate) fn query_error(&self) -> Option<QueryError> {
        match self {
            Self::Refused(refusal) => match refusal {
                RepositoryError::Conflict
                | RepositoryError::TakenGeneration(_)
                | RepositoryError::UnknownArtist(_)
                | RepositoryError::VersionMismatch { .. } => None,
                RepositoryError::Unavailable(reason) if reason.is::<Away>() => {
                    Some(QueryError::Unavailable)
                }
                // No turn to write, no new connection, or too many statements within the time limit.
                RepositoryError::Unavailable(_) => Some(QueryError::Timeout),
                RepositoryError::Full(_) => Some(QueryError::Full),
                RepositoryError::Internal(_) => Some(QueryError::Corrupt),
            },
            Self::Database(error) => Some(match nature(error) {
                Nature::Conflict => QueryError::Conflict,
                Nature::Deadlock => QueryError::Serialization,
                Nature::Overloaded if took_too_long(error) => QueryError::Timeout,
                Nature::ConnectionLost | Nature::Overloaded => QueryError::Unavailable,
                Nature::Full => QueryError::Full,
                Nature::Unexpected => QueryError::Other,
            }),
        }
    }
}

fn took_too_long(error: &DbErr) -> bool {
    let error = match error {
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => return true,
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => error.as_ref(),
        _ => return false,
    };
    match error {
        SqlxError::PoolTimedOut => true,
        SqlxError::Database(error) => error.code().is_some_and(|code| is_timeout(&code)),
        _ => false,
    }
}

fn is_timeout(code: &str) -> bool {
    match code {
        // query_canceled, lock_not_available
        "57014" | "55P03" => true,
        code if code.len() == 5 => false,
        // BUSY, LOCKED, INTERRUPT
        code => code.parse::<i32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 9)),
    }
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc};

    use super::*;

    #[test]
    fn an_answer_is_no_failure_of_the_database() {
        let source = || Arc::new(io::Error::other("x"));
        for (refusal, expected) in [
            (RepositoryError::Conflict, None),
            (RepositoryError::VersionMismatch { current: None }, None),
            (RepositoryError::Unavailable(source()), Some(QueryError::Timeout)),
            (RepositoryError::Internal(source()), Some(QueryError::Corrupt)),
        ] {
            assert_eq!(Failure::from(refusal).query_error(), expected);
        }
    }

    #[test]
    fn tells_what_took_too_long_from_what_is_not_there() {
        let query_error = |error| Failure::from(error).query_error();

        assert_eq!(query_error(SqlxError::PoolTimedOut), Some(QueryError::Timeout));
        assert_eq!(query_error(SqlxError::PoolClosed), Some(QueryError::Unavailable));
        assert_eq!(query_error(SqlxError::WorkerCrashed), Some(QueryError::Unavailable));
        assert_eq!(query_error(SqlxError::RowNotFound), Some(QueryError::Other));
        let pool = DbErr::ConnectionAcquire(ConnAcquireErr::Timeout);
        assert_eq!(Failure::from(pool).query_error(), Some(QueryError::Timeout));
        for (code, expected) in
            [("57014", true), ("53300", false), ("517", true), ("13", false), ("5", true)]
        {
            assert_eq!(is_timeout(code), expected, "{code}");
        }
    }
}
