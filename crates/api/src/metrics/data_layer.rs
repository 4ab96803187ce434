//! The data layer in the terms that its users ask about it in: `db_…`, without the name of the program.
//!
//! Most of it is counted elsewhere under other names as well, and taken over from there.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use cache::TierStatistics;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, NoLabelSet},
    metrics::{MetricType, counter::ConstCounter, counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};
use storage::{QueryDurations, QueryErrors, QueryStatistics};

use super::{
    redis::{RedisCounted, damages, reasons},
    tiers::set,
};
use crate::state::Connections;

#[derive(Default)]
pub(super) struct DataLayerMetrics {
    queries: Queries,
    hit_rate: Gauge<f64, AtomicU64>,
    active: Gauge,
    idle: Gauge,
    profile_saves: Counter,
    generation_saves: Counter,
    searches: Counter,
    cache_errors: Family<ErrorLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabels {
    error_type: &'static str,
}

impl DataLayerMetrics {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self {
            queries,
            hit_rate,
            active,
            idle,
            profile_saves,
            generation_saves,
            searches,
            cache_errors,
        } = &metrics;
        registry.register_collector(Box::new(queries.clone()));
        registry.register(
            "db_cache_hit_rate",
            "Share of reads of profiles and artists since the start that memory (the catalog included) or Redis answered, from 0 to 1; 0 before the first",
            hit_rate.clone(),
        );
        registry.register(
            "db_pool_active_connections",
            "Connections of the pool at work",
            active.clone(),
        );
        registry.register(
            "db_pool_idle_connections",
            "Connections of the pool open and free",
            idle.clone(),
        );
        registry.register(
            "db_style_profile_saves",
            "Style profiles whose saving was acknowledged to a caller",
            profile_saves.clone(),
        );
        registry.register(
            "db_generation_history_saves",
            "Generations whose recording was acknowledged to a caller, repetitions included",
            generation_saves.clone(),
        );
        registry.register(
            "db_similarity_searches",
            "Searches for similar artists answered, each of a batch by itself",
            searches.clone(),
        );
        registry.register(
            "db_cache_errors",
            "Operations on Redis that failed, and bytes in it that are no profile, by what was wrong",
            cache_errors.clone(),
        );
        metrics
    }

    pub(super) fn saved_profile(&self) {
        self.profile_saves.inc();
    }

    pub(super) fn saved_generations(&self, number: usize) {
        self.generation_saves.inc_by(u64::try_from(number).unwrap_or(u64::MAX));
    }

    pub(super) fn searched(&self) {
        self.searches.inc();
    }

    pub(super) fn take(
        &self,
        queries: QueryStatistics,
        connections: Connections,
        tiers: &[(&'static str, TierStatistics)],
        redis: Option<&RedisCounted>,
    ) {
        *self.queries.0.lock().unwrap_or_else(PoisonError::into_inner) = queries;
        let Connections { active, idle, most: _ } = connections;
        self.active.set(active.into());
        self.idle.set(idle.into());
        self.hit_rate.set(hit_rate(tiers));
        // Without a Redis too there is every series that there may be.
        let (failures, unreadable) = redis.map_or_else(Default::default, |counted| {
            (counted.statistics.failures, counted.profiles.unreadable)
        });
        let unreadable = damages(unreadable).into_iter().map(|(_, number)| number).sum();
        for (error_type, number) in
            reasons(failures).into_iter().chain([("unreadable", unreadable)])
        {
            set(&self.cache_errors.get_or_create(&ErrorLabels { error_type }), number);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share of so many reads needs no more digits")]
fn hit_rate(tiers: &[(&'static str, TierStatistics)]) -> f64 {
    let (mut hits, mut reads) = (0, 0);
    for (_, statistics) in tiers {
        let TierStatistics { memory, shared, database, absent, failed, .. } = *statistics;
        hits += memory + shared + absent;
        reads += memory + shared + absent + database + failed;
    }
    if reads == 0 { 0.0 } else { hits as f64 / reads as f64 }
}

/// What the store counted, written as it is.
#[derive(Debug, Clone, Default)]
struct Queries(Arc<Mutex<QueryStatistics>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueryLabels {
    operation: &'static str,
    table: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueryErrorLabels {
    operation: &'static str,
    error_type: &'static str,
}

impl Collector for Queries {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let statistics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut durations = encoder.encode_descriptor(
            "db_query_duration",
            "Time that attempts at an operation on the database took, waiting for a connection and for the turn to write included",
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?;
        for QueryDurations { operation, table, buckets, total } in &statistics.durations {
            let labels = QueryLabels { operation: operation.as_str(), table: table.as_str() };
            let bounds = QueryDurations::BOUNDS.iter().map(Duration::as_secs_f64);
            let bounds: Vec<(f64, u64)> =
                bounds.chain([f64::INFINITY]).zip(buckets.iter().copied()).collect();
            durations.encode_family(&labels)?.encode_histogram::<NoLabelSet>(
                total.as_secs_f64(),
                buckets.iter().sum(),
                &bounds,
                None,
            )?;
        }
        let mut errors = encoder.encode_descriptor(
            "db_query_errors",
            "Attempts at an operation on the database that failed, by how",
            None,
            MetricType::Counter,
        )?;
        for &QueryErrors { operation, error, number } in &statistics.errors {
            let labels =
                QueryErrorLabels { operation: operation.as_str(), error_type: error.as_str() };
            ConstCounter::new(number).encode(errors.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needed_no_database_is_a_hit() {
        let profiles =
            TierStatistics { memory: 5, shared: 2, database: 1, absent: 1, ..Default::default() };
        let artists = TierStatistics { failed: 1, ..TierStatistics::default() };

        let rate = hit_rate(&[("profile", profiles), ("artist", artists)]);

        assert!((rate - 0.8).abs() < 1e-12, "{rate}");
        assert!(hit_rate(&[]).abs() < 1e-12);
    }
}
