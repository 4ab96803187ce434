//! `groovebase serve`: from settings to a service that answers, and to its orderly end.

mod opening;
mod waiting_room;

use std::{
    convert::Infallible,
    future, io,
    net::{SocketAddr, TcpListener},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use actix_web::{HttpServer, dev::ServerHandle, web};
use domain::{Limit, SystemClock};
use futures::{Stream, StreamExt};
use migration::{MigrationError, Schema};
use secrecy::ExposeSecret;
use storage::{ConnectError, Store};
use tokio::net::TcpSocket;

use opening::open_patiently;
use waiting_room::WaitingRoom;

use super::interrupt::interrupts;
use crate::{
    access::{Decided, NoAccessSecret, OpenToTheNetwork, access_secret},
    app,
    config::{DatabaseSettings, HttpSettings, LimitArgs, Settings, UnusableRedis},
    state::State,
};

/// How long closing the database connections may take.
const CLOSING: Duration = Duration::from_secs(5);

/// How long opening the store may take before somebody answers that the process is alive.
const UNNOTICED: Duration = Duration::from_secs(1);

/// How long a client has to close its end of a connection that is closed.
const CLOSING_CONNECTION: Duration = Duration::from_secs(1);

/// Answers requests until a signal to stop comes, and then until those under way are done.
pub async fn serve(settings: &Settings) -> Result<(), ServeError> {
    let Settings {
        config: _,
        http,
        database,
        cache: _,
        redis: _,
        similarity: _,
        history: _,
        access,
        limits,
        log: _,
        traces: _,
    } = settings;
    let decided = access.access.decide(http.listen, access.open_to_the_network)?;
    // Before the database is waited for.
    if decided.on && access.access_secret.is_none() && !database.is_embedded() {
        return Err(NoAccessSecret::NotSet.into());
    }
    let mut service = settings.service()?;
    service.read_store = open_read_store(database).await?;
    // Before anything is promised: a signal must not find nobody listening.
    let mut signals = interrupts().map_err(ServeError::Signals)?;
    let backlog = limits.http_backlog.get();
    let Some((store, listener)) = open(http.listen, backlog, database, &mut signals).await? else {
        tracing::info!("Stopped before the database could be opened");
        return Ok(());
    };
    warn_of_plain_text(&store, service.read_store.as_ref()).await;
    if decided.on {
        service.access = Some(access_secret(access.access_secret.as_ref(), &store).await?);
    }
    let state = web::Data::new(State::new(store, service));
    tell_access(decided, &state).await;

    let served = answer_requests(http, limits, listener, signals, state.clone()).await;
    if tokio::time::timeout(CLOSING, state.close()).await.is_err() {
        tracing::warn!(waited_ms = CLOSING.as_millis(), "Database connections are still in use");
    }
    served?;
    tracing::info!("Stopped");
    Ok(())
}

/// Says whether keys are asked for, and how to make the first one.
async fn tell_access(Decided { on, because }: Decided, state: &State) {
    if !on {
        tracing::info!(because, "Access is off: requests need no key");
        return;
    }
    tracing::info!(because, "Access is on: requests need a key");
    // Only a hint: what the store cannot tell now it will be asked for soon enough.
    if state.api_keys.page(None, Limit::LARGEST).await.is_ok_and(|page| page.items.is_empty()) {
        tracing::warn!(
            "There is no key yet: `groovebase keys create --name admin --scope admin` makes one"
        );
    }
}

/// Opens the store with its schema as this program needs it.
///
/// An embedded file belongs to the program, which brings it up to date; a server's schema is changed only when asked.
pub async fn open_store(settings: &DatabaseSettings) -> Result<Store, ServeError> {
    let url = settings.url();
    let url = url.expose_secret();
    let schema = Schema::connect(url).await?;
    if settings.is_embedded() {
        for change in schema.up(None).await? {
            tracing::info!(change, "Applied a change of the schema");
        }
    } else {
        let pending = schema.pending().await?.len();
        if pending != 0 {
            return Err(ServeError::Outdated { pending });
        }
    }
    schema.close().await?;
    Ok(storage::connect(url, &settings.pool_limits(), Arc::new(SystemClock)).await?)
}

/// Says so when what goes to the database and comes from it can be read on the way.
async fn warn_of_plain_text(store: &Store, read_store: Option<&Store>) {
    // Whoever cannot be asked now is not known to be at fault.
    let mut is_readable = matches!(store.is_readable_on_the_way().await, Ok(true));
    if let Some(store) = read_store {
        is_readable |= matches!(store.is_readable_on_the_way().await, Ok(true));
    }
    if is_readable {
        tracing::warn!(
            "The connections to the database leave this machine and are not encrypted; GROOVEBASE_DATABASE_TLS and \
             GROOVEBASE_DATABASE_CA_FILE say how they should be"
        );
    }
}

/// Opens the store and listens. While that takes longer than a moment, a waiting room answers. Returns nothing when
/// somebody asks for the end first.
async fn open(
    address: SocketAddr,
    backlog: u32,
    settings: &DatabaseSettings,
    signals: &mut (impl Stream<Item = ()> + Unpin),
) -> Result<Option<(Store, TcpListener)>, ServeError> {
    let unusable = |source| ServeError::Listen { address, source };
    let mut opening = pin!(open_patiently(settings));
    tokio::select! {
        opened = &mut opening => {
            let store = opened?;
            return Ok(Some((store, listen(address, backlog).map_err(unusable)?)));
        }
        Some(()) = signals.next() => return Ok(None),
        () = tokio::time::sleep(UNNOTICED) => {}
    }

    let listener = listen(address, backlog).map_err(unusable)?;
    let room = listener.try_clone().and_then(WaitingRoom::open).map_err(unusable)?;
    let address = listener.local_addr().map_err(unusable)?;
    tracing::info!(%address, "Opening the database; http://{address} answers for its health meanwhile");
    let opened = tokio::select! {
        opened = &mut opening => Some(opened),
        Some(()) = signals.next() => None,
    };
    room.close().await;
    opened.transpose().map(|store| store.map(|store| (store, listener)))
}

fn listen(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // An address that was in use a moment ago is free. Elsewhere this would let others take it.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(backlog)?.into_std()
}

/// Opens the store for reading, if there is to be one. Whether it is there is not asked: the service does without it.
async fn open_read_store(settings: &DatabaseSettings) -> Result<Option<Store>, ServeError> {
    let Some(url) = settings.read_url() else { return Ok(None) };
    let limits = settings.read_pool_limits();
    let clock = Arc::new(SystemClock);
    Ok(Some(storage::connect_later(url.expose_secret(), &limits, clock).await?))
}

async fn answer_requests(
    settings: &HttpSettings,
    limits: &LimitArgs,
    listener: TcpListener,
    signals: impl Stream<Item = ()> + Unpin,
    state: web::Data<State>,
) -> Result<(), ServeError> {
    let HttpSettings {
        listen,
        http_body_limit_bytes: _,
        http_workers,
        shutdown_timeout_seconds,
        server_timing: _,
    } = settings;
    let shared = state.clone();
    // Whoever the first requests are should not wait for what every thread does once.
    let on_each_thread = move || {
        let state = shared.clone();
        let warm_up = move || {
            let state = state.clone();
            async move {
                state.warm_up_thread().await;
                Ok::<_, Infallible>(WarmedUp)
            }
        };
        app(shared.clone()).data_factory(warm_up)
    };
    let connections = state.limits().connections.clone();
    let watching = tokio::spawn(connections.clone().watch());
    let mut server = HttpServer::new(on_each_thread)
        .client_request_timeout(Duration::from_millis(limits.http_header_timeout_ms))
        .client_disconnect_timeout(CLOSING_CONNECTION)
        .keep_alive(Duration::from_millis(limits.http_keep_alive_ms))
        .max_connections(limits.http_max_connections.get())
        .on_connect(move |connection, about| connections.note(connection, about))
        .shutdown_timeout(*shutdown_timeout_seconds)
        .disable_signals();
    if let Some(workers) = http_workers {
        server = server.workers(workers.get());
    }
    let server = server
        .listen(listener)
        .map_err(|source| ServeError::Listen { address: *listen, source })?;
    for address in server.addrs() {
        tracing::info!(%address, backend = state.backend(), "Listening on http://{address}");
    }
    let server = server.run();
    let handle = server.handle();
    let served = tokio::select! {
        ended = server => ended.map_err(ServeError::Serve),
        () = told_twice(signals, handle, state) => Ok(()),
    };
    watching.abort();
    served
}

/// A thread has read through its connections.
struct WarmedUp;

/// Stops the server gracefully when first asked to, and returns when asked again. A server that is stopping does not
/// listen to another command, so it is left behind then.
async fn told_twice(
    mut signals: impl Stream<Item = ()> + Unpin,
    server: ServerHandle,
    state: web::Data<State>,
) {
    if signals.next().await.is_none() {
        return future::pending().await;
    }
    tracing::info!("Stopping: finishing the requests under way");
    state.stop();
    // The command is sent at once; what it returns only waits.
    drop(server.stop(true));
    if signals.next().await.is_none() {
        return future::pending().await;
    }
    tracing::warn!("Stopping at once");
}

/// Why the service could not start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The schema could not be read or, in an embedded file, brought up to date.
    #[error("cannot prepare the database")]
    Migration(#[from] MigrationError),
    /// The schema is older than the program.
    #[error(
        "the database lacks {pending} changes of its schema: run `groovebase migrate up` and start again"
    )]
    Outdated {
        /// How many changes are pending.
        pending: usize,
    },
    /// The store cannot be opened.
    #[error("cannot open the database")]
    Connect(#[from] ConnectError),
    /// The address is in use, not this machine's, or not allowed.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The Redis settings are not usable.
    #[error("the Redis of the settings cannot be used")]
    Redis(#[from] UnusableRedis),
    /// Everybody on the network would be let in.
    #[error(transparent)]
    Open(#[from] OpenToTheNetwork),
    /// Keys cannot be checked.
    #[error(transparent)]
    Secret(#[from] NoAccessSecret),
    /// Signals cannot be waited for.
    #[error("cannot wait for signals")]
    Signals(#[source] io::Error),
    /// The server broke down.
    #[error("cannot go on answering requests")]
    Serve(#[source] io::Error),
}

impl ServeError {
    /// Whether it may be over some time later without anybody changing anything.
    const fn may_pass(&self) -> bool {
        match self {
            Self::Migration(error) => matches!(error, MigrationError::Away(_)),
            Self::Connect(error) => matches!(error, ConnectError::Away(_)),
            Self::Outdated { .. }
            | Self::Listen { .. }
            | Self::Redis(_)
            | Self::Open(_)
            | Self::Secret(_)
            | Self::Signals(_)
            | Self::Serve(_) => false,
        }
    }
}
