//! Artists, the same on every backend.

use async_trait::async_trait;
use domain::{
    Artist, ArtistCursor, ArtistFilter, ArtistKey, ArtistName, Artists, AuditAction, AuditEntry,
    AuditSubject, Author, FoundArtist, Limit, Page, RepositoryError, ResearchStatus, Version,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait, QueryFilter, QueryOrder,
    QuerySelect,
    sea_query::{Expr, LikeExpr, OnConflict},
};

use crate::{
    audit_log::audit,
    entity::{
        StoredTime,
        artist::{self, Column, Entity, Model, stored_version},
        removed_artist,
    },
    error::Failure,
    query_statistics::{Operation, Table},
    store::Store,
    suggestions::suggest,
};

/// [`Artists`] through SeaORM.
#[derive(Debug, Clone)]
pub(crate) struct SeaArtists(pub(crate) Store);

#[async_trait]
impl Artists for SeaArtists {
    async fn find(&self, artist: &ArtistKey) -> Result<Option<Artist>, RepositoryError> {
        self.0
            .retry(Operation::Find, Table::Artists, || async {
                row(self.0.database(), artist).await?.map(Artist::try_from).transpose()
            })
            .await
    }

    async fn find_or_create(
        &self,
        artist: &ArtistName,
        author: &Author,
    ) -> Result<FoundArtist, RepositoryError> {
        if let Some(artist) = self.find(artist.key()).await? {
            return Ok(FoundArtist { artist, created: false });
        }
        self.0.retry(Operation::Create, Table::Artists, || self.create(artist, author)).await
    }

    async fn page(
        &self,
        filter: &ArtistFilter,
        limit: Limit<500>,
    ) -> Result<Page<Artist, ArtistCursor>, RepositoryError> {
        self.0.retry(Operation::Page, Table::Artists, || self.read_page(filter, limit)).await
    }

    async fn set_status(
        &self,
        artist: &ArtistKey,
        status: ResearchStatus,
        author: &Author,
    ) -> Result<Option<Artist>, RepositoryError> {
        self.0
            .retry(Operation::Update, Table::Artists, || async {
                let _writer = self.0.writer().await?;
                let transaction = self.0.begin_versioned().await?;
                let Some(before) = row(&*transaction, artist).await? else { return Ok(None) };
                Entity::update_many()
                    .col_expr(Column::ResearchStatus, Expr::value(status.as_str()))
                    .col_expr(
                        Column::LastUpdated,
                        Expr::value(StoredTime::new(self.0.backend(), self.0.now())),
                    )
                    .filter(Column::NameKey.eq(artist.as_str()))
                    .exec(&*transaction)
                    .await?;
                let updated = row(&*transaction, artist).await?.ok_or(RepositoryError::Conflict)?;
                let entry = AuditEntry {
                    action: AuditAction::ArtistStatusChanged,
                    subject: AuditSubject::artist(artist),
                    before: Some(stored_version(before.version)?),
                    after: Some(stored_version(updated.version)?),
                };
                audit(&self.0, &*transaction, author, entry).await?;
                transaction.commit().await?;
                Artist::try_from(updated).map(Some)
            })
            .await
    }

    async fn remove(
        &self,
        artist: &ArtistKey,
        author: &Author,
    ) -> Result<Option<Version>, RepositoryError> {
        // Not repeated: a second attempt could not tell whether the first one removed it.
        self.0.once(Operation::Remove, Table::Artists, self.delete(artist, author)).await
    }

    async fn suggest(
        &self,
        artist: &ArtistName,
        limit: usize,
    ) -> Result<Vec<ArtistName>, RepositoryError> {
        self.0
            .retry(Operation::Suggest, Table::Artists, || suggest(self.0.database(), artist, limit))
            .await
    }
}

impl SeaArtists {
    async fn create(&self, artist: &ArtistName, author: &Author) -> Result<FoundArtist, Failure> {
        let _writer = self.0.writer().await?;
        let transaction = self.0.begin_versioned().await?;
        let inserted = Entity::insert(artist::pending(self.0.backend(), artist, self.0.now()))
            .on_conflict(OnConflict::column(Column::NameKey).do_nothing().to_owned())
            .exec_without_returning(&*transaction)
            .await?;
        let found = row(&*transaction, artist.key()).await?.ok_or(RepositoryError::Conflict)?;
        if inserted != 0 {
            let entry = AuditEntry {
                action: AuditAction::ArtistCreated,
                subject: AuditSubject::artist(artist.key()),
                before: None,
                after: Some(stored_version(found.version)?),
            };
            audit(&self.0, &*transaction, author, entry).await?;
        }
        transaction.commit().await?;
        Ok(FoundArtist { artist: found.try_into()?, created: inserted != 0 })
    }

    async fn delete(
        &self,
        artist: &ArtistKey,
        author: &Author,
    ) -> Result<Option<Version>, Failure> {
        let _writer = self.0.writer().await?;
        let transaction = self.0.begin_versioned().await?;
        let Some(before) = row(&*transaction, artist).await? else { return Ok(None) };
        let deletion = Entity::delete_many()
            .filter(Column::NameKey.eq(artist.as_str()))
            .exec(&*transaction)
            .await?;
        if deletion.rows_affected == 0 {
            return Ok(None);
        }
        let removal = removed_artist::Entity::find_by_id(artist.as_str())
            .one(&*transaction)
            .await?
            .ok_or_else(|| DbErr::RecordNotFound("a trigger writes it".to_owned()))?;
        let version = stored_version(removal.version)?;
        let entry = AuditEntry {
            action: AuditAction::ArtistRemoved,
            subject: AuditSubject::artist(artist),
            before: Some(stored_version(before.version)?),
            after: Some(version),
        };
        audit(&self.0, &*transaction, author, entry).await?;
        transaction.commit().await?;
        Ok(Some(version))
    }

    async fn read_page(
        &self,
        filter: &ArtistFilter,
        limit: Limit<500>,
    ) -> Result<Page<Artist, ArtistCursor>, Failure> {
        let ArtistFilter { status, search, after } = filter;
        let mut query =
            Entity::find().order_by_asc(Column::NameKey).limit(u64::from(limit.get()) + 1);
        if let Some(status) = status {
            query = query.filter(Column::ResearchStatus.eq(status.as_str()));
        }
        if let Some(search) = search {
            let pattern = LikeExpr::new(containing(search.as_str())).escape('\\');
            query = query.filter(Expr::col(Column::NameSearch).like(pattern));
        }
        if let Some(ArtistCursor(key)) = after {
            query = query.filter(Column::NameKey.gt(key.as_str()));
        }

        let rows = query.all(self.0.database()).await?;
        let items = rows.into_iter().map(Artist::try_from).collect::<Result<_, _>>()?;
        Ok(Page::begun_by(items, limit, |last: &Artist| ArtistCursor(last.name.key().clone())))
    }
}

pub(crate) async fn row(
    database: &impl ConnectionTrait,
    artist: &ArtistKey,
) -> Result<Option<Model>, Failure> {
    Ok(Entity::find().filter(Column::NameKey.eq(artist.as_str())).one(database).await?)
}

/// A `LIKE` pattern for texts that hold `part`, whose own wildcards mean themselves.
fn containing(part: &str) -> String {
    let mut pattern = String::with_capacity(part.len() + 2);
    pattern.push('%');
    for character in part.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}
