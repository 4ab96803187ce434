//! API keys, the same on every backend.

use async_trait::async_trait;
use domain::{
    ApiKey, ApiKeyCursor, ApiKeyId, ApiKeys, AuditAction, AuditEntry, AuditSubject, Author,
    KeyChange, KeyStanding, Limit, NewApiKey, Page, PublicKeyId, RepositoryError, Rotated,
    Rotation, Timestamp, Version,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement,
    Value, sea_query::Expr,
};

use crate::{
    audit_log::audit,
    changes::bounds,
    entity::{
        StoredTime,
        api_key::{self, Column, Entity, Model},
        artist::stored_version,
    },
    error::Failure,
    insert::placeholders,
    query_statistics::{Operation, Table},
    store::{Store, VersionedTransaction},
};

/// Uses that one statement notes at most.
const USES_PER_STATEMENT: usize = 256;

/// [`ApiKeys`] through SeaORM.
#[derive(Debug, Clone)]
pub(crate) struct SeaApiKeys(pub(crate) Store);

#[async_trait]
impl ApiKeys for SeaApiKeys {
    async fn insert(&self, key: &NewApiKey, author: &Author) -> Result<ApiKey, RepositoryError> {
        // Not repeated: a second attempt would find the identity taken by the first one.
        self.0.once(Operation::Create, Table::ApiKeys, self.create(key, author)).await
    }

    async fn find(&self, key: &PublicKeyId) -> Result<Option<ApiKey>, RepositoryError> {
        self.0
            .retry(Operation::Find, Table::ApiKeys, || async {
                row(self.0.database(), key).await?.map(ApiKey::try_from).transpose()
            })
            .await
    }

    async fn page(
        &self,
        after: Option<ApiKeyCursor>,
        limit: Limit<500>,
    ) -> Result<Page<ApiKey, ApiKeyCursor>, RepositoryError> {
        self.0
            .retry(Operation::Page, Table::ApiKeys, || async {
                let mut query =
                    Entity::find().order_by_asc(Column::Id).limit(u64::from(limit.get()) + 1);
                if let Some(ApiKeyCursor(id)) = after {
                    query = query.filter(Column::Id.gt(id.as_uuid()));
                }
                let rows = query.all(self.0.database()).await?;
                let items = rows.into_iter().map(ApiKey::try_from).collect::<Result<_, _>>()?;
                Ok(Page::begun_by(items, limit, |last: &ApiKey| ApiKeyCursor(last.id)))
            })
            .await
    }

    async fn rotate(
        &self,
        key: &PublicKeyId,
        rotation: &Rotation,
        author: &Author,
    ) -> Result<Option<Rotated>, RepositoryError> {
        // Not repeated: a second attempt would find the identity taken by the first one.
        let work = self.replace(key, rotation, author);
        self.0.once(Operation::Update, Table::ApiKeys, work).await
    }

    async fn revoke(
        &self,
        key: &PublicKeyId,
        author: &Author,
    ) -> Result<Option<ApiKey>, RepositoryError> {
        self.0.retry(Operation::Remove, Table::ApiKeys, || self.withdraw(key, author)).await
    }

    async fn since(&self, version: Version, limit: u32) -> Result<Vec<KeyChange>, RepositoryError> {
        let (after, limit) = bounds(version, limit);
        self.0
            .retry(Operation::Changes, Table::ApiKeys, || async {
                // A revocation does not wait behind requests.
                let query = Entity::find()
                    .filter(Column::Version.gt(after))
                    .order_by_asc(Column::Version)
                    .limit(u64::try_from(limit).unwrap_or(u64::MAX));
                let rows = query.all(self.0.apart()).await?;
                rows.into_iter().map(change).collect()
            })
            .await
    }

    async fn note_uses(&self, uses: &[(ApiKeyId, Timestamp)]) -> Result<(), RepositoryError> {
        if uses.is_empty() {
            return Ok(());
        }
        // Always in one order, so that instances that note the same keys seldom wait for each other in a circle.
        let mut uses = uses.to_vec();
        uses.sort_unstable();
        self.0
            .retry(Operation::Update, Table::ApiKeys, || async {
                let _writer = self.0.writer().await?;
                let transaction = self.0.begin().await?;
                for some in uses.chunks(USES_PER_STATEMENT) {
                    self.note(&transaction, some).await?;
                }
                Ok(transaction.commit().await?)
            })
            .await
    }
}

impl SeaApiKeys {
    async fn create(&self, key: &NewApiKey, author: &Author) -> Result<ApiKey, Failure> {
        let _writer = self.0.writer().await?;
        let transaction = self.0.begin_versioned().await?;
        let created = self.write(&transaction, key, self.0.now()).await?;
        let entry = AuditEntry {
            action: AuditAction::KeyCreated,
            subject: AuditSubject::api_key(&created.public_id),
            before: None,
            after: Some(created.version),
        };
        audit(&self.0, &*transaction, author, entry).await?;
        transaction.commit().await?;
        Ok(created)
    }

