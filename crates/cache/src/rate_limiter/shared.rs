//! The limiter that instances share: one script in Redis for each take, on Redis' own clock.

use deadpool_redis::redis::{Script, ScriptInvocation};

use super::limit::{Algorithm, Decider, Decision, Outcome, RateLimit};
use crate::{
    key::Namespace,
    redis::{Redis, RedisAway},
};

/// The scripts without a clock; `now` comes before them.
const TOKEN_BUCKET: &str = include_str!("token_bucket.lua");
const SLIDING_WINDOW: &str = include_str!("sliding_window.lua");
const TIME: &str = include_str!("time.lua");

pub(super) struct Shared {
    redis: Redis,
    limit: RateLimit,
    script: Script,
    /// What stands before a client's key: the namespace, and the limit, because another limit counts in other units.
    scope: String,
}

impl Shared {
    pub(super) fn new(redis: Redis, namespace: &Namespace, limit: RateLimit) -> Self {
        Self::with_clock(redis, namespace, limit, TIME)
    }

    fn with_clock(redis: Redis, namespace: &Namespace, limit: RateLimit, clock: &str) -> Self {
        let (script, kind) = match &limit.0 {
            Algorithm::TokenBucket(bucket) => {
                let (capacity, permit, rate) = (bucket.capacity(), bucket.permit(), bucket.rate());
                (TOKEN_BUCKET, format!("bucket-{capacity}-{rate}-{permit}ms"))
            }
            Algorithm::SlidingWindow(window) => {
                (SLIDING_WINDOW, format!("window-{}-{}ms", window.limit(), window.window_ms()))
            }
        };
        Self {
            redis,
            limit,
            script: Script::new(&format!("{clock}{script}")),
            scope: format!("{namespace}:{kind}"),
        }
    }

    pub(super) async fn take(&self, key: &str, cost: u32) -> Result<Decision, RedisAway> {
        let outcome = self.outcome(&self.call(key, cost)).await?;
        Ok(outcome.decided(&self.limit, Decider::Shared))
    }

    fn call(&self, key: &str, cost: u32) -> ScriptInvocation<'_> {
        let mut call = self.script.key(self.redis.key("limit", &format!("{}:{key}", self.scope)));
        match &self.limit.0 {
            Algorithm::TokenBucket(bucket) => {
                call.arg(bucket.full()).arg(bucket.permit()).arg(bucket.rate());
            }
            Algorithm::SlidingWindow(window) => {
                call.arg(window.limit()).arg(window.slot_ms()).arg(window.slots());
            }
        }
        call.arg(cost);
        call
    }

    async fn outcome(&self, call: &ScriptInvocation<'_>) -> Result<Outcome, RedisAway> {
        let (allowed, remaining, retry_after_ms, reset_after_ms) = self
            .redis
            .run("rate limit", async |connection| call.invoke_async(connection).await)
            .await?;
        Ok(Outcome { allowed, remaining, retry_after_ms, reset_after_ms })
    }
}

#[cfg(test)]
#[cfg(feature = "redis-tests")]
mod tests {
    use std::{
        num::NonZeroU32,
        time::{Duration, SystemTime, UNIX_EPOCH},
    };

    use proptest::{prelude::*, test_runner::TestRunner};

    use super::*;
    use crate::{rate_limiter::sliding_window::Taken, redis::RedisSettings};

    /// In place of the clock: the script is told the time, and nothing expires by the real one.
    const TOLD: &str = "
        local now = tonumber(ARGV[5])
        local server = redis
        local redis = { call = function(command, ...)
            if command ~= 'PEXPIRE' then return server.call(command, ...) end
        end }
    ";

    #[expect(clippy::disallowed_methods, reason = "the address of the tests' Redis")]
    fn redis() -> Redis {
        let url = std::env::var("GROOVEBASE_TEST_REDIS_URL").unwrap();
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let prefix = format!("test-{nanos}");
        let budget = Duration::from_secs(10);
        Redis::open(&RedisSettings { prefix, budget, ..RedisSettings::new(url) }).unwrap()
    }

    /// Limits, and takes at times that mostly go on and sometimes back. The clock begins where the real one is, so that the
    /// script calculates with numbers as large as it will meet.
    fn histories() -> impl Strategy<Value = (RateLimit, Vec<(u64, u32)>)> {
        let of = |number| NonZeroU32::new(number).unwrap();
        let limits = (1_u32..30, 1_u32..30, 1_u64..5_000, any::<bool>()).prop_map(
            move |(limit, refill, period, bucket)| {
                let period = Duration::from_millis(period);
                if bucket {
                    RateLimit::token_bucket(of(limit), of(refill), period).unwrap()
                } else {
                    RateLimit::sliding_window(of(limit), period).unwrap()
                }
            },
        );
        let waits = prop_oneof![9 => 0_i64..700, 1 => -20_000_i64..20_000];
        let takes = prop::collection::vec((waits, 1_u32..8), 1..40);
        (limits, takes).prop_map(|(limit, takes)| {
            let mut now = 1_763_715_600_000_u64;
            let takes = takes.into_iter().map(|(wait, cost)| {
                now = now.saturating_add_signed(wait);
                (now, cost.min(limit.permits()))
            });
            (limit, takes.collect())
        })
    }

    fn in_process(limit: &RateLimit, takes: &[(u64, u32)]) -> Vec<Outcome> {
        match &limit.0 {
            Algorithm::TokenBucket(bucket) => {
                let mut level = bucket.start(takes[0].0);
                takes.iter().map(|(now, cost)| bucket.take(&mut level, *now, *cost)).collect()
            }
            Algorithm::SlidingWindow(window) => {
                let mut taken = Taken::default();
                takes.iter().map(|(now, cost)| window.take(&mut taken, *now, *cost)).collect()
            }
        }
    }

    #[test]
    fn the_scripts_decide_as_the_process_does() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let redis = runtime.block_on(async { redis() });
        let case = std::cell::Cell::new(0);
        let config =
            ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() };

        TestRunner::new(config)
            .run(&histories(), |(limit, takes)| {
                case.set(case.get() + 1);
                let namespace =
                    Namespace::try_from(format!("case-{}", case.get()).as_str()).unwrap();
                let shared = Shared::with_clock(redis.clone(), &namespace, limit, TOLD);

                let decided = runtime.block_on(async {
                    let mut decided = Vec::new();
                    for (now, cost) in &takes {
                        let mut call = shared.call("k", *cost);
                        call.arg(*now);
                        decided.push(shared.outcome(&call).await.unwrap());
                    }
                    decided
                });

                prop_assert_eq!(decided, in_process(&limit, &takes));
                Ok(())
            })
            .unwrap();
    }
}
