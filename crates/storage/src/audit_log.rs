//! The audit log: how writes add to it, inside their own transactions, and how it is read.

use async_trait::async_trait;
use domain::{
    Actor, AuditCursor, AuditEntry, AuditFilter, AuditLog, AuditRecord, AuditRecordId,
    AuditSubject, Author, Limit, Page, RepositoryError, TimeRange, Timestamp, Version,
};
#[cfg(feature = "postgres")]
use sea_orm::sqlx;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder,
    QuerySelect, Value, prelude::Uuid, sea_query::Expr,
};

#[cfg(feature = "postgres")]
use crate::insert::PostgresQuery;
use crate::{
    entity::{
        StoredTime,
        audit_record::{Column, Entity},
    },
    error::Failure,
    insert::insert,
    query_statistics::{Operation, Table},
    store::{Backend, Store},
};

const COLUMNS: &str = "id, at, actor, actor_key_id, actor_key, actor_key_name, request_id, action, artist_key, api_key, \
     generation_id, entries, version_before, version_after";

/// Adds a record to the log, in the transaction of the write that it tells of.
pub(crate) async fn audit(
    store: &Store,
    transaction: &impl ConnectionTrait,
    author: &Author,
    entry: AuditEntry,
) -> Result<(), Failure> {
    audit_all(store.backend(), transaction, vec![record(store, author, entry)]).await
}

/// The same for many records, with one statement.
pub(crate) async fn audit_all(
    backend: Backend,
    transaction: &impl ConnectionTrait,
    records: Vec<AuditRecord>,
) -> Result<(), Failure> {
    let rows = records
        .iter()
        .map(|record| Ok(AuditRow::of(record)?.values(backend)))
        .collect::<Result<Vec<_>, Failure>>()?;
    insert(transaction, backend, ("audit_log", COLUMNS, ""), rows).await
}

/// The same where a transaction is not the ORM's.
#[cfg(feature = "postgres")]
pub(crate) async fn audit_beside_the_orm(
    connection: &mut sqlx::PgConnection,
    records: &[AuditRecord],
) -> Result<(), Failure> {
    let insert = sqlx::query(
        "INSERT INTO audit_log (id, at, actor, actor_key_id, actor_key, actor_key_name, request_id, action, artist_key,
          api_key, generation_id, entries, version_before, version_after)
         SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[],
          $8::text[], $9::text[], $10::text[], $11::uuid[], $12::bigint[], $13::bigint[], $14::bigint[])",
    );
    bind_audited(insert, records)?.execute(connection).await?;
    Ok(())
}

/// Binds records as an array for each of [`COLUMNS`].
#[cfg(feature = "postgres")]
pub(crate) fn bind_audited<'q>(
    query: PostgresQuery<'q>,
    records: &[AuditRecord],
) -> Result<PostgresQuery<'q>, Failure> {
    let rows: Vec<AuditRow> = records.iter().map(AuditRow::of).collect::<Result<_, _>>()?;
    let text = |text: fn(&AuditRow) -> Option<&str>| -> Vec<Option<String>> {
        rows.iter().map(|row| text(row).map(str::to_owned)).collect()
    };
    let number = |number: fn(&AuditRow) -> Option<i64>| -> Vec<Option<i64>> {
        rows.iter().map(number).collect()
    };
    Ok(query
        .bind(rows.iter().map(|row| row.id).collect::<Vec<Uuid>>())
        .bind(rows.iter().map(|row| row.at.into()).collect::<Vec<time::OffsetDateTime>>())
        .bind(text(|row| Some(row.actor)))
        .bind(rows.iter().map(|row| row.actor_key_id).collect::<Vec<Option<Uuid>>>())
        .bind(text(|row| row.actor_key.as_deref()))
        .bind(text(|row| row.actor_key_name.as_deref()))
        .bind(text(|row| Some(&row.request_id)))
        .bind(text(|row| Some(row.action)))
        .bind(text(|row| row.artist_key.as_deref()))
        .bind(text(|row| row.api_key.as_deref()))
        .bind(rows.iter().map(|row| row.generation_id).collect::<Vec<Option<Uuid>>>())
        .bind(number(|row| row.entries))
        .bind(number(|row| row.version_before))
        .bind(number(|row| row.version_after)))
}

/// A record of a write that is made now.
pub(crate) fn record(store: &Store, author: &Author, entry: AuditEntry) -> AuditRecord {
    AuditRecord { id: AuditRecordId::generate(), at: store.now(), author: author.clone(), entry }
}

