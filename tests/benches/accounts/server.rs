//! The service, and a client that keeps its connection.

use std::time::Duration;

use actix_web::{HttpServer, dev::ServerHandle, http::KeepAlive, web};
use anyhow::{Context, ensure};
use api::{
    app,
    state::{State, StateSettings},
};
use groovebase_tests::fixture;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A running service with one client.
pub(crate) struct Server {
    state: web::Data<State>,
    handle: ServerHandle,
    client: TcpStream,
    received: Vec<u8>,
}

impl Server {
    /// Starts the service on a database.
    pub(crate) async fn start(url: &str) -> anyhow::Result<Self> {
        let store = fixture::store_at(url).await?;
        let state = web::Data::new(State::new(store, StateSettings::default()));
        let shared = state.clone();
        let server = HttpServer::new(move || app(shared.clone()))
            .workers(1)
            // Others are asked, and histories are loaded, before this one is asked again.
            .client_request_timeout(Duration::ZERO)
            .keep_alive(KeepAlive::Os)
            .disable_signals()
            .bind(("127.0.0.1", 0))?;
        let address = *server.addrs().first().context("bound")?;
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        let client = TcpStream::connect(address).await?;
        client.set_nodelay(true)?;
        Ok(Self { state, handle, client, received: Vec::new() })
    }

    /// The shared state of its handlers.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Asks, and returns the length of the answer, which has to be 200.
    pub(crate) async fn get(&mut self, target: &str) -> anyhow::Result<usize> {
        let request = format!("GET {target} HTTP/1.1\r\nhost: bench\r\n\r\n");
        self.client.write_all(request.as_bytes()).await?;
        self.received.clear();
        loop {
            ensure!(self.client.read_buf(&mut self.received).await? != 0, "closed");
            let Some(head) = self.received.windows(4).position(|it| it == b"\r\n\r\n") else {
                continue;
            };
            let text = String::from_utf8_lossy(self.received.get(..head).unwrap_or_default())
                .to_ascii_lowercase();
            ensure!(text.starts_with("http/1.1 200"), "{target}: {text}");
            let length: usize = text
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"))
                .context("length")?
                .trim()
                .parse()?;
            if head + 4 + length <= self.received.len() {
                return Ok(length);
            }
        }
    }

    pub(crate) async fn stop(self) {
        self.state.close().await;
        self.handle.stop(true).await;
    }
}
