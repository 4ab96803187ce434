//! Table `generation_history`.

#[cfg(feature = "sqlite")]
use domain::{ArtistId, NewGeneration, Timestamp};
use domain::{
    ArtistName, Cost, Generation, GenerationDetails, GenerationId, GenerationStatus,
    GenerationStep, JsonObject, Label, Provider, Text, Tokens,
};
#[cfg(feature = "sqlite")]
use sea_orm::Value;
use sea_orm::entity::prelude::*;
use serde_json::json;

use super::{StoredTime, artist};
use crate::error::Failure;

#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "generation_history")]
#[expect(clippy::struct_field_names, reason = "a column is called like the ORM's rows")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// May be that of an artist who was removed since.
    pub artist_id: Option<Uuid>,
    pub provider_used: String,
    pub model: Option<String>,
    pub status: String,
    pub error: Option<String>,
    pub steps: Json,
    pub generation_time_ms: i64,
    pub tokens_used: Option<i64>,
    pub input_tokens: Option<i64>,
    pub output_tokens: Option<i64>,
    pub cache_read_tokens: Option<i64>,
    pub cache_write_tokens: Option<i64>,
    pub reasoning_tokens: Option<i64>,
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

/// The columns of [`values`], in their order.
#[cfg(feature = "sqlite")]
pub(crate) const COLUMNS: [&str; 18] = [
    "id",
    "artist_id",
    "provider_used",
    "model",
    "status",
    "error",
    "steps",
    "generation_time_ms",
    "tokens_used",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost",
    "user_params",
    "output_files",
    "created_at",
];

/// The row for a new generation, in SQLite.
#[cfg(feature = "sqlite")]
pub(crate) fn values(
    generation: &NewGeneration,
    artist: Option<ArtistId>,
    created_at: Timestamp,
) -> [Value; COLUMNS.len()] {
    let NewGeneration { id, artist: _, created_at: _, details } = generation;
    let GenerationDetails {
        provider,
        model,
        status,
        error,
        steps,
        generation_time_ms,
        tokens: Tokens { used, input, output, cache_read, cache_write, reasoning },
        cost,
        user_params,
        output_files,
    } = details;
    let count = |tokens: &Option<u32>| Value::from(tokens.map(i64::from));
    [
        id.as_uuid().into(),
        artist.map(ArtistId::as_uuid).into(),
        provider.as_str().into(),
        model.as_ref().map(Label::as_str).into(),
        status.as_str().into(),
        error.as_ref().map(Text::as_str).into(),
        steps_json(steps).to_string().into(),
        i64::from(*generation_time_ms).into(),
        count(used),
        count(input),
        count(output),
        count(cache_read),
        count(cache_write),
        count(reasoning),
        cost.map(Cost::nanos).into(),
        user_params.to_string().into(),
        files_json(output_files).to_string().into(),
        created_at.unix_micros().into(),
    ]
}

/// The generation that lies in a row; `artist` is who the row refers to.
pub(crate) fn generation(row: Model, artist: Option<ArtistName>) -> Result<Generation, Failure> {
    let Model {
        id,
        artist_id: _,
        provider_used,
        model,
        status,
        error,
        steps,
        generation_time_ms,
        tokens_used,
        input_tokens,
        output_tokens,
        cache_read_tokens,
        cache_write_tokens,
        reasoning_tokens,
        cost,
        user_params,
        output_files,
        created_at,
    } = row;
    let count =
        |stored: Option<i64>| stored.map(u32::try_from).transpose().map_err(Failure::corrupt);
    let files: Vec<String> = serde_json::from_value(output_files).map_err(Failure::corrupt)?;
    Ok(Generation {
        id: GenerationId::from_uuid(id),
        artist,
        created_at: created_at.timestamp()?,
        details: GenerationDetails {
            provider: Provider::try_from(provider_used.as_str()).map_err(Failure::corrupt)?,
            model: model
                .map(|model| Label::try_from(model.as_str()))
                .transpose()
                .map_err(Failure::corrupt)?,
            status: GenerationStatus::try_from(status.as_str()).map_err(Failure::corrupt)?,
            error: error.map(Text::try_from).transpose().map_err(Failure::corrupt)?,
            steps: read_steps(&steps)?,
            generation_time_ms: u32::try_from(generation_time_ms).map_err(Failure::corrupt)?,
            tokens: Tokens {
                used: count(tokens_used)?,
                input: count(input_tokens)?,
                output: count(output_tokens)?,
                cache_read: count(cache_read_tokens)?,
                cache_write: count(cache_write_tokens)?,
                reasoning: count(reasoning_tokens)?,
            },
            cost: cost.map(Cost::from_nanos).transpose().map_err(Failure::corrupt)?,
            user_params: JsonObject::try_from(user_params).map_err(Failure::corrupt)?,
            output_files: files
                .into_iter()
                .map(Text::try_from)
                .collect::<Result<_, _>>()
                .map_err(Failure::corrupt)?,
        },
    })
}

/// Steps as they are kept.
pub(crate) fn steps_json(steps: &[GenerationStep]) -> Json {
    let step = |GenerationStep { name, time_ms }: &GenerationStep| json!({"name": name.as_str(), "time_ms": time_ms});
    steps.iter().map(step).collect()
}

/// Names of files as they are kept.
pub(crate) fn files_json(files: &[Text]) -> Json {
    files.iter().map(Text::as_str).collect()
}

fn read_steps(steps: &Json) -> Result<Vec<GenerationStep>, Failure> {
    let read = |step: &Json| {
        let name = Label::try_from(step.get("name")?.as_str()?).ok()?;
        let time_ms = u32::try_from(step.get("time_ms")?.as_u64()?).ok()?;
        Some(GenerationStep { name, time_ms })
    };
    steps
        .as_array()
        .and_then(|steps| steps.iter().map(read).collect())
        .ok_or_else(|| Failure::corrupt(MalformedSteps))
}

#[derive(Debug, thiserror::Error)]
#[error("the steps of a generation are malformed")]
struct MalformedSteps;
