//! What the service takes: how often, how much at once, how large, how slow and for how long.

mod client_address;
mod connections;
mod deadlines;
mod in_progress;
mod rates;
mod shedding;
mod sizes;
mod turns;
mod waiting;

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

pub use client_address::{InvalidTrustedProxies, TrustedProxies};
pub use connections::{ConnectionWatch, Connections};
pub use deadlines::Deadline;
pub use in_progress::{InProgress, Permit};
pub use rates::{RateSettings, RateStanding, Rates};

pub(crate) use client_address::client_network;
pub(crate) use deadlines::within;
pub(crate) use rates::{Counted, RATE_LIMIT, RATE_LIMIT_POLICY};
pub(crate) use shedding::shed;
pub(crate) use sizes::check as check_sizes;
pub(crate) use turns::Turns;

use waiting::Waiting;

/// What the service takes.
#[derive(Debug, Clone)]
pub struct LimitSettings {
    /// How often each client may ask.
    pub rates: RateSettings,
    /// Whose word is taken for where a request comes from.
    pub trusted_proxies: TrustedProxies,
    /// How many requests are in progress at most.
    pub most_in_progress: NonZeroUsize,
    /// How long path and query of a request may be, in bytes.
    pub url_bytes: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// No answer takes longer, whatever the deadline of its route.
    pub longest_deadline: Duration,
    /// How long a client has to take its answer and send the next request.
    pub slow_client_timeout: Duration,
}

impl LimitSettings {
    /// How many requests are in progress at most unless somebody says otherwise.
    pub const DEFAULT_MOST_IN_PROGRESS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_023);

    /// How long a URL may be unless somebody says otherwise.
    pub const DEFAULT_URL_BYTES: usize = 16_384;
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            rates: RateSettings::default(),
            trusted_proxies: TrustedProxies::default(),
            most_in_progress: Self::DEFAULT_MOST_IN_PROGRESS,
            url_bytes: Self::DEFAULT_URL_BYTES,
            body_timeout: Duration::from_secs(10),
            longest_deadline: Duration::from_secs(25),
            slow_client_timeout: Duration::from_secs(30),
        }
    }
}

/// What the service takes, at work.
pub struct Limits {
    /// How often each client may ask.
    pub rates: Rates,
    /// Whose word is taken for where a request comes from.
    pub trusted_proxies: TrustedProxies,
    /// The requests in progress.
    pub in_progress: Arc<InProgress>,
    /// Those of them that wait for something.
    pub(crate) waiting: Waiting,
    /// How long path and query of a request may be, in bytes.
    pub url_bytes: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// No answer takes longer, whatever the deadline of its route.
    pub longest_deadline: Duration,
    /// The connections, so that slow ones can be cut off; whoever runs the server hands them to it.
    pub connections: Connections,
    late: AtomicU64,
}

impl Limits {
    /// Limits, shared through a Redis if there is one.
    #[must_use]
    pub fn new(settings: LimitSettings, redis: Option<&cache::Redis>) -> Self {
        let LimitSettings {
            rates,
            trusted_proxies,
            most_in_progress,
            url_bytes,
            body_timeout,
            longest_deadline,
            slow_client_timeout,
        } = settings;
        Self {
            rates: Rates::new(rates, redis.cloned()),
            trusted_proxies,
            in_progress: Arc::new(InProgress::new(most_in_progress)),
            waiting: Waiting::new(most_in_progress.get()),
            url_bytes,
            body_timeout,
            longest_deadline,
            connections: Connections::new(slow_client_timeout),
            late: AtomicU64::new(0),
        }
    }

    pub(crate) fn note_late(&self) {
        self.late.fetch_add(1, Ordering::Relaxed);
    }

    /// What was not taken so far.
    #[must_use]
    pub fn statistics(&self) -> LimitStatistics {
        let [refused, refused_failed] = self.rates.refused();
        LimitStatistics {
            in_progress: self.in_progress.now(),
            most_in_progress: self.in_progress.most(),
            waiting: self.waiting.now(),
            most_waiting: self.waiting.most(),
            shed: self.in_progress.shed(),
            late: self.late.load(Ordering::Relaxed),
            refused,
            refused_failed,
            cut: self.connections.cut(),
        }
    }
}

/// What was not taken since the service started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LimitStatistics {
    /// Requests in progress now.
    pub in_progress: usize,
    /// How many there may be.
    pub most_in_progress: usize,
    /// Those of them that wait for the database or something else.
    pub waiting: usize,
    /// How many may wait at present.
    pub most_waiting: usize,
    /// Requests that were sent away because there was too much to do.
    pub shed: u64,
    /// Requests that took longer than their routes may.
    pub late: u64,
    /// Requests of clients that ask too often.
    pub refused: u64,
    /// Requests of addresses whose keys are refused too often.
    pub refused_failed: u64,
    /// Connections of clients that were too slow.
    pub cut: u64,
}

/// Whether a path asks how the service is, which is never limited: who watches over it has to see it under load too.
pub(crate) fn is_watching(path: &str) -> bool {
    matches!(path, "/health" | "/health/live" | "/health/ready" | "/metrics")
}
