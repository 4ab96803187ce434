//! Connections, and the pools that keep them.
//!
//! A connection is multiplexed: its task writes questions in the order in which they come and hands each answer to the
//! question at the head of its queue (`redis::aio::MultiplexedConnection`). Whoever stops waiting drops the receiving
//! end of that question only, so a late answer is thrown away and never reaches somebody else. That is why requests
//! share connections: the pool lends one just long enough to clone its handle, and slow answers hold nobody up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use deadpool::managed::{self, Metrics, PoolError, RecycleError, RecycleResult};
use deadpool_redis::redis::{
    self, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, Pipeline,
    ProtocolVersion, RedisConnectionInfo, RedisError, RedisFuture, RedisResult, TlsCertificates,
    TlsMode, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    io::tcp::TcpSettings,
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};
use parking_lot::Mutex;
use tokio::{
    runtime::{self, Handle},
    sync::{Semaphore, oneshot},
};

use super::{
    address::{Address, Login, Node, Topology},
    gets::Gets,
    settings::{InvalidRedisSettings, RedisSettings},
    statistics::Counter,
};

/// A connection that was used more recently than this is taken to be alive without asking.
const TRUSTED_FOR: Duration = Duration::from_secs(1);
/// How long connecting may take. It goes on when whoever waited for it has used up its budget.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// For so long a connection that nobody waited for is kept.
const KEPT_FOR: Duration = Duration::from_secs(30);
/// Runtimes that have a pool at most. The service has one for each processor and another one.
const MOST_RUNTIMES: usize = 1_024;
/// Times that the cluster client follows a moved key or a changed topology within one operation.
const CLUSTER_RETRIES: u32 = 2;

/// A pool for each runtime that asks.
///
/// A connection's task runs in the runtime that opened it. In the service each thread has one of its own, and whoever asks
/// through a connection of another thread waits until that has woken up, twice.
pub(super) struct Pools {
    address: Address,
    certificates: Option<TlsCertificates>,
    most: usize,
    opened: Arc<Counter>,
    /// Nothing once they are closed.
    open: Mutex<Option<Vec<Arc<Lane>>>>,
}

/// What the tasks of one runtime share.
pub(super) struct Lane {
    runtime: runtime::Id,
    pool: managed::Pool<Connector>,
    /// The connection that was lent last, and when: it serves the next one without a visit to the pool, so that
    /// questions asked at the same time travel together, many in one write, their answers in one read.
    lent: Mutex<Option<(Connection, Instant)>>,
    /// Questions about keys, where they can be put together.
    pub(super) gets: Option<Arc<Gets>>,
}

impl Lane {
    /// A handle of a connection that others share; the pool has it back at once.
    pub(super) async fn lend(&self) -> Result<Connection, PoolError<RedisError>> {
        if let Some(connection) = self.lent() {
            return Ok(connection);
        }
        let connection = Connection::clone(&*self.pool.get().await?);
        *self.lent.lock() = Some((connection.clone(), Instant::now()));
        Ok(connection)
    }

    /// A handle of the connection that was lent last, if that can be taken to be alive.
    fn lent(&self) -> Option<Connection> {
        let mut lent = self.lent.lock();
        let (connection, used) = lent.as_mut()?;
        let now = Instant::now();
        if connection.is_given_up() || TRUSTED_FOR <= now.duration_since(*used) {
            *lent = None;
            return None;
        }
        *used = now;
        Some(connection.clone())
    }
}

impl Pools {
    /// Pools of connections to this address. Nobody is contacted.
    pub(super) fn new(settings: &RedisSettings) -> Result<Self, InvalidRedisSettings> {
        let address = Address::parse(&settings.url)?;
        let certificates = certificates(settings, address.tls)?;
        if address.tls {
            // The client asks for the process's provider and panics without one. Whoever chose one before is left alone.
            drop(rustls::crypto::ring::default_provider().install_default());
        }
        // Those of the runtimes will be made of the same.
        Source::new(&address, certificates.clone())
            .map_err(|_| InvalidRedisSettings::InvalidCertificate)?;
        Ok(Self {
            address,
            certificates,
            most: settings.connections,
            opened: Arc::default(),
            open: Mutex::new(Some(Vec::new())),
        })
    }

    /// What the tasks of this runtime share; nothing outside of a runtime, or once they are closed.
    pub(super) fn lane(&self) -> Option<Arc<Lane>> {
        let runtime = Handle::try_current().ok()?.id();
        let mut lanes = self.open.lock();
        let lanes = lanes.as_mut()?;
        if let Some(lane) = lanes.iter().find(|lane| lane.runtime == runtime) {
            return Some(Arc::clone(lane));
        }
        let connector = Connector {
            // One was made of the same at the start.
            source: Arc::new(Source::new(&self.address, self.certificates.clone()).ok()?),
            spare: Arc::default(),
            underway: Arc::new(Semaphore::new(self.most)),
            opened: Arc::clone(&self.opened),
        };
        let pool = managed::Pool::builder(connector)
            .max_size(self.most)
            // Another connection than the one used last is used, or opened, only while that one is being lent.
            .queue_mode(managed::QueueMode::Lifo)
            .build()
            .ok()?;
        if MOST_RUNTIMES <= lanes.len() {
            // The first ones have ended, or somebody makes them without end.
            lanes.remove(0);
        }
        // The keys of a cluster are in different places.
        let in_one_place = !matches!(self.address.topology, Topology::Cluster { .. });
        let gets = in_one_place.then(Arc::default);
        let lane = Arc::new(Lane { runtime, pool, lent: Mutex::default(), gets });
        lanes.push(Arc::clone(&lane));
        Some(lane)
    }

