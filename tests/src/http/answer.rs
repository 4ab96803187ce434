//! What is answered.

use anyhow::{Context, ensure};
use serde_json::Value;

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    /// Reads an answer; one that is not as long as it says is a failure.
    pub(super) fn read(bytes: &[u8], of_head: bool) -> anyhow::Result<Self> {
        const END: &[u8] = b"\r\n\r\n";

        let end = bytes.windows(END.len()).position(|window| window == END);
        let (head, body) = bytes.split_at_checked(end.context("the answer broke off")?).context("head")?;
        let body = body.get(END.len()..).unwrap_or_default().to_vec();
        let mut lines = str::from_utf8(head)?.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("status")?.parse()?;
        let headers = lines
            .map(|line| {
                let (name, value) = line.split_once(':').context("a header")?;
                Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
            })
            .collect::<anyhow::Result<_>>()?;

        let answer = Self { status, headers, body };
        let declared = match (of_head, status, answer.header("content-length")) {
            (true, _, _) | (_, 204 | 304, _) => 0,
            (false, _, length) => length.context("an answer of unknown length")?.parse()?,
        };
        ensure!(answer.body.len() == declared, "{declared} bytes were promised: {answer:?}");
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
