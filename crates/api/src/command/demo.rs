//! `groovebase demo`: the whole service on an example set, shown request by request.
//!
//! It lives in a temporary folder of its own, which goes with it, and touches no configured database.

mod answer;
mod client;
mod tour;

use std::{
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use actix_web::{HttpServer, dev::Server, web};
use futures::{Stream, StreamExt as _, stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::SecretString;
use storage::Store;
use tempfile::TempDir;

use self::{client::Client, tour::Tour};
use super::{
    import::{self, Incomplete, Options},
    interrupt::interrupts,
    serve::{ServeError, open_store},
};
use crate::{
    access::AccessMode,
    app,
    config::{DatabaseSettings, HttpSettings, Settings},
    state::{State, StateSettings},
};

pub use tour::TourError;

/// The example set, which an installed binary brings along.
const ARTISTS: &[u8] = include_bytes!("../../demo/artists.jsonl");

/// Where the service listens when nobody says otherwise.
const USUAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// How long requests under way may take at the end, in seconds.
const SHUTDOWN_TIMEOUT: u64 = 2;

/// What of a path means something else in a URL.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.');

/// The arguments of the command.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoArguments {
    /// End after the tour instead of going on to answer requests.
    #[arg(long)]
    once: bool,
}

impl DemoArguments {
    /// Runs the command, and removes what it made, also when it is interrupted.
    ///
    /// # Errors
    ///
    /// When the service does not start, or does not answer as it should.
    pub async fn execute(
        &self,
        settings: &Settings,
        output: &mut (dyn Write + Send),
    ) -> Result<(), DemoError> {
        // Its data is nobody's secret, but what it is made of answers to whoever asks.
        let open = settings.access.open_to_the_network;
        AccessMode::Off.decide(settings.http.listen, open).map_err(ServeError::Open)?;
        let mut interrupts = interrupts().map_err(ServeError::Signals)?;
        let folder = TempDir::with_prefix("groovebase-demo-").map_err(DemoError::Folder)?;
        let store = open_store(&database(&settings.database, folder.path())).await?;
        let loaded = load(&store).await?;
        let service = StateSettings {
            body_limit_bytes: settings.http.http_body_limit_bytes.get(),
            ..StateSettings::default()
        };
        // After the load, which is not the service's own and would be seen a moment later.
        let state = web::Data::new(State::new(store, service));
        let done = self.present(settings, loaded, &state, &mut interrupts, output).await;
        state.close().await;
        folder.close().map_err(DemoError::Folder)?;
        done
    }

    async fn present(
        &self,
        settings: &Settings,
        (artists, took): (u64, Duration),
        state: &web::Data<State>,
        interrupts: &mut (impl Stream<Item = ()> + Unpin),
        output: &mut (dyn Write + Send),
    ) -> Result<(), DemoError> {
        let (server, address) = listen(&settings.http, state)?;
        let handle = server.handle();
        let serving = tokio::spawn(server);
        let client = Client::new(address);
        let origin = client.origin();
        writeln!(
            output,
            "Groovebase {} on {origin}, with {artists} drummers in a throw-away SQLite file (loaded in {:.0} ms).\n\
             Every answer below is what the service just said; … marks what is left out here.",
            env!("CARGO_PKG_VERSION"),
            took.as_secs_f64() * 1_000.0
        )?;

        let toured = tokio::select! {
            biased;
            _ = interrupts.next() => Ok(None),
            toured = Tour::new(&client, output).walk() => toured.map(Some),
        };
        if let Ok(Some(requests)) = &toured {
            writeln!(output, "\n{requests} requests, all answered as they should be.")?;
            if !self.once {
                writeln!(
                    output,
                    "Try the rest at {origin}/docs/. Ctrl-C ends the demo and removes its data."
                )?;
                interrupts.next().await;
            }
        }
        handle.stop(true).await;
        // It was told to end, and did; how, changes nothing any more.
        drop(serving.await);
        match toured? {
            None if self.once => Err(DemoError::Interrupted),
            _ => Ok(()),
        }
    }
}

/// Loads the example set; returns how many artists there are and how long it took.
async fn load(store: &Store) -> Result<(u64, Duration), DemoError> {
    let loaded = import::run(
        ARTISTS,
        store.bulk_load().as_ref(),
        &Options::default(),
        stream::pending(),
        |_| (),
    )
    .await;
    loaded.outcome.map_err(DemoError::Load)?;
    Ok((loaded.written, loaded.took))
}

/// The configured limits, and a file in this folder.
fn database(settings: &DatabaseSettings, folder: &Path) -> DatabaseSettings {
    let file = folder.join("demo.db");
    let path = utf8_percent_encode(&file.to_string_lossy(), IN_PATH).to_string();
    DatabaseSettings {
        database_url: SecretString::from(format!("sqlite://{path}")),
        ..settings.clone()
    }
}

/// The service, and where it can be reached from here.
fn listen(
    settings: &HttpSettings,
    state: &web::Data<State>,
) -> Result<(Server, SocketAddr), ServeError> {
    let server = || {
        let state = state.clone();
        HttpServer::new(move || app(state.clone()))
            .shutdown_timeout(SHUTDOWN_TIMEOUT)
            .disable_signals()
            .workers(2)
    };
    let asked = settings.listen;
    let bound = match server().bind(asked) {
        // Whoever has a service there already can have a demo all the same.
        Err(error) if asked == USUAL && error.kind() == io::ErrorKind::AddrInUse => {
            server().bind(SocketAddr::new(USUAL.ip(), 0))
        }
        bound => bound,
    };
    let refused = |source| ServeError::Listen { address: asked, source };
    let server = bound.map_err(refused)?;
    let address = server
        .addrs()
        .first()
        .copied()
        .ok_or_else(|| refused(io::ErrorKind::AddrNotAvailable.into()))?;
    Ok((server.run(), reachable(address)))
}

/// "Any address" can be listened on, but not called.
const fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Why a demo ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// The temporary folder cannot be made or removed.
    #[error("the temporary folder does not work")]
    Folder(#[source] io::Error),
    /// The example set cannot be loaded.
    #[error("cannot load the example set")]
    Load(#[source] Incomplete),
    /// The service does not start.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The service does not answer as it should.
    #[error(transparent)]
    Tour(#[from] TourError),
    /// What was answered cannot be shown.
    #[error("cannot write the answers down")]
    Output(#[from] io::Error),
    /// Somebody asked for the end.
    #[error("interrupted")]
    Interrupted,
}
