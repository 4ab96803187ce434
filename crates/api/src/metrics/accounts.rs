//! How the account of generations is kept.

use std::sync::atomic::AtomicU64;

use cache::{AnswersStatus, RollupKeeperStatus, StatisticsStatus};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::tiers::set;

#[derive(Default)]
pub(super) struct AccountMetrics {
    folds: Counter,
    folded: Counter,
    failing: Gauge<f64, AtomicU64>,
    spans: Gauge,
    bytes: Gauge,
    reads: Family<SourceLabels, Counter>,
    resets: Counter,
    answers: Family<SourceLabels, Counter>,
    answer_bytes: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source: &'static str,
}

impl AccountMetrics {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self { folds, folded, failing, spans, bytes, reads, resets, answers, answer_bytes } =
            &metrics;
        registry.register(
            "account_folds",
            "Folds by this instance that found something pending",
            folds.clone(),
        );
        registry.register(
            "account_folded_sums",
            "Pending sums that this instance folded",
            folded.clone(),
        );
        registry.register_with_unit(
            "account_fold_failing",
            "For how long every attempt to fold has failed; 0 while folding works",
            Unit::Seconds,
            failing.clone(),
        );
        registry.register(
            "statistics_spans",
            "Spans of time whose sums are in memory",
            spans.clone(),
        );
        registry.register_with_unit(
            "statistics_memory",
            "What sums in memory take",
            Unit::Bytes,
            bytes.clone(),
        );
        registry.register(
            "statistics_span_reads",
            "Spans of time that answers were made of, by where their sums came from",
            reads.clone(),
        );
        registry.register(
            "statistics_resets",
            "Times that all sums in memory were thrown away, because the database could not tell what was folded since",
            resets.clone(),
        );
        registry.register(
            "statistics_answers",
            "Answers about generations, by whether they were worked out or sent again because nothing was committed since",
            answers.clone(),
        );
        registry.register_with_unit(
            "statistics_answers_memory",
            "What answers in memory take",
            Unit::Bytes,
            answer_bytes.clone(),
        );
        metrics
    }

    pub(super) fn take(
        &self,
        folding: RollupKeeperStatus,
        statistics: StatisticsStatus,
        answers: AnswersStatus,
    ) {
        let RollupKeeperStatus { folds, sums, failing_for } = folding;
        let StatisticsStatus { spans, bytes, hits, misses, resets } = statistics;
        set(&self.folds, folds);
        set(&self.folded, sums);
        self.failing.set(failing_for.map_or(0.0, |failing| failing.as_secs_f64()));
        self.spans.set(i64::try_from(spans).unwrap_or(i64::MAX));
        self.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        for (source, number) in [("memory", hits), ("database", misses)] {
            set(&self.reads.get_or_create(&SourceLabels { source }), number);
        }
        set(&self.resets, resets);
        let AnswersStatus { bytes, hits, misses } = answers;
        for (source, number) in [("memory", hits), ("sums", misses)] {
            set(&self.answers.get_or_create(&SourceLabels { source }), number);
        }
        self.answer_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}
