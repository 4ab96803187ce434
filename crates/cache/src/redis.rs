//! A Redis that is never in the way.
//!
//! Redis is optional: whatever happens to it costs a miss. Each operation has a budget for everything it does, a
//! [circuit breaker](breaker) leaves a Redis alone that keeps failing, and no failure is more than a
//! [`RedisAway`] to whoever asked. What is kept in Redis may be gone at any time, since the recommended policy is
//! `allkeys-lru`; nothing here depends on a key.

mod address;
mod breaker;
mod connection;
mod envelope;
mod gets;
pub(crate) mod keyspace;
pub(crate) mod newer;
mod reads;
mod settings;
mod statistics;
mod style_profiles;
mod trouble;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use deadpool::managed::PoolError;
use deadpool_redis::redis::{ErrorKind, RedisError, RedisResult, Value, cmd, from_redis_value};
use parking_lot::Mutex;
use tokio::time::timeout;
use tracing::{
    Instrument, debug_span,
    field::{Empty, display},
    info, warn,
};

use self::{
    breaker::{Breaker, Pass, Turn},
    connection::{Lane, Pools},
    gets::Answer,
    statistics::Counters,
};

pub(crate) use self::connection::Connection;
#[cfg(fuzzing)]
pub use self::envelope::fuzzing;
pub use self::{
    settings::{InvalidRedisSettings, RedisSettings},
    statistics::{RedisFailures, RedisStatistics},
    style_profiles::{RedisStyleProfiles, SharedProfileStatistics, UnreadableEnvelopes},
    trouble::{RedisAway, RedisTrouble},
};

/// The first contact may take so long, since it connects.
const FIRST_CONTACT: Duration = Duration::from_secs(1);
/// So many keys are asked for at once; each such question has the whole budget.
pub(crate) const KEYS_AT_ONCE: usize = 500;

/// A Redis, and what is known of its health. Clones share both, and the connections.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    prefix: String,
    budget: Duration,
    pools: Pools,
    condition: Mutex<Condition>,
    /// Whether nothing speaks against it. Then nobody has to look at its condition, and no success changes it.
    is_well: AtomicBool,
    counters: Counters,
}

impl Inner {
    /// Looks at the condition and changes it.
    fn consider<T>(&self, change: impl FnOnce(&mut Condition) -> T) -> T {
        let mut condition = self.condition.lock();
        let changed = change(&mut condition);
        let is_well = condition.breaker.is_well() && condition.refusals.is_empty();
        self.is_well.store(is_well, Ordering::Relaxed);
        changed
    }

    fn is_well(&self) -> bool {
        self.is_well.load(Ordering::Relaxed)
    }
}

/// What was learned from the outcomes of operations.
struct Condition {
    breaker: Breaker,
    /// Operations that are refused while others are answered.
    refusals: Vec<Refusal>,
}

struct Refusal {
    operation: &'static str,
    since: Instant,
    why: RedisTrouble,
}

/// How a Redis is, as far as operations have shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedisHealth {
    /// Nothing was asked of it yet.
    Untried,
    /// It answers.
    Up,
    /// It answers, but refuses some operations, for example writes because it is out of memory.
    Limited {
        /// Since when.
        since: Instant,
        /// What is wrong.
        why: RedisTrouble,
    },
    /// It is of no use, and left alone but for a probe from time to time.
    Down {
        /// Since when.
        since: Instant,
        /// What is wrong.
        why: RedisTrouble,
    },
}

impl Redis {
    /// A Redis with these settings. It is not contacted before something is asked of it.
    ///
    /// # Errors
    ///
    /// When a setting cannot be used, in a text that shows no secret.
    pub fn open(settings: &RedisSettings) -> Result<Self, InvalidRedisSettings> {
        settings.check()?;
        Ok(Self(Arc::new(Inner {
            prefix: settings.prefix.clone(),
            budget: settings.budget,
            pools: Pools::new(settings)?,
            condition: Mutex::new(Condition { breaker: Breaker::new(), refusals: Vec::new() }),
            is_well: AtomicBool::new(false),
            counters: Counters::default(),
        })))
    }

    /// Runs one operation within the budget, unless Redis is left alone for now.
    ///
    /// `operation` names it in logs and health. An operation that a caller no longer waits for is dropped; what it has
    /// sent may still take effect.
    pub(crate) async fn run<T>(
        &self,
        operation: &'static str,
        work: impl AsyncFnOnce(&mut Connection) -> RedisResult<T>,
    ) -> Result<T, RedisAway> {
        self.run_on(&*self.lane()?, operation, work).await
    }

    async fn run_on<T>(
        &self,
        lane: &Lane,
        operation: &'static str,
        work: impl AsyncFnOnce(&mut Connection) -> RedisResult<T>,
    ) -> Result<T, RedisAway> {
        self.run_within(self.0.budget, lane, operation, work).await
    }

