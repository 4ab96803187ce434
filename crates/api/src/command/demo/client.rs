//! Requests to the running service, and the `curl` commands that make the same ones.

use std::{
    fmt::{self, Write as _},
    net::SocketAddr,
    time::{Duration, Instant},
};

use ureq::{
    Agent,
    http::{self, header::CONTENT_TYPE},
};

use super::answer::Answer;

/// Longer than any answer takes that will still come.
const PATIENCE: Duration = Duration::from_secs(10);

/// A request to show.
#[derive(Debug, Clone)]
pub(super) struct Request {
    method: &'static str,
    /// Path and query, encoded.
    target: String,
    header: Option<(&'static str, String)>,
    /// JSON, in the order in which it is shown.
    body: Option<String>,
}

impl Request {
    pub(super) fn get(target: impl Into<String>) -> Self {
        Self { method: "GET", target: target.into(), header: None, body: None }
    }

    pub(super) fn post(target: impl Into<String>, body: impl Into<String>) -> Self {
        Self { method: "POST", body: Some(body.into()), ..Self::get(target) }
    }

    pub(super) fn put(target: impl Into<String>, body: impl Into<String>) -> Self {
        Self { method: "PUT", body: Some(body.into()), ..Self::get(target) }
    }

    pub(super) fn delete(target: impl Into<String>) -> Self {
        Self { method: "DELETE", ..Self::get(target) }
    }

    pub(super) fn with(self, name: &'static str, value: impl Into<String>) -> Self {
        Self { header: Some((name, value.into())), ..self }
    }

    /// The command that makes this request.
    pub(super) fn curl(&self, origin: &str) -> String {
        let Self { method, target, header, body } = self;
        let mut command = "curl".to_owned();
        // Writing to a string cannot fail.
        let usual = if body.is_some() { "POST" } else { "GET" };
        if *method != usual {
            let _ = write!(command, " -X {method}");
        }
        if let Some((name, value)) = header {
            let _ = write!(command, " -H {}", argument(&format!("{name}: {value}")));
        }
        let _ = write!(command, " {}", argument(&format!("{origin}{target}")));
        if let Some(body) = body {
            let shown =
                Answer::read(body).map_or_else(|_| body.clone(), |answer| answer.to_string());
            let _ = write!(command, " --json {}", argument(&shown));
        }
        command
    }
}

impl fmt::Display for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.method, self.target)
    }
}

/// What came back.
#[derive(Debug)]
pub(super) struct Response {
    /// The status code.
    pub(super) status: u16,
    /// What the status code means.
    pub(super) reason: &'static str,
    /// The entity tag, if there is one.
    pub(super) etag: Option<String>,
    /// The body.
    pub(super) text: String,
    /// From before the request was sent to after the whole answer was there.
    pub(super) took: Duration,
}

/// A client of one service. Clones share its connections.
#[derive(Debug, Clone)]
pub(super) struct Client {
    agent: Agent,
    origin: String,
}

impl Client {
    pub(super) fn new(service: SocketAddr) -> Self {
        let config = Agent::config_builder()
            // The service is on this machine, whatever the environment says about the others.
            .proxy(None)
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build();
        Self { agent: config.into(), origin: format!("http://{service}") }
    }

    /// Scheme, host and port of the service.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Sends a request and waits for all of the answer, on a thread of its own.
    pub(super) async fn send(&self, request: Request) -> Result<Response, ureq::Error> {
        let client = self.clone();
        let answered = tokio::task::spawn_blocking(move || client.exchange(&request));
        answered.await.map_err(|error| ureq::Error::Io(error.into()))?
    }

    fn exchange(&self, request: &Request) -> Result<Response, ureq::Error> {
        let Request { method, target, header, body } = request;
        let mut head =
            http::Request::builder().method(*method).uri(format!("{}{target}", self.origin));
        if let Some((name, value)) = header {
            head = head.header(*name, value);
        }
        let began = Instant::now();
        let mut response = match body {
            Some(body) => {
                let head = head.header(CONTENT_TYPE, "application/json");
                self.agent.run(head.body(body.as_str())?)?
            }
            None => self.agent.run(head.body(())?)?,
        };
        let text = response.body_mut().read_to_string()?;
        let took = began.elapsed();
        let etag = response.headers().get("etag").and_then(|tag| tag.to_str().ok());
        Ok(Response {
            status: response.status().as_u16(),
            reason: response.status().canonical_reason().unwrap_or_default(),
            etag: etag.map(str::to_owned),
            text,
            took,
        })
    }
}

/// An argument as a shell reads it.
fn argument(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:%".contains(&byte);
    if text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_commands_that_a_shell_understands() {
        let origin = "http://127.0.0.1:1";

        assert_eq!(
            Request::get("/a?b=1").with("If-None-Match", "\"1\"").curl(origin),
            r#"curl -H 'If-None-Match: "1"' 'http://127.0.0.1:1/a?b=1'"#
        );
        assert_eq!(
            Request::put("/a%20b", r#"{"a": "it's"}"#).curl(origin),
            r#"curl -X PUT http://127.0.0.1:1/a%20b --json '{"a": "it'\''s"}'"#
        );
        assert_eq!(Request::post("/a", "[]").curl(origin), "curl http://127.0.0.1:1/a --json '[]'");
    }
}
