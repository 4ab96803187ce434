//! A transaction that moves versions.

use std::ops::Deref;

use sea_orm::DatabaseTransaction;
use tokio::sync::watch;

use crate::error::Failure;

/// A transaction that moves versions, and tells the followers of this store when it has ended.
#[derive(Debug)]
pub(crate) struct VersionedTransaction<'store> {
    transaction: DatabaseTransaction,
    commits: &'store watch::Sender<()>,
}

impl<'store> VersionedTransaction<'store> {
    pub(super) const fn new(
        transaction: DatabaseTransaction,
        commits: &'store watch::Sender<()>,
    ) -> Self {
        Self { transaction, commits }
    }

    pub(crate) async fn commit(self) -> Result<(), Failure> {
        let committed = self.transaction.commit().await;
        // Whatever the answer says: it may have been lost on the way, and a wake-up for nothing does no harm.
        self.commits.send_replace(());
        Ok(committed?)
    }
}

impl Deref for VersionedTransaction<'_> {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &Self::Target {
        &self.transaction
    }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use std::sync::Arc;

    use domain::SystemClock;

    use crate::{PoolLimits, connect};

    #[tokio::test]
    async fn a_commit_is_told_and_a_rollback_is_not() {
        let limits = PoolLimits { kept: 1, most: 1, ..PoolLimits::default() };
        let store = connect("sqlite::memory:", &limits, Arc::new(SystemClock)).await.unwrap();
        let commits = store.commits();

        drop(store.begin_versioned().await.unwrap());
        let after_rollback = commits.has_changed().unwrap();
        store.begin_versioned().await.unwrap().commit().await.unwrap();
        let after_commit = commits.has_changed().unwrap();

        assert!(!after_rollback && after_commit);
    }
}
