//! Followers of the change feed: a connection of their own, and what becomes of it when the server or the way to it
//! fails.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, ensure};
use domain::{Change, Expected, RepositoryError, Version};
use groovebase_tests::{
    fixture::{self, Fixture, Postgres},
    given,
};
use storage::{PoolLimits, Store};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use url::Url;

/// Longer than anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);

const TERMINATE_FOLLOWERS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
     WHERE datname = current_database() AND application_name = 'groovebase' AND query LIKE 'LISTEN%'";

/// Fails unless exactly one connection listens, under the name of the service.
const EXPECT_ONE_FOLLOWER: &str = "DO $$ BEGIN ASSERT 1 = (SELECT count(*) FROM pg_stat_activity \
     WHERE datname = current_database() AND application_name = 'groovebase' AND query LIKE 'LISTEN%'); END $$";

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_the_server_cut_off_says_so() -> anyhow::Result<()> {
    let fixture = Postgres::open().await?;
    let changes = fixture.store().changes();
    let mut waiting = changes.follow().await?;
    let mut asking = changes.follow().await?;
    let waiter = tokio::spawn(async move { (waiting.hint().await, waiting) });

    fixture.by_hand(TERMINATE_FOLLOWERS).await?;
    let (hint, mut waiting) = timeout(DEADLINE, waiter).await??;
    let since = timeout(DEADLINE, asking.since(Version::ZERO, 10)).await?;
    let afterwards = [
        timeout(DEADLINE, waiting.hint()).await?,
        timeout(DEADLINE, asking.hint()).await?,
        timeout(DEADLINE, waiting.since(Version::ZERO, 10)).await?.map(drop),
    ];
    let mut another = changes.follow().await?;
    fixture
        .store()
        .style_profiles()
        .save(&given::profile("J Dilla", "late")?, Expected::Any, &given::author())
        .await?;
    timeout(DEADLINE, another.hint()).await.context("no hint")??;
    let told = another.since(Version::ZERO, 10).await?;

    ensure!(matches!(hint, Err(RepositoryError::Unavailable(_))), "{hint:?}");
    ensure!(matches!(since, Err(RepositoryError::Unavailable(_))), "{since:?}");
    for afterwards in afterwards {
        ensure!(matches!(afterwards, Err(RepositoryError::Unavailable(_))), "{afterwards:?}");
    }
    ensure!(matches!(told.as_slice(), [Change::Present { has_profile: true, .. }]), "{told:?}");
    fixture.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_takes_no_connection_from_the_pool() -> anyhow::Result<()> {
    let fixture = Postgres::open().await?;
    let limits = PoolLimits { kept: 0, most: 1, ..PoolLimits::default() };
    let store = fixture::store_with(fixture.url(), &limits).await?;
    let new = given::profile("J Dilla", "late")?;

    let mut follower = store.changes().follow().await?;
    fixture.by_hand(EXPECT_ONE_FOLLOWER).await?;
    store.style_profiles().save(&new, Expected::Any, &given::author()).await?;
    let saved = store.style_profiles().find(new.artist.key()).await?.context("saved")?;
    let told = follower.since(Version::ZERO, 10).await?;

    ensure!(told.last().map(Change::version) == Some(saved.version), "{told:?}");
    store.close().await;
    fixture.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_falls_silent_holds_nobody_up() -> anyhow::Result<()> {
    let fixture = Postgres::open().await?;
    let (way, store) = store_behind_a_way(&fixture).await?;
    let mut follower = store.changes().follow().await?;
    follower.since(Version::ZERO, 10).await?;

    way.fall_silent();
    let since = timeout(DEADLINE, follower.since(Version::ZERO, 10)).await.context("since")?;
    let follow = timeout(DEADLINE, store.changes().follow()).await.context("follow")?;

    ensure!(matches!(since, Err(RepositoryError::Unavailable(_))), "{since:?}");
    ensure!(matches!(follow, Err(RepositoryError::Unavailable(_))), "followed a silent server");
    fixture.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_is_dropped_closes_its_connection_at_once() -> anyhow::Result<()> {
    let fixture = Postgres::open().await?;
    let (way, store) = store_behind_a_way(&fixture).await?;
    let dropped = store.changes().follow().await?;
    let mut interrupted = store.changes().follow().await?;
    interrupted.since(Version::ZERO, 10).await?;
    // The pool has one; those that were opened to see whether the server is there go by themselves.
    way.wait_for_open(3).await?;

    way.fall_silent();
    drop(dropped);
    way.wait_for_open(2).await.context("dropped")?;
    let since = timeout(Duration::from_millis(20), interrupted.since(Version::ZERO, 10)).await;
    way.wait_for_open(1).await.context("interrupted")?;
    let afterwards = timeout(DEADLINE, interrupted.hint()).await?;

    ensure!(since.is_err(), "answered by a silent server: {since:?}");
    ensure!(matches!(afterwards, Err(RepositoryError::Unavailable(_))), "{afterwards:?}");
    fixture.close().await
}

/// A store that reaches the fixture's server through a [`Way`] and is impatient.
async fn store_behind_a_way(fixture: &Postgres) -> anyhow::Result<(Way, Store)> {
    let mut url = Url::parse(fixture.url())?;
    let server = url.socket_addrs(|| Some(5432))?;
    let way = Way::open(*server.first().context("address")?).await?;
    url.set_ip_host(way.address.ip()).ok().context("host")?;
    url.set_port(Some(way.address.port())).ok().context("port")?;
    let limits = PoolLimits {
        kept: 0,
        most: 2,
        acquire_timeout: Duration::from_secs(2),
        statement_timeout: Duration::from_secs(2),
        ..PoolLimits::default()
    };
    let store = fixture::store_with(url.as_str(), &limits).await?;
    Ok((way, store))
}

/// The way to a server, on which everything is lost from some moment on while every connection stays open: what a
/// client sees of a machine that lost its power.
struct Way {
    address: SocketAddr,
    silent: watch::Sender<bool>,
    open: watch::Receiver<usize>,
}

impl Way {
    async fn open(server: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (silent, hears) = watch::channel(false);
        let (counter, open) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (hears, counter) = (hears.clone(), counter.clone());
                tokio::spawn(async move {
                    counter.send_modify(|open| *open += 1);
                    drop(carry(client, server, hears).await);
                    counter.send_modify(|open| *open -= 1);
                });
            }
        });
        Ok(Self { address, silent, open })
    }

    fn fall_silent(&self) {
        self.silent.send_replace(true);
    }

    /// Waits until so many clients have their connection open.
    async fn wait_for_open(&self, expected: usize) -> anyhow::Result<()> {
        let mut open = self.open.clone();
        let reached = timeout(DEADLINE, open.wait_for(|open| *open == expected)).await;
        ensure!(reached.is_ok(), "{} open, {expected} expected", *self.open.borrow());
        Ok(())
    }
}

/// Carries bytes both ways until the client closes its end.
async fn carry(
    client: TcpStream,
    server: SocketAddr,
    silent: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = TcpStream::connect(server).await?.into_split();
    let hears = silent.clone();
    let answers = tokio::spawn(async move {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from_server.read(&mut bytes).await {
            if !*hears.borrow()
                && to_client.write_all(bytes.get(..count).unwrap_or_default()).await.is_err()
            {
                break;
            }
        }
        to_client
    });
    let mut bytes = [0; 4096];
    while let count @ 1.. = from_client.read(&mut bytes).await? {
        if !*silent.borrow() {
            to_server.write_all(bytes.get(..count).unwrap_or_default()).await?;
        }
    }
    answers.abort();
    Ok(())
}
