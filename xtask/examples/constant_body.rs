//! The least that a service in this web framework can do: it answers what standard input held, whatever is asked.
//!
//! `cargo xtask bench` starts it as the limit that the service is held against. It is an example so that the web framework
//! is a dependency of this file alone and not of the tasks.

use std::{
    io::{self, Read as _, Write as _},
    num::NonZeroUsize,
};

use actix_web::{App, HttpResponse, HttpServer, http::StatusCode, web};
use anyhow::Context as _;
use clap::Parser as _;

/// Answers the same to everybody.
#[derive(clap::Parser)]
struct Settings {
    /// How many threads answer.
    #[arg(long)]
    workers: NonZeroUsize,
    /// The status of the answer.
    #[arg(long, default_value_t = 200)]
    status: u16,
}

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let Settings { workers, status } = Settings::parse();
    let status = StatusCode::from_u16(status)?;
    let mut body = Vec::new();
    io::stdin().read_to_end(&mut body)?;
    let body = web::Bytes::from(body);

    let server = HttpServer::new(move || {
        let body = body.clone();
        App::new().default_service(web::to(move || {
            let body = body.clone();
            async move { HttpResponse::build(status).content_type("application/json").body(body) }
        }))
    })
    .workers(workers.get())
    .bind(("127.0.0.1", 0))?;
    let address = server.addrs().first().copied().context("it is bound to no address")?;
    writeln!(io::stdout(), "{address}")?;
    Ok(server.run().await?)
}
