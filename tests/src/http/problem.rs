//! How a request failed.

use anyhow::{Context, ensure};
use serde_json::Value;

use super::{Answer, Request};

/// A failure, as every one of them is told.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The body.
    pub body: Value,
    /// The answer.
    pub answer: Answer,
}

impl Problem {
    /// Reads a failure and checks what all failures have in common.
    pub fn read(
        answer: Answer,
        status: u16,
        code: &str,
        request: &Request,
    ) -> anyhow::Result<Self> {
        ensure!(answer.media_type() == Some("application/problem+json"), "{answer:?}");
        let body = answer.json()?;
        let text = |name: &str| {
            let member = body.get(name).and_then(Value::as_str);
            member.with_context(|| format!("no text '{name}' in {body}"))
        };

        ensure!(text("error")? == code, "expected {code}: {body}");
        ensure!(answer.status == status, "expected {status}, got {}: {body}", answer.status);
        ensure!(body.get("status").and_then(Value::as_u64) == Some(status.into()), "{body}");
        ensure!(text("type")? == format!("urn:groovebase:problem:{code}"), "{body}");
        ensure!(!text("title")?.is_empty() && !text("detail")?.is_empty(), "{body}");
        ensure!(text("message")? == text("detail")?, "{body}");
        ensure!(text("instance")? == request.path(), "{body}");
        ensure!(text("request_id")? == answer.required("x-request-id")?, "{body}");
        Ok(Self { body, answer })
    }

    /// What people are told.
    pub fn message(&self) -> anyhow::Result<&str> {
        self.body.get("message").and_then(Value::as_str).context("checked before")
    }

    /// Checks that exactly these places are named, with what is wrong there.
    ///
    /// A place is a JSON pointer, the name of a parameter, or that of a header.
    pub fn names(&self, expected: &[(&str, &str)]) -> anyhow::Result<()> {
        let none = Vec::new();
        let errors = self.body.get("errors").and_then(Value::as_array).unwrap_or(&none);
        let found: Vec<(&str, &str)> = errors
            .iter()
            .map(|error| {
                let text = |name: &str| error.get(name).and_then(Value::as_str);
                let place = ["pointer", "parameter", "header"].into_iter().find_map(text);
                (place.unwrap_or("nowhere"), text("detail").unwrap_or("nothing"))
            })
            .collect();
        ensure!(found == expected, "expected {expected:?}, got {found:?}");
        Ok(())
    }

    /// The names that are offered instead of an unknown one.
    #[must_use]
    pub fn suggestions(&self) -> Vec<&str> {
        let suggestions = self.body.get("suggestions").and_then(Value::as_array);
        suggestions.into_iter().flatten().filter_map(Value::as_str).collect()
    }
}
