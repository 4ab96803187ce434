//! How often each client may ask.

use std::{
    collections::HashMap,
    net::IpAddr,
    num::NonZeroU32,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use cache::{Decision, LeasingRateLimiter, Namespace, RateLimit, RateLimiter, Redis};
use domain::{ApiKey, Quota};

use crate::problem::{Code, Problem};

/// Each limit of the client (draft-ietf-httpapi-ratelimit-headers).
pub(crate) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What is left of each.
pub(crate) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

const HOUR: Duration = Duration::from_hours(1);
const SECOND: Duration = Duration::from_secs(1);

/// How many different limits are kept ready. There is one for each pair that keys were given, which is few.
const MOST_LIMITS: usize = 1_024;

/// How often each client may ask unless its key says otherwise; 0 is without a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateSettings {
    /// Requests a second in the long run.
    pub per_second: u32,
    /// Requests at once; as many as a second at 0.
    pub burst: u32,
    /// Requests in any hour.
    pub per_hour: u32,
    /// Requests a second whose key is not accepted, of one address.
    pub failed_per_second: u32,
    /// The same at once; as many as a second at 0.
    pub failed_burst: u32,
}

/// Only those whose keys are not accepted are limited: 10 a second, 50 at once.
impl Default for RateSettings {
    fn default() -> Self {
        Self { per_second: 0, burst: 0, per_hour: 0, failed_per_second: 10, failed_burst: 50 }
    }
}

/// Who is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Counted<'a> {
    /// Whoever has this key.
    Key(&'a ApiKey),
    /// Whoever asks from there.
    Address(IpAddr),
}

/// One limit of the two that a client can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Bucket { burst: NonZeroU32, per_second: NonZeroU32 },
    Hour(NonZeroU32),
}

/// The limiters.
pub struct Rates {
    settings: RateSettings,
    redis: Option<Redis>,
    limiters: RwLock<HashMap<Kind, Arc<LeasingRateLimiter>>>,
    failed: Option<LeasingRateLimiter>,
    refused: AtomicU64,
    refused_failed: AtomicU64,
}

/// How a client stands, for the headers of its answer: with nothing in it, it has no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RateStanding {
    bucket: Option<Standing>,
    hour: Option<Standing>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    quota: u32,
    window_seconds: u64,
    remaining: u32,
    reset_seconds: u64,
}

impl Rates {
    pub(super) fn new(settings: RateSettings, redis: Option<Redis>) -> Self {
        let failed = bucket(settings.failed_per_second, settings.failed_burst)
            .and_then(|kind| limiter(kind, "failed-access", redis.as_ref()));
        Self {
            settings,
            redis,
            limiters: RwLock::default(),
            failed,
            refused: AtomicU64::new(0),
            refused_failed: AtomicU64::new(0),
        }
    }

    /// Counts a request, or refuses it, and tells how the client stands.
    pub(crate) async fn take(&self, who: Counted<'_>) -> (RateStanding, Result<(), Problem>) {
        let RateSettings { per_second, burst, per_hour, failed_per_second: _, failed_burst: _ } =
            self.settings;
        let (per_second, burst, per_hour) = match who {
            Counted::Address(_) => (per_second, burst, per_hour),
            Counted::Key(key) => {
                let or = |quota: Option<Quota>, usual| quota.map_or(usual, Quota::get);
                let limits = key.limits;
                let own_rate = limits.requests_per_second.is_some();
                // A burst that was meant for another rate says nothing about this one.
                let burst = or(limits.burst, if own_rate { 0 } else { burst });
                (
                    or(limits.requests_per_second, per_second),
                    burst,
                    or(limits.requests_per_hour, per_hour),
                )
            }
        };
        let (bucket, hour) = (bucket(per_second, burst), NonZeroU32::new(per_hour).map(Kind::Hour));
        if bucket.is_none() && hour.is_none() {
            return (RateStanding::default(), Ok(()));
        }
        let client = match who {
            Counted::Key(key) => format!("key:{}", key.id),
            Counted::Address(address) => format!("address:{address}"),
        };
        let mut standing = RateStanding::default();
        let mut wait: Option<Duration> = None;
        for (kind, place) in [(bucket, &mut standing.bucket), (hour, &mut standing.hour)] {
            // What was refused by the first counts nowhere.
            let (Some(kind), None) = (kind, wait) else { continue };
            let Some(limiter) = self.limiter(kind) else { continue };
            let Ok(decision) = limiter.take(&client).await else { continue };
            *place = Some(Standing::of(kind, &decision));
            wait = decision.retry_after;
        }
        let admitted = match wait {
            None => Ok(()),
            Some(wait) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                Err(too_many("too many requests", wait))
            }
        };
        (standing, admitted)
    }

    /// Counts a request whose key was not accepted, and says what it is told instead if there were too many.
    pub(crate) async fn take_failed(&self, address: IpAddr) -> Option<Problem> {
        let decision = self.failed.as_ref()?.take(&format!("address:{address}")).await.ok()?;
        let wait = decision.retry_after?;
        self.refused_failed.fetch_add(1, Ordering::Relaxed);
        Some(too_many("too many requests without an API key that is accepted", wait))
    }

    /// How many requests were refused: for their own number, and for that of keys that were not accepted.
    #[must_use]
    pub fn refused(&self) -> [u64; 2] {
        [&self.refused, &self.refused_failed].map(|count| count.load(Ordering::Relaxed))
    }

    fn limiter(&self, kind: Kind) -> Option<Arc<LeasingRateLimiter>> {
        let known = self.limiters.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(limiter) = known.get(&kind) {
            return Some(Arc::clone(limiter));
        }
        drop(known);
        let mut known = self.limiters.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(limiter) = known.get(&kind) {
            return Some(Arc::clone(limiter));
        }
        if MOST_LIMITS <= known.len() {
            // Everybody starts again, which is the lesser evil: keys with so many different limits are nobody's plan.
            known.clear();
        }
        let made = Arc::new(limiter(kind, "requests", self.redis.as_ref())?);
        known.insert(kind, Arc::clone(&made));
        Some(made)
    }
}

