//! Loading many profiles at once. How rows get in is each backend's own; what a load means is the same.

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::collections::HashMap;

use async_trait::async_trait;
use domain::{
    ArtistKey, AuditAction, AuditEntry, AuditSubject, Author, BulkCounts, BulkLoad, ProfileRecord,
    RepositoryError,
};

use crate::{
    query_statistics::{Operation, Table},
    store::{Backend, Store},
};

/// [`BulkLoad`] into the database.
#[derive(Debug, Clone)]
pub(crate) struct SeaBulkLoad(pub(crate) Store);

#[async_trait]
impl BulkLoad for SeaBulkLoad {
    async fn load(
        &self,
        batch: Vec<ProfileRecord>,
        author: &Author,
    ) -> Result<BulkCounts, RepositoryError> {
        let (batch, merged) = one_for_each_artist(batch);
        // What was loaded already is left alone, so repeating changes nothing.
        let mut counts = self
            .0
            .retry(Operation::Load, Table::StyleProfiles, || async {
                match self.0.backend() {
                    #[cfg(feature = "postgres")]
                    Backend::Postgres => postgres::load(&self.0, &batch, author).await,
                    #[cfg(feature = "sqlite")]
                    Backend::Sqlite => sqlite::load(&self.0, &batch, author).await,
                    #[cfg(not(all(feature = "postgres", feature = "sqlite")))]
                    _ => Err(RepositoryError::Conflict.into()),
                }
            })
            .await?;
        counts.unchanged += merged;
        Ok(counts)
    }

    async fn finish(&self) -> Result<(), RepositoryError> {
        self.0
            .retry(Operation::FinishLoad, Table::StyleProfiles, || async {
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

/// What is remembered of a batch, if it changed anything.
fn remembered(counts: BulkCounts) -> Option<AuditEntry> {
    let BulkCounts { created, replaced, unchanged: _, sources } = counts;
    let changed = created + replaced;
    (changed + sources != 0).then(|| AuditEntry {
        action: AuditAction::ProfilesImported,
        subject: AuditSubject { entries: Some(changed), ..AuditSubject::default() },
        before: None,
        after: None,
    })
}

/// One record for each artist, which says what saving them one after the other would leave, and how many others were
/// merged into it.
fn one_for_each_artist(batch: Vec<ProfileRecord>) -> (Vec<ProfileRecord>, u64) {
    let all = batch.len();
    let mut merged: Vec<ProfileRecord> = Vec::with_capacity(all);
    let mut places: HashMap<ArtistKey, usize> = HashMap::with_capacity(all);
    for record in batch {
        let place = *places.entry(record.artist().key().clone()).or_insert(merged.len());
        match merged.get_mut(place) {
            Some(earlier) => merge(earlier, record),
            None => merged.push(record),
        }
    }
    let others = all - merged.len();
    (merged, others as u64)
}

/// The later profile stands, under the name that came first; sources add up.
fn merge(earlier: &mut ProfileRecord, later: ProfileRecord) {
    let name = earlier.artist().clone();
    match (earlier, later) {
        (
            ProfileRecord::Artist { artist: _, sources }
            | ProfileRecord::Profile { profile: _, sources },
            ProfileRecord::Artist { artist: _, sources: more },
        ) => sources.extend(more),
        (earlier, ProfileRecord::Profile { mut profile, sources: more }) => {
            profile.artist = name;
            let mut sources = earlier.sources().to_vec();
            sources.extend(more);
            *earlier = ProfileRecord::Profile { profile, sources };
        }
    }
}
