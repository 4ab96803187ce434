//! Table `api_keys`.

use domain::{ApiKey, ApiKeyId, KeyHash, KeyLimits, KeyName, NewApiKey, Quota, Timestamp};
use sea_orm::{Set, entity::prelude::*};

use super::{StoredTime, artist::stored_version};
use crate::{error::Failure, store::Backend};

#[derive(Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub public_id: String,
    pub name: String,
    pub hash: Vec<u8>,
    pub scopes: String,
    pub requests_per_second: Option<i64>,
    pub burst: Option<i64>,
    pub requests_per_hour: Option<i64>,
    pub created_at: StoredTime,
    pub expires_at: Option<StoredTime>,
    pub rotated_at: Option<StoredTime>,
    pub revoked_at: Option<StoredTime>,
    pub last_used_at: Option<StoredTime>,
    pub version: i64,
}

/// Without the hash, which belongs into no log.
impl std::fmt::Debug for Model {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ApiKeyRow")
            .field("public_id", &self.public_id)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A row for a new key. The trigger sets its version.
pub(crate) fn row(backend: Backend, key: &NewApiKey, now: Timestamp) -> ActiveModel {
    let NewApiKey { public_id, hash, name, scopes, limits, expires_at } = key;
    let KeyLimits { requests_per_second, burst, requests_per_hour } = *limits;
    ActiveModel {
        id: Set(ApiKeyId::generate().as_uuid()),
        public_id: Set(public_id.as_str().to_owned()),
        name: Set(name.as_str().to_owned()),
        hash: Set(hash.as_bytes().to_vec()),
        scopes: Set(scopes.to_string()),
        requests_per_second: Set(requests_per_second.map(stored)),
        burst: Set(burst.map(stored)),
        requests_per_hour: Set(requests_per_hour.map(stored)),
        created_at: Set(StoredTime::new(backend, now)),
        expires_at: Set(expires_at.map(|at| StoredTime::new(backend, at))),
        rotated_at: Set(None),
        revoked_at: Set(None),
        last_used_at: Set(None),
        version: Set(0),
    }
}

fn stored(quota: Quota) -> i64 {
    quota.get().into()
}

fn quota(stored: Option<i64>) -> Result<Option<Quota>, Failure> {
    let number = stored.map(u64::try_from).transpose().map_err(Failure::corrupt)?;
    number.map(Quota::try_from).transpose().map_err(Failure::corrupt)
}

impl TryFrom<Model> for ApiKey {
    type Error = Failure;

    fn try_from(row: Model) -> Result<Self, Self::Error> {
        let Model {
            id,
            public_id,
            name,
            hash,
            scopes,
            requests_per_second,
            burst,
            requests_per_hour,
            created_at,
            expires_at,
            rotated_at: _,
            revoked_at,
            last_used_at,
            version,
        } = row;
        let time = |at: Option<StoredTime>| at.map(StoredTime::timestamp).transpose();
        Ok(Self {
            id: ApiKeyId::from_uuid(id),
            public_id: public_id.parse().map_err(Failure::corrupt)?,
            name: KeyName::try_from(name.as_str()).map_err(Failure::corrupt)?,
            hash: KeyHash::try_from(hash.as_slice()).map_err(Failure::corrupt)?,
            scopes: scopes.parse().map_err(Failure::corrupt)?,
            limits: KeyLimits {
                requests_per_second: quota(requests_per_second)?,
                burst: quota(burst)?,
                requests_per_hour: quota(requests_per_hour)?,
            },
            created_at: created_at.timestamp()?,
            expires_at: time(expires_at)?,
            revoked_at: time(revoked_at)?,
            last_used_at: time(last_used_at)?,
            version: stored_version(version)?,
        })
    }
}
