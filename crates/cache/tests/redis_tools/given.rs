//! What the tests start from.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use deadpool_redis::redis::{Client, Cmd, FromRedisValue, aio::MultiplexedConnection};
use groovebase_cache::{Lifetime, Namespace, Redis, RedisSettings};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// The Redis that `cargo xtask services run` started.
pub(crate) fn url() -> String {
    variable("GROOVEBASE_TEST_REDIS_URL")
}

/// The cluster that `cargo xtask services run --cluster` started.
fn cluster_url() -> String {
    variable("GROOVEBASE_TEST_REDIS_CLUSTER_URL")
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the tests' addresses")]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} names no Redis"))
}

/// What stands before the host, and host and port.
pub(crate) fn login_and_address() -> (String, String) {
    let url = url();
    let rest = url.strip_prefix("redis://").unwrap();
    let rest = rest.split('/').next().unwrap();
    let (login, address) = rest.split_at(rest.rfind('@').map_or(0, |at| at + 1));
    (login.to_owned(), address.to_owned())
}

/// Settings with a prefix of their own and a budget that a busy machine cannot use up.
pub(crate) fn settings(url: &str) -> RedisSettings {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let prefix = format!("test-{nanos}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    RedisSettings { prefix, budget: Duration::from_secs(10), ..RedisSettings::new(url) }
}

/// A single server and a cluster, each with a prefix of its own.
pub(crate) fn server_and_cluster() -> [Redis; 2] {
    [url(), cluster_url()].map(|url| Redis::open(&settings(&url)).unwrap())
}

/// A Redis that is not there.
pub(crate) async fn nowhere() -> Redis {
    Redis::open(&settings(&Gate::closed().await.url())).unwrap()
}

/// A single server, several clients with one prefix, and a connection to look at and to break what is there.
pub(crate) struct Server {
    settings: RedisSettings,
    raw: MultiplexedConnection,
}

impl Server {
    pub(crate) async fn open() -> Self {
        let raw = Client::open(url()).unwrap().get_multiplexed_async_connection().await.unwrap();
        Self { settings: settings(&url()), raw }
    }

    /// Another client, as of another instance.
    pub(crate) fn redis(&self) -> Redis {
        Redis::open(&self.settings).unwrap()
    }

    /// Another client that takes this way.
    pub(crate) fn redis_at(&self, url: &str) -> Redis {
        let settings = RedisSettings { url: url.to_owned(), ..self.settings.clone() };
        Redis::open(&settings).unwrap()
    }

    /// The full key of what is named like this.
    pub(crate) fn key(&self, rest: &str) -> String {
        format!("{}:{rest}", self.settings.prefix)
    }

    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> T {
        command.query_async(&mut self.raw.clone()).await.unwrap()
    }

    /// Milliseconds until a key expires; -1 if it does not, -2 if there is none.
    pub(crate) async fn expires_in(&self, key: &str) -> i64 {
        self.ask(Cmd::new().arg("PTTL").arg(key)).await
    }

    pub(crate) async fn set_expiry(&self, key: &str, milliseconds: i64) {
        let set: bool = self.ask(Cmd::new().arg("PEXPIRE").arg(key).arg(milliseconds)).await;
        assert!(set, "no key {key}");
    }

    pub(crate) async fn remove(&self, key: &str) {
        let removed: bool = self.ask(Cmd::new().arg("DEL").arg(key)).await;
        assert!(removed, "no key {key}");
    }
}

/// A way to the Redis that can be shut.
pub(crate) struct Gate {
    address: SocketAddr,
    passing: Option<JoinHandle<()>>,
}

impl Gate {
    pub(crate) async fn closed() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { address: listener.local_addr().unwrap(), passing: None }
    }

    /// The Redis behind the gate.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}{}", login_and_address().0, self.address)
    }

    pub(crate) async fn open(&mut self) {
        let (_, address) = login_and_address();
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.passing = Some(tokio::spawn(async move {
            let mut passing = tokio::task::JoinSet::new();
            loop {
                let (mut inside, _) = listener.accept().await.unwrap();
                let address = address.clone();
                passing.spawn(async move {
                    let mut outside = TcpStream::connect(address).await.unwrap();
                    // Either side may hang up.
                    drop(copy_bidirectional(&mut inside, &mut outside).await);
                });
            }
        }));
    }

    /// Cuts every connection and takes no more.
    pub(crate) async fn close(&mut self) {
        if let Some(passing) = self.passing.take() {
            passing.abort();
            drop(passing.await);
        }
    }
}

pub(crate) fn namespace(name: &str) -> Namespace {
    Namespace::try_from(name).unwrap()
}

pub(crate) fn lasting(duration: Duration) -> Lifetime {
    Lifetime::try_from(duration).unwrap()
}

/// Waits until this holds, and fails when it does not within half a minute.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < deadline, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
