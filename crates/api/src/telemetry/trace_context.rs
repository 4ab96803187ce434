//! Which trace a request is part of: what its `traceparent` says, and what the answer's says.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context,
    propagation::{Extractor, TextMapPropagator},
    trace::TraceContextExt,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The header of W3C Trace Context.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A request's place in a trace.
#[derive(Debug, Clone)]
pub(crate) struct TraceContext(Context);

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
        let context = request.context();
        let is_traced = context.span().span_context().is_valid();
        is_traced.then_some(Self(context))
    }

    /// The identity of the trace, for the log.
    pub(crate) fn trace_id(&self) -> String {
        self.0.span().span_context().trace_id().to_string()
    }

    /// Names the request's span anew: what is recorded of it later changes attributes alone.
    pub(crate) fn rename(&self, name: String) {
        self.0.span().update_name(name);
    }

    /// What the answer says: the trace, the span of this request in it, and whether it is recorded.
    pub(crate) fn traceparent(&self) -> Option<HeaderValue> {
        let span = self.0.span();
        let context = span.span_context();
        let (trace, span) = (context.trace_id(), context.span_id());
        let flags = context.trace_flags().to_u8();
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
