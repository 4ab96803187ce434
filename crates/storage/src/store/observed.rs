//! How every operation on the database runs: counted, traced, and tried again where that is safe.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use backon::{ExponentialBuilder, Retryable};
use domain::RepositoryError;
use sea_orm::DatabaseConnection;
use tracing::{Instrument, Span, field::Empty};

use super::{Backend, Store};
use crate::{
    connect::PoolLimits,
    error::Failure,
    query_statistics::{Operation, Table},
    slow_statements::{Planner, SlowStatements, under_way},
};

impl Store {
    /// Runs what is safe to repeat, again at most three times when the connection failed or a deadlock was resolved.
    pub(crate) async fn retry<T, Work, Answer>(
        &self,
        operation: Operation,
        table: Table,
        mut work: Work,
    ) -> Result<T, RepositoryError>
    where
        Work: FnMut() -> Answer,
        Answer: Future<Output = Result<T, Failure>>,
    {
        let backoff = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(Duration::from_millis(50))
            .with_factor(3.0)
            .with_max_times(3);
        (|| self.observe(operation, table, work()))
            .retry(backoff)
            .when(Failure::may_pass)
            .notify(|failure, pause| {
                tracing::warn!(error = %failure, pause_ms = pause.as_millis(), "Database connection failed, trying again");
            })
            .await
            .map_err(RepositoryError::from)
    }

    /// Runs what is not safe to repeat.
    pub(crate) async fn once<T>(
        &self,
        operation: Operation,
        table: Table,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, RepositoryError> {
        // What is not safe to repeat writes much, and its future is large; each layer around it would copy it.
        Ok(self.observe(operation, table, Box::pin(work)).await?)
    }

    /// Runs one attempt.
    async fn observe<T>(
        &self,
        operation: Operation,
        table: Table,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let attempt = self.shared.queries.begin(operation, table);
        let span = self.span(operation, table);
        let outcome = under_way(operation, table, work).instrument(span.clone()).await;
        let error = outcome.as_ref().err().and_then(Failure::query_error);
        if let Some(error) = error {
            span.record("error.type", error.as_str()).record("otel.status_code", "ERROR");
        }
        let took = attempt.end(error);
        // When the span ends is not when the work did: a driver's thread may hold it a little longer.
        span.record("elapsed_ns", nanos(took));
        outcome
    }

    /// Waits for what others do in the database for several callers, and traces it as this caller's. It is counted as well
    /// unless that is done already.
    pub(crate) async fn waits_for<T>(
        &self,
        operation: Operation,
        table: Table,
        others: impl Future<Output = T>,
        is_counted: impl FnOnce(&T) -> bool,
    ) -> T {
        let (span, began) = (self.span(operation, table), Instant::now());
        let outcome = others.instrument(span.clone()).await;
        if !is_counted(&outcome) {
            span.record("elapsed_ns", nanos(began.elapsed()));
        }
        outcome
    }

    fn span(&self, operation: Operation, table: Table) -> Span {
        tracing::debug_span!(
            "database",
            otel.name = format_args!("{} {}", operation.as_str(), table.as_str()),
            otel.kind = "client",
            db.system.name = system_name(self.backend()),
            db.operation.name = operation.as_str(),
            db.collection.name = table.as_str(),
            "error.type" = Empty,
            otel.status_code = Empty,
            elapsed_ns = Empty,
        )
    }

    /// Watches a statement that goes past the ORM, whose hook sees all others.
    pub(crate) async fn watch<T, E>(
        &self,
        sql: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let Some(slow_statements) = &self.shared.slow_statements else { return work.await };
        let began = Instant::now();
        let outcome = work.await;
        slow_statements.ended(sql, began.elapsed(), outcome.is_err());
        outcome
    }
}

/// Has the ORM tell of its statements, also of those in transactions.
pub(super) fn watch_for_slow(
    database: &mut DatabaseConnection,
    backend: Backend,
    limits: &PoolLimits,
) -> Option<Arc<SlowStatements>> {
    let threshold = limits.slow_statement?;
    let planner = match backend {
        #[cfg(feature = "postgres")]
        Backend::Postgres => Planner::Postgres(database.get_postgres_connection_pool().clone()),
        #[cfg(feature = "sqlite")]
        Backend::Sqlite => Planner::Sqlite(database.get_sqlite_connection_pool().clone()),
        #[cfg(not(all(feature = "postgres", feature = "sqlite")))]
        _ => return None,
    };
    let slow_statements = Arc::new(SlowStatements::new(threshold, planner));
    tell_slow(database, Some(&slow_statements));
    Some(slow_statements)
}

/// Connections for short reads, with their slow statements told as well.
#[cfg(feature = "postgres")]
pub(super) fn reading(
    database: &DatabaseConnection,
    limits: &PoolLimits,
    share: crate::connect::ForReads,
    slow_statements: Option<&Arc<SlowStatements>>,
) -> DatabaseConnection {
    let mut reading = crate::connect::reading(database, limits, share);
    tell_slow(&mut reading, slow_statements);
    reading
}

/// Has the ORM tell of statements on these connections.
fn tell_slow(database: &mut DatabaseConnection, slow_statements: Option<&Arc<SlowStatements>>) {
    let Some(told) = slow_statements.cloned() else { return };
    database.set_metric_callback(move |statement| {
        told.ended(&statement.statement.sql, statement.elapsed, statement.failed);
    });
}

fn nanos(took: Duration) -> u64 {
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
}

const fn system_name(backend: Backend) -> &'static str {
    match backend {
        Backend::Postgres => "postgresql",
        Backend::Sqlite => "sqlite",
    }
}
