//! A plain HTTP client: what is asked is sent byte for byte, so that paths such as `%2E%2E` and `//` arrive as written.

mod answer;
mod problem;
mod request;

use std::{net::SocketAddr, time::Duration};

use anyhow::Context;
use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

pub use answer::Answer;
pub use problem::Problem;
pub use request::Request;

/// No answer takes that long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client of one server. Each request has a connection of its own.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    address: SocketAddr,
}

impl Client {
    /// A client of the server at this address.
    #[must_use]
    pub const fn of(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Where the server is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a request and waits for the whole answer.
    pub async fn send(&self, request: &Request) -> anyhow::Result<Answer> {
        let exchange = async {
            let mut stream = TcpStream::connect(self.address).await?;
            let (reader, mut writer) = stream.split();
            let bytes = request.bytes();
            // A server may refuse a body before it has all of it: then sending breaks off, and the answer tells why.
            let sending = async {
                drop(writer.write_all(&bytes).await);
                std::future::pending().await
            };
            tokio::select! {
                answer = Answer::receive(BufReader::new(reader), request.is_head()) => answer,
                never = sending => never,
            }
        };
        timeout(PATIENCE, exchange)
            .await
            .context("no answer in time")
            .flatten()
            .with_context(|| request.to_string())
    }
}

/// A text as a segment of a path, or the value of a parameter: every byte of it percent-encoded.
#[must_use]
pub fn encoded(text: &str) -> String {
    use std::fmt::Write;

    text.bytes().fold(String::new(), |mut encoded, byte| {
        // Writing to a string cannot fail.
        let _ = write!(encoded, "%{byte:02X}");
        encoded
    })
}

/// The path of an artist, or of something the artist has, such as `/profile`.
#[must_use]
pub fn artist(name: &str, rest: &str) -> String {
    format!("/api/v1/artists/{}{rest}", encoded(name))
}