/// A record as it is stored.
struct AuditRow {
    id: Uuid,
    at: Timestamp,
    actor: &'static str,
    actor_key_id: Option<Uuid>,
    actor_key: Option<String>,
    actor_key_name: Option<String>,
    request_id: String,
    action: &'static str,
    artist_key: Option<String>,
    api_key: Option<String>,
    generation_id: Option<Uuid>,
    entries: Option<i64>,
    version_before: Option<i64>,
    version_after: Option<i64>,
}

impl AuditRow {
    fn of(record: &AuditRecord) -> Result<Self, Failure> {
        let AuditRecord { id, at, author: Author { actor, request }, entry } = record;
        let AuditEntry { action, subject, before, after } = entry;
        let AuditSubject { artist, api_key, generation, entries } = subject;
        let (actor_key_id, actor_key, actor_key_name) = match actor {
            Actor::Anonymous | Actor::Command => (None, None, None),
            Actor::Key { id, public_id, name } => {
                (Some(id.as_uuid()), Some(public_id.to_string()), Some(name.to_string()))
            }
        };
        let entries = entries.map(i64::try_from).transpose().map_err(Failure::corrupt)?;
        Ok(Self {
            id: id.as_uuid(),
            at: *at,
            actor: actor.kind(),
            actor_key_id,
            actor_key,
            actor_key_name,
            request_id: request.to_string(),
            action: action.as_str(),
            artist_key: artist.as_ref().map(|artist| artist.as_str().to_owned()),
            api_key: api_key.as_ref().map(ToString::to_string),
            generation_id: generation.map(domain::GenerationId::as_uuid),
            entries,
            version_before: stored(*before)?,
            version_after: stored(*after)?,
        })
    }

    fn values(self, backend: Backend) -> [Value; 14] {
        let Self {
            id,
            at,
            actor,
            actor_key_id,
            actor_key,
            actor_key_name,
            request_id,
            action,
            artist_key,
            api_key,
            generation_id,
            entries,
            version_before,
            version_after,
        } = self;
        [
            id.into(),
            StoredTime::new(backend, at).into(),
            actor.into(),
            actor_key_id.into(),
            actor_key.into(),
            actor_key_name.into(),
            request_id.into(),
            action.into(),
            artist_key.into(),
            api_key.into(),
            generation_id.into(),
            entries.into(),
            version_before.into(),
            version_after.into(),
        ]
    }
}

fn stored(version: Option<Version>) -> Result<Option<i64>, Failure> {
    version.map(|version| i64::try_from(version.number())).transpose().map_err(Failure::corrupt)
}

/// [`AuditLog`] through SeaORM.
#[derive(Debug, Clone)]
pub(crate) struct SeaAuditLog(pub(crate) Store);

#[async_trait]
impl AuditLog for SeaAuditLog {
    async fn page(
        &self,
        filter: &AuditFilter,
        after: Option<AuditCursor>,
        limit: Limit<500>,
    ) -> Result<Page<AuditRecord, AuditCursor>, RepositoryError> {
        self.0
            .retry(Operation::Page, Table::AuditLog, || self.read_page(filter, after, limit))
            .await
    }
}

impl SeaAuditLog {
    async fn read_page(
        &self,
        filter: &AuditFilter,
        after: Option<AuditCursor>,
        limit: Limit<500>,
    ) -> Result<Page<AuditRecord, AuditCursor>, Failure> {
        let AuditFilter { artist, api_key, range } = filter;
        let backend = self.0.backend();
        let mut query = Entity::find()
            .order_by_desc(Column::At)
            .order_by_desc(Column::Id)
            .limit(u64::from(limit.get()) + 1);
        if let Some(artist) = artist {
            query = query.filter(Column::ArtistKey.eq(artist.as_str()));
        }
        if let Some(key) = api_key {
            let either = Condition::any()
                .add(Column::ActorKey.eq(key.as_str()))
                .add(Column::ApiKey.eq(key.as_str()));
            query = query.filter(either);
        }
        if *range != TimeRange::ALL {
            let from = StoredTime::at_micros(backend, range.from_micros())?;
            // The end may be later than any time there is.
            let last = StoredTime::at_micros(backend, range.to_micros() - 1)?;
            query = query.filter(Column::At.gte(from)).filter(Column::At.lte(last));
        }
        if let Some(AuditCursor { at, id }) = after {
            let position = Expr::tuple([Expr::col(Column::At), Expr::col(Column::Id)]);
            let last =
                Expr::tuple([Expr::value(StoredTime::new(backend, at)), Expr::value(id.as_uuid())]);
            query = query.filter(position.lt(last));
        }
        let rows = query.all(self.0.database()).await?;
        let items = rows.into_iter().map(AuditRecord::try_from).collect::<Result<_, _>>()?;
        let position = |last: &AuditRecord| AuditCursor { at: last.at, id: last.id };
        Ok(Page::begun_by(items, limit, position))
    }
}
