//! How long answers took, by what kind of answer they were.

use std::{fmt, time::Duration};

use hdrhistogram::Histogram;

/// The latencies of requests, by how they ended.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// Done: 2xx, and 304.
    pub accepted: Latencies,
    /// Sent away: 503.
    pub shed: Latencies,
    /// Every other status.
    pub other: Latencies,
    /// No answer, or none that could be read.
    pub failed: Latencies,
}

impl Answers {
    pub(super) fn record(&mut self, status: Option<u16>, latency: Duration) {
        let latencies = match status {
            Some(200..=299 | 304) => &mut self.accepted,
            Some(503) => &mut self.shed,
            Some(_) => &mut self.other,
            None => &mut self.failed,
        };
        latencies.record(latency);
    }

    pub(super) fn add(&mut self, others: &Self) {
        let Self { accepted, shed, other, failed } = others;
        self.accepted.add(accepted);
        self.shed.add(shed);
        self.other.add(other);
        self.failed.add(failed);
    }

    /// How many requests there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        let Self { accepted, shed, other, failed } = self;
        accepted.count() + shed.count() + other.count() + failed.count()
    }
}

/// Latencies, each to a tenth of a percent.
#[derive(Clone, Default)]
pub struct Latencies(Option<Histogram<u64>>);

impl Latencies {
    pub(super) fn record(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        if self.0.is_none() {
            // Three digits are a precision that there is.
            self.0 = Histogram::new(3).ok();
        }
        if let Some(histogram) = &mut self.0 {
            // It grows as far as numbers go.
            let _ = histogram.record(nanos);
        }
    }

    fn add(&mut self, others: &Self) {
        let Some(others) = &others.0 else { return };
        match &mut self.0 {
            // Of the same precision, and growing, they always fit.
            Some(histogram) => {
                let _ = histogram.add(others);
            }
            None => self.0 = Some(others.clone()),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.as_ref().map_or(0, Histogram::len)
    }

    /// What this share of them does not exceed, from 0 to 1; nothing without any.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Duration {
        let nanos = self.0.as_ref().map_or(0, |histogram| histogram.value_at_quantile(share));
        Duration::from_nanos(nanos)
    }

    /// How many took at least so long, as far as the precision goes.
    #[must_use]
    pub fn count_from(&self, latency: Duration) -> u64 {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.0.as_ref().map_or(0, |histogram| histogram.count_between(nanos, u64::MAX))
    }
}

/// Without the thousands of numbers behind it.
impl fmt::Debug for Latencies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quantiles = [0.0, 0.5, 0.95, 0.99, 1.0].map(|share| self.quantile(share));
        formatter
            .debug_struct("Latencies")
            .field("count", &self.count())
            .field("quantiles", &quantiles)
            .finish()
    }
}
