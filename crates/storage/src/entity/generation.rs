//! Table `generation_history`.

use domain::{
    ArtistId, Cost, Generation, GenerationId, JsonObject, NewGeneration, Provider, Text, Timestamp,
};
use sea_orm::{Set, entity::prelude::*};

use super::{
    StoredTime,
    artist::{self, artist_name},
};
use crate::{error::Failure, store::Backend};

#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "generation_history")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub artist_id: Option<Uuid>,
    pub provider_used: String,
    pub generation_time_ms: i64,
    pub tokens_used: Option<i64>,
    /// In nano-dollars.
    pub cost: Option<i64>,
    pub user_params: Json,
    pub output_files: Json,
    pub created_at: StoredTime,
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

impl Related<artist::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Artist.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

/// The row for a new generation.
pub(crate) fn row(
    backend: Backend,
    generation: &NewGeneration,
    artist: Option<ArtistId>,
    now: Timestamp,
) -> ActiveModel {
    let NewGeneration {
        id,
        artist: _, // The row refers to it by identity.
        provider,
        generation_time_ms,
        tokens_used,
        cost,
        user_params,
        output_files,
        created_at,
    } = generation;
    ActiveModel {
        id: Set(id.as_uuid()),
        artist_id: Set(artist.map(ArtistId::as_uuid)),
        provider_used: Set(provider.as_str().to_owned()),
        generation_time_ms: Set((*generation_time_ms).into()),
        tokens_used: Set(tokens_used.map(i64::from)),
        cost: Set(cost.map(Cost::nanos)),
        user_params: Set(user_params.clone().into()),
        output_files: Set(output_files.iter().map(Text::as_str).collect::<Vec<_>>().into()),
        created_at: Set(StoredTime::new(backend, created_at.unwrap_or(now))),
    }
}

/// The generation that lies in a row; `artist` is who the row refers to.
pub(crate) fn generation(row: Model, artist: Option<artist::Model>) -> Result<Generation, Failure> {
    let Model {
        id,
        artist_id: _,
        provider_used,
        generation_time_ms,
        tokens_used,
        cost,
        user_params,
        output_files,
        created_at,
    } = row;
    let files: Vec<String> = serde_json::from_value(output_files).map_err(Failure::corrupt)?;
    Ok(Generation {
        id: GenerationId::from_uuid(id),
        artist: artist.map(|artist| artist_name(&artist.name)).transpose()?,
        provider: Provider::try_from(provider_used.as_str()).map_err(Failure::corrupt)?,
        generation_time_ms: u32::try_from(generation_time_ms).map_err(Failure::corrupt)?,
        tokens_used: tokens_used.map(u32::try_from).transpose().map_err(Failure::corrupt)?,
        cost: cost.map(Cost::from_nanos).transpose().map_err(Failure::corrupt)?,
        user_params: JsonObject::try_from(user_params).map_err(Failure::corrupt)?,
        output_files: files
            .into_iter()
            .map(Text::try_from)
            .collect::<Result<_, _>>()
            .map_err(Failure::corrupt)?,
        created_at: created_at.timestamp()?,
    })
}
