//! Sums over generations, kept in step with them.
//!
//! Recording adds to sums that are *pending*, in the same transaction and in rows of its own, so that writers never wait
//! for each other. *Folding* moves pending sums into those over quarters, hours, days and months; one folds at a time.

mod cell;
mod fold;
mod keys;
mod pending;
mod read;
mod rebuild;
mod recount;
mod retire;
mod verify;
mod width;

use async_trait::async_trait;
use domain::{GenerationRollups, RepositoryError, RollupReading, RollupSnapshot};

use crate::{
    error::Failure,
    query_statistics::{Operation, Table},
    store::Store,
};

#[cfg(feature = "sqlite")]
pub(crate) use self::cell::CELL;
#[cfg(feature = "postgres")]
pub(crate) use self::cell::Cell;
pub(crate) use self::{cell::stored_artist, pending::Pending, read::total_of_artist, width::Width};
pub use self::{
    retire::Retired,
    verify::{Difference, Drift},
};

/// [`GenerationRollups`] in the database.
#[derive(Debug, Clone)]
pub(crate) struct SeaGenerationRollups(pub(crate) Store);

#[async_trait]
impl GenerationRollups for SeaGenerationRollups {
    async fn read(&self, reading: &RollupReading) -> Result<RollupSnapshot, RepositoryError> {
        let limit = self.0.limits().statement_timeout;
        // Each statement has this limit; a question of many statements has it too.
        tokio::time::timeout(
            limit,
            self.0.retry(Operation::ReadSums, Table::GenerationRollups, || {
                read::read(&self.0, reading)
            }),
        )
        .await
        .unwrap_or_else(|elapsed| Err(Failure::unavailable(elapsed).into()))
    }

    async fn fold(&self) -> Result<u64, RepositoryError> {
        self.0.retry(Operation::Fold, Table::GenerationRollups, || fold::fold(&self.0)).await
    }
}

/// The accounts of a store, for whoever looks after them.
#[derive(Debug, Clone)]
pub struct Accounts(pub(crate) Store);

impl Accounts {
    /// Sums all generations up again, and compares that with every sum that is kept.
    ///
    /// `progress` is told how many generations were looked at.
    pub async fn verify(
        &self,
        progress: impl Fn(u64) + Send + Sync,
    ) -> Result<Drift, RepositoryError> {
        self.0
            .retry(Operation::Verify, Table::GenerationRollups, || {
                verify::verify(&self.0, &progress)
            })
            .await
    }

    /// Makes every sum anew from the generations, month by month. Others go on recording and reading meanwhile; on SQLite
    /// writers wait for a month at a time.
    ///
    /// `progress` is told how many generations were looked at.
    pub async fn rebuild(
        &self,
        progress: impl Fn(u64) + Send + Sync,
    ) -> Result<(), RepositoryError> {
        rebuild::rebuild(&self.0, &progress).await
    }

    /// Drops the generations of all UTC months that ended before a point in time. What they took stays in every sum.
    pub async fn retire(&self, before: domain::Timestamp) -> Result<Retired, RepositoryError> {
        retire::retire(&self.0, before).await
    }

    /// Makes room for generations of this month and the three that follow. Does nothing on SQLite.
    pub async fn prepare_months(&self) -> Result<(), RepositoryError> {
        self.0
            .retry(Operation::Prepare, Table::GenerationHistory, || async {
                let mut month = self.0.now().unix_micros();
                let mut months = Vec::new();
                for _ in 0..4 {
                    months.push(month);
                    month = Width::Month.end(month);
                }
                self.0.partitions().ensure(&self.0, months).await
            })
            .await
    }
}
