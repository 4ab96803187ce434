//! A network between a client and a server that does what a test wants.

mod link;

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Mutex as AsyncMutex, watch},
    task::JoinHandle,
};
use url::Url;

use super::port;
use crate::program::PATIENCE;

/// A listener that forwards every connection to a server.
///
/// A method that changes something applies to all connections, those that exist and those to come, and to every byte
/// that arrives after it returned. When this is dropped all connections are reset.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    target: SocketAddr,
    conditions: watch::Sender<Conditions>,
    links: Arc<Links>,
    /// Accepts connections; `None` while they are refused.
    acceptor: AsyncMutex<Option<JoinHandle<()>>>,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
    /// Either.
    Both,
}

/// What the network is like.
#[derive(Debug, Clone, Copy, Default)]
struct Conditions {
    to_server: Line,
    to_client: Line,
    /// Connections of earlier epochs have to end.
    epoch: u64,
    ending: Ending,
}

/// What the network is like in one direction.
#[derive(Debug, Clone, Copy, Default)]
struct Line {
    delay: Duration,
    swallows: bool,
    bytes_per_second: Option<NonZeroU32>,
}

/// How connections are ended.
#[derive(Debug, Clone, Copy, Default)]
enum Ending {
    #[default]
    Reset,
    Finish,
}

/// The connections there are.
#[derive(Debug, Default)]
struct Links {
    accepted: AtomicUsize,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Proxy {
    /// Listens on a free port of this machine, and forwards to the server at this address.
    pub async fn to(target: SocketAddr) -> anyhow::Result<Self> {
        let listener = port::listen()?;
        let proxy = Self {
            port: listener.local_addr()?.port(),
            target,
            conditions: watch::Sender::default(),
            links: Arc::default(),
            acceptor: AsyncMutex::new(None),
        };
        listener.set_nonblocking(true)?;
        let acceptor = proxy.accept(TcpListener::from_std(listener)?);
        *proxy.acceptor.lock().await = Some(acceptor);
        Ok(proxy)
    }

    /// The same for the server that a URL names. Returns the URL that leads through the proxy as well.
    pub async fn before(url: &str) -> anyhow::Result<(Self, String)> {
        let mut url = Url::parse(url)?;
        let host = url.host_str().context("the URL names no host")?.to_owned();
        let port = url.port().context("the URL names no port")?;
        let mut addresses = tokio::net::lookup_host((host.as_str(), port)).await?;
        let proxy = Self::to(addresses.next().context("the host has no address")?).await?;
        url.set_host(Some("127.0.0.1"))?;
        ensure!(url.set_port(Some(proxy.port)).is_ok(), "the URL takes no port");
        Ok((proxy, url.into()))
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// How many connections are open, those included that swallowed what should have ended them.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.links.tasks().iter().filter(|link| !link.is_finished()).count()
    }

    /// How many connections were accepted since the start.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.links.accepted.load(Ordering::Relaxed)
    }

    /// Lets every byte arrive so much later than it was sent, in order, and as many at a time as are sent.
    pub fn delay(&self, direction: Direction, delay: Duration) {
        self.change(direction, |line| line.delay = delay);
    }

    /// Holds every byte back until the delay is changed or [`Proxy::restore`] is called; then it arrives, late.
    pub fn hold(&self, direction: Direction) {
        self.delay(direction, Duration::MAX);
    }

    /// Lets so many bytes through in a second.
    pub fn throttle(&self, direction: Direction, bytes_per_second: NonZeroU32) {
        self.change(direction, |line| line.bytes_per_second = Some(bytes_per_second));
    }

    /// Swallows every byte, and the end of a connection too, while it stays open: neither side is told anything.
    ///
    /// A connection that lost something in a direction carries nothing in this direction ever again, since TCP never
    /// delivers what comes after a gap.
    pub fn swallow(&self, direction: Direction) {
        self.change(direction, |line| line.swallows = true);
    }

    /// Resets all connections (RST), and waits until that is done. New ones are accepted.
    pub async fn cut(&self) -> anyhow::Result<()> {
        self.end(Ending::Reset).await
    }

    /// Ends all connections in good order (FIN), and waits until that is done. New ones are accepted.
    pub async fn finish(&self) -> anyhow::Result<()> {
        self.end(Ending::Finish).await
    }

    /// Refuses new connections, as a machine does where nobody listens. Those that exist go on.
    pub async fn refuse(&self) {
        if let Some(acceptor) = self.acceptor.lock().await.take() {
            acceptor.abort();
            // The listener is gone when the task is.
            drop(acceptor.await);
        }
    }

    /// Makes the network what it was at first. A connection that lost something stays as it is.
    pub async fn restore(&self) -> anyhow::Result<()> {
        self.change(Direction::Both, |line| *line = Line::default());
        let mut acceptor = self.acceptor.lock().await;
        if acceptor.is_none() {
            *acceptor = Some(self.accept(TcpListener::bind(self.address()).await?));
        }
        Ok(())
    }

