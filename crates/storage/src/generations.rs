//! Generations, the same on every backend.

mod partitions;
mod recording;

use std::collections::{HashMap, hash_map};

use async_trait::async_trait;
use domain::{
    ArtistId, ArtistName, Author, Generation, GenerationId, Generations, HistoryCursor,
    HistoryFilter, HistoryPage, Limit, NewGeneration, Page, RepositoryError, TimeRange,
};
use futures::TryStreamExt;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder,
    QueryResult, QuerySelect, QueryTrait, Select, StreamTrait,
    prelude::Uuid,
    sea_query::{Expr, Order, Query, SubQueryStatement},
};

use crate::{
    entity::{
        StoredTime,
        artist::{self, artist_name},
        generation::{self, Column, Entity},
        get,
    },
    error::Failure,
    group_commit,
    query_statistics::{Operation, Table},
    rollups::total_of_artist,
    store::{Backend, Store},
};

pub(crate) use self::{partitions::Partitions, recording::Recorder};

/// Identities of one statement; SQLite binds at most 32,766 values.
const IDS_PER_STATEMENT: usize = 2_000;

/// The limits of pages that are read are multiples of it.
const LIMITS_APART: u64 = 10;

/// [`Generations`] through SeaORM.
#[derive(Debug, Clone)]
pub(crate) struct SeaGenerations(pub(crate) Store);

#[async_trait]
impl Generations for SeaGenerations {
    async fn record(
        &self,
        generations: Vec<NewGeneration>,
        author: &Author,
    ) -> Result<Vec<Generation>, RepositoryError> {
        if generations.is_empty() {
            return Ok(Vec::new());
        }
        // Before it is in the queue: nobody else has to wait for the room that this caller needs.
        self.0.partitions().ensure_for(&self.0, &generations).await?;
        group_commit::write(&self.0, Recorder { author: author.clone(), generations }).await
    }

    async fn find(&self, id: GenerationId) -> Result<Option<Generation>, RepositoryError> {
        self.0
            .retry(Operation::Find, Table::GenerationHistory, || async {
                let found = read(&self.0, self.0.database(), &[id]).await?.remove(&id);
                Ok(found.map(|it| it.generation))
            })
            .await
    }

    async fn history(
        &self,
        artist: ArtistId,
        filter: &HistoryFilter,
        after: Option<HistoryCursor>,
        limit: Limit<100>,
    ) -> Result<HistoryPage, RepositoryError> {
        self.0
            .retry(Operation::Page, Table::GenerationHistory, || {
                self.read_history(artist, filter, after, limit)
            })
            .await
    }

    async fn page(
        &self,
        range: TimeRange,
        after: Option<HistoryCursor>,
        limit: Limit<1000>,
    ) -> Result<Page<Generation, HistoryCursor>, RepositoryError> {
        self.0
            .retry(Operation::Page, Table::GenerationHistory, || async {
                let mut query = Entity::find().filter(self.made_in(range)?);
                if let Some(cursor) = after {
                    query = query.filter(position().gt(self.position_of(cursor)));
                }
                self.read_page(query, Order::Asc, limit).await
            })
            .await
    }
}

impl SeaGenerations {
    async fn read_history(
        &self,
        artist: ArtistId,
        filter: &HistoryFilter,
        after: Option<HistoryCursor>,
        limit: Limit<100>,
    ) -> Result<HistoryPage, Failure> {
        let HistoryFilter { provider, status, range } = filter;
        // PostgreSQL keeps a plan that does not depend on who it is; planning for all months takes longer than the page.
        let whose = Query::select().expr(Expr::value(artist.as_uuid())).to_owned();
        let whose = Expr::from(SubQueryStatement::from(whose));
        let mut query = Entity::find().filter(Expr::col((Entity, Column::ArtistId)).eq(whose));
        if *range != TimeRange::ALL {
            query = query.filter(self.made_in(*range)?);
        }
        if let Some(provider) = provider {
            query = query.filter(Column::ProviderUsed.eq(provider.as_str()));
        }
        if let Some(status) = status {
            query = query.filter(Column::Status.eq(status.as_str()));
        }
        if let Some(cursor) = after {
            query = query.filter(position().lt(self.position_of(cursor)));
        }
        let (total, page) = tokio::try_join!(
            total_of_artist(&self.0, artist),
            self.read_page(query, Order::Desc, limit)
        )?;
        Ok(match total {
            Some(total) => HistoryPage { total, page },
            // What was recorded for an artist who was removed since is nobody's.
            None => HistoryPage { total: 0, page: Page { items: Vec::new(), next: None } },
        })
    }

