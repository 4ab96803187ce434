//! Counters that expire.

use std::str;

use deadpool_redis::redis::{Script, cmd};

use crate::{
    key::{self, InvalidKey, Lifetime, Namespace},
    redis::{Redis, RedisAway},
};

/// A reader of many counters asks for so many at a time, so that no question takes long.
const BATCH: usize = 500;

/// Counters that all instances share, each of which expires.
///
/// A counter begins with the first addition and expires a fixed time after it, whatever is added meanwhile; then the next
/// addition begins a new one. Both happen in one script, so that no counter exists without an expiry, and one that
/// somebody made by hand gets it with the next addition.
///
/// Values are whole numbers of 64 bits. An addition that would leave them is refused and changes nothing.
///
/// When Redis is away, every operation says so within its budget, and nothing is counted elsewhere. An addition that ended
/// in such an error may have been made, so a repetition may count twice. Redis may lose counters: when it restarts without
/// its data, fails over, or evicts them under `maxmemory`. What must never be lost belongs in the database.
///
/// A key stands in Redis as it is given; hash it before if it is a secret.
pub struct Counters {
    redis: Redis,
    namespace: Namespace,
    expires_after: Lifetime,
    add: Script,
}

impl Counters {
    /// The counters of this namespace, each of which expires this long after its first addition.
    #[must_use]
    pub fn new(redis: Redis, namespace: Namespace, expires_after: Lifetime) -> Self {
        let add = Script::new(include_str!("counters/add.lua"));
        Self { redis, namespace, expires_after, add }
    }

    /// Adds to a counter, which begins at 0, and returns the new value.
    pub async fn add(&self, key: &str, amount: i64) -> Result<i64, CounterError> {
        let mut call = self.add.key(self.key(key)?);
        call.arg(amount).arg(self.expires_after.as_millis());
        let answer: Vec<i64> = self
            .redis
            .run("add to a counter", async |connection| call.invoke_async(connection).await)
            .await?;
        match answer.as_slice() {
            [0, value] => Ok(*value),
            [1] => Err(CounterError::OutOfRange),
            _ => Err(CounterError::NotACounter),
        }
    }

    /// The value of a counter: 0 if there is none.
    pub async fn value(&self, key: &str) -> Result<i64, CounterError> {
        let key = self.key(key)?;
        let texts = self.texts(&[key]).await?;
        value(texts.first().and_then(Option::as_deref))
    }

    /// The values of many counters, in the order asked for, in one round trip for each 500.
    ///
    /// They are no snapshot: what is added meanwhile may show in one and not in another.
    pub async fn values(&self, keys: &[impl AsRef<str>]) -> Result<Vec<i64>, CounterError> {
        let keys: Vec<String> =
            keys.iter().map(|key| self.key(key.as_ref())).collect::<Result<_, _>>()?;
        let mut values = Vec::with_capacity(keys.len());
        for batch in keys.chunks(BATCH) {
            for text in self.texts(batch).await? {
                values.push(value(text.as_deref())?);
            }
        }
        Ok(values)
    }

    /// Removes a counter, so that it is 0, and returns whether there was one.
    pub async fn reset(&self, key: &str) -> Result<bool, CounterError> {
        let key = self.key(key)?;
        let removed = self
            .redis
            .run("reset a counter", async |connection| {
                cmd("UNLINK").arg(key).query_async(connection).await
            })
            .await?;
        Ok(removed)
    }

    async fn texts(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, RedisAway> {
        self.redis
            .run("read counters", async |connection| {
                cmd("MGET").arg(keys).query_async(connection).await
            })
            .await
    }

    fn key(&self, key: &str) -> Result<String, InvalidKey> {
        let key = key::checked(key)?;
        Ok(self.redis.key("counter", &format!("{}:{key}", self.namespace)))
    }
}

fn value(text: Option<&[u8]>) -> Result<i64, CounterError> {
    let Some(text) = text else { return Ok(0) };
    let text = str::from_utf8(text).map_err(|_| CounterError::NotACounter)?;
    text.parse().map_err(|_| CounterError::NotACounter)
}

/// Why a counter could not be used. Exhaustive on purpose: callers decide by variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CounterError {
    /// The key is none.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// The sum does not fit into 64 bits; the counter is as it was.
    #[error("the counter would leave its range")]
    OutOfRange,
    /// What is kept under this key is no counter. Something else than this tool wrote it.
    #[error("what is kept under this key is no counter")]
    NotACounter,
    /// Redis did not answer.
    #[error(transparent)]
    Redis(#[from] RedisAway),
}
