//! Table `generation_history`.

#[cfg(feature = "sqlite")]
use domain::{ArtistId, NewGeneration, Timestamp};
use domain::{
    ArtistName, Cost, Generation, GenerationDetails, GenerationId, GenerationStatus,
    GenerationStep, JsonObject, Label, Provider, Text, Tokens,
};
#[cfg(feature = "sqlite")]
use sea_orm::Value;
use sea_orm::{TryGetable, TryGetableFromJson, entity::prelude::*};
use serde::Deserialize;
use serde_json::json;

use super::{StoredTime, artist, get};
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

/// The generation that lies in a row that begins with the columns of the table, in their order; `artist` is who the row
/// refers to.
pub(crate) fn generation(
    row: &QueryResult,
    artist: Option<ArtistName>,
) -> Result<Generation, Failure> {
    let count = |column| -> Result<Option<u32>, Failure> {
        let stored: Option<i64> = read(row, column)?;
        stored.map(u32::try_from).transpose().map_err(Failure::corrupt)
    };
    let text = |column| read::<String>(row, column);
    let steps: StoredSteps = read(row, Column::Steps)?;
    let files: Vec<String> = read::<StoredFiles>(row, Column::OutputFiles)?.0;
    Ok(Generation {
        id: GenerationId::from_uuid(read(row, Column::Id)?),
        artist,
        details: GenerationDetails {
            provider: Provider::try_from(text(Column::ProviderUsed)?.as_str())
                .map_err(Failure::corrupt)?,
            model: read::<Option<String>>(row, Column::Model)?
                .map(|model| Label::try_from(model.as_str()))
                .transpose()
                .map_err(Failure::corrupt)?,
            status: GenerationStatus::try_from(text(Column::Status)?.as_str())
                .map_err(Failure::corrupt)?,
            error: read::<Option<String>>(row, Column::Error)?
                .map(Text::try_from)
                .transpose()
                .map_err(Failure::corrupt)?,
            steps: steps.0.into_iter().map(StoredStep::step).collect::<Result<_, _>>()?,
            generation_time_ms: u32::try_from(read::<i64>(row, Column::GenerationTimeMs)?)
                .map_err(Failure::corrupt)?,
            tokens: Tokens {
                used: count(Column::TokensUsed)?,
                input: count(Column::InputTokens)?,
                output: count(Column::OutputTokens)?,
                cache_read: count(Column::CacheReadTokens)?,
                cache_write: count(Column::CacheWriteTokens)?,
                reasoning: count(Column::ReasoningTokens)?,
            },
            cost: read::<Option<i64>>(row, Column::Cost)?
                .map(Cost::from_nanos)
                .transpose()
                .map_err(Failure::corrupt)?,
            user_params: JsonObject::try_from(read::<Json>(row, Column::UserParams)?)
                .map_err(Failure::corrupt)?,
            output_files: files
                .into_iter()
                .map(Text::try_from)
                .collect::<Result<_, _>>()
                .map_err(Failure::corrupt)?,
        },
        created_at: read::<StoredTime>(row, Column::CreatedAt)?.timestamp()?,
    })
}

/// How many columns there are.
pub(crate) const COLUMN_COUNT: usize = Column::CreatedAt as usize + 1;

/// One column of a row that begins with those of the table, in their order.
pub(crate) fn read<T: TryGetable>(row: &QueryResult, column: Column) -> Result<T, Failure> {
    get(row, column as usize)
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

#[derive(Deserialize)]
struct StoredSteps(Vec<StoredStep>);

#[derive(Deserialize)]
struct StoredStep {
    name: String,
    time_ms: u32,
}

#[derive(Deserialize)]
struct StoredFiles(Vec<String>);

impl TryGetableFromJson for StoredSteps {}
impl TryGetableFromJson for StoredFiles {}

impl StoredStep {
    fn step(self) -> Result<GenerationStep, Failure> {
        let Self { name, time_ms } = self;
        let name = Label::try_from(name.as_str()).map_err(Failure::corrupt)?;
        Ok(GenerationStep { name, time_ms })
    }
}