    async fn replace(
        &self,
        key: &PublicKeyId,
        rotation: &Rotation,
        author: &Author,
    ) -> Result<Option<Rotated>, Failure> {
        let _writer = self.0.writer().await?;
        let transaction = self.0.begin_versioned().await?;
        let Some(old) = row(&*transaction, key).await? else { return Ok(None) };
        let was_rotated = old.rotated_at.is_some();
        let old = ApiKey::try_from(old)?;
        let now = self.0.now();
        // One that was rotated has a short time left, which says nothing of how long its successor is to last.
        if was_rotated || old.standing(now) != KeyStanding::Good {
            return Err(RepositoryError::Conflict.into());
        }

        let new = NewApiKey {
            public_id: rotation.public_id.clone(),
            hash: rotation.hash,
            name: old.name.clone(),
            scopes: old.scopes,
            limits: old.limits,
            expires_at: old
                .expires_at
                .map(|end| now.saturating_add_micros(lifetime(old.created_at, end))),
        };
        let new = self.write(&transaction, &new, now).await?;
        let end = now.saturating_add_micros(rotation.grace_micros);
        let end = old.expires_at.map_or(end, |earlier| earlier.min(end));
        self.set_time(&transaction, key, Column::RotatedAt, now).await?;
        self.set_time(&transaction, key, Column::ExpiresAt, end).await?;
        let before = old.version;
        let old = written(&transaction, key).await?;
        let entries =
            [(&new, AuditAction::KeyCreated, None), (&old, AuditAction::KeyRotated, Some(before))];
        for (key, action, before) in entries {
            let subject = AuditSubject::api_key(&key.public_id);
            let entry = AuditEntry { action, subject, before, after: Some(key.version) };
            audit(&self.0, &*transaction, author, entry).await?;
        }
        transaction.commit().await?;
        Ok(Some(Rotated { new, old }))
    }

    async fn withdraw(
        &self,
        key: &PublicKeyId,
        author: &Author,
    ) -> Result<Option<ApiKey>, Failure> {
        let _writer = self.0.writer().await?;
        let transaction = self.0.begin_versioned().await?;
        let Some(stored) = row(&*transaction, key).await? else { return Ok(None) };
        if stored.revoked_at.is_some() {
            return ApiKey::try_from(stored).map(Some);
        }
        self.set_time(&transaction, key, Column::RevokedAt, self.0.now()).await?;
        let revoked = written(&transaction, key).await?;
        let entry = AuditEntry {
            action: AuditAction::KeyRevoked,
            subject: AuditSubject::api_key(key),
            before: Some(stored_version(stored.version)?),
            after: Some(revoked.version),
        };
        audit(&self.0, &*transaction, author, entry).await?;
        transaction.commit().await?;
        Ok(Some(revoked))
    }

    async fn write(
        &self,
        transaction: &VersionedTransaction<'_>,
        key: &NewApiKey,
        now: Timestamp,
    ) -> Result<ApiKey, Failure> {
        let row = api_key::row(self.0.backend(), key, now);
        Entity::insert(row).exec_without_returning(&**transaction).await?;
        written(transaction, &key.public_id).await
    }

    async fn set_time(
        &self,
        transaction: &VersionedTransaction<'_>,
        key: &PublicKeyId,
        column: Column,
        at: Timestamp,
    ) -> Result<(), Failure> {
        Entity::update_many()
            .col_expr(column, Expr::value(StoredTime::new(self.0.backend(), at)))
            .filter(Column::PublicId.eq(key.as_str()))
            .exec(&**transaction)
            .await?;
        Ok(())
    }

    async fn note(
        &self,
        transaction: &impl ConnectionTrait,
        uses: &[(ApiKeyId, Timestamp)],
    ) -> Result<(), Failure> {
        let backend = self.0.backend();
        let values = uses.iter().flat_map(|&(id, at)| {
            [Value::from(id.as_uuid()), Value::from(StoredTime::new(backend, at))]
        });
        // Both databases call the columns of VALUES so.
        let sql = format!(
            "UPDATE api_keys SET last_used_at = used.column2
             FROM (VALUES {}) AS used
             WHERE api_keys.id = used.column1
              AND (api_keys.last_used_at IS NULL OR api_keys.last_used_at < used.column2)",
            placeholders(backend, uses.len(), 2)
        );
        let kind = transaction.get_database_backend();
        transaction.execute_raw(Statement::from_sql_and_values(kind, sql, values)).await?;
        Ok(())
    }
}

async fn row(database: &impl ConnectionTrait, key: &PublicKeyId) -> Result<Option<Model>, Failure> {
    Ok(Entity::find().filter(Column::PublicId.eq(key.as_str())).one(database).await?)
}

/// What somebody wrote by hand and cannot be stops nobody from hearing of all the others.
fn change(row: Model) -> Result<KeyChange, Failure> {
    let (version, id) = (stored_version(row.version)?, ApiKeyId::from_uuid(row.id));
    Ok(ApiKey::try_from(row).map_or_else(
        |error| {
            tracing::warn!(%error, version = version.number(), "An API key cannot be read");
            KeyChange::Unreadable { version, id }
        },
        KeyChange::Present,
    ))
}

/// A key that is there, with the version that a trigger gave it.
async fn written(
    transaction: &VersionedTransaction<'_>,
    key: &PublicKeyId,
) -> Result<ApiKey, Failure> {
    row(&**transaction, key).await?.ok_or(RepositoryError::Conflict)?.try_into()
}

fn lifetime(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.unix_micros().saturating_sub(from.unix_micros())).unwrap_or_default()
}
