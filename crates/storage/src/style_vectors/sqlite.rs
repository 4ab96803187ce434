//! Rows as the driver gives them.

use domain::{VectorChange, Version};
use futures::TryStreamExt;
use sea_orm::{DatabaseConnection, sqlx};

use super::{SINCE, change};
use crate::{changes::bounds, error::Failure};

pub(super) async fn since(
    database: &DatabaseConnection,
    version: Version,
    limit: u32,
) -> Result<Vec<VectorChange>, Failure> {
    let (after, limit) = bounds(version, limit);
    let mut changes = Vec::new();
    let pool = database.get_sqlite_connection_pool();
    let mut rows = sqlx::query(SINCE).bind(after).bind(limit).fetch(pool);
    while let Some(row) = rows.try_next().await? {
        changes.push(change(&row)?);
    }
    Ok(changes)
}
