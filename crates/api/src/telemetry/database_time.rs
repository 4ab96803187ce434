//! How long a request was busy with the database, added up from the spans of its operations.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tracing::{Span, Subscriber, span};
use tracing_subscriber::{
    Layer, Registry,
    layer::Context,
    registry::{LookupSpan, SpanRef},
};

/// The span of an operation on the database, as the storage names it.
const OPERATION: &str = "database";

/// The span of a request.
const REQUEST: &str = "http";

/// Adds the time of each operation to the request that it is part of.
pub(super) struct DatabaseTime;

/// When an operation began.
struct Began(Instant);

/// What the operations of a request took, in nanoseconds. Operations at the same time add up.
struct Spent(Arc<AtomicU64>);

impl<S: Subscriber + for<'spans> LookupSpan<'spans>> Layer<S> for DatabaseTime {
    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        context: Context<'_, S>,
    ) {
        let Some(span) = context.span(id) else { return };
        match attributes.metadata().name() {
            OPERATION => span.extensions_mut().insert(Began(Instant::now())),
            REQUEST => span.extensions_mut().insert(Spent(Arc::default())),
            _ => {}
        }
    }

    fn on_close(&self, id: span::Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(Began(began)) = span.extensions_mut().remove::<Began>() else { return };
        let nanos = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if let Some(spent) = span.scope().find_map(|span| spent(&span)) {
            spent.fetch_add(nanos, Ordering::Relaxed);
        }
    }
}

/// How long operations on the database took that were part of a request; nothing if nobody counts.
pub(crate) fn spent_in_database(request: &Span) -> Option<Duration> {
    request.with_subscriber(|(id, dispatch)| {
        let span = dispatch.downcast_ref::<Registry>()?.span(id)?;
        spent(&span).map(|spent| Duration::from_nanos(spent.load(Ordering::Relaxed)))
    })?
}

fn spent<'spans, S: LookupSpan<'spans>>(span: &SpanRef<'spans, S>) -> Option<Arc<AtomicU64>> {
    span.extensions().get::<Spent>().map(|Spent(spent)| Arc::clone(spent))
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn what_operations_take_is_the_request_s() {
        let _guard = tracing::subscriber::set_default(Registry::default().with(DatabaseTime));
        let request = tracing::info_span!("http");
        let other = tracing::info_span!("http");
        assert_eq!(spent_in_database(&request), Some(Duration::ZERO));

        let within = tracing::info_span!(parent: &request, "redis");
        drop(tracing::info_span!(parent: &within, "database"));

        assert!(Some(Duration::ZERO) < spent_in_database(&request));
        assert_eq!(spent_in_database(&other), Some(Duration::ZERO));
        assert_eq!(spent_in_database(&within), None);
    }
}
