//! What the service counts about itself, in `OpenMetrics` text.

use std::{fmt, time::Duration};

use actix_web::http::{Method, StatusCode};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::state::Connections;

/// Upper bounds in seconds: from a hit in memory to a statement's time limit.
const BOUNDS: [f64; 15] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
    30.0,
];

/// Counters, histograms and gauges of one instance.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram>,
    connections: Family<ConnectionLabels, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConnectionLabels {
    state: &'static str,
}

impl Metrics {
    /// The media type of [`Self::text`].
    pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// Counts one answered request.
    pub fn observe(&self, method: &Method, route: &str, status: StatusCode, duration: Duration) {
        let (method, route) = (known(method), route.to_owned());
        let labels = RequestLabels { method, route: route.clone(), status: status.as_u16() };
        self.requests.get_or_create(&labels).inc();
        let labels = RouteLabels { method, route };
        self.durations.get_or_create(&labels).observe(duration.as_secs_f64());
    }

    /// Everything counted so far, with the connections as they are used now.
    pub fn text(&self, connections: Connections) -> Result<String, fmt::Error> {
        let Connections { active, idle, most } = connections;
        for (state, number) in [("active", active), ("idle", idle), ("most", most)] {
            self.connections.get_or_create(&ConnectionLabels { state }).set(number.into());
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("groovebase");
        let requests = Family::default();
        let durations =
            Family::<RouteLabels, Histogram>::new_with_constructor(|| Histogram::new(BOUNDS));
        let connections = Family::default();
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Time from a request's head to its answer's head",
            Unit::Seconds,
            durations.clone(),
        );
        registry.register(
            "database_connections",
            "Connections of the pool at work and idle, and how many may be open",
            connections.clone(),
        );
        Self { registry, requests, durations, connections }
    }
}

/// Methods are the caller's to invent; labels are not.
const fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_route_method_and_status() {
        let metrics = Metrics::default();

        metrics.observe(&Method::GET, "/a/{b}", StatusCode::OK, Duration::from_millis(2));
        let invented = Method::from_bytes(b"BREW").unwrap();
        metrics.observe(&invented, "none", StatusCode::NOT_FOUND, Duration::from_millis(2));

        let text = metrics.text(Connections { active: 1, idle: 2, most: 30 }).unwrap();
        for line in [
            r#"groovebase_http_requests_total{method="GET",route="/a/{b}",status="200"} 1"#,
            r#"groovebase_http_requests_total{method="other",route="none",status="404"} 1"#,
            r#"groovebase_http_request_duration_seconds_bucket{le="0.0025",method="GET",route="/a/{b}"} 1"#,
            r#"groovebase_database_connections{state="most"} 30"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
