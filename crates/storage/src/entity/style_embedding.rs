//! Table `style_embeddings`, apart from the profiles so that a scan of vectors reads nothing else.

use sea_orm::entity::prelude::*;

use super::{StoredVector, get};
use crate::error::Failure;

#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "style_embeddings")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub artist_id: Uuid,
    pub embedding: StoredVector,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {
    #[sea_orm(
        belongs_to = "super::artist::Entity",
        from = "Column::ArtistId",
        to = "super::artist::Column::Id"
    )]
    Artist,
}

impl Related<super::artist::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Artist.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Reads the columns of the table, in their order, from the first one on; `None` where a join found no row.
    pub(crate) fn read(row: &QueryResult, first: usize) -> Result<Option<Self>, Failure> {
        let Some(artist_id) = get(row, first)? else { return Ok(None) };
        Ok(Some(Self { artist_id, embedding: get(row, first + Column::Embedding as usize)? }))
    }
}
