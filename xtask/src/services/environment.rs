//! Services whose address is given in the environment. They are used as they are.

use std::{
    env,
    io::{Read as _, Write as _},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use url::Url;

use super::{Address, Service, redis, server};

/// How long a server has to accept a connection, and then to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Returns the address the environment gives for the service, if any, after checking that the
/// service answers there.
pub(super) fn address(service: Service) -> anyhow::Result<Option<Address>> {
    let Some(url) = given(service) else { return Ok(None) };
    let version = version(service, &url)
        .with_context(|| format!("{service} does not answer at {}", service.variable()))?;
    let origin = format!("{version}, given by {}", service.variable());
    Ok(Some(Address { url, origin }))
}

/// Returns what answers at the URL, in words, or fails if it is not the service.
pub(super) fn version(service: Service, url: &str) -> anyhow::Result<String> {
    match service {
        Service::Postgres => postgres_version(url),
        Service::Redis => redis::version(url),
        Service::RedisCluster => redis::cluster::version(url),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "these settings belong to developer tasks, and are read here alone"
)]
fn given(service: Service) -> Option<String> {
    env::var(service.variable()).ok().filter(|url| !url.is_empty())
}

/// Asks whether TLS is on offer, which only PostgreSQL understands and which needs no password.
///
/// The version is known only after signing in, which is left to those who use the address.
fn postgres_version(url: &str) -> anyhow::Result<String> {
    const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

    let url = Url::parse(url).context("the address is not a URL")?;
    let mut stream = server::connect(&url, 5432, PATIENCE)?;
    stream.write_all(&SSL_REQUEST)?;
    let mut answer = [0];
    stream.read_exact(&mut answer)?;

    ensure!(matches!(&answer, b"S" | b"N"), "what answers there is not PostgreSQL");
    Ok("PostgreSQL".to_owned())
}
