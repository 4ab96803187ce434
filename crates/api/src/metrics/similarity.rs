//! How similar artists are found.

use std::sync::atomic::{AtomicU64, Ordering};

use cache::{IndexState, SearchCounts, SimilarRead, SimilarityStatus};
use domain::{Metric, Version};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::tiers::set;
use crate::recall::RecallSamples;

#[derive(Default)]
pub(super) struct SimilarityMetrics {
    searches: Family<SearchLabels, Counter>,
    stale: Counter,
    failed: Counter,
    kept_answers: Gauge,
    state: Family<StateLabels, Gauge>,
    vectors: Family<VectorLabels, Gauge>,
    segments: Gauge,
    bytes: Gauge,
    bound: Gauge,
    lag: Gauge,
    scans: Counter,
    scanning: Counter<f64, AtomicU64>,
    catch_ups: Counter,
    failed_catch_ups: Counter,
    catch_up: Gauge<f64, AtomicU64>,
    recall: Gauge<f64, AtomicU64>,
    recall_samples: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SearchLabels {
    metric: &'static str,
    mode: &'static str,
    source: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VectorLabels {
    kind: &'static str,
}

impl SimilarityMetrics {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        metrics.register_searches(registry);
        metrics.register_index(registry);
        metrics
    }

    fn register_searches(&self, registry: &mut Registry) {
        registry.register(
            "similarity_searches",
            "Searches answered, by metric, by whether everything was compared, and by what answered",
            self.searches.clone(),
        );
        registry.register(
            "similarity_stale_searches",
            "Searches whose answer was marked as stale, because the database was unreachable",
            self.stale.clone(),
        );
        registry.register(
            "similarity_failed_searches",
            "Searches that failed",
            self.failed.clone(),
        );
        registry.register(
            "similarity_kept_answers",
            "Answers kept for the next search for the same",
            self.kept_answers.clone(),
        );
        registry.register(
            "similarity_recall_at_10",
            "Mean share of the ten closest that the last measured searches found; -1 before the first",
            self.recall.clone(),
        );
        registry.register(
            "similarity_recall_samples",
            "Searches measured against one that compares everything",
            self.recall_samples.clone(),
        );
    }

    fn register_index(&self, registry: &mut Registry) {
        registry.register(
            "similarity_index_state",
            "1 for the state that the index in memory is in",
            self.state.clone(),
        );
        registry.register(
            "similarity_index_vectors",
            "Embeddings in the index, and those in it that were replaced or removed",
            self.vectors.clone(),
        );
        registry.register(
            "similarity_index_segments",
            "Pieces that the index lies in",
            self.segments.clone(),
        );
        registry.register_with_unit(
            "similarity_index_memory",
            "What the index takes",
            Unit::Bytes,
            self.bytes.clone(),
        );
        registry.register_with_unit(
            "similarity_index_bound",
            "What the index may take",
            Unit::Bytes,
            self.bound.clone(),
        );
        registry.register(
            "similarity_index_lag",
            "How many versions the index is behind what the change feed has told; 0 when there is no index",
            self.lag.clone(),
        );
        registry.register(
            "similarity_scans",
            "Questions that the index was compared for, those of a batch being one",
            self.scans.clone(),
        );
        registry.register_with_unit(
            "similarity_scanning",
            "How long those who asked these waited, in line included",
            Unit::Seconds,
            self.scanning.clone(),
        );
        registry.register(
            "similarity_catch_ups",
            "Times the index asked for changes",
            self.catch_ups.clone(),
        );
        registry.register(
            "similarity_failed_catch_ups",
            "Times the index asked for changes in vain",
            self.failed_catch_ups.clone(),
        );
        registry.register_with_unit(
            "similarity_last_catch_up",
            "How long the index took the last time that it asked for changes; 0 before the first",
            Unit::Seconds,
            self.catch_up.clone(),
        );
    }

    pub(super) fn searched(&self, metric: Metric, read: &SimilarRead) {
        let labels = SearchLabels {
            metric: metric.as_str(),
            mode: read.answer.exactness.mode.as_str(),
            source: read.source.as_str(),
        };
        self.searches.get_or_create(&labels).inc();
    }

    pub(super) fn take(&self, status: &SimilarityStatus, told: Version, recall: RecallSamples) {
        let SimilarityStatus {
            state,
            vectors,
            dead_vectors,
            segments,
            memory_bytes,
            bound_bytes,
            applied,
            searches,
            scans,
            scanning,
            catch_ups,
            catch_up_failures,
            last_catch_up,
            kept_answers,
        } = *status;
        let RecallSamples { taken, recall_at_10 } = recall;
        self.catch_up.set(last_catch_up.unwrap_or_default().as_secs_f64());
        self.recall.set(recall_at_10.unwrap_or(-1.0));
        // How the others were answered is counted by metric as they are.
        let SearchCounts {
            memory: _,
            index: _,
            database_exact: _,
            database_approximate: _,
            stale,
            failed,
        } = searches;
        for known in IndexState::ALL {
            let labels = StateLabels { state: known.as_str() };
            self.state.get_or_create(&labels).set((known == state).into());
        }
        for (kind, number) in [("current", vectors), ("dead", dead_vectors)] {
            self.vectors.get_or_create(&VectorLabels { kind }).set(shown(number));
        }
        let lag = match state {
            IndexState::Ready | IndexState::Behind => {
                told.number().saturating_sub(applied.number())
            }
            IndexState::Off | IndexState::Loading | IndexState::TooLarge => 0,
        };
        for (gauge, number) in [
            (&self.kept_answers, kept_answers),
            (&self.segments, segments),
            (&self.bytes, memory_bytes),
            (&self.bound, bound_bytes),
            (&self.lag, lag),
        ] {
            gauge.set(shown(number));
        }
        for (counter, number) in [
            (&self.stale, stale),
            (&self.failed, failed),
            (&self.scans, scans),
            (&self.catch_ups, catch_ups),
            (&self.failed_catch_ups, catch_up_failures),
            (&self.recall_samples, taken),
        ] {
            set(counter, number);
        }
        self.scanning.inner().store(scanning.as_secs_f64().to_bits(), Ordering::Relaxed);
    }
}

fn shown(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
