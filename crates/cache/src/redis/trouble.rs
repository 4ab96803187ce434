//! What can be wrong with a Redis, in plain words.

use std::{error::Error, io, sync::Arc};

use deadpool_redis::redis::{ErrorKind, RedisError, ServerErrorKind};

/// What is wrong with a Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum RedisTrouble {
    /// No connection, or a connection that broke.
    #[error("it cannot be reached")]
    Unreachable,
    /// The budget was used up.
    #[error("it does not answer in time")]
    TimedOut,
    /// The login was refused, or one is needed and none was given.
    #[error("it refuses the user name or the password")]
    WrongCredentials,
    /// TLS is spoken, but not with somebody who is trusted.
    #[error("its certificate is not trusted")]
    Untrusted,
    /// Something else answers at this address.
    #[error("what answers at its address does not speak its protocol")]
    NotRedis,
    /// It started a moment ago.
    #[error("it is still loading its data")]
    Loading,
    /// It takes no writes.
    #[error("it is a read-only replica")]
    ReadOnly,
    /// The cluster has no server for a key, the sentinels have no master, or a replica has lost its master.
    #[error("its cluster or its master is down")]
    ClusterDown,
    /// `maxmemory` is reached and nothing may be evicted.
    #[error("it is out of memory and may evict nothing (set maxmemory-policy to allkeys-lru)")]
    OutOfMemory,
    /// The access control list leaves out a command or a key.
    #[error("its user may not run a command that is needed")]
    NotPermitted,
    /// The key holds something else.
    #[error("a key holds another type of value")]
    WrongType,
    /// Another refusal of one command.
    #[error("it refused a command")]
    Refused,
    /// An answer of a form that no such command has.
    #[error("it gave an answer of an unexpected form")]
    Unexpected,
}

impl RedisTrouble {
    /// What went wrong in a command.
    pub(super) fn of(error: &RedisError) -> Self {
        match error.code() {
            Some("WRONGPASS" | "NOAUTH") => return Self::WrongCredentials,
            Some("OOM") => return Self::OutOfMemory,
            Some("WRONGTYPE") => return Self::WrongType,
            // A script or a module that runs too long blocks everybody else.
            Some("BUSY") => return Self::TimedOut,
            _ => {}
        }
        match error.kind() {
            ErrorKind::Io => Self::of_transport(error),
            ErrorKind::Parse => Self::NotRedis,
            ErrorKind::AuthenticationFailed => Self::WrongCredentials,
            ErrorKind::UnexpectedReturnType => Self::Unexpected,
            ErrorKind::MasterNameNotFoundBySentinel
            | ErrorKind::NoValidReplicasFoundBySentinel
            | ErrorKind::EmptySentinelList
            | ErrorKind::ClusterConnectionNotFound => Self::ClusterDown,
            ErrorKind::Server(kind) => match kind {
                ServerErrorKind::BusyLoading => Self::Loading,
                ServerErrorKind::ReadOnly => Self::ReadOnly,
                ServerErrorKind::MasterDown
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::TryAgain
                | ServerErrorKind::Moved
                | ServerErrorKind::Ask => Self::ClusterDown,
                ServerErrorKind::NoPerm => Self::NotPermitted,
                _ => Self::Refused,
            },
            _ => Self::Refused,
        }
    }

    fn of_transport(error: &RedisError) -> Self {
        // A cluster client folds the reason why no node would have it into text.
        let folded = error.detail().unwrap_or_default();
        if ["AuthenticationFailed", "NOAUTH"].iter().any(|code| folded.contains(code)) {
            return Self::WrongCredentials;
        }
        let cause = error.source().and_then(|it| it.downcast_ref::<Arc<dyn Error + Send + Sync>>());
        let io = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
        match io.and_then(io::Error::get_ref).and_then(|inner| inner.downcast_ref()) {
            Some(rustls::Error::InvalidCertificate(_)) => return Self::Untrusted,
            Some(rustls::Error::InvalidMessage(_)) => return Self::NotRedis,
            Some(_) | None => {}
        }
        if error.is_timeout() { Self::TimedOut } else { Self::Unreachable }
    }

    /// Whether it says that this Redis is of no use for now, rather than that one command or key is.
    pub(super) const fn is_outage(self) -> bool {
        match self {
            Self::Unreachable
            | Self::TimedOut
            | Self::WrongCredentials
            | Self::Untrusted
            | Self::NotRedis
            | Self::Loading
            | Self::ReadOnly
            | Self::ClusterDown => true,
            Self::OutOfMemory
            | Self::NotPermitted
            | Self::WrongType
            | Self::Refused
            | Self::Unexpected => false,
        }
    }

    /// Whether it says that an operation is refused until somebody does something about it.
    pub(super) const fn is_lasting_refusal(self) -> bool {
        matches!(self, Self::OutOfMemory | Self::NotPermitted)
    }
}

/// Why an operation on Redis has no answer. Whoever asked goes on without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedisAway {
    /// It failed a moment ago, was closed, or there is no runtime to ask it in, so it was not asked.
    #[error("Redis was not asked")]
    NotAsked,
    /// It was asked in vain.
    #[error("Redis is of no use: {0}")]
    Failed(RedisTrouble),
}
