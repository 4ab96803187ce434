//! Raw values by the batch, and removal by prefix.

use std::collections::HashSet;

use deadpool_redis::redis::{Cmd, RedisResult, Script, Value, cluster_routing::Slot, cmd, pipe};
use tokio::task::JoinSet;

use super::{Connection, Redis, RedisAway, statistics::Counter};
use crate::key::{self, InvalidKey, Lifetime, MAX_KEY_BYTES, Namespace};

/// The largest value, in bytes.
pub const MAX_VALUE_BYTES: usize = 8 << 20;

/// So many values are read in one round trip, and written.
const BATCH: usize = 100;
/// A round trip that writes carries no more than so many bytes, or a single value.
const BATCH_BYTES: usize = 1 << 20;
/// So many keys Redis is asked to look at in one step of a removal; it may look at a few more.
const SCANNED_AT_ONCE: usize = 500;

/// The keys of one kind in a Redis, as bytes.
///
/// It reads and writes many values in few round trips, and removes keys by prefix without blocking Redis. All of it works
/// on a single server and on a cluster. Each round trip has the budget of the Redis; when Redis is away, the operation says
/// so and leaves undone what it had not done yet.
pub struct Keyspace {
    redis: Redis,
    kind: Namespace,
    counters: Counters,
}

#[derive(Default)]
struct Counters {
    read: Counter,
    found: Counter,
    written: Counter,
    removed: Counter,
    steps: Counter,
}

/// What was done through a [`Keyspace`] since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyspaceStatistics {
    /// Keys asked for.
    pub read: u64,
    /// Keys, among them, that had a value.
    pub found: u64,
    /// Values written.
    pub written: u64,
    /// Keys removed by prefix.
    pub removed: u64,
    /// Steps of removals by prefix.
    pub steps: u64,
}

impl Keyspace {
    /// The keys of this kind: `groovebase:<kind>:…` under the usual prefix.
    #[must_use]
    pub fn new(redis: Redis, kind: Namespace) -> Self {
        Self { redis, kind, counters: Counters::default() }
    }

    /// The values of these keys, in the order asked for, in one round trip for each 100.
    ///
    /// A key that holds something else than a value, such as a hash, counts as absent.
    pub async fn find_many(
        &self,
        keys: &[impl AsRef<str>],
    ) -> Result<Vec<Option<Vec<u8>>>, KeyspaceError> {
        let keys: Vec<String> =
            keys.iter().map(|key| self.key(key.as_ref())).collect::<Result<_, _>>()?;
        let mut values = Vec::with_capacity(keys.len());
        for batch in keys.chunks(BATCH) {
            let found: Vec<Option<Vec<u8>>> = self
                .redis
                .run("read values", async |connection| {
                    cmd("MGET").arg(batch).query_async(connection).await
                })
                .await?;
            values.extend(found);
        }
        self.counters.read.add(values.len());
        self.counters.found.add(values.iter().flatten().count());
        Ok(values)
    }

    /// Writes values over whatever the keys hold, each to expire after this time, in one round trip for each 100 or each
    /// mebibyte.
    ///
    /// Values appear one by one: a failure, or a reader at the same time, finds some of them written. The operation can be
    /// repeated.
    pub async fn set_many(
        &self,
        values: &[(impl AsRef<str>, impl AsRef<[u8]>)],
        lifetime: Lifetime,
    ) -> Result<(), KeyspaceError> {
        let mut batches = Vec::new();
        let (mut batch, mut batch_bytes) = (Vec::new(), 0);
        for (key, value) in values {
            let (key, value) = (self.key(key.as_ref())?, value.as_ref());
            if MAX_VALUE_BYTES < value.len() {
                return Err(KeyspaceError::TooLarge { bytes: value.len() });
            }
            if batch.len() == BATCH || BATCH_BYTES < batch_bytes + value.len() {
                batches.push(std::mem::take(&mut batch));
                batch_bytes = 0;
            }
            batch_bytes += value.len();
            batch.push((key, value));
        }
        batches.push(batch);
        for batch in batches.iter().filter(|batch| !batch.is_empty()) {
            self.redis
                .run("write values", async |connection| {
                    let writes = batch.iter().map(|(key, value)| {
                        let mut set = cmd("SET");
                        set.arg(key).arg(value).arg("PX").arg(lifetime.as_millis());
                        set
                    });
                    send_all(connection, writes).await
                })
                .await?;
            self.counters.written.add(batch.len());
        }
        Ok(())
    }

