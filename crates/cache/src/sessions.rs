//! Sessions, hot and persistent.

use std::{error::Error, marker::PhantomData, sync::Arc};

use deadpool_redis::redis::{Script, ScriptInvocation, cmd};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    key::{self, InvalidKey, Lifetime, Namespace},
    redis::{Redis, RedisAway},
};

/// The longest session as JSON, in bytes.
pub const MAX_SESSION_BYTES: usize = 1 << 20;

/// How long a session is hot unless told otherwise.
const HOT: Lifetime = Lifetime::of_minutes(30);
/// How long it is kept unless told otherwise.
const PERSISTENT: Lifetime = Lifetime::of_minutes(7 * 24 * 60);

/// Sessions that all instances share, each under two keys: a hot one of 30 minutes and a persistent one of 7 days.
///
/// **Expiry.** The hot key expires at a fixed time after it was written. Nothing is lost then: the next read finds the
/// persistent key and restores the hot one, and that also renews the persistent one. So the expiry of a session slides
/// with its use, at the price of one write in each half hour instead of one with every read: a session ends between
/// `persistent - hot` and `persistent` after it was last read, and `persistent` after it was last saved or touched.
/// Whoever wants an absolute end keeps the time in the value.
///
/// **Atomicity.** Each operation is one script, and both keys lie in one slot of a cluster. A read that restores the hot
/// key therefore happens before a removal, which then takes both keys, or after it and finds nothing: it never brings a
/// removed session back. [`Self::save`] does, as it makes sessions; [`Self::update`] does not, and is what a request
/// uses that changes a session while another one may be ending it.
///
/// **Values** are kept as JSON, which other programs can read. What was stored by an older form of `T` is read by the
/// rules of its `Deserialize`.
///
/// **When Redis is away**, every operation says so within its budget ([`SessionError::Redis`]). There is no fallback in
/// process: another instance would not see the session, a change would be lost, and a removal could not be promised.
/// A write that ended in such an error may have been made; all of them can be repeated.
/// Redis itself may lose sessions: when it restarts without its data or fails over, and under `maxmemory` with
/// `allkeys-lru`. Reading a session counts as a use of both keys, so those that are in use go last; to lose none, give
/// sessions a Redis with `noeviction` and append-only files.
///
/// An identity stands in the key as it is given. Whoever can list keys can take over sessions whose identity is a bearer
/// secret: hash it before.
pub struct Sessions<T> {
    redis: Redis,
    namespace: Namespace,
    hot: Lifetime,
    persistent: Lifetime,
    scripts: Scripts,
    value: PhantomData<fn(T) -> T>,
}

struct Scripts {
    save: Script,
    load: Script,
    touch: Script,
}

impl<T: Serialize + DeserializeOwned> Sessions<T> {
    /// The sessions of this namespace.
    #[must_use]
    pub fn new(redis: Redis, namespace: Namespace) -> Self {
        Self {
            redis,
            namespace,
            hot: HOT,
            persistent: PERSISTENT,
            scripts: Scripts {
                save: Script::new(include_str!("sessions/save.lua")),
                load: Script::new(include_str!("sessions/load.lua")),
                touch: Script::new(include_str!("sessions/touch.lua")),
            },
            value: PhantomData,
        }
    }

    /// Sets how long sessions are hot and how long they are kept.
    pub fn with_lifetimes(
        self,
        hot: Lifetime,
        persistent: Lifetime,
    ) -> Result<Self, InvalidSessionLifetimes> {
        if persistent <= hot {
            return Err(InvalidSessionLifetimes);
        }
        Ok(Self { hot, persistent, ..self })
    }

    /// Keeps a session, whether or not there is one.
    pub async fn save(&self, id: &str, session: &T) -> Result<(), SessionError> {
        self.write(id, session, false).await.map(|_| ())
    }

    /// Replaces a session that is there, and returns whether there was one.
    pub async fn update(&self, id: &str, session: &T) -> Result<bool, SessionError> {
        self.write(id, session, true).await
    }

    async fn write(&self, id: &str, session: &T, must_exist: bool) -> Result<bool, SessionError> {
        let mut call = self.call(&self.scripts.save, id)?;
        let json = serde_json::to_vec(session)
            .map_err(|error| SessionError::Unwritable(Arc::new(error)))?;
        if MAX_SESSION_BYTES < json.len() {
            return Err(SessionError::TooLarge { bytes: json.len() });
        }
        call.arg(json).arg(u8::from(must_exist));
        let kept = self
            .redis
            .run("save a session", async |connection| call.invoke_async(connection).await)
            .await?;
        Ok(kept)
    }

    /// Reads a session, or `None` if there is none. One that is no longer hot becomes hot again and is renewed.
    pub async fn load(&self, id: &str) -> Result<Option<T>, SessionError> {
        let call = self.call(&self.scripts.load, id)?;
        let json: Option<Vec<u8>> = self
            .redis
            .run("load a session", async |connection| call.invoke_async(connection).await)
            .await?;
        json.map(|json| serde_json::from_slice(&json))
            .transpose()
            .map_err(|error| SessionError::Unreadable(Arc::new(error)))
    }

    /// Renews a session without reading it, and returns whether there is one.
    pub async fn touch(&self, id: &str) -> Result<bool, SessionError> {
        let call = self.call(&self.scripts.touch, id)?;
        let touched = self
            .redis
            .run("touch a session", async |connection| call.invoke_async(connection).await)
            .await?;
        Ok(touched)
    }

    /// Removes a session, both of its keys at once, and returns whether there was one.
    pub async fn remove(&self, id: &str) -> Result<bool, SessionError> {
        let keys = self.keys(id)?;
        let removed: u8 = self
            .redis
            .run("remove a session", async |connection| {
                cmd("UNLINK").arg(&keys).query_async(connection).await
            })
            .await?;
        Ok(0 < removed)
    }

    fn call<'a>(&self, script: &'a Script, id: &str) -> Result<ScriptInvocation<'a>, InvalidKey> {
        let mut call = script.key(&self.keys(id)?);
        call.arg(self.hot.as_millis()).arg(self.persistent.as_millis());
        Ok(call)
    }

    /// The hot and the persistent key of a session. A cluster places a key by what stands between its first brace and
    /// the next closing one, so that both keys lie together; the identity itself must not close it.
    fn keys(&self, id: &str) -> Result<[String; 2], InvalidKey> {
        let id = key::checked(id)?.replace('%', "%25").replace('}', "%7D");
        let persistent = self.redis.key("session", &format!("{}:{{{id}}}", self.namespace));
        Ok([format!("{persistent}:hot"), persistent])
    }
}

/// A session would not be kept for longer than it is hot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session must be kept for longer than it is hot")]
pub struct InvalidSessionLifetimes;

/// Why a session could not be used. Exhaustive on purpose: callers decide by variant.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SessionError {
    /// The identity is none.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// The session is longer than [`MAX_SESSION_BYTES`]; what was kept before still is.
    #[error("a session has at most {MAX_SESSION_BYTES} bytes as JSON, not {bytes}")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// The session cannot be written as JSON.
    #[error("the session cannot be written as JSON")]
    Unwritable(#[source] Arc<dyn Error + Send + Sync>),
    /// What is kept is no such session: an incompatible version or something else wrote it. It stays as it is.
    #[error("what is kept is no such session")]
    Unreadable(#[source] Arc<dyn Error + Send + Sync>),
    /// Redis did not answer.
    #[error(transparent)]
    Redis(#[from] RedisAway),
}
