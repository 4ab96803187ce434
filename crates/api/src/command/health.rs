//! `groovebase health`: asks the running service whether it is ready, as a container's supervisor does.

use std::{
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use ureq::Agent;

/// A service that takes longer is not well.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks the service that listens on `listen`, and writes one line.
///
/// # Errors
///
/// When it does not answer, or answers that it is not ready.
pub fn ask(listen: SocketAddr, output: &mut impl Write) -> Result<(), HealthError> {
    let service = reachable(listen);
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        // It asks this machine, whatever proxy the environment names.
        .proxy(None)
        .build()
        .into();
    let answer = agent
        .get(format!("http://{service}/health/ready"))
        .call()
        .map_err(|source| HealthError::NoAnswer { service, source: Box::new(source) })?;
    if answer.status().is_success() {
        Ok(writeln!(output, "ready")?)
    } else {
        Err(HealthError::NotReady { service, status: answer.status().as_u16() })
    }
}

/// Where a service on this machine answers that listens on every address.
const fn reachable(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        IpAddr::V4(address) if address.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(address) if address.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        address => address,
    };
    SocketAddr::new(address, listen.port())
}

/// Why the service does not count as ready.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HealthError {
    /// Nobody answered, or not in time.
    #[error("nothing answers at {service}")]
    NoAnswer {
        /// Where it was asked.
        service: SocketAddr,
        /// What happened instead.
        source: Box<ureq::Error>,
    },
    /// It says so itself.
    #[error("the service at {service} is not ready: it answered {status}")]
    NotReady {
        /// Where it was asked.
        service: SocketAddr,
        /// The status code.
        status: u16,
    },
    /// The result could not be written.
    #[error("cannot write the result")]
    Output(#[from] io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_loopback_when_the_service_listens_everywhere() {
        for (listen, expected) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:80", "[::1]:80"),
            ("127.0.0.2:1", "127.0.0.2:1"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), expected);
        }
    }
}