    /// How many connections were opened.
    pub(super) fn opened(&self) -> u64 {
        self.opened.get()
    }

    /// Closes the connections that nobody uses; the others go when their operations end.
    pub(super) fn close(&self) {
        for lane in self.open.lock().take().into_iter().flatten() {
            lane.pool.close();
        }
    }
}

/// A handle of a connection that others use at the same time.
#[derive(Clone)]
pub(crate) struct Connection {
    link: Link,
    broken: Arc<AtomicBool>,
}

#[derive(Clone)]
enum Link {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Connection {
    fn new(link: Link) -> Self {
        Self { link, broken: Arc::default() }
    }

    /// Whether keys must lie in one slot to be used by one command.
    pub(crate) const fn is_cluster(&self) -> bool {
        matches!(self.link, Link::Cluster(_))
    }

    fn is_given_up(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Has the pool replace this connection. Whoever uses it now may go on. Returns whether this is news.
    pub(super) fn give_up(&self) -> bool {
        !self.broken.swap(true, Ordering::Relaxed)
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match &mut self.link {
            Link::Server(connection) => connection.req_packed_command(command),
            Link::Cluster(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match &mut self.link {
            Link::Server(connection) => connection.req_packed_commands(pipeline, offset, count),
            Link::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match &self.link {
            Link::Server(connection) => connection.get_db(),
            Link::Cluster(connection) => connection.get_db(),
        }
    }
}

/// Opens connections for the pool.
///
/// It wraps the managers of `deadpool-redis`, whose `recycle` costs a round trip on every checkout and which leave the
/// timeouts and retries of clusters, and the certificates of sentinels, at their defaults.
pub(super) struct Connector {
    source: Arc<Source>,
    /// Connections that came too late for whoever asked for them.
    spare: Arc<Mutex<Vec<(Instant, Connection)>>>,
    /// How many may be on their way at once.
    underway: Arc<Semaphore>,
    opened: Arc<Counter>,
}

enum Source {
    Server(Box<deadpool_redis::Manager>),
    // Asking takes it mutably, though it changes nothing but where it begins.
    Sentinel(Box<tokio::sync::Mutex<SentinelClient>>),
    Cluster(Box<ClusterClient>),
}

fn certificates(
    settings: &RedisSettings,
    tls: bool,
) -> Result<Option<TlsCertificates>, InvalidRedisSettings> {
    let Some(pem) = &settings.ca_certificate else { return Ok(None) };
    if !tls {
        return Err(InvalidRedisSettings::CertificateWithoutTls);
    }
    // The client takes a text without certificates for a list of none, and would then trust nobody.
    if !pem.contains("-----BEGIN CERTIFICATE-----") {
        return Err(InvalidRedisSettings::InvalidCertificate);
    }
    Ok(Some(TlsCertificates { client_tls: None, root_cert: Some(pem.clone().into_bytes()) }))
}

impl Source {
    fn new(address: &Address, certificates: Option<TlsCertificates>) -> RedisResult<Self> {
        let Address { tls, login, topology } = address;
        match topology {
            Topology::Single { node, database } => {
                let mut info = connection_info(node, *tls, login, *database)?;
                if let Some(certificates) = certificates {
                    info =
                        Client::build_with_tls(info, certificates)?.get_connection_info().clone();
                }
                let config = redis::AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(CONNECT_WITHIN))
                    // The budget is the one clock of an operation.
                    .set_response_timeout(None);
                let manager = deadpool_redis::Manager::new_with_config(info, config)?;
                Ok(Self::Server(Box::new(manager)))
            }
            Topology::Sentinel { sentinels, login: sentinel_login, master, database } => {
                let client = sentinel_client(
                    sentinels.iter().map(|node| node_address(node, *tls)),
                    master,
                    *tls,
                    certificates,
                    (login, sentinel_login),
                    *database,
                )?;
                Ok(Self::Sentinel(Box::new(tokio::sync::Mutex::new(client))))
            }
            Topology::Cluster { nodes } => {
                let nodes: Vec<_> = nodes
                    .iter()
                    .map(|node| connection_info(node, *tls, login, 0))
                    .collect::<RedisResult<_>>()?;
                let mut builder = ClusterClient::builder(nodes)
                    .tcp_settings(tcp_settings())
                    .connection_timeout(CONNECT_WITHIN)
                    .response_timeout(CONNECT_WITHIN)
                    .overall_response_timeout(Some(CONNECT_WITHIN))
                    .retries(CLUSTER_RETRIES)
                    .min_retry_wait(1)
                    .max_retry_wait(10);
                if *tls {
                    builder = builder.tls(TlsMode::Secure);
                }
                if let Some(certificates) = certificates {
                    builder = builder.certs(certificates);
                }
                builder.build().map(|client| Self::Cluster(Box::new(client)))
            }
        }
    }

    async fn connect(&self) -> RedisResult<Connection> {
        let link = match self {
            Self::Server(manager) => {
                Link::Server(managed::Manager::create(manager.as_ref()).await?)
            }
            Self::Sentinel(client) => {
                let config = redis::AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(CONNECT_WITHIN))
                    .set_response_timeout(Some(CONNECT_WITHIN));
                let mut client = client.lock().await;
                Link::Server(client.get_async_connection_with_config(&config).await?)
            }
            Self::Cluster(client) => Link::Cluster(client.get_async_connection().await?),
        };
        Ok(Connection::new(link))
    }
}

fn sentinel_client(
    sentinels: impl Iterator<Item = ConnectionAddr>,
    master: &str,
    tls: bool,
    certificates: Option<TlsCertificates>,
    (server, sentinel): (&Login, &Login),
    database: i64,
) -> RedisResult<SentinelClient> {
    let mut builder = SentinelClientBuilder::new(sentinels, master, SentinelServerType::Master)?
        .set_client_to_redis_db(database)
        .set_client_to_redis_tcp_settings(tcp_settings())
        .set_client_to_sentinel_tcp_settings(tcp_settings());
    if tls {
        builder = builder
            .set_client_to_redis_tls_mode(TlsMode::Secure)
            .set_client_to_sentinel_tls_mode(TlsMode::Secure);
    }
    if let Some(certificates) = certificates {
        builder = builder
            .set_client_to_redis_certificates(certificates.clone())
            .set_client_to_sentinel_certificates(certificates);
    }
    if let Some(user) = &server.user {
        builder = builder.set_client_to_redis_username(user);
    }
    if let Some(password) = &server.password {
        builder = builder.set_client_to_redis_password(password);
    }
    if let Some(user) = &sentinel.user {
        builder = builder.set_client_to_sentinel_username(user);
    }
    if let Some(password) = &sentinel.password {
        builder = builder.set_client_to_sentinel_password(password);
    }
    builder.build()
}

fn node_address(node: &Node, tls: bool) -> ConnectionAddr {
    let Node { host, port } = node.clone();
    if tls {
        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host, port)
    }
}

fn connection_info(
    node: &Node,
    tls: bool,
    login: &Login,
    database: i64,
) -> RedisResult<ConnectionInfo> {
    let mut server = RedisConnectionInfo::default()
        .set_db(database)
        .set_protocol(ProtocolVersion::RESP2)
        .set_lib_name("groovebase", env!("CARGO_PKG_VERSION"));
    if let Some(user) = &login.user {
        server = server.set_username(user);
    }
    if let Some(password) = &login.password {
        server = server.set_password(password);
    }
    let info = node_address(node, tls).into_connection_info()?;
    Ok(info.set_redis_settings(server).set_tcp_settings(tcp_settings()))
}

/// Without `TCP_NODELAY` a question may wait for the acknowledgement of the one before.
fn tcp_settings() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

impl managed::Manager for Connector {
    type Type = Connection;
    type Error = RedisError;

