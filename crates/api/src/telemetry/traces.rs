//! Traces: spans of requests and of what they wait for, sent to a collector in the background.

use std::time::Duration;

use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanKind, TraceContextExt, TraceId, TracerProvider},
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample},
};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Registry;

use super::{TelemetryError, exporter::Sending};
use crate::config::TraceSettings;

/// How long the collector may take for an answer, and how long the end waits for it.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Who makes spans and sends them.
#[derive(Debug)]
pub(super) struct Traces(SdkTracerProvider);

impl Traces {
    /// Begins to send spans, if the settings name a collector.
    pub(super) fn start(settings: &TraceSettings) -> Result<Option<Self>, TelemetryError> {
        let TraceSettings { otlp_endpoint, trace_sample_ratio } = settings;
        let Some(endpoint) = otlp_endpoint else { return Ok(None) };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Sending::new(ANSWER_WITHIN))
            .with_endpoint(endpoint.of_traces())
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(ANSWER_WITHIN)
            .build()
            .map_err(|error| TelemetryError::Traces(error.into()))?;
        let resource = Resource::builder()
            .with_service_name("groovebase")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(OfRequests(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(
                *trace_sample_ratio,
            )))))
            .with_resource(resource)
            .build();
        Ok(Some(Self(provider)))
    }

    /// What makes spans of the program's into spans to be sent.
    pub(super) fn layer(&self) -> OpenTelemetryLayer<Registry, opentelemetry_sdk::trace::Tracer> {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("groovebase"))
            // Where a span was made in the program, and by which thread it is worked on, helps nobody who reads it.
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
    }

    /// Sends what is waiting.
    pub(super) fn finish(self) {
        if let Err(error) = self.0.shutdown_with_timeout(ANSWER_WITHIN) {
            tracing::warn!(%error, "The last spans were not sent");
        }
    }
}

/// Leaves out what is no part of a request: the change feed alone asks the database several times a second.
#[derive(Debug, Clone)]
struct OfRequests(Sampler);

impl ShouldSample for OfRequests {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let has_parent = parent.is_some_and(|parent| parent.span().span_context().is_valid());
        if has_parent || *kind == SpanKind::Server {
            return self.0.should_sample(parent, trace, name, kind, attributes, links);
        }
        SamplingResult {
            decision: SamplingDecision::Drop,
            attributes: Vec::new(),
            trace_state: opentelemetry::trace::TraceState::default(),
        }
    }
}
