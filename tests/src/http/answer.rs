//! What is answered.

use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    /// Reads an answer; one that is shorter than it says is a failure.
    pub(super) async fn receive(
        mut reader: impl AsyncBufRead + Unpin,
        of_head: bool,
    ) -> anyhow::Result<Self> {
        let mut line = next_line(&mut reader).await?;
        let status = line.split(' ').nth(1).context("a status")?.parse()?;
        let mut headers = Vec::new();
        loop {
            line = next_line(&mut reader).await?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').context("a header")?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }

        let mut answer = Self { status, headers, body: Vec::new() };
        if !of_head && status != 204 && status != 304 {
            let length = answer.required("content-length")?.parse()?;
            let mut body = vec![0; length];
            reader.read_exact(&mut body).await?;
            answer.body = body;
        }
        Ok(answer)
    }

    /// A header's value; several are one.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A header that must be there.
    pub fn required(&self, name: &str) -> anyhow::Result<&str> {
        self.header(name).with_context(|| format!("no header {name} in {self:?}"))
    }

    /// The media type, without parameters.
    #[must_use]
    pub fn media_type(&self) -> Option<&str> {
        self.header("content-type")?.split(';').next().map(str::trim)
    }

    /// The body as text.
    pub fn text(&self) -> anyhow::Result<&str> {
        Ok(str::from_utf8(&self.body)?)
    }

    /// The body as JSON.
    pub fn json(&self) -> anyhow::Result<Value> {
        ensure!(
            self.media_type().is_some_and(|media_type| media_type.ends_with("json")),
            "declared as {:?}",
            self.media_type()
        );
        serde_json::from_slice(&self.body).with_context(|| format!("{:?}", self.text()))
    }

    /// What a JSON pointer leads to in the body.
    pub fn at(&self, pointer: &str) -> anyhow::Result<Value> {
        let body = self.json()?;
        body.pointer(pointer).cloned().with_context(|| format!("no {pointer} in {body}"))
    }

    /// The number that a JSON pointer leads to, spelled as it was sent.
    ///
    /// `name` is that of a member, and the first one counts.
    pub fn spelled(&self, name: &str) -> anyhow::Result<&str> {
        let text = self.text()?;
        let (_, rest) = text
            .split_once(&format!("\"{name}\":"))
            .with_context(|| format!("no {name} in {text}"))?;
        Ok(rest.split([',', '}']).next().unwrap_or_default())
    }
}

/// A line of the head, without its end.
async fn next_line(reader: &mut (impl AsyncBufRead + Unpin)) -> anyhow::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line).await?;
    line.strip_suffix("\r\n").map(str::to_owned).context("the answer broke off")
}
