//! Where the Redis is and how much it may cost.

use std::{fmt, time::Duration};

/// Where the Redis is and how much it may cost.
#[derive(Clone)]
pub struct RedisSettings {
    /// Where it is, and who connects; names and passwords are percent-encoded.
    ///
    /// - `redis://user:password@host:6379/0`: one server; `rediss://` with TLS. Every part but the host may be left out.
    /// - `redis+sentinel://user:password@host:26379,host:26379/master/0`: the master that these sentinels know by that
    ///   name. `?sentinel_user=` and `sentinel_password=` are for the sentinels themselves.
    /// - `redis+cluster://user:password@host:6379,host:6379`: the cluster that these nodes belong to.
    ///
    /// `rediss+sentinel://` and `rediss+cluster://` speak TLS to every node.
    pub url: String,
    /// What every key begins with: 1 to 64 of the characters `A-Z a-z 0-9 _ . -`.
    pub prefix: String,
    /// How many connections each runtime that asks opens at most. Requests share them, so this is no limit on requests.
    pub connections: usize,
    /// How long one operation may take as a whole, connecting included.
    pub budget: Duration,
    /// The certificates (PEM) to trust instead of those the machine trusts. Certificates are always verified.
    pub ca_certificate: Option<String>,
}

impl RedisSettings {
    /// The usual settings for this address: prefix `groovebase`, 8 connections, 50 ms, the machine's certificates.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: "groovebase".to_owned(),
            connections: 8,
            budget: Duration::from_millis(50),
            ca_certificate: None,
        }
    }

    pub(super) fn check(&self) -> Result<(), InvalidRedisSettings> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if !(1..=64).contains(&self.prefix.len()) || !self.prefix.bytes().all(allowed) {
            return Err(InvalidRedisSettings::InvalidPrefix);
        }
        if !(1..=1_024).contains(&self.connections) {
            return Err(InvalidRedisSettings::InvalidConnections);
        }
        if self.budget.is_zero() {
            return Err(InvalidRedisSettings::NoBudget);
        }
        Ok(())
    }
}

/// Shows no address, since it may hold a password.
impl fmt::Debug for RedisSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url: _, prefix, connections, budget, ca_certificate } = self;
        formatter
            .debug_struct("RedisSettings")
            .field("url", &"…")
            .field("prefix", prefix)
            .field("connections", connections)
            .field("budget", budget)
            .field("ca_certificate", &ca_certificate.is_some())
            .finish()
    }
}

/// Why settings cannot be used. No text repeats a part of the address, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRedisSettings {
    /// The address begins with something else.
    #[error(
        "the address of Redis must begin with redis://, rediss://, redis+sentinel://, rediss+sentinel://, \
         redis+cluster:// or rediss+cluster://"
    )]
    UnknownScheme,
    /// A host is missing or holds white space.
    #[error("the address of Redis names no host")]
    NoHost,
    /// What follows a host is no port.
    #[error(
        "the address of Redis has a port that is not a number from 1 to 65535; a password stands before an @ and is \
         percent-encoded"
    )]
    InvalidPort,
    /// One server has one host.
    #[error(
        "the address of Redis names several hosts, which takes redis+sentinel:// or redis+cluster://"
    )]
    SeveralHosts,
    /// A name without a password.
    #[error(
        "the address of Redis names a user without a password; a password alone is written :password@host"
    )]
    UserWithoutPassword,
    /// What is percent-encoded is not UTF-8.
    #[error("the address of Redis is not UTF-8 when percent-decoded")]
    NotUtf8,
    /// The path is no number.
    #[error("the address of Redis has a database that is not a number from 0 to 65535")]
    InvalidDatabase,
    /// A cluster has database 0 only.
    #[error("the address of a Redis cluster must not name a database")]
    DatabaseOfCluster,
    /// Sentinels without the name that they are asked for.
    #[error(
        "the address of Redis sentinels must name the master, for example redis+sentinel://host:26379/mymaster"
    )]
    NoMaster,
    /// An option other than those for sentinels.
    #[error("the address of Redis has an option that is not known")]
    UnknownOption,
    /// See [`RedisSettings::prefix`].
    #[error(
        "the prefix of keys in Redis must be 1 to 64 letters, digits, underscores, dots or hyphens"
    )]
    InvalidPrefix,
    /// See [`RedisSettings::connections`].
    #[error("the number of connections to Redis must be from 1 to 1024")]
    InvalidConnections,
    /// See [`RedisSettings::budget`].
    #[error("the time that an operation on Redis may take must be above 0")]
    NoBudget,
    /// No certificate in what should hold some.
    #[error("the certificates to trust for Redis are not PEM")]
    InvalidCertificate,
    /// Certificates for an address without TLS.
    #[error("certificates to trust for Redis take an address with TLS, such as rediss://")]
    CertificateWithoutTls,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let settings = RedisSettings::new("redis://user:hunter2@cache");

        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn refuses_what_cannot_work() {
        let usual = RedisSettings::new("redis://cache");
        let with_prefix =
            |prefix: &str| RedisSettings { prefix: prefix.to_owned(), ..usual.clone() }.check();

        assert_eq!(usual.check(), Ok(()));
        for prefix in ["", "a b", "a:b", "*", &"a".repeat(65)] {
            assert_eq!(with_prefix(prefix), Err(InvalidRedisSettings::InvalidPrefix), "{prefix}");
        }
        assert_eq!(
            RedisSettings { connections: 0, ..usual.clone() }.check(),
            Err(InvalidRedisSettings::InvalidConnections)
        );
        assert_eq!(
            RedisSettings { budget: Duration::ZERO, ..usual.clone() }.check(),
            Err(InvalidRedisSettings::NoBudget)
        );
    }
}
