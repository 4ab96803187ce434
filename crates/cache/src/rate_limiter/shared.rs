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