    fn change(&self, direction: Direction, mut change: impl FnMut(&mut Line)) {
        self.conditions.send_modify(|conditions| {
            if direction != Direction::ToClient {
                change(&mut conditions.to_server);
            }
            if direction != Direction::ToServer {
                change(&mut conditions.to_client);
            }
        });
    }

    async fn end(&self, ending: Ending) -> anyhow::Result<()> {
        let ended = {
            let mut tasks = self.links.tasks();
            self.conditions.send_modify(|conditions| {
                conditions.epoch += 1;
                conditions.ending = ending;
            });
            std::mem::take(&mut *tasks)
        };
        let began = Instant::now();
        for link in ended {
            let left = PATIENCE.saturating_sub(began.elapsed());
            tokio::time::timeout(left, link).await.context("a connection does not end")??;
        }
        Ok(())
    }

    fn accept(&self, listener: TcpListener) -> JoinHandle<()> {
        let (target, conditions) = (self.target, self.conditions.subscribe());
        let links = Arc::clone(&self.links);
        tokio::spawn(async move {
            // An error is that of one connection which is gone already.
            loop {
                if let Ok((client, _)) = listener.accept().await {
                    links.begin(client, target, conditions.clone());
                }
            }
        })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(acceptor) = self.acceptor.get_mut() {
            acceptor.abort();
        }
    }
}

