//! How Redis is.

use cache::{
    RedisFailures, RedisHealth, RedisStatistics, SharedProfileStatistics, UnreadableEnvelopes,
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::tiers::set;

/// What is known of a Redis.
#[derive(Debug, Clone, Copy)]
pub struct RedisCounted {
    /// How it is.
    pub health: RedisHealth,
    /// What was asked of it.
    pub statistics: RedisStatistics,
    /// What became of the profiles in it.
    pub profiles: SharedProfileStatistics,
}

#[derive(Default)]
pub(super) struct RedisMetrics {
    up: Gauge,
    operations: Counter,
    skipped: Counter,
    openings: Counter,
    connections: Counter,
    failures: Family<ReasonLabels, Counter>,
    profiles: Family<OutcomeLabels, Counter>,
    unreadable: Family<ReasonLabels, Counter>,
    read: Counter,
    sent: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

impl RedisMetrics {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self {
            up,
            operations,
            skipped,
            openings,
            connections,
            failures,
            profiles,
            unreadable,
            read,
            sent,
        } = &metrics;
        registry.register(
            "redis_up",
            "1 while Redis answers, 0 while it is left alone, -1 without a Redis",
            up.clone(),
        );
        registry.register("redis_operations", "Operations sent to Redis", operations.clone());
        registry.register(
            "redis_skipped_operations",
            "Operations that were not sent, because Redis had failed a moment before",
            skipped.clone(),
        );
        registry.register(
            "redis_breaker_openings",
            "How often Redis was given up for a while",
            openings.clone(),
        );
        registry.register("redis_connections", "Connections opened", connections.clone());
        registry.register(
            "redis_failures",
            "Operations that failed, by what was wrong",
            failures.clone(),
        );
        registry.register(
            "redis_profiles",
            "Profiles looked for (hit, miss, other_version, unanswered) and kept (stored, outdated, too_large) in Redis",
            profiles.clone(),
        );
        registry.register(
            "redis_unreadable_profiles",
            "Bytes in Redis that are no profile, by what is wrong with them",
            unreadable.clone(),
        );
        registry.register_with_unit(
            "redis_read",
            "Envelopes of profiles read",
            Unit::Bytes,
            read.clone(),
        );
        registry.register_with_unit(
            "redis_sent",
            "Envelopes of profiles sent",
            Unit::Bytes,
            sent.clone(),
        );
        // Without a Redis too there is every series that there may be.
        metrics.take(&RedisCounted {
            health: RedisHealth::Untried,
            statistics: RedisStatistics::default(),
            profiles: SharedProfileStatistics::default(),
        });
        metrics.up.set(-1);
        metrics
    }

    pub(super) fn take(&self, counted: &RedisCounted) {
        let RedisCounted { health, statistics, profiles } = *counted;
        let up = match health {
            RedisHealth::Untried | RedisHealth::Up | RedisHealth::Limited { .. } => 1,
            RedisHealth::Down { .. } => 0,
        };
        self.up.set(up);
        let RedisStatistics { operations, skipped, openings, connections, failures } = statistics;
        set(&self.operations, operations);
        set(&self.skipped, skipped);
        set(&self.openings, openings);
        set(&self.connections, connections);
        for (reason, number) in reasons(failures) {
            set(&self.failures.get_or_create(&ReasonLabels { reason }), number);
        }
        let SharedProfileStatistics {
            hits,
            misses,
            other_versions,
            unanswered,
            unreadable,
            stored,
            outdated,
            too_large,
            read_bytes,
            sent_bytes,
        } = profiles;
        for (outcome, number) in [
            ("hit", hits),
            ("miss", misses),
            ("other_version", other_versions),
            ("unanswered", unanswered),
            ("stored", stored),
            ("outdated", outdated),
            ("too_large", too_large),
        ] {
            set(&self.profiles.get_or_create(&OutcomeLabels { outcome }), number);
        }
        for (reason, number) in damages(unreadable) {
            set(&self.unreadable.get_or_create(&ReasonLabels { reason }), number);
        }
        set(&self.read, read_bytes);
        set(&self.sent, sent_bytes);
    }
}

pub(super) const fn damages(unreadable: UnreadableEnvelopes) -> [(&'static str, u64); 8] {
    let UnreadableEnvelopes {
        not_an_envelope,
        unknown_format,
        unknown_codec,
        truncated,
        checksum_mismatch,
        other_key,
        malformed,
        invalid_value,
    } = unreadable;
    [
        ("not_an_envelope", not_an_envelope),
        ("unknown_format", unknown_format),
        ("unknown_codec", unknown_codec),
        ("truncated", truncated),
        ("checksum_mismatch", checksum_mismatch),
        ("other_key", other_key),
        ("malformed", malformed),
        ("invalid_value", invalid_value),
    ]
}

pub(super) const fn reasons(failures: RedisFailures) -> [(&'static str, u64); 13] {
    let RedisFailures {
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
    } = failures;
    [
        ("unreachable", unreachable),
        ("timed_out", timed_out),
        ("wrong_credentials", wrong_credentials),
        ("untrusted", untrusted),
        ("not_redis", not_redis),
        ("loading", loading),
        ("read_only", read_only),
        ("cluster_down", cluster_down),
        ("out_of_memory", out_of_memory),
        ("not_permitted", not_permitted),
        ("wrong_type", wrong_type),
        ("refused", refused),
        ("unexpected", unexpected),
    ]
}
