//! What the tiers did.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::freshness::{Read, Tier};

/// How reads of one kind were answered, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TierStatistics {
    /// Reads answered from memory.
    pub memory: u64,
    /// Reads answered from the tier that instances share.
    pub shared: u64,
    /// Reads answered from the database.
    pub database: u64,
    /// Reads that the catalog answered with nothing.
    pub absent: u64,
    /// Reads, among the ones above, whose answer was marked as stale.
    pub stale: u64,
    /// Reads that failed.
    pub failed: u64,
    /// Reads that waited for a load that another read had begun.
    pub joined: u64,
    /// Values that came too late to be kept, because the artist had changed meanwhile.
    pub late: u64,
    /// Values kept in memory now.
    pub entries: u64,
    /// Bytes that they take, roughly.
    pub bytes: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    memory: AtomicU64,
    shared: AtomicU64,
    database: AtomicU64,
    absent: AtomicU64,
    stale: AtomicU64,
    failed: AtomicU64,
    joined: AtomicU64,
    late: AtomicU64,
}

impl Counters {
    pub(crate) fn answered<T>(&self, read: &Read<T>) {
        let tier = match read.tier {
            Tier::Catalog => &self.absent,
            Tier::Memory => &self.memory,
            Tier::Shared => &self.shared,
            Tier::Database => &self.database,
        };
        tier.fetch_add(1, Ordering::Relaxed);
        if read.stale {
            self.stale.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn joined(&self) {
        self.joined.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn late(&self) {
        self.late.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, (entries, bytes): (u64, u64)) -> TierStatistics {
        let Self { memory, shared, database, absent, stale, failed, joined, late } = self;
        let now = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TierStatistics {
            memory: now(memory),
            shared: now(shared),
            database: now(database),
            absent: now(absent),
            stale: now(stale),
            failed: now(failed),
            joined: now(joined),
            late: now(late),
            entries,
            bytes,
        }
    }
}
