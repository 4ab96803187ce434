//! The whole service beside a handler that answers the same bytes and does nothing else.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, ensure};
use api::{
    app,
    state::{State, StateSettings},
};
use groovebase_tests::fixture::{Fixture, Postgres};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    artists::Artists,
    measured::{median, say},
};

const CONNECTIONS: usize = 32;
const TURNS: usize = 7;
const TURN: Duration = Duration::from_secs(2);

pub(crate) async fn run(fixture: &Postgres, artists: &Artists) -> anyhow::Result<()> {
    let artist = artists.keys.first().context("an artist")?.to_string();
    let path: String = artist
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'0'..=b'9' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    let path = format!("/api/v1/artists/{path}/profile");
    let state = web::Data::new(State::new(fixture.store().clone(), StateSettings::default()));
    let service = HttpServer::new({
        let state = state.clone();
        move || app(state.clone())
    })
    .workers(2)
    .disable_signals()
    .bind(("127.0.0.1", 0))?;
    let address = *service.addrs().first().context("bound")?;
    let service = service.run();
    let stop_service = service.handle();
    tokio::spawn(service);

    let body = body_of(address, &path).await?;
    let constant = HttpServer::new(move || {
        let body = web::Bytes::from(body.clone());
        App::new().default_service(web::to(move || {
            let body = body.clone();
            async move { HttpResponse::Ok().content_type("application/json").body(body) }
        }))
    })
    .workers(2)
    .disable_signals()
    .bind(("127.0.0.1", 0))?;
    let limit = *constant.addrs().first().context("bound")?;
    let constant = constant.run();
    let stop_constant = constant.handle();
    tokio::spawn(constant);

    let (mut hits, mut strict) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let most = rate(limit, &path, "").await?;
        let hit = rate(address, &path, "").await?;
        let confirmed = rate(address, &path, "cache-control: no-cache\r\n").await?;
        say(&format!("constant body {most:.0}/s, hit {hit:.0}/s, strict {confirmed:.0}/s"));
        hits.push(hit / most);
        strict.push(confirmed / hit);
    }
    say(&format!("a hit over HTTP to a constant body, median: {:.3} of the rate", median(hits)));
    say(&format!("a strict read to a default one, median: {:.3} of the rate", median(strict)));
    stop_service.stop(true).await;
    stop_constant.stop(true).await;
    Ok(())
}

async fn body_of(address: SocketAddr, path: &str) -> anyhow::Result<Vec<u8>> {
    let mut connection = Connection::open(address, path, "").await?;
    let body = connection.ask().await?;
    ensure!(body.starts_with(b"{"), "{}", String::from_utf8_lossy(&body));
    Ok(body)
}

/// Answers a second, with all connections busy.
async fn rate(address: SocketAddr, path: &str, header: &str) -> anyhow::Result<f64> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut connection = Connection::open(address, path, header).await?;
        connection.ask().await?;
        connections.push(connection);
    }
    let began = Instant::now();
    let askers: Vec<_> = connections
        .into_iter()
        .map(|mut connection| {
            tokio::spawn(async move {
                let mut answers = 0_u32;
                while began.elapsed() < TURN {
                    connection.ask().await?;
                    answers += 1;
                }
                anyhow::Ok(answers)
            })
        })
        .collect();
    let mut answers = 0;
    for asker in askers {
        answers += asker.await??;
    }
    Ok(f64::from(answers) / began.elapsed().as_secs_f64())
}

/// One keep-alive connection that asks the same again and again.
struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr, path: &str, header: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n{header}\r\n");
        Ok(Self { stream, request: request.into_bytes(), buffer: vec![0; 1 << 16] })
    }

    async fn ask(&mut self) -> anyhow::Result<Vec<u8>> {
        self.stream.write_all(&self.request).await?;
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            ensure!(read != 0, "the connection was closed");
            filled += read;
            let answer = &self.buffer[..filled];
            let Some(head) = answer.windows(4).position(|it| it == b"\r\n\r\n") else { continue };
            let text = str::from_utf8(&answer[..head])?;
            ensure!(text.starts_with("HTTP/1.1 200"), "{text}");
            let length = text
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok()
                })
                .unwrap_or(0_usize);
            if head + 4 + length <= filled {
                return Ok(answer[head + 4..head + 4 + length].to_vec());
            }
        }
    }
}
