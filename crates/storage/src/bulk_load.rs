//! Loading many profiles at once. How rows get in is each backend's own; what a load means is the same.

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::collections::HashMap;

use async_trait::async_trait;
use domain::{ArtistKey, BulkCounts, BulkLoad, ProfileRecord, RepositoryError};

use crate::store::{Backend, Store};

/// [`BulkLoad`] into the database.
#[derive(Debug, Clone)]
pub(crate) struct SeaBulkLoad(pub(crate) Store);

#[async_trait]
impl BulkLoad for SeaBulkLoad {
    async fn load(&self, batch: Vec<ProfileRecord>) -> Result<BulkCounts, RepositoryError> {
        let (batch, overruled) = last_of_each_artist(batch);
        // What was loaded already is left alone, so repeating changes nothing.
        let mut counts = self
            .0
            .retry(|| async {
                match self.0.backend() {
                    #[cfg(feature = "postgres")]
                    Backend::Postgres => postgres::load(&self.0, &batch).await,
                    #[cfg(feature = "sqlite")]
                    Backend::Sqlite => sqlite::load(&self.0, &batch).await,
                    #[cfg(not(all(feature = "postgres", feature = "sqlite")))]
                    _ => Err(RepositoryError::Conflict.into()),
                }
            })
            .await?;
        counts.unchanged += overruled;
        Ok(counts)
    }

    async fn finish(&self) -> Result<(), RepositoryError> {
        self.0
            .retry(|| async {
                match self.0.backend() {
                    #[cfg(feature = "postgres")]
                    Backend::Postgres => postgres::finish(&self.0).await,
                    #[cfg(feature = "sqlite")]
                    Backend::Sqlite => sqlite::finish(&self.0).await,
                    #[cfg(not(all(feature = "postgres", feature = "sqlite")))]
                    _ => Err(RepositoryError::Conflict.into()),
                }
            })
            .await
    }
}

/// The records that stand, and how many were overruled by a later one.
fn last_of_each_artist(batch: Vec<ProfileRecord>) -> (Vec<ProfileRecord>, u64) {
    let all = batch.len();
    let last: HashMap<ArtistKey, usize> = batch
        .iter()
        .enumerate()
        .map(|(index, record)| (record.artist().key().clone(), index))
        .collect();
    let mut index = 0;
    let standing: Vec<ProfileRecord> = batch
        .into_iter()
        .filter(|record| {
            let stands = last.get(record.artist().key()) == Some(&index);
            index += 1;
            stands
        })
        .collect();
    let overruled = all - standing.len();
    (standing, overruled as u64)
}
