//! Research sources, the same on every backend.

use async_trait::async_trait;
use domain::{
    ArtistId, Limit, NewResearchSource, Page, RepositoryError, ResearchSource, ResearchSources,
    SourceCursor, SourceType,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, TryIntoModel};

use crate::{
    entity::research_source::{self, Column, Entity},
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
        artist: ArtistId,
        sources: Vec<NewResearchSource>,
    ) -> Result<Vec<ResearchSource>, RepositoryError> {
        let now = self.0.now();
        let rows: Vec<_> = sources
            .iter()
            .map(|source| research_source::row(self.0.backend(), source, artist, now))
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
            // One statement is a transaction of its own.
            Entity::insert_many(rows).exec_without_returning(self.0.database()).await?;
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
