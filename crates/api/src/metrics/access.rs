//! How what is known of API keys stands.

use std::sync::atomic::AtomicU64;

use cache::KeyringStatus;
use prometheus_client::{
    metrics::gauge::Gauge,
    registry::{Registry, Unit},
};

#[derive(Default)]
pub(super) struct AccessMetrics {
    keys: Gauge,
    age: Gauge<f64, AtomicU64>,
    failing: Gauge,
}

impl AccessMetrics {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self { keys, age, failing } = &metrics;
        registry.register(
            "access_keys",
            "API keys that are known, expired and revoked ones included; -1 while access is off",
            keys.clone(),
        );
        registry.register_with_unit(
            "access_age",
            "Time since the API keys were known to be complete; -1 before they were loaded, and while access is off",
            Unit::Seconds,
            age.clone(),
        );
        registry.register(
            "access_failing",
            "1 while the database does not tell which API keys changed",
            failing.clone(),
        );
        metrics
    }

    pub(super) fn take(&self, status: Option<KeyringStatus>) {
        let (known, since, is_failing) = match status {
            None => (-1, None, false),
            Some(KeyringStatus { keys, age, failing, reliable: _ }) => {
                (i64::try_from(keys).unwrap_or(i64::MAX), age, failing)
            }
        };
        self.keys.set(known);
        self.age.set(since.map_or(-1.0, |age| age.as_secs_f64()));
        self.failing.set(is_failing.into());
    }
}
