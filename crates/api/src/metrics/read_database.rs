//! How the database for reading does.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::tiers::set;
use crate::{reading::ReadDatabaseStatus, state::Connections};

#[derive(Default)]
pub(super) struct ReadDatabaseMetrics {
    answered: Counter,
    fallbacks: Counter,
    connections: Family<StateLabels, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
}

impl ReadDatabaseMetrics {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self { answered, fallbacks, connections } = &metrics;
        registry.register(
            "read_database_answers",
            "Questions that the database for reading answered",
            answered.clone(),
        );
        registry.register(
            "read_database_fallbacks",
            "Questions that were answered where everything is written, because the database for reading did not",
            fallbacks.clone(),
        );
        registry.register(
            "read_database_connections",
            "Connections to the database for reading at work and idle, and how many may be open",
            connections.clone(),
        );
        metrics
    }

    pub(super) fn take(&self, status: ReadDatabaseStatus) {
        let ReadDatabaseStatus { connections, answered, fallbacks, resting: _ } = status;
        set(&self.answered, answered);
        set(&self.fallbacks, fallbacks);
        let Connections { active, idle, most } = connections;
        for (state, number) in [("active", active), ("idle", idle), ("most", most)] {
            self.connections.get_or_create(&StateLabels { state }).set(number.into());
        }
    }
}
