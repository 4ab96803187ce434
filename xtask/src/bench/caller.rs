//! Single questions on a connection that is kept.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};

/// More headers than any answer has.
const MOST_HEADERS: usize = 64;

/// No answer takes that long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection that asks one thing at a time.
pub(crate) struct Caller {
    stream: TcpStream,
    received: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// From the first byte sent to the last one received.
    pub(crate) took: Duration,
}

/// What an answer begins with.
struct Head {
    status: u16,
    headers: Vec<(String, String)>,
    length: usize,
    body: usize,
}

impl Caller {
    pub(crate) fn of(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).context("nobody listens")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, received: Vec::new() })
    }

    /// Asks, with a whole request of HTTP/1.1.
    pub(crate) fn ask(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.received.clear();
        let began = Instant::now();
        self.stream.write_all(request)?;
        let mut chunk = [0; 1 << 14];
        loop {
            let read = self.stream.read(&mut chunk)?;
            ensure!(read != 0, "the connection was closed");
            self.received.extend_from_slice(chunk.get(..read).unwrap_or_default());
            let Some(Head { status, headers, length, body }) = head(&self.received)? else {
                continue;
            };
            if let Some(body) = self.received.get(length..length + body) {
                return Ok(Answer { status, headers, body: body.to_vec(), took: began.elapsed() });
            }
        }
    }

    /// Asks what must be answered so.
    pub(crate) fn expect(&mut self, status: u16, request: &[u8]) -> anyhow::Result<Answer> {
        let answer = self.ask(request)?;
        if answer.status != status {
            let body = String::from_utf8_lossy(&answer.body);
            bail!("expected {status}, got {}: {}", answer.status, body.trim());
        }
        Ok(answer)
    }
}

impl Answer {
    /// A header, named in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// A request without a body.
pub(crate) fn get(path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: bench\r\naccept: application/json\r\n{headers}\r\n")
        .into_bytes()
}

/// A request with a body of JSON.
pub(crate) fn send(method: &str, path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n\
         {body}"
    )
    .into_bytes()
}

/// Reads the head, if all of it is there.
fn head(received: &[u8]) -> anyhow::Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = answer.parse(received)? else { return Ok(None) };
    let status = answer.code.context("an answer without a status")?;
    let headers: Vec<_> = answer
        .headers
        .iter()
        .map(|it| (it.name.to_ascii_lowercase(), String::from_utf8_lossy(it.value).into_owned()))
        .collect();
    let told = headers.iter().find(|(name, _)| name == "content-length");
    let body = match (status, told) {
        (204 | 304, _) => 0,
        (_, Some((_, length))) => length.parse().context("a length that is none")?,
        (_, None) => bail!("an answer without a length"),
    };
    Ok(Some(Head { status, headers, length, body }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_how_much_follows() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Cache: memory\r\n\r\n{}";

        let Head { status, headers, length, body } = head(answer).unwrap().unwrap();

        assert_eq!((status, length, body), (200, answer.len() - 2, 2));
        assert!(headers.contains(&("x-cache".to_owned(), "memory".to_owned())));
        assert!(head(&answer[..30]).unwrap().is_none());
        assert!(head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
