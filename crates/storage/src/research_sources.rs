//! Research sources, the same on every backend.

use async_trait::async_trait;
use domain::{
    ArtistId, ArtistKey, AuditAction, AuditEntry, AuditSubject, Author, Limit, NewResearchSource,
    Page, RepositoryError, ResearchSource, ResearchSources, SourceCursor, SourceType,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, TryIntoModel};

use crate::{
    audit_log::audit,
    entity::{
        artist,
        research_source::{self, Column, Entity},
    },
    error::Failure,
    query_statistics::{Operation, Table},
    store::Store,
};

/// [`ResearchSources`] through SeaORM.
#[derive(Debug, Clone)]
pub(crate) struct SeaResearchSources(pub(crate) Store);

#[async_trait]
impl ResearchSources for SeaResearchSources {
    async fn add(
        &self,
        owner: ArtistId,
        sources: Vec<NewResearchSource>,
        author: &Author,
    ) -> Result<Vec<ResearchSource>, RepositoryError> {
        let now = self.0.now();
        let rows: Vec<_> = sources
            .iter()
            .map(|source| research_source::row(self.0.backend(), source, owner, now))
            .collect();
        let stored = rows
            .iter()
            .map(|row| {
                row.clone()
                    .try_into_model()
                    .map_err(Failure::from)
                    .and_then(ResearchSource::try_from)
            })
            .collect::<Result<Vec<_>, _>>()?;
        if rows.is_empty() {
            return Ok(stored);
        }

        let insertion = async {
            let _writer = self.0.writer().await?;
            let transaction = self.0.begin().await?;
            let entries = u64::try_from(rows.len()).ok();
            Entity::insert_many(rows).exec_without_returning(&transaction).await?;
            let key: Option<String> = artist::Entity::find_by_id(owner.as_uuid())
                .select_only()
                .column(artist::Column::NameKey)
                .into_tuple()
                .one(&transaction)
                .await?;
            let key = key.ok_or(RepositoryError::Conflict)?;
            let key = ArtistKey::parse(&key).map_err(Failure::corrupt)?;
            let entry = AuditEntry {
                action: AuditAction::SourcesAdded,
                subject: AuditSubject { entries, ..AuditSubject::artist(&key) },
                before: None,
                after: None,
            };
            audit(&self.0, &transaction, author, entry).await?;
            transaction.commit().await?;
            Ok::<_, Failure>(())
        };
        // Not repeated: a second attempt would add them again if the first one was committed.
        self.0.once(Operation::Add, Table::ResearchSources, insertion).await?;
        Ok(stored)
    }

    async fn page(
        &self,
        artist: ArtistId,
        source_type: Option<SourceType>,
        after: Option<SourceCursor>,
        limit: Limit<500>,
    ) -> Result<Page<ResearchSource, SourceCursor>, RepositoryError> {
        self.0
            .retry(Operation::Page, Table::ResearchSources, || async {
                let mut query = Entity::find()
                    .filter(Column::ArtistId.eq(artist.as_uuid()))
                    .order_by_asc(Column::Id)
                    .limit(u64::from(limit.get()) + 1);
                if let Some(source_type) = source_type {
                    query = query.filter(Column::SourceType.eq(source_type.as_str()));
                }
                if let Some(SourceCursor(id)) = after {
                    query = query.filter(Column::Id.gt(id.as_uuid()));
                }

                let rows = query.all(self.0.database()).await?;
                let items =
                    rows.into_iter().map(ResearchSource::try_from).collect::<Result<_, _>>()?;
                Ok(Page::begun_by(items, limit, |last: &ResearchSource| SourceCursor(last.id)))
            })
            .await
    }
}