    async fn run_within<T>(
        &self,
        budget: Duration,
        lane: &Lane,
        operation: &'static str,
        work: impl AsyncFnOnce(&mut Connection) -> RedisResult<T>,
    ) -> Result<T, RedisAway> {
        let attempt = self.admit(operation)?;
        let mut used = None;
        let span = debug_span!(
            "redis",
            otel.name = format_args!("redis {operation}"),
            otel.kind = "client",
            db.system.name = "redis",
            db.operation.name = operation,
            otel.status_code = Empty,
            otel.status_description = Empty,
        );
        let outcome = timeout(budget, async {
            let connection = used.insert(lent(lane).await?);
            work(connection).await.map_err(|error| Failure::of_command(&error))
        })
        .instrument(span.clone())
        .await
        .unwrap_or(Err(Failure { why: RedisTrouble::TimedOut, outage: true }));
        match outcome {
            Ok(value) => {
                attempt.succeeded();
                Ok(value)
            }
            Err(Failure { why, outage }) => {
                span.record("otel.status_code", "ERROR")
                    .record("otel.status_description", display(why));
                // All who share a connection fail when it does, which says no more than one of them.
                let known = used.is_some_and(|connection| outage && !connection.give_up());
                if known {
                    attempt.failed_with_others(why);
                } else {
                    attempt.failed(why, outage);
                }
                Err(RedisAway::Failed(why))
            }
        }
    }

    /// The value of a key, or nothing for a key that is not there. What is asked for at the same time travels together.
    ///
    /// `one` and `many` name the question about one key and that about several in logs and health.
    pub(crate) async fn get(&self, one: &'static str, many: &'static str, key: String) -> Answer {
        let lane = self.lane()?;
        let Some(gets) = &lane.gets else { return self.ask_for(&lane, one, &key).await };
        let alone = gets.alone();
        if alone.is_some() || gets.is_full(KEYS_AT_ONCE) {
            return self.ask_for(&lane, one, &key).await;
        }
        let redis = self.clone();
        let ask = move |keys: Vec<String>| async move {
            match redis.get_many(many, &keys).await {
                Ok(values) => values.into_iter().map(Ok).collect(),
                Err(away) => keys.iter().map(|_| Err(away)).collect(),
            }
        };
        gets.together(key, ask).await
    }

    async fn ask_for(&self, lane: &Lane, operation: &'static str, key: &str) -> Answer {
        self.run_on(lane, operation, async |connection| {
            cmd("GET").arg(key).query_async(connection).await.and_then(bytes)
        })
        .await
    }

    /// The values of these keys, in their order, in one question: at most [`KEYS_AT_ONCE`].
    pub(crate) async fn get_many(
        &self,
        operation: &'static str,
        keys: &[String],
    ) -> Result<Vec<Option<Vec<u8>>>, RedisAway> {
        self.run(operation, async |connection| {
            let values: Vec<_> = cmd("MGET").arg(keys).query_async(connection).await?;
            if values.len() != keys.len() {
                let what = "another number of values than of keys";
                return Err((ErrorKind::UnexpectedReturnType, what).into());
            }
            values.into_iter().map(bytes).collect()
        })
        .await
    }

    fn lane(&self) -> Result<Arc<Lane>, RedisAway> {
        self.0.pools.lane().ok_or(RedisAway::NotAsked)
    }

    /// The key of something: prefix, kind and name, such as `groovebase:profile:j dilla`.
    pub(crate) fn key(&self, kind: &str, name: &str) -> String {
        let prefix = &self.0.prefix;
        let mut key = String::with_capacity(prefix.len() + kind.len() + name.len() + 2);
        for part in [prefix, ":", kind, ":", name] {
            key.push_str(part);
        }
        key
    }

    /// How it is, as far as operations have shown. Nothing is asked.
    #[must_use]
    pub fn health(&self) -> RedisHealth {
        let condition = self.0.condition.lock();
        if let Some(outage) = condition.breaker.outage() {
            RedisHealth::Down { since: outage.since, why: outage.why }
        } else if let Some(refusal) = condition.refusals.first() {
            RedisHealth::Limited { since: refusal.since, why: refusal.why }
        } else if condition.breaker.is_untried() {
            RedisHealth::Untried
        } else {
            RedisHealth::Up
        }
    }

    /// Asks for a sign of life and tells how long it took. The first contact may take a second, since it connects.
    ///
    /// # Errors
    ///
    /// When there is none, or Redis is left alone for now.
    pub async fn ping(&self) -> Result<Duration, RedisAway> {
        let untried = self.0.condition.lock().breaker.is_untried();
        let budget = if untried { self.0.budget.max(FIRST_CONTACT) } else { self.0.budget };
        let started = Instant::now();
        self.run_within(budget, &*self.lane()?, "ping", async |connection| {
            cmd("PING").query_async::<()>(connection).await
        })
        .await?;
        Ok(started.elapsed())
    }

