//! Which trace a request is part of: what its `traceparent` says, and what the answer's says.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    propagation::{Extractor, TextMapPropagator},
    trace::{SpanContext, TraceContextExt},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The header of W3C Trace Context.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A request's place in a trace.
#[derive(Debug, Clone)]
pub(crate) struct TraceContext(SpanContext);

impl TraceContext {
    /// Makes the span of a request part of the trace that its headers name, and else of a new one. Headers that are
    /// malformed name none. Nothing when no traces are made.
    pub(crate) fn of(request: &Span, headers: &HeaderMap) -> Option<Self> {
        if request.is_disabled() {
            return None;
        }
        let caller = TraceContextPropagator::new().extract(&Headers(headers));
        // It fails when nobody makes traces, and then there is no context to ask for either.
        drop(request.set_parent(caller));
        let context = request.context().span().span_context().clone();
        context.is_valid().then_some(Self(context))
    }

    /// The identity of the trace, for the log.
    pub(crate) fn trace_id(&self) -> String {
        self.0.trace_id().to_string()
    }

    /// What the answer says: the trace, the span of this request in it, and whether it is recorded.
    pub(crate) fn traceparent(&self) -> Option<HeaderValue> {
        let (trace, span) = (self.0.trace_id(), self.0.span_id());
        let flags = self.0.trace_flags().to_u8();
        HeaderValue::from_str(&format!("00-{trace}-{span}-{flags:02x}")).ok()
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}
