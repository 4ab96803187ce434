//! Table `style_profiles`.

use domain::{
    ArtistId, Confidence, DrumFeel, JsonArray, NewStyleProfile, QuantitativeParams, SourcesCount,
    StyleProfile, StyleProfileId, TextDescription, Timestamp,
};
use sea_orm::{Set, entity::prelude::*};

use super::{
    StoredTime,
    artist::{self, artist_name, stored_version},
    get, style_embedding,
};
use crate::{error::Failure, store::Backend};

#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "style_profiles")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub artist_id: Uuid,
    pub text_description: String,
    pub tempo_min: f64,
    pub tempo_max: f64,
    pub tempo_avg: f64,
    pub swing_percent: f64,
    pub ghost_note_prob: f64,
    pub syncopation_level: f64,
    pub velocity_mean: f64,
    pub velocity_std: f64,
    pub midi_templates: Json,
    pub confidence_score: f64,
    pub sources_papers: i32,
    pub sources_articles: i32,
    pub sources_audio: i32,
    pub sources_midi: i32,
    pub created_at: StoredTime,
    pub updated_at: StoredTime,
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

/// How many columns there are.
pub(crate) const COLUMNS: usize = Column::UpdatedAt as usize + 1;

impl Model {
    /// Reads the columns of the table, in their order, from the first one on; `None` where a join found no row.
    pub(crate) fn read(row: &QueryResult, first: usize) -> Result<Option<Self>, Failure> {
        let Some(id) = get(row, first)? else { return Ok(None) };
        Ok(Some(Self {
            id,
            artist_id: get(row, first + Column::ArtistId as usize)?,
            text_description: get(row, first + Column::TextDescription as usize)?,
            tempo_min: get(row, first + Column::TempoMin as usize)?,
            tempo_max: get(row, first + Column::TempoMax as usize)?,
            tempo_avg: get(row, first + Column::TempoAvg as usize)?,
            swing_percent: get(row, first + Column::SwingPercent as usize)?,
            ghost_note_prob: get(row, first + Column::GhostNoteProb as usize)?,
            syncopation_level: get(row, first + Column::SyncopationLevel as usize)?,
            velocity_mean: get(row, first + Column::VelocityMean as usize)?,
            velocity_std: get(row, first + Column::VelocityStd as usize)?,
            midi_templates: get(row, first + Column::MidiTemplates as usize)?,
            confidence_score: get(row, first + Column::ConfidenceScore as usize)?,
            sources_papers: get(row, first + Column::SourcesPapers as usize)?,
            sources_articles: get(row, first + Column::SourcesArticles as usize)?,
            sources_audio: get(row, first + Column::SourcesAudio as usize)?,
            sources_midi: get(row, first + Column::SourcesMidi as usize)?,
            created_at: get(row, first + Column::CreatedAt as usize)?,
            updated_at: get(row, first + Column::UpdatedAt as usize)?,
        }))
    }
}

/// The row for a profile.
#[cfg_attr(
    not(feature = "sqlite"),
    expect(dead_code, reason = "PostgreSQL takes columns as arrays")
)]
pub(crate) fn row(
    backend: Backend,
    profile: &NewStyleProfile,
    (id, artist): (StyleProfileId, ArtistId),
    (created_at, now): (Timestamp, Timestamp),
) -> ActiveModel {
    let NewStyleProfile {
        artist: _,
        text_description,
        quantitative_params,
        embedding: _, // Has a table of its own.
        midi_templates,
        confidence,
        sources_count: SourcesCount { papers, articles, audio, midi },
    } = profile;
    let DrumFeel {
        tempo_min,
        tempo_max,
        tempo_avg,
        swing_percent,
        ghost_note_prob,
        syncopation_level,
        velocity_mean,
        velocity_std,
    } = *quantitative_params.feel();
    ActiveModel {
        id: Set(id.as_uuid()),
        artist_id: Set(artist.as_uuid()),
        text_description: Set(text_description.as_str().to_owned()),
        tempo_min: Set(tempo_min),
        tempo_max: Set(tempo_max),
        tempo_avg: Set(tempo_avg),
        swing_percent: Set(swing_percent),
        ghost_note_prob: Set(ghost_note_prob),
        syncopation_level: Set(syncopation_level),
        velocity_mean: Set(velocity_mean),
        velocity_std: Set(velocity_std),
        midi_templates: Set(midi_templates.clone().into()),
        confidence_score: Set(confidence.get()),
        sources_papers: Set((*papers).into()),
        sources_articles: Set((*articles).into()),
        sources_audio: Set((*audio).into()),
        sources_midi: Set((*midi).into()),
        created_at: Set(StoredTime::new(backend, created_at)),
        updated_at: Set(StoredTime::new(backend, now)),
    }
}

/// The profile that lies in the rows of its three tables.
pub(crate) fn profile(
    artist: &artist::Model,
    row: Model,
    embedding: Option<style_embedding::Model>,
) -> Result<StyleProfile, Failure> {
    let Model {
        id,
        artist_id,
        text_description,
        tempo_min,
        tempo_max,
        tempo_avg,
        swing_percent,
        ghost_note_prob,
        syncopation_level,
        velocity_mean,
        velocity_std,
        midi_templates,
        confidence_score,
        sources_papers,
        sources_articles,
        sources_audio,
        sources_midi,
        created_at,
        updated_at,
    } = row;
    let feel = DrumFeel {
        tempo_min,
        tempo_max,
        tempo_avg,
        swing_percent,
        ghost_note_prob,
        syncopation_level,
        velocity_mean,
        velocity_std,
    };
    let count = |stored: i32| u16::try_from(stored).map_err(Failure::corrupt);
    Ok(StyleProfile {
        id: StyleProfileId::from_uuid(id),
        artist_id: ArtistId::from_uuid(artist_id),
        artist: artist_name(&artist.name)?,
        version: stored_version(artist.version)?,
        text_description: TextDescription::try_from(text_description).map_err(Failure::corrupt)?,
        quantitative_params: QuantitativeParams::try_from(feel).map_err(Failure::corrupt)?,
        embedding: embedding.map(|row| row.embedding.embedding()).transpose()?,
        midi_templates: JsonArray::try_from(midi_templates).map_err(Failure::corrupt)?,
        confidence: Confidence::try_from(confidence_score).map_err(Failure::corrupt)?,
        sources_count: SourcesCount {
            papers: count(sources_papers)?,
            articles: count(sources_articles)?,
            audio: count(sources_audio)?,
            midi: count(sources_midi)?,
        },
        created_at: created_at.timestamp()?,
        updated_at: updated_at.timestamp()?,
    })
}
