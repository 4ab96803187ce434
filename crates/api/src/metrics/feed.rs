//! How the change feed stands.

use std::sync::atomic::AtomicU64;

use cache::FeedStatus;
use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::tiers::set;

#[derive(Default)]
pub(super) struct FeedMetrics {
    age: Gauge<f64, AtomicU64>,
    lag: Gauge<f64, AtomicU64>,
    artists: Gauge,
    unreachable: Gauge,
    rounds: Counter,
    failures: Counter,
    connections: Counter,
    changes: Counter,
}

impl FeedMetrics {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self { age, lag, artists, unreachable, rounds, failures, connections, changes } =
            &metrics;
        registry.register_with_unit(
            "feed_age",
            "Time since the catalog was known to be complete; -1 before it was loaded",
            Unit::Seconds,
            age.clone(),
        );
        registry.register_with_unit(
            "feed_lag",
            "How long the last round took, from its question to the last change applied",
            Unit::Seconds,
            lag.clone(),
        );
        registry.register("feed_artists", "Artists in the catalog", artists.clone());
        registry.register(
            "feed_unreachable",
            "1 while the database does not answer the change feed",
            unreachable.clone(),
        );
        registry.register("feed_rounds", "Rounds begun", rounds.clone());
        registry.register("feed_failed_rounds", "Rounds that failed", failures.clone());
        registry.register(
            "feed_connections",
            "Connections opened; each after the first replaced a broken one",
            connections.clone(),
        );
        registry.register("feed_changes", "Changes applied to the catalog", changes.clone());
        metrics
    }

    pub(super) fn take(&self, status: FeedStatus) {
        let FeedStatus {
            age,
            last_round,
            unreachable,
            reliable: _,
            applied: _,
            artists,
            rounds,
            failures,
            connections,
            changes,
        } = status;
        self.age.set(age.map_or(-1.0, |age| age.as_secs_f64()));
        self.lag.set(last_round.as_secs_f64());
        self.artists.set(i64::try_from(artists).unwrap_or(i64::MAX));
        self.unreachable.set(unreachable.into());
        set(&self.rounds, rounds);
        set(&self.failures, failures);
        set(&self.connections, connections);
        set(&self.changes, changes);
    }
}
