//! What is asked.

use std::fmt;

/// A request, with the target exactly as it is sent.
#[derive(Debug, Clone)]
pub struct Request {
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    /// A request without a body.
    pub fn new(method: &'static str, target: impl Into<String>) -> Self {
        Self { method, target: target.into(), headers: Vec::new(), body: None }
    }

    /// Asks for what there is.
    pub fn get(target: impl Into<String>) -> Self {
        Self::new("GET", target)
    }

    /// Asks for removal.
    pub fn delete(target: impl Into<String>) -> Self {
        Self::new("DELETE", target)
    }

    /// Stores a JSON text or value.
    #[expect(clippy::needless_pass_by_value, reason = "bodies are made where they are sent")]
    pub fn put(target: impl Into<String>, json: impl ToString) -> Self {
        Self::new("PUT", target).json(json.to_string())
    }

    /// Hands in a JSON text or value.
    #[expect(clippy::needless_pass_by_value, reason = "bodies are made where they are sent")]
    pub fn post(target: impl Into<String>, json: impl ToString) -> Self {
        Self::new("POST", target).json(json.to_string())
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same with this body, undeclared.
    #[must_use]
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: Some(body.into()), ..self }
    }

    /// The same with these bytes as a body that is declared as JSON.
    #[must_use]
    pub fn json(self, body: impl Into<Vec<u8>>) -> Self {
        self.with("content-type", "application/json").body(body)
    }

    /// The same with these bytes as a body that is declared as JSON, but not how long it is.
    #[must_use]
    pub fn json_in_chunks(self, body: &[u8], bytes: usize) -> Self {
        let mut chunks = Vec::new();
        for chunk in body.chunks(bytes) {
            chunks.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            chunks.extend_from_slice(chunk);
            chunks.extend_from_slice(b"\r\n");
        }
        chunks.extend_from_slice(b"0\r\n\r\n");
        self.with("transfer-encoding", "chunked").json(chunks)
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        self.method
    }

    /// The path as it is sent.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Whether the answer has no body, whatever its head says.
    #[must_use]
    pub fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// The request as it is sent.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut lines = vec![
            format!("{} {} HTTP/1.1", self.method, self.target),
            "host: test".to_owned(),
            "connection: close".to_owned(),
        ];
        lines.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        let is_chunked = self.headers.iter().any(|(name, _)| *name == "transfer-encoding");
        if let Some(body) = self.body.as_ref().filter(|_| !is_chunked) {
            lines.push(format!("content-length: {}", body.len()));
        }
        let mut bytes = format!("{}\r\n\r\n", lines.join("\r\n")).into_bytes();
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        bytes
    }
}

/// Writes what a failed test shows.
impl fmt::Display for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST_SHOWN: usize = 300;

        write!(formatter, "{} {}", self.method, self.target)?;
        for (name, value) in &self.headers {
            write!(formatter, " {name}: {value}")?;
        }
        if let Some(body) = &self.body {
            let text = String::from_utf8_lossy(body);
            let shown: String = text.chars().take(MOST_SHOWN).collect();
            write!(formatter, " {shown}")?;
        }
        Ok(())
    }
}