    /// Begins to remove the keys of this kind whose names begin with `prefix`, or all of them when it is empty. Nothing
    /// is removed before the first step.
    pub fn remove_by_prefix(&self, prefix: &str) -> Result<PrefixRemoval<'_>, InvalidKey> {
        if MAX_KEY_BYTES < prefix.len() {
            return Err(InvalidKey::TooLong { bytes: prefix.len() });
        }
        Ok(PrefixRemoval {
            keyspace: self,
            pattern: format!("{}*", literally(&self.redis.key(self.kind.as_str(), prefix))),
            ahead: None,
            cursor: 0,
            removed: 0,
        })
    }

    /// What was done so far.
    #[must_use]
    pub fn statistics(&self) -> KeyspaceStatistics {
        let Counters { read, found, written, removed, steps } = &self.counters;
        KeyspaceStatistics {
            read: read.get(),
            found: found.get(),
            written: written.get(),
            removed: removed.get(),
            steps: steps.get(),
        }
    }

    fn key(&self, key: &str) -> Result<String, InvalidKey> {
        Ok(self.redis.key(self.kind.as_str(), key::checked(key)?))
    }
}

/// A removal by prefix under way. Dropped, it removes no more.
///
/// Each step asks Redis to look at about 500 of all its keys and unlinks those that match, so it never blocks Redis for
/// long, however many keys there are. A key that was there from the first step to the last is removed; one that is
/// written meanwhile may be removed or stay. A cluster is gone through primary by primary; if slots move between them
/// meanwhile, keys may be missed, and another removal finds them.
pub struct PrefixRemoval<'a> {
    keyspace: &'a Keyspace,
    pattern: String,
    /// Where is still to be looked, the next one last. `None` before the first step.
    ahead: Option<Vec<Place>>,
    cursor: u64,
    removed: u64,
}

/// Where keys lie.
#[derive(Clone)]
enum Place {
    /// On the one server.
    Server,
    /// On the primary of a cluster to which this key belongs.
    PrimaryOf(String),
}

impl PrefixRemoval<'_> {
    /// Takes one step and returns whether there are more to come.
    ///
    /// After an error it can be taken again, and so can the removal be gone on with later.
    pub async fn step(&mut self) -> Result<bool, RedisAway> {
        let keyspace = self.keyspace;
        let redis = &keyspace.redis;
        if self.ahead.is_none() {
            self.ahead = Some(places(redis).await?);
        }
        let Some(place) = self.ahead.as_ref().and_then(|ahead| ahead.last().cloned()) else {
            return Ok(false);
        };

        let (next, keys) = scan(redis, &place, self.cursor, &self.pattern).await?;
        // What was found is unlinked before the cursor moves on, so that a failure loses nothing.
        for batch in keys.chunks(SCANNED_AT_ONCE) {
            let removed: usize = redis
                .run("remove keys", async |connection| {
                    cmd("UNLINK").arg(batch).query_async(connection).await
                })
                .await?;
            self.removed += removed as u64;
            keyspace.counters.removed.add(removed);
        }
        keyspace.counters.steps.add(1);
        self.cursor = next;
        if next == 0
            && let Some(ahead) = &mut self.ahead
        {
            ahead.pop();
        }
        Ok(self.ahead.as_ref().is_some_and(|ahead| !ahead.is_empty()))
    }

    /// Takes all steps and returns how many keys were removed.
    pub async fn finish(mut self) -> Result<u64, RedisAway> {
        while self.step().await? {}
        Ok(self.removed)
    }

    /// How many keys were removed so far.
    #[must_use]
    pub const fn removed(&self) -> u64 {
        self.removed
    }
}