    async fn create(&self) -> RedisResult<Connection> {
        if let Some(connection) = self.take_spare() {
            return Ok(connection);
        }
        let (sender, receiver) = oneshot::channel();
        let underway = Arc::clone(&self.underway).acquire_owned().await.map_err(|_| lost())?;
        let (source, spare) = (Arc::clone(&self.source), Arc::clone(&self.spare));
        let opened = Arc::clone(&self.opened);
        // A handshake that takes longer than a budget would otherwise begin anew for ever.
        tokio::spawn(async move {
            let connected = tokio::time::timeout(CONNECT_WITHIN, source.connect())
                .await
                .unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()));
            if connected.is_ok() {
                opened.add(1);
            }
            if let Err(Ok(unclaimed)) = sender.send(connected) {
                spare.lock().push((Instant::now(), unclaimed));
            }
            drop(underway);
        });
        receiver.await.unwrap_or_else(|_| Err(lost()))
    }

    async fn recycle(
        &self,
        connection: &mut Connection,
        metrics: &Metrics,
    ) -> RecycleResult<RedisError> {
        if connection.is_given_up() {
            return Err(RecycleError::message("an operation failed on it"));
        }
        if metrics.last_used() < TRUSTED_FOR {
            return Ok(());
        }
        redis::cmd("PING").query_async::<()>(connection).await.map_err(RecycleError::Backend)
    }
}

impl Connector {
    fn take_spare(&self) -> Option<Connection> {
        let mut spare = self.spare.lock();
        spare.retain(|(since, _)| since.elapsed() < KEPT_FOR);
        spare.pop().map(|(_, connection)| connection)
    }
}

/// The task that connects went away, which happens when the runtime ends.
fn lost() -> RedisError {
    RedisError::from((ErrorKind::Io, "the connection was not made"))
}
