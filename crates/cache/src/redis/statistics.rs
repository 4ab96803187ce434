//! What was asked of a Redis, and what became of it.

use std::sync::atomic::{AtomicU64, Ordering};

use super::trouble::RedisTrouble;

/// Counts since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RedisStatistics {
    /// Operations that were sent, or for which a connection was sought.
    pub operations: u64,
    /// Operations that were not sent, since Redis had failed a moment before.
    pub skipped: u64,
    /// How often Redis was given up for a while.
    pub openings: u64,
    /// Connections opened.
    pub connections: u64,
    /// Operations that failed, by what was wrong.
    pub failures: RedisFailures,
}

/// Operations that failed, by what was wrong: see [`RedisTrouble`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RedisFailures {
    /// See [`RedisTrouble::Unreachable`].
    pub unreachable: u64,
    /// See [`RedisTrouble::TimedOut`].
    pub timed_out: u64,
    /// See [`RedisTrouble::WrongCredentials`].
    pub wrong_credentials: u64,
    /// See [`RedisTrouble::Untrusted`].
    pub untrusted: u64,
    /// See [`RedisTrouble::NotRedis`].
    pub not_redis: u64,
    /// See [`RedisTrouble::Loading`].
    pub loading: u64,
    /// See [`RedisTrouble::ReadOnly`].
    pub read_only: u64,
    /// See [`RedisTrouble::ClusterDown`].
    pub cluster_down: u64,
    /// See [`RedisTrouble::OutOfMemory`].
    pub out_of_memory: u64,
    /// See [`RedisTrouble::NotPermitted`].
    pub not_permitted: u64,
    /// See [`RedisTrouble::WrongType`].
    pub wrong_type: u64,
    /// See [`RedisTrouble::Refused`].
    pub refused: u64,
    /// See [`RedisTrouble::Unexpected`].
    pub unexpected: u64,
}

/// A count that many threads add to.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, number: usize) {
        self.0.fetch_add(u64::try_from(number).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) operations: Counter,
    pub(super) skipped: Counter,
    pub(super) openings: Counter,
    pub(super) failures: FailureCounters,
}

impl Counters {
    pub(super) fn read(&self, connections: u64) -> RedisStatistics {
        let Self { operations, skipped, openings, failures } = self;
        RedisStatistics {
            operations: operations.get(),
            skipped: skipped.get(),
            openings: openings.get(),
            connections,
            failures: failures.read(),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct FailureCounters {
    unreachable: Counter,
    timed_out: Counter,
    wrong_credentials: Counter,
    untrusted: Counter,
    not_redis: Counter,
    loading: Counter,
    read_only: Counter,
    cluster_down: Counter,
    out_of_memory: Counter,
    not_permitted: Counter,
    wrong_type: Counter,
    refused: Counter,
    unexpected: Counter,
}

impl FailureCounters {
    pub(super) fn count(&self, trouble: RedisTrouble) {
        let counter = match trouble {
            RedisTrouble::Unreachable => &self.unreachable,
            RedisTrouble::TimedOut => &self.timed_out,
            RedisTrouble::WrongCredentials => &self.wrong_credentials,
            RedisTrouble::Untrusted => &self.untrusted,
            RedisTrouble::NotRedis => &self.not_redis,
            RedisTrouble::Loading => &self.loading,
            RedisTrouble::ReadOnly => &self.read_only,
            RedisTrouble::ClusterDown => &self.cluster_down,
            RedisTrouble::OutOfMemory => &self.out_of_memory,
            RedisTrouble::NotPermitted => &self.not_permitted,
            RedisTrouble::WrongType => &self.wrong_type,
            RedisTrouble::Refused => &self.refused,
            RedisTrouble::Unexpected => &self.unexpected,
        };
        counter.add(1);
    }

    fn read(&self) -> RedisFailures {
        let Self {
            unreachable,
            timed_out,
            wrong_credentials,
            untrusted,
            not_redis,
            loading,
            read_only,
            cluster_down,
            out_of_memory,
            not_permitted,
            wrong_type,
            refused,
            unexpected,
        } = self;
        RedisFailures {
            unreachable: unreachable.get(),
            timed_out: timed_out.get(),
            wrong_credentials: wrong_credentials.get(),
            untrusted: untrusted.get(),
            not_redis: not_redis.get(),
            loading: loading.get(),
            read_only: read_only.get(),
            cluster_down: cluster_down.get(),
            out_of_memory: out_of_memory.get(),
            not_permitted: not_permitted.get(),
            wrong_type: wrong_type.get(),
            refused: refused.get(),
            unexpected: unexpected.get(),
        }
    }
}
