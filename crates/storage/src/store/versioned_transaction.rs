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
