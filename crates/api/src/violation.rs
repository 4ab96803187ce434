//! One thing that is wrong with a request, and where.

use std::fmt;

/// One thing that is wrong with a request: exactly one of `pointer`, `parameter` and `header` says where.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[schema(example = json!({"pointer": "/quantitative_params/tempo_min", "detail": "must be at most tempo_max"}))]
pub struct Violation {
    /// JSON pointer (RFC 6901) into the body; empty for the body as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<String>,
    /// Name of a query parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    /// Name of a header.
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<String>,
    /// What is wrong, or what must hold.
    detail: String,
}

impl Violation {
    /// Something is wrong with the part of the body that a JSON pointer leads to.
    pub fn at_pointer(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: Some(pointer.into()), ..Self::of(detail) }
    }

    /// Something is wrong with a query parameter.
    pub fn of_parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { parameter: Some(name.into()), ..Self::of(detail) }
    }

    /// Something is wrong with a header.
    pub fn of_header(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { header: Some(name.into()), ..Self::of(detail) }
    }

    /// Where in the body it is; `None` when it is not in the body.
    #[must_use]
    pub fn pointer(&self) -> Option<&str> {
        self.pointer.as_deref()
    }

    /// What is wrong, or what must hold.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    fn of(detail: impl Into<String>) -> Self {
        Self { pointer: None, parameter: None, header: None, detail: detail.into() }
    }
}

/// Writes one clause such as `/embedding/17: must be a number, not a string`.
impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pointer, parameter, header, detail } = self;
        match pointer.as_ref().or(parameter.as_ref()).or(header.as_ref()) {
            // Some rules of the domain name what they are about.
            Some(place) if detail.starts_with(place.as_str()) => formatter.write_str(detail),
            Some(place) => write!(formatter, "{place}: {detail}"),
            None => formatter.write_str(detail),
        }
    }
}
