//! A stand-in for a collector of traces: it takes what is sent as OTLP over HTTP, and keeps the spans.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use anyhow::{Context, ensure};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value::Value,
};
use prost::Message;

/// What was sent of a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentSpan {
    /// Its trace, in hexadecimal digits.
    pub trace: String,
    /// Its own identity.
    pub id: String,
    /// That of the span that it is part of; empty without one.
    pub parent: String,
    /// What was done.
    pub name: String,
    /// The number of its kind: 2 for a server's, 3 for a client's.
    pub kind: i32,
    /// Attributes, with numbers as text.
    pub attributes: Vec<(String, String)>,
}

/// A collector that listens until it is dropped.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    spans: Arc<Mutex<Vec<SentSpan>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Collector {
    /// Begins to listen on a free port.
    pub fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let (spans, is_over) = (Arc::<Mutex<Vec<_>>>::default(), Arc::new(AtomicBool::new(false)));
        let (kept, ended) = (Arc::clone(&spans), Arc::clone(&is_over));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                // Who sends nonsense is missed by the test that waits for spans.
                let received = stream.map_err(anyhow::Error::from).and_then(receive);
                let received = received.unwrap_or_default();
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend(received);
            }
        });
        Ok(Self { address, spans, is_over, thread: Some(thread) })
    }

    /// Its address, as the setting takes it.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was sent so far.
    #[must_use]
    pub fn spans(&self) -> Vec<SentSpan> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // It waits for somebody to come.
        if TcpStream::connect(self.address).is_ok()
            && let Some(thread) = self.thread.take()
        {
            drop(thread.join());
        }
    }
}

fn receive(mut stream: TcpStream) -> anyhow::Result<Vec<SentSpan>> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    ensure!(line.starts_with("POST /v1/traces "), "{line}");
    let (mut length, mut is_protobuf) = (0, false);
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse()?,
            "content-type" => is_protobuf = value == "application/x-protobuf",
            _ => {}
        }
    }
    ensure!(is_protobuf, "OTLP in another form");
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
    spans(&body).context("not OTLP")
}

fn spans(body: &[u8]) -> anyhow::Result<Vec<SentSpan>> {
    let request = ExportTraceServiceRequest::decode(body)?;
    let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    Ok(scopes
        .flat_map(|scope| scope.spans)
        .map(|span| SentSpan {
            trace: hexadecimal(&span.trace_id),
            id: hexadecimal(&span.span_id),
            parent: hexadecimal(&span.parent_span_id),
            name: span.name,
            kind: span.kind,
            attributes: span
                .attributes
                .into_iter()
                .map(|attribute| (attribute.key, text(attribute.value.and_then(|it| it.value))))
                .collect(),
        })
        .collect())
}

fn text(value: Option<Value>) -> String {
    match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;

    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
