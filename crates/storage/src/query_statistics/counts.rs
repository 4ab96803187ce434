//! Where attempts are counted: in atomics that are there from the start, so that counting allocates nothing and waits for
//! nobody.

use std::{
    array,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use super::{Operation, QueryDurations, QueryError, QueryErrors, QueryStatistics, Table};

/// Counts of every operation.
#[derive(Debug)]
pub(crate) struct QueryCounts {
    operations: [OfOperation; Operation::ALL.len()],
}

#[derive(Debug)]
struct OfOperation {
    tables: [OfTable; Table::ALL.len()],
    errors: [AtomicU64; QueryError::ALL.len()],
}

#[derive(Debug)]
struct OfTable {
    buckets: [AtomicU64; QueryDurations::BOUNDS.len() + 1],
    total_nanos: AtomicU64,
}

impl Default for QueryCounts {
    fn default() -> Self {
        Self {
            operations: array::from_fn(|_| OfOperation {
                tables: array::from_fn(|_| OfTable {
                    buckets: array::from_fn(|_| AtomicU64::new(0)),
                    total_nanos: AtomicU64::new(0),
                }),
                errors: array::from_fn(|_| AtomicU64::new(0)),
            }),
        }
    }
}

impl QueryCounts {
    /// Begins an attempt. It counts as cancelled when it is dropped without an end.
    pub(crate) fn begin(&self, operation: Operation, table: Table) -> Attempt<'_> {
        Attempt { counts: self, operation, table, began: Instant::now(), is_over: false }
    }

    /// What was counted so far.
    pub(crate) fn statistics(&self) -> QueryStatistics {
        let mut statistics = QueryStatistics::default();
        for (operation, of_operation) in Operation::ALL.into_iter().zip(&self.operations) {
            for (table, of_table) in Table::ALL.into_iter().zip(&of_operation.tables) {
                let buckets = of_table.buckets.each_ref().map(|it| it.load(Ordering::Relaxed));
                if buckets.iter().any(|&number| number != 0) {
                    let total = Duration::from_nanos(of_table.total_nanos.load(Ordering::Relaxed));
                    let durations = QueryDurations { operation, table, buckets, total };
                    statistics.durations.push(durations);
                }
            }
            for (error, number) in QueryError::ALL.into_iter().zip(&of_operation.errors) {
                let number = number.load(Ordering::Relaxed);
                if number != 0 {
                    statistics.errors.push(QueryErrors { operation, error, number });
                }
            }
        }
        statistics
    }

    fn count(&self, operation: Operation, table: Table, took: Duration, error: Option<QueryError>) {
        let Some(of_operation) = self.operations.get(operation as usize) else { return };
        if let Some(of_table) = of_operation.tables.get(table as usize) {
            let bucket = QueryDurations::BOUNDS.partition_point(|&bound| bound < took);
            if let Some(bucket) = of_table.buckets.get(bucket) {
                bucket.fetch_add(1, Ordering::Relaxed);
            }
            let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            of_table.total_nanos.fetch_add(nanos, Ordering::Relaxed);
        }
        let error = error.and_then(|error| of_operation.errors.get(error as usize));
        if let Some(error) = error {
            error.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// An attempt under way.
#[derive(Debug)]
pub(crate) struct Attempt<'counts> {
    counts: &'counts QueryCounts,
    operation: Operation,
    table: Table,
    began: Instant,
    is_over: bool,
}

impl Attempt<'_> {
    /// Counts the attempt, and returns how long it took.
    pub(crate) fn end(mut self, error: Option<QueryError>) -> Duration {
        self.is_over = true;
        let took = self.began.elapsed();
        self.counts.count(self.operation, self.table, took, error);
        took
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            let took = self.began.elapsed();
            self.counts.count(self.operation, self.table, took, Some(QueryError::Cancelled));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_table_and_error_has_a_place_of_its_own() {
        let counts = QueryCounts::default();

        for operation in Operation::ALL {
            for table in Table::ALL {
                counts.begin(operation, table).end(None);
            }
            for error in QueryError::ALL {
                counts.begin(operation, Table::Artists).end(Some(error));
            }
        }

        let statistics = counts.statistics();
        assert_eq!(statistics.durations.len(), Operation::ALL.len() * Table::ALL.len());
        assert_eq!(statistics.errors.len(), Operation::ALL.len() * QueryError::ALL.len());
        assert!(statistics.errors.iter().all(|errors| errors.number == 1));
    }

    #[test]
    fn a_duration_is_counted_below_the_bound_that_it_does_not_exceed() {
        let counts = QueryCounts::default();
        let took = |took| counts.count(Operation::Find, Table::Artists, took, None);

        took(Duration::from_millis(1));
        took(Duration::from_micros(1_001));
        took(Duration::from_secs(31));

        let statistics = counts.statistics();
        let [found] = statistics.durations.as_slice() else { panic!("{statistics:?}") };
        assert_eq!(found.buckets, [0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(found.total, Duration::from_micros(31_002_001));
    }

    #[test]
    fn an_attempt_that_nobody_waits_for_any_more_is_cancelled() {
        let counts = QueryCounts::default();

        drop(counts.begin(Operation::Save, Table::StyleProfiles));

        let statistics = counts.statistics();
        let cancelled =
            QueryErrors { operation: Operation::Save, error: QueryError::Cancelled, number: 1 };
        assert_eq!(statistics.errors, [cancelled]);
        assert_eq!(statistics.durations.len(), 1);
    }
}
