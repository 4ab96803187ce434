//! Similar artists. How embeddings are compared is each backend's own; how answers rank is the same.

#[cfg(feature = "sqlite")]
mod closest;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use async_trait::async_trait;
use domain::{
    Exactness, Limit, Neighbour, Neighbours, RepositoryError, Search, SearchMode, SimilarArtists,
    Version, closest_first,
};
use futures::{StreamExt, TryStreamExt, stream};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use crate::{
    entity::artist::stored_version,
    error::Failure,
    query_statistics::{Operation, Table},
    store::{Backend, Store},
};
#[cfg(feature = "postgres")]
pub(crate) use postgres::plan;

/// [`SimilarArtists`] in the database.
#[derive(Debug, Clone)]
pub(crate) struct SeaSimilarArtists(pub(crate) Store);

#[async_trait]
impl SimilarArtists for SeaSimilarArtists {
    async fn nearest(&self, search: &Search) -> Result<Neighbours, RepositoryError> {
        self.0
            .retry(Operation::Search, Table::StyleEmbeddings, || async {
                // Before the search: it sees at least as much.
                let as_of = latest_version(self.0.database()).await?;
                let found = match self.0.backend() {
                    #[cfg(feature = "postgres")]
                    Backend::Postgres => postgres::nearest(&self.0, search).await?,
                    #[cfg(feature = "sqlite")]
                    Backend::Sqlite => sqlite::nearest(&self.0, search).await?,
                    #[cfg(not(all(feature = "postgres", feature = "sqlite")))]
                    _ => return Err(RepositoryError::Conflict.into()),
                };
                Ok(found.answer(search.limit, as_of))
            })
            .await
    }

    async fn nearest_many(&self, searches: &[Search]) -> Result<Vec<Neighbours>, RepositoryError> {
        match self.0.backend() {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite if !searches.is_empty() => {
                self.0
                    .retry(Operation::Search, Table::StyleEmbeddings, || async {
                        let as_of = latest_version(self.0.database()).await?;
                        let found = sqlite::nearest_many(&self.0, searches).await?;
                        let answers = found.into_iter().zip(searches);
                        Ok(answers
                            .map(|(found, search)| found.answer(search.limit, as_of))
                            .collect())
                    })
                    .await
            }
            Backend::Postgres | Backend::Sqlite => {
                let searches: Vec<_> = searches.iter().map(|search| self.nearest(search)).collect();
                stream::iter(searches).buffered(self.at_once()).try_collect().await
            }
        }
    }
}

impl SeaSimilarArtists {
    /// How many searches of a batch the server is given at once. Each takes a connection, and most are for others.
    fn at_once(&self) -> usize {
        const MOST: u32 = 4;

        let share = self.0.limits().most / MOST;
        usize::try_from(share.clamp(1, MOST)).unwrap_or(1)
    }
}

/// What a backend's search yields: at least the wanted artists, in any order, and how it came by them.
struct Found {
    candidates: Vec<Neighbour>,
    mode: SearchMode,
    compared: u64,
}

impl Found {
    fn answer(self, limit: Limit<20>, as_of: Version) -> Neighbours {
        let Self { candidates: mut neighbours, mode, compared } = self;
        neighbours.sort_unstable_by(|one, other| {
            closest_first((one.score, one.artist.key()), (other.score, other.artist.key()))
        });
        neighbours.truncate(limit.get().into());
        Neighbours { neighbours, exactness: Exactness { mode, compared, as_of } }
    }
}

/// Each table's from the end of its index.
const LATEST: &str = "
    SELECT (SELECT max(version) FROM artists) AS present,
     (SELECT max(version) FROM removed_artists) AS removed";

async fn latest_version(database: &DatabaseConnection) -> Result<Version, Failure> {
    let latest = Statement::from_string(database.get_database_backend(), LATEST);
    let Some(row) = database.query_one_raw(latest).await? else { return Ok(Version::ZERO) };
    let (present, removed): (Option<i64>, Option<i64>) =
        (row.try_get("", "present")?, row.try_get("", "removed")?);
    stored_version(present.max(removed).unwrap_or(0))
}
