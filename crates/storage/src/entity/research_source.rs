//! Table `research_sources`.

use domain::{
    ArtistId, Confidence, JsonObject, NewResearchSource, ResearchSource, ResearchSourceId,
    SourceLocation, Text, Timestamp,
};
use sea_orm::{Set, entity::prelude::*};

use super::StoredTime;
use crate::{error::Failure, store::Backend};

#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "research_sources")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub artist_id: Uuid,
    pub source_type: String,
    pub url: Option<String>,
    pub file_path: Option<String>,
    pub raw_content: Option<String>,
    pub extracted_data: Option<Json>,
    pub confidence: Option<f64>,
    pub collected_at: StoredTime,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The row for a new source.
pub(crate) fn row(
    backend: Backend,
    source: &NewResearchSource,
    artist: ArtistId,
    now: Timestamp,
) -> ActiveModel {
    let NewResearchSource { source_type, location, extracted_data, confidence } = source;
    ActiveModel {
        id: Set(ResearchSourceId::generate().as_uuid()),
        artist_id: Set(artist.as_uuid()),
        source_type: Set(source_type.as_str().to_owned()),
        url: Set(location.url().map(str::to_owned)),
        file_path: Set(location.file_path().map(str::to_owned)),
        raw_content: Set(location.raw_content().map(str::to_owned)),
        extracted_data: Set(extracted_data.clone().map(Json::from)),
        confidence: Set(confidence.map(Confidence::get)),
        collected_at: Set(StoredTime::new(backend, now)),
    }
}

impl TryFrom<Model> for ResearchSource {
    type Error = Failure;

    fn try_from(row: Model) -> Result<Self, Self::Error> {
        let Model {
            id,
            artist_id: _,
            source_type,
            url,
            file_path,
            raw_content,
            extracted_data,
            confidence,
            collected_at,
        } = row;
        let text = |stored: Option<String>| {
            stored.map(Text::try_from).transpose().map_err(Failure::corrupt)
        };
        Ok(Self {
            id: ResearchSourceId::from_uuid(id),
            source: NewResearchSource {
                source_type: source_type.parse().map_err(Failure::corrupt)?,
                location: SourceLocation::new(text(url)?, text(file_path)?, text(raw_content)?)
                    .map_err(Failure::corrupt)?,
                extracted_data: extracted_data
                    .map(JsonObject::try_from)
                    .transpose()
                    .map_err(Failure::corrupt)?,
                confidence: confidence
                    .map(Confidence::try_from)
                    .transpose()
                    .map_err(Failure::corrupt)?,
            },
            collected_at: collected_at.timestamp()?,
        })
    }
}