    /// Counts since the start.
    #[must_use]
    pub fn statistics(&self) -> RedisStatistics {
        self.0.counters.read(self.0.pools.opened())
    }

    /// Closes the connections that nobody uses; the others go when their operations end. What is asked from now on is
    /// not asked.
    pub fn close(&self) {
        self.0.pools.close();
    }

    fn admit(&self, operation: &'static str) -> Result<Attempt<'_>, RedisAway> {
        let inner = &self.0;
        let pass = if inner.is_well() {
            Pass::Ordinary
        } else if let Some(pass) = inner.consider(|condition| condition.breaker.admit(now())) {
            pass
        } else {
            inner.counters.skipped.add(1);
            return Err(RedisAway::NotAsked);
        };
        inner.counters.operations.add(1);
        Ok(Attempt { inner, operation, pass: Some(pass) })
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Redis").field("prefix", &self.0.prefix).finish_non_exhaustive()
    }
}

/// The bytes of a value, which the conversion for all kinds of values would copy.
fn bytes(value: Value) -> RedisResult<Option<Vec<u8>>> {
    match value {
        Value::BulkString(bytes) => Ok(Some(bytes)),
        other => Ok(from_redis_value(other)?),
    }
}

async fn lent(lane: &Lane) -> Result<Connection, Failure> {
    lane.lend().await.map_err(|error| match error {
        PoolError::Backend(error) => Failure::of_connecting(&error),
        PoolError::Timeout(_)
        | PoolError::Closed
        | PoolError::NoRuntimeSpecified
        | PoolError::PostCreateHook(_) => Failure { why: RedisTrouble::Unreachable, outage: true },
    })
}

/// The clock that tests can stop.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Why an operation has no answer, and whether that speaks against this Redis as a whole.
struct Failure {
    why: RedisTrouble,
    outage: bool,
}

impl Failure {
    fn of_command(error: &RedisError) -> Self {
        let why = RedisTrouble::of(error);
        Self { why, outage: why.is_outage() }
    }

    /// Whatever it is, nothing can be asked without a connection.
    fn of_connecting(error: &RedisError) -> Self {
        Self { why: RedisTrouble::of(error), outage: true }
    }
}

/// An operation under way. Dropped without an outcome, it tells the breaker that there will be none.
struct Attempt<'a> {
    inner: &'a Inner,
    operation: &'static str,
    pass: Option<Pass>,
}

impl Attempt<'_> {
    fn succeeded(mut self) {
        let Some(pass) = self.pass.take() else { return };
        if self.inner.is_well() {
            return;
        }
        let (turn, ended) = self.inner.consider(|condition| {
            let refusals = &mut condition.refusals;
            let refused = refusals.iter().position(|refusal| refusal.operation == self.operation);
            let ended = refused.map(|position| refusals.remove(position));
            (condition.breaker.succeeded(pass, now()), ended)
        });
        self.tell(turn);
        if let Some(refusal) = ended {
            info!(redis.operation = refusal.operation, "Redis takes this operation again");
        }
    }

    fn failed(mut self, why: RedisTrouble, outage: bool) {
        let Some(pass) = self.pass.take() else { return };
        let (inner, operation) = (self.inner, self.operation);
        inner.counters.failures.count(why);
        let (turn, begins) = inner.consider(|condition| {
            let turn = if outage {
                condition.breaker.failed(pass, why, now(), fastrand::f64())
            } else {
                // It answered, so it is there.
                condition.breaker.succeeded(pass, now())
            };
            let known = condition.refusals.iter().any(|refusal| refusal.operation == operation);
            let begins = why.is_lasting_refusal() && !outage && !known;
            if begins {
                condition.refusals.push(Refusal { operation, since: now(), why });
            }
            (turn, begins)
        });
        self.tell(turn);
        if begins {
            warn!(
                redis.operation = operation,
                "Redis refuses an operation: {why}. The service goes on without it"
            );
        }
    }

    /// What it shared a connection with has told the breaker; dropping this tells it that there is no more to say.
    fn failed_with_others(self, why: RedisTrouble) {
        self.inner.counters.failures.count(why);
    }

    fn tell(&self, turn: Option<Turn>) {
        match turn {
            Some(Turn::Away(why)) => {
                self.inner.counters.openings.add(1);
                warn!(
                    "Redis is of no use: {why}. The service goes on without it and looks for it from time to time"
                );
            }
            Some(Turn::Back(after)) => {
                let away_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                info!(redis.away_ms = away_ms, "Redis answers again");
            }
            None => {}
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let Some(pass) = self.pass.take() {
            self.inner.consider(|condition| condition.breaker.abandoned(pass, now()));
        }
    }
}
