//! How reads were answered.

use std::sync::atomic::Ordering;

use cache::{Tier, TierStatistics};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

#[derive(Default)]
pub(super) struct TierMetrics {
    reads: Family<ReadLabels, Counter>,
    stale: Family<KindLabels, Counter>,
    joined: Family<KindLabels, Counter>,
    late: Family<KindLabels, Counter>,
    entries: Family<KindLabels, Gauge>,
    bytes: Family<KindLabels, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReadLabels {
    kind: &'static str,
    tier: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

impl TierMetrics {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self { reads, stale, joined, late, entries, bytes } = &metrics;
        registry.register(
            "cache_reads",
            "Reads by the tier that answered them; none for those that failed",
            reads.clone(),
        );
        registry.register(
            "cache_stale_reads",
            "Reads answered with the last good value while the database was unreachable",
            stale.clone(),
        );
        registry.register(
            "cache_joined_loads",
            "Reads that waited for a load that another one had begun",
            joined.clone(),
        );
        registry.register(
            "cache_late_values",
            "Values that were not kept, because the artist had changed while they were loaded",
            late.clone(),
        );
        registry.register("cache_entries", "Values in memory", entries.clone());
        registry.register_with_unit(
            "cache_memory",
            "What the values in memory take, roughly",
            Unit::Bytes,
            bytes.clone(),
        );
        metrics
    }

    pub(super) fn take(&self, kinds: &[(&'static str, TierStatistics)]) {
        for (kind, statistics) in kinds {
            let TierStatistics {
                memory,
                shared,
                database,
                absent,
                stale,
                failed,
                joined,
                late,
                entries,
                bytes,
            } = *statistics;
            for (tier, number) in [
                (Tier::Memory.as_str(), memory),
                (Tier::Shared.as_str(), shared),
                (Tier::Database.as_str(), database),
                (Tier::Catalog.as_str(), absent),
                ("none", failed),
            ] {
                set(&self.reads.get_or_create(&ReadLabels { kind, tier }), number);
            }
            let labels = KindLabels { kind };
            set(&self.stale.get_or_create(&labels), stale);
            set(&self.joined.get_or_create(&labels), joined);
            set(&self.late.get_or_create(&labels), late);
            for (gauge, number) in [(&self.entries, entries), (&self.bytes, bytes)] {
                gauge.get_or_create(&labels).set(i64::try_from(number).unwrap_or(i64::MAX));
            }
        }
    }
}

/// Takes over a count that somebody else keeps.
pub(super) fn set(counter: &Counter, number: u64) {
    counter.inner().store(number, Ordering::Relaxed);
}
