//! Sending spans over HTTP, by the client that the command line uses too.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use ureq::{Agent, Body};

/// An answer is a few bytes; what is longer is none.
const MOST_BYTES: u64 = 64 * 1024;

/// An HTTP client that blocks the thread which sends spans and does nothing else.
#[derive(Debug)]
pub(super) struct Sending {
    agent: Agent,
    /// Whether the last attempt failed: what goes on is told once.
    is_failing: AtomicBool,
}

impl Sending {
    pub(super) fn new(answer_within: Duration) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(answer_within))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .build();
        Self { agent: config.into(), is_failing: AtomicBool::new(false) }
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ureq::Error> {
        let (head, body) = request.into_parts();
        let answer = self.agent.run(Request::from_parts(head, body.to_vec()))?;
        let (head, mut body): (_, Body) = answer.into_parts();
        let body = body.with_config().limit(MOST_BYTES).read_to_vec()?;
        Ok(Response::from_parts(head, body.into()))
    }

    fn note(&self, failure: Option<String>) {
        match failure {
            Some(error) if !self.is_failing.swap(true, Ordering::Relaxed) => {
                tracing::warn!(
                    error,
                    "Traces cannot be sent; the next ones are tried, and dropped without a word"
                );
            }
            None if self.is_failing.swap(false, Ordering::Relaxed) => {
                tracing::info!("Traces are sent again");
            }
            Some(_) | None => {}
        }
    }
}

#[async_trait::async_trait]
impl HttpClient for Sending {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.send(request);
        self.note(match &answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("the collector answered {}", answer.status())),
            Err(error) => Some(error.to_string()),
        });
        Ok(answer?)
    }
}
