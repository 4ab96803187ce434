//! Table `artists`.

use domain::{
    Artist, ArtistId, ArtistName, Confidence, NewStyleProfile, ResearchStatus, Timestamp, Version,
};
use sea_orm::{Set, entity::prelude::*};

use super::{StoredTime, get};
use crate::{error::Failure, store::Backend};

#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "artists")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub name_key: String,
    pub name_search: String,
    pub research_status: String,
    pub sources_count: i32,
    pub confidence_score: f64,
    pub version: i64,
    pub created_at: StoredTime,
    pub last_updated: StoredTime,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {
    #[sea_orm(has_one = "super::style_profile::Entity")]
    StyleProfile,
    #[sea_orm(has_one = "super::style_embedding::Entity")]
    StyleEmbedding,
}

impl Related<super::style_profile::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::StyleProfile.def()
    }
}

impl Related<super::style_embedding::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::StyleEmbedding.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

/// A row for an artist that nobody has looked into. The trigger sets its version.
pub(crate) fn pending(backend: Backend, name: &ArtistName, now: Timestamp) -> ActiveModel {
    ActiveModel {
        id: Set(ArtistId::generate().as_uuid()),
        name: Set(name.as_str().to_owned()),
        name_key: Set(name.key().as_str().to_owned()),
        name_search: Set(name.key().search_form()),
        research_status: Set(ResearchStatus::Pending.as_str().to_owned()),
        sources_count: Set(0),
        confidence_score: Set(Confidence::NONE.get()),
        version: Set(0),
        created_at: Set(StoredTime::new(backend, now)),
        last_updated: Set(StoredTime::new(backend, now)),
    }
}

#[cfg_attr(
    not(feature = "sqlite"),
    expect(dead_code, reason = "PostgreSQL takes columns as arrays")
)]
impl ActiveModel {
    /// Notes what the artist's profile says of it.
    pub(crate) fn follow(&mut self, profile: &NewStyleProfile) -> Result<(), Failure> {
        self.research_status = Set(ResearchStatus::Cached.as_str().to_owned());
        self.confidence_score = Set(profile.confidence.get());
        self.sources_count = Set(stored_sources(profile)?);
        Ok(())
    }
}

/// How many sources an artist has by its profile.
pub(crate) fn stored_sources(profile: &NewStyleProfile) -> Result<i32, Failure> {
    i32::try_from(profile.sources_count.total()).map_err(Failure::corrupt)
}

/// How many columns there are.
pub(crate) const COLUMNS: usize = Column::LastUpdated as usize + 1;

impl Model {
    /// Reads the columns of the table, in their order, from the first one on.
    pub(crate) fn read(row: &QueryResult, first: usize) -> Result<Self, Failure> {
        Ok(Self {
            id: get(row, first)?,
            name: get(row, first + Column::Name as usize)?,
            name_key: get(row, first + Column::NameKey as usize)?,
            name_search: get(row, first + Column::NameSearch as usize)?,
            research_status: get(row, first + Column::ResearchStatus as usize)?,
            sources_count: get(row, first + Column::SourcesCount as usize)?,
            confidence_score: get(row, first + Column::ConfidenceScore as usize)?,
            version: get(row, first + Column::Version as usize)?,
            created_at: get(row, first + Column::CreatedAt as usize)?,
            last_updated: get(row, first + Column::LastUpdated as usize)?,
        })
    }
}

impl TryFrom<Model> for Artist {
    type Error = Failure;

    fn try_from(row: Model) -> Result<Self, Self::Error> {
        let Model {
            id,
            name,
            name_key: _, // Follows from the name.
            name_search: _,
            research_status,
            sources_count,
            confidence_score,
            version,
            created_at,
            last_updated,
        } = row;
        Ok(Self {
            id: ArtistId::from_uuid(id),
            name: artist_name(&name)?,
            research_status: research_status.parse().map_err(Failure::corrupt)?,
            sources_count: u32::try_from(sources_count).map_err(Failure::corrupt)?,
            confidence: Confidence::try_from(confidence_score).map_err(Failure::corrupt)?,
            version: stored_version(version)?,
            created_at: created_at.timestamp()?,
            last_updated: last_updated.timestamp()?,
        })
    }
}

pub(crate) fn artist_name(name: &str) -> Result<ArtistName, Failure> {
    ArtistName::try_from(name).map_err(Failure::corrupt)
}

pub(crate) fn stored_version(version: i64) -> Result<Version, Failure> {
    u64::try_from(version).map(Version::new).map_err(Failure::corrupt)
}
