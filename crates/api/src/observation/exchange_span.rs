//! The span of a request, as traces have it. Unless somebody makes traces or counts time, there is none.

use std::time::Duration;

use actix_web::http::{Method, StatusCode, header::HeaderMap};
use tracing::{Span, field::Empty};

use crate::{
    metrics::known,
    telemetry::{TRACEPARENT, TraceContext, spent_in_database},
};

/// A request's span and its place in a trace.
#[derive(Debug, Clone)]
pub(super) struct ExchangeSpan {
    span: Span,
    context: Option<TraceContext>,
}

impl ExchangeSpan {
    pub(super) fn begin(method: &Method, headers: &HeaderMap) -> Self {
        // Which route it takes is not known yet.
        let span = tracing::debug_span!(
            "http",
            otel.name = known(method),
            otel.kind = "server",
            "http.request.method" = semantic(method),
            "http.route" = Empty,
            "http.response.status_code" = Empty,
            "error.type" = Empty,
            otel.status_code = Empty,
        );
        let context = TraceContext::of(&span, headers);
        Self { span, context }
    }

    pub(super) const fn span(&self) -> &Span {
        &self.span
    }

    pub(super) fn trace_id(&self) -> Option<String> {
        self.context.as_ref().map(TraceContext::trace_id)
    }

    pub(super) fn spent_in_database(&self) -> Option<Duration> {
        spent_in_database(&self.span)
    }

    /// Notes what became of the request.
    pub(super) fn end(&self, method: &Method, route: &str, status: StatusCode) {
        if self.span.is_disabled() {
            return;
        }
        self.span.record("http.route", route).record("http.response.status_code", status.as_u16());
        if let Some(context) = &self.context {
            context.rename(format!("{} {route}", known(method)));
        }
        // That a caller asked for what there is not is no failure of the service.
        if status.is_server_error() {
            self.span.record("error.type", status.as_str()).record("otel.status_code", "ERROR");
        }
    }

    /// Says in the answer which trace it is part of.
    pub(super) fn tell(&self, headers: &mut HeaderMap) {
        if let Some(traceparent) = self.context.as_ref().and_then(TraceContext::traceparent) {
            headers.insert(TRACEPARENT, traceparent);
        }
    }
}

/// The method as the conventions of OpenTelemetry want it.
fn semantic(method: &Method) -> &'static str {
    match known(method) {
        "other" => "_OTHER",
        known => known,
    }
}
