//! Generations, the same on every backend.

use std::collections::HashMap;

use async_trait::async_trait;
use domain::{
    ArtistId, ArtistKey, ArtistName, Generation, GenerationId, Generations, HistoryCursor,
    HistoryPage, Limit, Money, NewGeneration, Page, Provider, RepositoryError, Statistics,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, FromQueryResult, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, LockType, OnConflict},
};

use crate::{
    entity::{
        StoredTime, artist,
        generation::{self, Column, Entity},
        style_profile,
    },
    error::Failure,
    store::Store,
};

/// Costs are summed as whole dollars and the rest, so that no sum leaves 64 bits.
const NANOS_PER_DOLLAR: i64 = 1_000_000_000;

/// Rows of one statement; SQLite binds at most 32,766 values.
const ROWS_PER_STATEMENT: usize = 2_000;

/// [`Generations`] through SeaORM.
#[derive(Debug, Clone)]
pub(crate) struct SeaGenerations(pub(crate) Store);

#[async_trait]
impl Generations for SeaGenerations {
    async fn record(
        &self,
        generations: Vec<NewGeneration>,
    ) -> Result<Vec<Generation>, RepositoryError> {
        if generations.is_empty() {
            return Ok(Vec::new());
        }
        // Identities are the caller's, so repeating counts nothing twice.
        self.0.retry(|| self.insert(&generations)).await
    }

    async fn find(&self, id: GenerationId) -> Result<Option<Generation>, RepositoryError> {
        self.0.retry(|| async { Ok(read(self.0.database(), &[id]).await?.remove(&id)) }).await
    }

    async fn history(
        &self,
        artist: ArtistId,
        after: Option<HistoryCursor>,
        limit: Limit<100>,
    ) -> Result<HistoryPage, RepositoryError> {
        self.0.retry(|| self.read_history(artist, after, limit)).await
    }

    async fn statistics(&self) -> Result<Statistics, RepositoryError> {
        self.0.retry(|| self.sum_up()).await
    }
}

impl SeaGenerations {
    async fn insert(&self, generations: &[NewGeneration]) -> Result<Vec<Generation>, Failure> {
        let now = self.0.now();
        let _writer = self.0.writer().await?;
        let transaction = self.0.begin().await?;
        let artists = artist_ids(&transaction, generations).await?;

        let mut rows = Vec::with_capacity(generations.len());
        for new in generations {
            let artist = match &new.artist {
                None => None,
                Some(name) => match artists.get(name.key()) {
                    Some(&id) => Some(id),
                    None => return Err(RepositoryError::UnknownArtist(name.clone()).into()),
                },
            };
            rows.push(generation::row(self.0.backend(), new, artist, now));
        }
        for some in rows.chunks(ROWS_PER_STATEMENT) {
            Entity::insert_many(some.iter().cloned())
                .on_conflict(OnConflict::column(Column::Id).do_nothing().to_owned())
                .exec_without_returning(&transaction)
                .await?;
        }
        // Read back rather than echoed: what was recorded before under the same identity stands.
        let ids: Vec<_> = generations.iter().map(|new| new.id).collect();
        let stored = read(&transaction, &ids).await?;
        let mut recorded = Vec::with_capacity(generations.len());
        for new in generations {
            match stored.get(&new.id).filter(|stored| new.is_recorded_as(stored)) {
                Some(generation) => recorded.push(generation.clone()),
                None => return Err(RepositoryError::Conflict.into()),
            }
        }
        transaction.commit().await?;
        Ok(recorded)
    }

    async fn read_history(
        &self,
        artist: ArtistId,
        after: Option<HistoryCursor>,
        limit: Limit<100>,
    ) -> Result<HistoryPage, Failure> {
        let database = self.0.database();
        let of_artist = Entity::find().filter(Column::ArtistId.eq(artist.as_uuid()));
        let total = of_artist.clone().count(database).await?;

        let mut query = of_artist
            .find_also_related(artist::Entity)
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::Id)
            .limit(u64::from(limit.get()) + 1);
        if let Some(HistoryCursor { created_at, id }) = after {
            let position = Expr::tuple([
                Expr::value(StoredTime::new(self.0.backend(), created_at)),
                Expr::value(id.as_uuid()),
            ]);
            let columns = Expr::tuple([
                Expr::col((Entity, Column::CreatedAt)),
                Expr::col((Entity, Column::Id)),
            ]);
            query = query.filter(columns.lt(position));
        }

