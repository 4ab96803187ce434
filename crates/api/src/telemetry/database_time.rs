//! How long a request was busy with the database, added up from what the spans of its operations say.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tracing::{
    Span, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    Layer, Registry,
    layer::Context,
    registry::{LookupSpan, SpanRef},
};

/// The span of an operation on the database, as the storage names it, and where it says what the operation took.
const OPERATION: &str = "database";
const ELAPSED: &str = "elapsed_ns";

/// The span of a request.
const REQUEST: &str = "http";

/// Adds the time of each operation to the request that it is part of.
pub(super) struct DatabaseTime;

/// What the operations of a request took, in nanoseconds. Operations at the same time add up.
struct Spent(Arc<AtomicU64>);

impl<S: Subscriber + for<'spans> LookupSpan<'spans>> Layer<S> for DatabaseTime {
    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        context: Context<'_, S>,
    ) {
        if attributes.metadata().name() == REQUEST
            && let Some(span) = context.span(id)
        {
            span.extensions_mut().insert(Spent(Arc::default()));
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id).filter(|span| span.name() == OPERATION) else { return };
        let mut elapsed = Elapsed(0);
        values.record(&mut elapsed);
        if let Some(spent) = span.scope().find_map(|span| spent(&span)) {
            spent.fetch_add(elapsed.0, Ordering::Relaxed);
        }
    }
}

/// Looks for what an operation took.
struct Elapsed(u64);

impl Visit for Elapsed {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == ELAPSED {
            self.0 = value;
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
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
    use tracing::field::Empty;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn what_operations_take_is_the_request_s() {
        let _guard = tracing::subscriber::set_default(Registry::default().with(DatabaseTime));
        let request = tracing::info_span!("http");
        let other = tracing::info_span!("http");
        assert_eq!(spent_in_database(&request), Some(Duration::ZERO));

        let within = tracing::info_span!(parent: &request, "redis", elapsed_ns = Empty);
        within.record(ELAPSED, 1_u64);
        for nanos in [20_u64, 300] {
            let operation = tracing::info_span!(parent: &within, "database", elapsed_ns = Empty);
            operation.record(ELAPSED, nanos);
        }

        assert_eq!(spent_in_database(&request), Some(Duration::from_nanos(320)));
        assert_eq!(spent_in_database(&other), Some(Duration::ZERO));
        assert_eq!(spent_in_database(&within), None);
    }
}
