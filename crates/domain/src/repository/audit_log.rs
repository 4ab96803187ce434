//! The audit log of a store.

use async_trait::async_trait;

use crate::{AuditCursor, AuditFilter, AuditRecord, Limit, Page, RepositoryError};

/// Reads what is remembered of writes. Each write adds its own record, in the same transaction, so that neither is ever
/// there without the other; what changes nothing leaves none.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Returns records, newest first, by identity among those of one microsecond.
    async fn page(
        &self,
        filter: &AuditFilter,
        after: Option<AuditCursor>,
        limit: Limit<500>,
    ) -> Result<Page<AuditRecord, AuditCursor>, RepositoryError>;
}