        let rows = query.all(database).await?;
        let items = rows
            .into_iter()
            .map(|(row, artist)| generation::generation(row, artist))
            .collect::<Result<_, _>>()?;
        let page = Page::begun_by(items, limit, |last: &Generation| HistoryCursor {
            created_at: last.created_at,
            id: last.id,
        });
        Ok(HistoryPage { total, page })
    }

    async fn sum_up(&self) -> Result<Statistics, Failure> {
        let database = self.0.database();
        // PostgreSQL sums 64-bit integers into a decimal.
        let sum = |expression: Expr| expression.sum().cast_as("bigint");
        let cost = || Expr::col(Column::Cost);
        let rows = Entity::find()
            .select_only()
            .column(Column::ProviderUsed)
            .expr_as(Expr::col(Column::Id).count(), "generations")
            .expr_as(sum(Expr::col(Column::GenerationTimeMs)), "time_ms")
            .expr_as(cost().count(), "priced")
            .expr_as(sum(cost().div(NANOS_PER_DOLLAR)), "dollars")
            .expr_as(sum(cost().modulo(NANOS_PER_DOLLAR)), "nanos")
            .group_by(Column::ProviderUsed)
            .into_model::<ProviderSums>()
            .all(database)
            .await?;

        let count = |stored: i64| u64::try_from(stored).map_err(Failure::corrupt);
        let mut statistics = Statistics {
            cached_artists: style_profile::Entity::find().count(database).await?,
            ..Statistics::default()
        };
        for ProviderSums { provider_used, generations, time_ms, priced, dollars, nanos } in rows {
            let provider = Provider::try_from(provider_used.as_str()).map_err(Failure::corrupt)?;
            let dollars = i128::from(dollars.unwrap_or(0)) * i128::from(NANOS_PER_DOLLAR);
            let cost = Money::from_nanos(dollars + i128::from(nanos.unwrap_or(0)));
            statistics.total_generations += count(generations)?;
            statistics.total_time_ms += u128::from(count(time_ms)?);
            statistics.priced_generations += count(priced)?;
            statistics.total_cost = statistics.total_cost + cost;
            *statistics.provider_usage.entry(provider).or_default() += count(generations)?;
        }
        Ok(statistics)
    }
}

/// The sums over one provider's rows. A sum over no known cost is absent.
#[derive(Debug, FromQueryResult)]
struct ProviderSums {
    provider_used: String,
    generations: i64,
    time_ms: i64,
    priced: i64,
    dollars: Option<i64>,
    nanos: Option<i64>,
}

/// The identities of the artists that some generations name. None of them is removed before the transaction ends: in
/// PostgreSQL by the lock, in SQLite because nobody else writes.
async fn artist_ids(
    database: &impl ConnectionTrait,
    generations: &[NewGeneration],
) -> Result<HashMap<ArtistKey, ArtistId>, Failure> {
    let mut keys: Vec<&ArtistKey> =
        generations.iter().filter_map(|new| new.artist.as_ref()).map(ArtistName::key).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut ids = HashMap::with_capacity(keys.len());
    for some in keys.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<(String, sea_orm::prelude::Uuid)> = artist::Entity::find()
            .select_only()
            .columns([artist::Column::NameKey, artist::Column::Id])
            .filter(artist::Column::NameKey.is_in(some.iter().map(|key| key.as_str())))
            .lock(LockType::KeyShare)
            .into_tuple()
            .all(database)
            .await?;
        for (key, id) in rows {
            ids.insert(ArtistKey::parse(&key).map_err(Failure::corrupt)?, ArtistId::from_uuid(id));
        }
    }
    Ok(ids)
}

async fn read(
    database: &impl ConnectionTrait,
    ids: &[GenerationId],
) -> Result<HashMap<GenerationId, Generation>, Failure> {
    let mut found = HashMap::with_capacity(ids.len());
    for some in ids.chunks(ROWS_PER_STATEMENT) {
        let rows = Entity::find()
            .find_also_related(artist::Entity)
            .filter(Column::Id.is_in(some.iter().map(|id| id.as_uuid())))
            .all(database)
            .await?;
        for (row, artist) in rows {
            found.insert(GenerationId::from_uuid(row.id), generation::generation(row, artist)?);
        }
    }
    Ok(found)
}
