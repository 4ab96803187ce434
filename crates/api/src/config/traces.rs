//! Where traces go, and how many.

use std::{fmt, str::FromStr};

use clap::Args;

/// Traces, which are sent to a collector if one is named.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Traces")]
pub struct TraceSettings {
    /// Where OpenTelemetry traces are sent as OTLP over HTTP, such as `http://127.0.0.1:4318`; `/v1/traces` is added. None
    /// are made without it.
    #[arg(long, global = true, value_name = "URL", env = "GROOVEBASE_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<OtlpEndpoint>,
    /// Of how many requests a trace is made, from 0 to 1. A caller that says in `traceparent` whether there is one decides
    /// for its request.
    #[arg(long, global = true, value_name = "SHARE", env = "GROOVEBASE_TRACE_SAMPLE_RATIO", default_value = "1", value_parser = share)]
    pub trace_sample_ratio: f64,
}

/// The address of a collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtlpEndpoint(String);

impl OtlpEndpoint {
    /// Where spans are sent.
    #[must_use]
    pub fn of_traces(&self) -> String {
        format!("{}/v1/traces", self.0)
    }
}

impl fmt::Display for OtlpEndpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for OtlpEndpoint {
    type Err = InvalidOtlpEndpoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: actix_web::http::Uri = text.parse().map_err(|_| InvalidOtlpEndpoint)?;
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        let is_plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        if is_http && is_plain && uri.query().is_none() {
            Ok(Self(text.trim_end_matches('/').to_owned()))
        } else {
            Err(InvalidOtlpEndpoint)
        }
    }
}

/// A text that is no [`OtlpEndpoint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be http://HOST:PORT or https://HOST:PORT, without a user, a password or a query")]
pub struct InvalidOtlpEndpoint;

/// A text that is no share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a number from 0 to 1")]
struct InvalidShare;

fn share(text: &str) -> Result<f64, InvalidShare> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or(InvalidShare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_address_and_no_secret() {
        for (text, traces) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("https://collector/", "https://collector/v1/traces"),
            ("http://collector/otlp", "http://collector/otlp/v1/traces"),
        ] {
            assert_eq!(text.parse::<OtlpEndpoint>().unwrap().of_traces(), traces);
        }
        for wrong in [
            "",
            "collector:4318",
            "grpc://collector",
            "http://u:p@collector",
            "http://c/?a=b",
            "/a",
        ] {
            assert_eq!(wrong.parse::<OtlpEndpoint>(), Err(InvalidOtlpEndpoint), "{wrong}");
        }
    }

    #[test]
    fn a_share_is_between_none_and_all() {
        for (text, expected) in [("0", 0.0), ("0.25", 0.25), ("1", 1.0)] {
            assert!((share(text).unwrap() - expected).abs() < f64::EPSILON);
        }
        for wrong in ["", "-0.1", "1.01", "NaN", "inf", "half"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }
}
