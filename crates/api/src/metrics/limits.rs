//! What the service did not take.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::tiers::set;
use crate::limits::LimitStatistics;

#[derive(Default)]
pub(super) struct LimitMetrics {
    in_progress: Gauge,
    most_in_progress: Gauge,
    waiting: Gauge,
    most_waiting: Gauge,
    shed: Counter,
    late: Counter,
    limited: Family<ReasonLabels, Counter>,
    cut: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

impl LimitMetrics {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self { in_progress, most_in_progress, waiting, most_waiting, shed, late, limited, cut } =
            &metrics;
        registry.register(
            "http_requests_in_progress",
            "Requests that were let in and are not answered yet",
            in_progress.clone(),
        );
        registry.register(
            "http_requests_in_progress_most",
            "How many requests are let in at once",
            most_in_progress.clone(),
        );
        registry.register(
            "http_requests_waiting",
            "Requests in progress that wait for the database or something else",
            waiting.clone(),
        );
        registry.register(
            "http_requests_waiting_most",
            "How many requests may wait at present, as the service has learned",
            most_waiting.clone(),
        );
        registry.register(
            "http_requests_shed",
            "Requests that were sent away because there was too much to do",
            shed.clone(),
        );
        registry.register(
            "http_requests_late",
            "Requests that took longer than their routes may",
            late.clone(),
        );
        registry.register(
            "http_requests_limited",
            "Requests that were refused because their client asks too often, by what was counted",
            limited.clone(),
        );
        registry.register(
            "http_connections_cut",
            "Connections that were cut off because their clients neither took the answer nor asked again in time",
            cut.clone(),
        );
        metrics
    }

    pub(super) fn take(&self, limits: LimitStatistics) {
        let LimitStatistics {
            in_progress,
            most_in_progress,
            waiting,
            most_waiting,
            shed,
            late,
            refused,
            refused_failed,
            cut,
        } = limits;
        let gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.in_progress.set(gauge(in_progress));
        self.most_in_progress.set(gauge(most_in_progress));
        self.waiting.set(gauge(waiting));
        self.most_waiting.set(gauge(most_waiting));
        set(&self.shed, shed);
        set(&self.late, late);
        set(&self.cut, cut);
        for (reason, number) in [("requests", refused), ("failed_access", refused_failed)] {
            set(&self.limited.get_or_create(&ReasonLabels { reason }), number);
        }
    }
}