    /// The beginning of what a query finds, in the order of time.
    async fn read_page<const MAX: u16>(
        &self,
        query: Select<Entity>,
        order: Order,
        limit: Limit<MAX>,
    ) -> Result<Page<Generation, HistoryCursor>, Failure> {
        let database = self.0.nearest().await?;
        let mut statement = with_artist(query)
            .order_by(Column::CreatedAt, order.clone())
            .order_by(Column::Id, order)
            .build(database.get_database_backend());
        // PostgreSQL keeps a plan that costs no more than one for this limit would, and expects that of a limit it cannot
        // know to end a walk along the index early. Few different ones leave few statements to keep.
        let rows = u64::from(limit.get()).next_multiple_of(LIMITS_APART) + 1;
        statement.sql.extend([" LIMIT (SELECT ", &rows.to_string(), ")"]);
        let sql = statement.sql.clone();
        // The first rows are read while the server looks for the next ones.
        let mut rows = database.stream_raw(statement).await?;
        let reading = async {
            let (mut items, mut names) = (Vec::new(), Names::default());
            while let Some(row) = rows.try_next().await? {
                items.push(names.read(&row)?.generation);
            }
            Ok::<_, Failure>(items)
        };
        let items = self.0.watch(&sql, reading).await?;
        Ok(Page::begun_by(items, limit, |last: &Generation| HistoryCursor {
            created_at: last.created_at,
            id: last.id,
        }))
    }

    fn made_in(&self, range: TimeRange) -> Result<Condition, Failure> {
        let backend = self.0.backend();
        let created_at = Expr::col((Entity, Column::CreatedAt));
        let from = StoredTime::at_micros(backend, range.from_micros())?;
        // The end may be later than any time there is.
        let last = StoredTime::at_micros(backend, range.to_micros() - 1)?;
        Ok(Condition::all().add(created_at.clone().gte(from)).add(created_at.lte(last)))
    }

    fn position_of(&self, HistoryCursor { created_at, id }: HistoryCursor) -> Expr {
        Expr::tuple([
            Expr::value(StoredTime::new(self.0.backend(), created_at)),
            Expr::value(id.as_uuid()),
        ])
    }
}

/// What histories are in the order of.
fn position() -> Expr {
    Expr::tuple([Expr::col((Entity, Column::CreatedAt)), Expr::col((Entity, Column::Id))])
}

/// A generation that is recorded.
#[derive(Clone)]
struct Recorded {
    generation: Generation,
    /// Whether it was recorded without an artist; otherwise an artist that it does not have was removed since.
    is_nobodys: bool,
}

/// The name of the artist behind the columns of each generation.
fn with_artist(query: Select<Entity>) -> Select<Entity> {
    query.left_join(artist::Entity).column(artist::Column::Name)
}

/// Names that were read; most rows of an answer have the same few, and checking one takes longer than reading the row.
#[derive(Default)]
struct Names(HashMap<String, ArtistName>);

impl Names {
    /// Reads a row that was asked for [`with_artist`].
    fn read(&mut self, row: &QueryResult) -> Result<Recorded, Failure> {
        let name: Option<String> = get(row, generation::COLUMN_COUNT)?;
        let is_nobodys = generation::read::<Option<Uuid>>(row, Column::ArtistId)?.is_none();
        let artist = name.map(|name| self.checked(name)).transpose()?;
        Ok(Recorded { generation: generation::generation(row, artist)?, is_nobodys })
    }

    fn checked(&mut self, name: String) -> Result<ArtistName, Failure> {
        Ok(match self.0.entry(name) {
            hash_map::Entry::Occupied(known) => known.get().clone(),
            hash_map::Entry::Vacant(place) => {
                let checked = artist_name(place.key())?;
                place.insert(checked).clone()
            }
        })
    }
}

/// The generations that are recorded under some identities.
async fn read(
    store: &Store,
    database: &impl ConnectionTrait,
    ids: &[GenerationId],
) -> Result<HashMap<GenerationId, Recorded>, Failure> {
    let (mut found, mut names) = (HashMap::with_capacity(ids.len()), Names::default());
    for some in ids.chunks(IDS_PER_STATEMENT) {
        let uuids = padded(some).map(|id| id.as_uuid());
        let query = match store.backend() {
            // Where the row lies is known by its time.
            Backend::Postgres => {
                Entity::find().filter(position().in_subquery(partitions::positions(uuids)))
            }
            Backend::Sqlite => Entity::find().filter(Column::Id.is_in(uuids)),
        };
        let statement = with_artist(query).build(database.get_database_backend());
        for row in database.query_all_raw(statement).await? {
            let recorded = names.read(&row)?;
            found.insert(recorded.generation.id, recorded);
        }
    }
    Ok(found)
}

/// The same keys, the last of them repeated until there is a power of two of them: so that few different statements are
/// prepared on each connection.
fn padded<T>(keys: &[T]) -> impl Iterator<Item = &T> {
    let missing = keys.len().next_power_of_two() - keys.len();
    keys.iter().chain(keys.last().into_iter().cycle().take(missing))
}