impl Links {
    fn tasks(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(
        &self,
        client: TcpStream,
        target: SocketAddr,
        conditions: watch::Receiver<Conditions>,
    ) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        // Under the lock, under which epochs change: this connection is either ended with the others or not at all.
        let mut tasks = self.tasks();
        tasks.retain(|link| !link.is_finished());
        let epoch = conditions.borrow().epoch;
        tasks.push(tokio::spawn(link::run(client, target, conditions, epoch)));
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const NOTICEABLE: Duration = Duration::from_millis(100);

    /// A server that sends back what it gets, and ends when the client ends.
    async fn echo() -> anyhow::Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = client.split();
                    drop(tokio::io::copy(&mut from, &mut to).await);
                });
            }
        });
        Ok(address)
    }

    async fn connected() -> anyhow::Result<(Proxy, TcpStream)> {
        let proxy = Proxy::to(echo().await?).await?;
        let mut client = TcpStream::connect(proxy.address()).await?;
        // The link stands, so that what is tested is not the beginning of one.
        echoes(&mut client, b"hello").await?;
        Ok((proxy, client))
    }

    async fn echoes(client: &mut TcpStream, bytes: &[u8]) -> anyhow::Result<()> {
        client.write_all(bytes).await?;
        let mut echo = vec![0; bytes.len()];
        tokio::time::timeout(PATIENCE, client.read_exact(&mut echo)).await??;
        ensure!(echo == bytes, "something else came back");
        Ok(())
    }

    /// Whether nothing comes for a while that a reaction would not take.
    async fn is_silent(client: &mut TcpStream) -> bool {
        tokio::time::timeout(NOTICEABLE, client.read(&mut [0; 16])).await.is_err()
    }

    async fn read(client: &mut TcpStream) -> anyhow::Result<std::io::Result<usize>> {
        Ok(tokio::time::timeout(PATIENCE, client.read(&mut [0; 16])).await?)
    }

    #[tokio::test]
    async fn carries_all_bytes_and_the_end_of_them() -> anyhow::Result<()> {
        let (proxy, mut client) = connected().await?;
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(3_000_000).collect();

        let (mut from, mut to) = client.split();
        let mut echo = Vec::new();
        let sending = async {
            to.write_all(&bytes).await?;
            to.shutdown().await
        };
        let both = async { tokio::try_join!(sending, from.read_to_end(&mut echo)) };
        tokio::time::timeout(PATIENCE, both).await??;

        assert!(echo == bytes);
        assert_eq!(proxy.accepted(), 1);
        Ok(())
    }

    #[tokio::test]
    async fn delays_each_direction() -> anyhow::Result<()> {
        let (proxy, mut client) = connected().await?;

        for (direction, expected) in [
            (Direction::ToServer, NOTICEABLE),
            (Direction::ToClient, NOTICEABLE),
            (Direction::Both, 2 * NOTICEABLE),
        ] {
            proxy.delay(direction, NOTICEABLE);
            let began = Instant::now();
            echoes(&mut client, b"late").await?;

            assert!(expected <= began.elapsed(), "{direction:?}: {:?}", began.elapsed());
            proxy.restore().await?;
        }
        Ok(())
    }

    #[tokio::test]
    async fn delays_all_that_is_under_way_at_once() -> anyhow::Result<()> {
        let (proxy, mut client) = connected().await?;
        proxy.delay(Direction::ToServer, Duration::from_millis(500));

        let began = Instant::now();
        for _ in 0..100 {
            client.write_all(b"x").await?;
            tokio::task::yield_now().await;
        }
        client.read_exact(&mut [0; 100]).await?;

        // One after the other would take a hundred times as long.
        assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
        Ok(())
    }

    #[tokio::test]
    async fn holds_bytes_back_until_it_is_restored() -> anyhow::Result<()> {
        let (proxy, mut client) = connected().await?;
        proxy.hold(Direction::ToServer);
        client.write_all(b"late").await?;
        assert!(is_silent(&mut client).await);

        proxy.restore().await?;

        assert_eq!(read(&mut client).await??, 4);
        Ok(())
    }

    #[tokio::test]
    async fn throttles() -> anyhow::Result<()> {
        let (proxy, mut client) = connected().await?;
        proxy.throttle(Direction::ToServer, NonZeroU32::new(100_000).context("not zero")?);

        let began = Instant::now();
        echoes(&mut client, &vec![7; 20_000]).await?;

        assert!(Duration::from_millis(150) <= began.elapsed(), "{:?}", began.elapsed());
        Ok(())
    }

    #[tokio::test]
    async fn swallows_each_direction_and_tells_nobody() -> anyhow::Result<()> {
        for direction in [Direction::ToServer, Direction::ToClient, Direction::Both] {
            let (proxy, mut client) = connected().await?;
            proxy.swallow(direction);
            client.write_all(b"lost").await?;
            assert!(is_silent(&mut client).await, "{direction:?}");

            proxy.restore().await?;
            client.write_all(b"after a gap").await?;

            assert!(is_silent(&mut client).await, "{direction:?}");
            assert_eq!(proxy.connections(), 1);
            echoes(&mut TcpStream::connect(proxy.address()).await?, b"a new one works").await?;
        }
        Ok(())
    }

    #[tokio::test]
    async fn swallows_the_end_of_a_connection() -> anyhow::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let proxy = Proxy::to(listener.local_addr()?).await?;
        let client = TcpStream::connect(proxy.address()).await?;
        let (mut server, _) = listener.accept().await?;

        proxy.swallow(Direction::ToServer);
        drop(client);

        assert!(is_silent(&mut server).await);
        Ok(())
    }

    #[tokio::test]
    async fn resets_connections_and_accepts_new_ones() -> anyhow::Result<()> {
        let (proxy, mut client) = connected().await?;

        proxy.cut().await?;

        let error = read(&mut client).await?.expect_err("is reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(proxy.connections(), 0);
        echoes(&mut TcpStream::connect(proxy.address()).await?, b"a new one works").await
    }

    #[tokio::test]
    async fn resets_connections_that_hold_and_swallow() -> anyhow::Result<()> {
        let (proxy, mut client) = connected().await?;
        proxy.hold(Direction::ToClient);
        client.write_all(b"held").await?;
        proxy.swallow(Direction::ToServer);
        client.write_all(b"lost").await?;

        proxy.cut().await?;

        let error = read(&mut client).await?.expect_err("is reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        Ok(())
    }

    #[tokio::test]
    async fn ends_connections_in_good_order_on_both_sides() -> anyhow::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let proxy = Proxy::to(listener.local_addr()?).await?;
        let mut client = TcpStream::connect(proxy.address()).await?;
        let (mut server, _) = listener.accept().await?;

        proxy.finish().await?;

        assert_eq!(read(&mut client).await??, 0);
        assert_eq!(read(&mut server).await??, 0);
        Ok(())
    }

    #[tokio::test]
    async fn refuses_new_connections_only_until_it_is_restored() -> anyhow::Result<()> {
        let (proxy, mut client) = connected().await?;

        proxy.refuse().await;

        let error = TcpStream::connect(proxy.address()).await.expect_err("is refused");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        echoes(&mut client, b"the old one goes on").await?;
        proxy.restore().await?;
        echoes(&mut TcpStream::connect(proxy.address()).await?, b"a new one works").await
    }

    #[tokio::test]
    async fn a_server_that_is_away_resets_the_client() -> anyhow::Result<()> {
        let nobody = port::listen()?.local_addr()?;
        let proxy = Proxy::to(nobody).await?;
        let mut client = TcpStream::connect(proxy.address()).await?;

        let outcome = read(&mut client).await?;

        assert!(outcome.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
        Ok(())
    }

    #[tokio::test]
    async fn a_dropped_proxy_leaves_no_connection() -> anyhow::Result<()> {
        let (proxy, mut client) = connected().await?;
        let address = proxy.address();

        drop(proxy);

        let error = read(&mut client).await?.expect_err("is reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let refused = async {
            while TcpStream::connect(address).await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, refused).await?;
        Ok(())
    }

    #[tokio::test]
    async fn leads_a_url_through_itself() -> anyhow::Result<()> {
        let echo = echo().await?;

        let (proxy, url) = Proxy::before(&format!("redis://:secret@{echo}/0")).await?;

        assert_eq!(url, format!("redis://:secret@{}/0", proxy.address()));
        echoes(&mut TcpStream::connect(proxy.address()).await?, b"through").await
    }
}
