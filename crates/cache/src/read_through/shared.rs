//! The tier of values that instances share. It never fails: what it cannot do, it does not do.

use deadpool_redis::redis::{Cmd, cmd};
use domain::Version;

use super::envelope;
use crate::{
    key::{Lifetime, Namespace},
    redis::{
        Redis,
        keyspace::{MAX_VALUE_BYTES, send_all},
        newer,
    },
};

/// So many values are read in one round trip, and written.
const BATCH: usize = 100;

pub(super) struct Shared {
    redis: Redis,
    namespace: Namespace,
    lifetime: Lifetime,
}

/// A value written as JSON, by key and version.
pub(super) type Written<'a> = (&'a str, Version, &'a [u8]);

impl Shared {
    pub(super) const fn new(redis: Redis, namespace: Namespace, lifetime: Lifetime) -> Self {
        Self { redis, namespace, lifetime }
    }

    /// Hands the JSON of each key at exactly its version, or `None`, to `read`, in the order asked for.
    pub(super) async fn find_many<T>(
        &self,
        wanted: &[(&str, Version)],
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Vec<Option<T>> {
        let mut values = Vec::with_capacity(wanted.len());
        for batch in wanted.chunks(BATCH) {
            let keys: Vec<String> = batch.iter().map(|(key, _)| self.key(key)).collect();
            let found = self
                .redis
                .run("find read-through values", async |connection| {
                    cmd("MGET").arg(&keys).query_async::<Vec<Option<Vec<u8>>>>(connection).await
                })
                .await;
            // A Redis that failed once is not asked for the rest. The client counts and tells.
            let Ok(found) = found else { break };
            values.extend(batch.iter().zip(found).map(|((key, version), bytes)| {
                read(envelope::open(key, *version, bytes.as_deref()?)?)
            }));
        }
        values.resize_with(wanted.len(), || None);
        values
    }

    /// Keeps values, each unless a newer one is kept.
    pub(super) async fn put_many(&self, values: &[Written<'_>]) {
        for batch in values.chunks(BATCH) {
            let stored = self
                .redis
                .run("store read-through values", async |connection| {
                    send_all(connection, batch.iter().filter_map(|value| self.put(*value))).await
                })
                .await;
            if stored.is_err() {
                return;
            }
        }
    }

    fn put(&self, (key, version, json): Written<'_>) -> Option<Cmd> {
        (json.len() <= MAX_VALUE_BYTES).then(|| {
            let mut put = cmd("EVAL");
            put.arg(newer::PUT.as_str()).arg(1).arg(self.key(key));
            put.arg(envelope::seal(key, version, json)).arg(self.lifetime.as_millis());
            put
        })
    }

    pub(super) async fn remove(&self, key: &str) {
        let key = self.key(key);
        // What stays is handed out only to who asks for its version.
        let _ = self
            .redis
            .run("remove a read-through value", async |connection| {
                cmd("UNLINK").arg(key).query_async::<()>(connection).await
            })
            .await;
    }

    fn key(&self, key: &str) -> String {
        self.redis.key("value", &format!("{}:{key}", self.namespace))
    }
}