fn bucket(per_second: u32, burst: u32) -> Option<Kind> {
    let per_second = NonZeroU32::new(per_second)?;
    Some(Kind::Bucket { burst: NonZeroU32::new(burst).unwrap_or(per_second), per_second })
}

/// Every number that settings and keys take makes a limit, so there is always one.
fn limiter(kind: Kind, namespace: &str, redis: Option<&Redis>) -> Option<LeasingRateLimiter> {
    let limit = match kind {
        Kind::Bucket { burst, per_second } => RateLimit::token_bucket(burst, per_second, SECOND),
        Kind::Hour(number) => RateLimit::sliding_window(number, HOUR),
    };
    let limit = limit.ok()?;
    let limiter = match redis.zip(Namespace::try_from(namespace).ok()) {
        Some((redis, namespace)) => RateLimiter::shared(redis.clone(), &namespace, limit),
        None => RateLimiter::in_process(limit),
    };
    Some(LeasingRateLimiter::new(limiter, &limit))
}

fn too_many(detail: &str, wait: Duration) -> Problem {
    let seconds = whole_seconds(wait).max(1);
    let detail = format!("{detail}; try again in {seconds} s");
    Problem::new(Code::TooManyRequests, detail).retry_after(seconds)
}

/// Rounded up: whoever comes a moment too early is refused once more.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() != 0)
}

impl Standing {
    fn of(kind: Kind, decision: &Decision) -> Self {
        let window_seconds = match kind {
            Kind::Bucket { burst, per_second } => burst.get().div_ceil(per_second.get()).into(),
            Kind::Hour(_) => HOUR.as_secs(),
        };
        Self {
            quota: decision.limit,
            window_seconds,
            remaining: decision.remaining,
            reset_seconds: whole_seconds(decision.retry_after.unwrap_or(decision.reset_after)),
        }
    }
}

impl RateStanding {
    /// The values of `RateLimit-Policy` and `RateLimit`.
    #[must_use]
    pub fn headers(&self) -> [String; 2] {
        let (mut policies, mut states) = (Vec::new(), Vec::new());
        for (name, standing) in [("default", self.bucket), ("hourly", self.hour)] {
            let Some(Standing { quota, window_seconds, remaining, reset_seconds }) = standing
            else {
                continue;
            };
            policies.push(format!("\"{name}\";q={quota};w={window_seconds}"));
            states.push(format!("\"{name}\";r={remaining};t={reset_seconds}"));
        }
        [policies.join(", "), states.join(", ")]
    }

    /// Adds them to an answer.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        if self.bucket.is_none() && self.hour.is_none() {
            return;
        }
        for (name, value) in [RATE_LIMIT_POLICY, RATE_LIMIT].into_iter().zip(self.headers()) {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Counted<'_> = Counted::Address(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    fn rates(per_second: u32, burst: u32, per_hour: u32) -> Rates {
        let settings = RateSettings { per_second, burst, per_hour, ..RateSettings::default() };
        Rates::new(settings, None)
    }

    #[tokio::test]
    async fn nobody_is_limited_unless_somebody_says_so() {
        for rates in [rates(0, 0, 0), rates(0, 7, 0)] {
            let (standing, admitted) = rates.take(HERE).await;

            assert!(admitted.is_ok());
            assert_eq!(standing, RateStanding::default());
        }
    }

    #[tokio::test]
    async fn the_headers_tell_both_limits() {
        let (standing, _) = rates(1, 30, 100).take(HERE).await;

        let [policy, state] = standing.headers();

        assert_eq!(policy, "\"default\";q=30;w=30, \"hourly\";q=100;w=3600");
        assert!(state.starts_with("\"default\";r=29;t=1, \"hourly\";r=99;t="), "{state}");
    }

    #[tokio::test]
    async fn the_hour_counts_as_well() {
        let rates = rates(1_000, 1_000, 1);

        assert!(rates.take(HERE).await.1.is_ok());
        let refused = rates.take(HERE).await.1.unwrap_err();

        assert_eq!(refused.code(), Code::TooManyRequests);
        assert_eq!(rates.refused(), [1, 0]);
    }

    #[test]
    fn seconds_are_rounded_up() {
        let of = |milliseconds| whole_seconds(Duration::from_millis(milliseconds));

        assert_eq!([of(0), of(1), of(1_000), of(1_001)], [0, 1, 1, 2]);
    }
}