/// All places where keys lie.
async fn places(redis: &Redis) -> Result<Vec<Place>, RedisAway> {
    let ranges: Option<Vec<Vec<Value>>> = redis
        .run("list primaries", async |connection| {
            if !connection.is_cluster() {
                return Ok(None);
            }
            cmd("CLUSTER").arg("SLOTS").query_async(connection).await.map(Some)
        })
        .await?;
    let Some(ranges) = ranges else { return Ok(vec![Place::Server]) };
    let mut primaries = HashSet::new();
    let first_slots: Vec<Slot> = ranges
        .iter()
        .filter_map(|range| match range.as_slice() {
            // The first and the last slot, the primary, its replicas; a server by address, port, identity.
            [Value::Int(first), _, Value::Array(primary), ..] => match primary.as_slice() {
                [_, _, Value::BulkString(identity), ..] => {
                    let first = Slot::new(u16::try_from(*first).ok()?)?;
                    primaries.insert(identity).then_some(first)
                }
                _ => None,
            },
            _ => None,
        })
        .collect();
    Ok(first_slots
        .into_iter()
        .filter_map(|slot| key_in(redis, slot))
        .map(Place::PrimaryOf)
        .collect())
}

/// A key that belongs to this slot. There is one among a few ten thousand.
fn key_in(redis: &Redis, slot: Slot) -> Option<String> {
    (0..u32::MAX)
        .find(|number| Slot::for_key(number.to_string()) == slot)
        .map(|number| redis.key("scan", &format!("{{{number}}}")))
}

/// Asks for the next keys that match, and for the cursor after them.
async fn scan(
    redis: &Redis,
    place: &Place,
    cursor: u64,
    pattern: &str,
) -> Result<(u64, Vec<Vec<u8>>), RedisAway> {
    redis
        .run("scan keys", async |connection| match place {
            Place::Server => {
                let mut scan = cmd("SCAN");
                scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(SCANNED_AT_ONCE);
                scan.query_async(connection).await
            }
            // The command names no key by which a cluster could route it. A script does.
            Place::PrimaryOf(key) => {
                let script = Script::new(
                    "return redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3])",
                );
                let mut call = script.key(key);
                call.arg(cursor).arg(pattern).arg(SCANNED_AT_ONCE);
                call.invoke_async(connection).await
            }
        })
        .await
}

/// A pattern that matches this text only.
fn literally(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

/// Sends commands together: in one pipeline, or in a cluster, where a pipeline must keep to one slot, side by side.
///
/// An error does not undo the others.
pub(crate) async fn send_all(
    connection: &mut Connection,
    commands: impl Iterator<Item = Cmd>,
) -> RedisResult<()> {
    if connection.is_cluster() {
        let mut under_way = JoinSet::new();
        for command in commands {
            let mut connection = connection.clone();
            under_way.spawn(async move { command.exec_async(&mut connection).await });
        }
        return under_way.join_all().await.into_iter().collect();
    }
    let mut pipeline = pipe();
    for command in commands {
        pipeline.add_command(command).ignore();
    }
    pipeline.query_async(connection).await
}

/// Why values could not be read or written. Exhaustive on purpose: callers decide by variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyspaceError {
    /// A key is none; nothing was done.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// A value is larger than [`MAX_VALUE_BYTES`]; nothing was done.
    #[error("a value has at most {MAX_VALUE_BYTES} bytes, not {bytes}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Redis did not answer.
    #[error(transparent)]
    Redis(#[from] RedisAway),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_a_pattern_would_interpret() {
        assert_eq!(literally(r"a*b?[c]\d^-é"), r"a\*b\?\[c\]\\d^-é");
    }

    #[test]
    fn finds_a_key_for_every_slot_asked() {
        let redis = Redis::open(&super::super::RedisSettings::new("redis://localhost")).unwrap();

        for number in [0, 1, 5_461, 16_383] {
            let slot = Slot::new(number).unwrap();
            assert_eq!(Slot::for_key(key_in(&redis, slot).unwrap()), slot);
        }
    }
}
