//! Table `audit_log`.

use domain::{
    Actor, ApiKeyId, ArtistKey, AuditEntry, AuditRecord, AuditRecordId, AuditSubject, Author,
    GenerationId, Label, RequestId, Version,
};
use sea_orm::entity::prelude::*;

use super::{StoredTime, artist::stored_version};
use crate::error::Failure;

#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_log")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub at: StoredTime,
    pub actor: String,
    pub actor_key_id: Option<Uuid>,
    pub actor_key: Option<String>,
    pub actor_key_name: Option<String>,
    pub request_id: String,
    pub action: String,
    pub artist_key: Option<String>,
    pub api_key: Option<String>,
    pub generation_id: Option<Uuid>,
    pub entries: Option<i64>,
    pub version_before: Option<i64>,
    pub version_after: Option<i64>,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// An actor that is none.
#[derive(Debug, thiserror::Error)]
#[error("an audit record has no actor that there is")]
struct UnknownActor;

impl TryFrom<Model> for AuditRecord {
    type Error = Failure;

    fn try_from(row: Model) -> Result<Self, Self::Error> {
        let Model {
            id,
            at,
            actor,
            actor_key_id,
            actor_key,
            actor_key_name,
            request_id,
            action,
            artist_key,
            api_key,
            generation_id,
            entries,
            version_before,
            version_after,
        } = row;
        let actor = match (actor.as_str(), actor_key_id, actor_key, actor_key_name) {
            ("anonymous", None, None, None) => Actor::Anonymous,
            ("command", None, None, None) => Actor::Command,
            ("key", Some(id), Some(public_id), Some(name)) => Actor::Key {
                id: ApiKeyId::from_uuid(id),
                public_id: public_id.parse().map_err(Failure::corrupt)?,
                name: Label::try_from(name.as_str()).map_err(Failure::corrupt)?,
            },
            _ => return Err(Failure::corrupt(UnknownActor)),
        };
        let request = RequestId::try_from(request_id.as_bytes()).map_err(Failure::corrupt)?;
        let version = |number: Option<i64>| -> Result<Option<Version>, Failure> {
            number.map(stored_version).transpose()
        };
        let artist = artist_key.as_deref().map(ArtistKey::parse).transpose();
        let api_key = api_key.map(|key| key.parse()).transpose();
        let entries = entries.map(u64::try_from).transpose();
        Ok(Self {
            id: AuditRecordId::from_uuid(id),
            at: at.timestamp()?,
            author: Author { actor, request },
            entry: AuditEntry {
                action: action.parse().map_err(Failure::corrupt)?,
                subject: AuditSubject {
                    artist: artist.map_err(Failure::corrupt)?,
                    api_key: api_key.map_err(Failure::corrupt)?,
                    generation: generation_id.map(GenerationId::from_uuid),
                    entries: entries.map_err(Failure::corrupt)?,
                },
                before: version(version_before)?,
                after: version(version_after)?,
            },
        })
    }
}
