//! A connection that is kept, and as much HTTP/1.1 as it takes to read an answer with a known length.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// More headers than any answer has.
const MOST_HEADERS: usize = 64;

/// Of a connection that rested so long it is looked whether it is still there: a server closes what is idle.
const RESTED: Duration = Duration::from_secs(1);

pub(super) struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
    used: Instant,
    received: Vec<u8>,
}

/// What the head of an answer tells.
struct Head {
    status: u16,
    /// How long the whole answer is.
    length: usize,
    is_last: bool,
}

impl Connection {
    pub(super) fn to(address: SocketAddr) -> Self {
        Self { address, stream: None, used: Instant::now(), received: Vec::with_capacity(1 << 14) }
    }

    /// Makes the connection, unless it is there.
    pub(super) async fn open(&mut self) -> io::Result<&mut TcpStream> {
        let open = match self.stream.take() {
            Some(stream) if self.used.elapsed() < RESTED || is_open(&stream) => stream,
            Some(_) | None => {
                let stream = TcpStream::connect(self.address).await?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        Ok(self.stream.insert(open))
    }

    /// Asks, and returns the status of the answer once all of it is there. After a failure the next one is asked on a new
    /// connection.
    pub(super) async fn ask(&mut self, request: &[u8]) -> io::Result<u16> {
        let mut received = std::mem::take(&mut self.received);
        received.clear();
        let answer = match self.open().await {
            Ok(stream) => exchange(stream, request, &mut received).await,
            Err(error) => Err(error),
        };
        self.received = received;
        self.used = Instant::now();
        match answer {
            Ok(Head { status, length: _, is_last }) => {
                if is_last {
                    self.stream = None;
                }
                Ok(status)
            }
            Err(error) => {
                self.stream = None;
                Err(error)
            }
        }
    }
}

/// Nothing is due on it, so whatever there is to read is its end.
fn is_open(stream: &TcpStream) -> bool {
    let looked = stream.try_read(&mut [0]);
    matches!(looked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

async fn exchange(
    stream: &mut TcpStream,
    request: &[u8],
    received: &mut Vec<u8>,
) -> io::Result<Head> {
    stream.write_all(request).await?;
    let mut known: Option<Head> = None;
    loop {
        if stream.read_buf(received).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if known.is_none() {
            known = head(received)?;
        }
        if let Some(head) = known.take_if(|head| head.length <= received.len()) {
            return Ok(head);
        }
        // A buffer without room would be taken for the end.
        received.reserve(1 << 12);
    }
}

/// Reads the head, if all of it is there.
fn head(received: &[u8]) -> io::Result<Option<Head>> {
    let unreadable = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let head = match answer.parse(received) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(unreadable(&error.to_string())),
    };
    let status = answer.code.ok_or_else(|| unreadable("an answer without a status"))?;
    let value = |name: &str| {
        let found = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| str::from_utf8(header.value).ok())
    };
    let body = match (status, value("content-length")) {
        (204 | 304, _) => 0,
        (_, Some(length)) => length.parse().map_err(|_| unreadable("a length that is none"))?,
        (_, None) => return Err(unreadable("an answer without a length")),
    };
    let is_last = value("connection").is_some_and(|it| it.eq_ignore_ascii_case("close"));
    Ok(Some(Head { status, length: head + body, is_last }))
}
