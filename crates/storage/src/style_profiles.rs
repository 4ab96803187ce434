//! Style profiles, the same on every backend.

mod saving;

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use async_trait::async_trait;
use domain::{
    ArtistId, ArtistKey, AuditAction, AuditEntry, AuditSubject, Author, Confidence, Expected,
    NewStyleProfile, RepositoryError, ResearchStatus, SavedProfile, StyleProfile, StyleProfiles,
    Version,
};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, Iterable, QueryResult, QuerySelect,
    QueryTrait, Set, Statement, Value,
};

use crate::{
    audit_log::audit,
    entity::{StoredTime, artist, style_embedding, style_profile},
    error::Failure,
    group_commit,
    insert::placeholders,
    query_statistics::{Operation, Table},
    store::{Backend, Store},
};

pub(crate) use self::saving::Save;
#[cfg(feature = "sqlite")]
pub(crate) use self::saving::{Stored, sqlite::write_all};

/// [`StyleProfiles`] through SeaORM.
#[derive(Debug, Clone)]
pub(crate) struct SeaStyleProfiles(pub(crate) Store);

#[async_trait]
impl StyleProfiles for SeaStyleProfiles {
    async fn find(&self, artist: &ArtistKey) -> Result<Option<Arc<StyleProfile>>, RepositoryError> {
        self.0
            .retry(Operation::Find, Table::StyleProfiles, || async {
                let rows = rows(&*self.0.nearest().await?, &[artist.as_str()]).await?;
                let profile = rows.into_iter().next().and_then(Rows::into_profile).transpose()?;
                Ok(profile.map(Arc::new))
            })
            .await
    }

    async fn find_many(
        &self,
        artists: &[ArtistKey],
    ) -> Result<Vec<Option<Arc<StyleProfile>>>, RepositoryError> {
        self.0.retry(Operation::FindMany, Table::StyleProfiles, || self.read_many(artists)).await
    }

    async fn save(
        &self,
        profile: &NewStyleProfile,
        expected: Expected,
        author: &Author,
    ) -> Result<SavedProfile, RepositoryError> {
        let save = Save { profile: profile.clone(), expected, author: author.clone() };
        group_commit::write(&self.0, save).await
    }

    async fn remove(
        &self,
        artist: &ArtistKey,
        expected: Expected,
        author: &Author,
    ) -> Result<Option<Version>, RepositoryError> {
        // Not repeated: a second attempt could not tell whether the first one removed it.
        let work = self.delete(artist, expected, author);
        self.0.once(Operation::Remove, Table::StyleProfiles, work).await
    }
}

impl SeaStyleProfiles {
    async fn read_many(
        &self,
        artists: &[ArtistKey],
    ) -> Result<Vec<Option<Arc<StyleProfile>>>, Failure> {
        let mut found = HashMap::with_capacity(artists.len());
        // SQLite binds at most 32,766 values in a statement.
        for some in artists.chunks(10_000) {
            let keys: Vec<&str> = some.iter().map(ArtistKey::as_str).collect();
            for rows in rows(self.0.database(), &keys).await? {
                if let Some(profile) = rows.into_profile() {
                    let profile = Arc::new(profile?);
                    found.insert(profile.artist.key().clone(), profile);
                }
            }
        }
        // Shared, since a caller may ask for one artist twice.
        Ok(artists.iter().map(|artist| found.get(artist).cloned()).collect())
    }

    async fn delete(
        &self,
        artist: &ArtistKey,
        expected: Expected,
        author: &Author,
    ) -> Result<Option<Version>, Failure> {
        let _writer = self.0.writer().await?;
        let transaction = self.0.begin_versioned().await?;
        let key = artist;
        let stored = rows(&*transaction, &[key.as_str()]).await?.into_iter().next();
        let current = stored.as_ref().filter(|rows| rows.profile.is_some());
        let current = current.map(|rows| artist::stored_version(rows.artist.version));
        expect(expected, current.transpose()?)?;
        let Some(Rows { artist, profile: Some(profile), .. }) = stored else { return Ok(None) };

        style_embedding::Entity::delete_by_id(artist.id).exec(&*transaction).await?;
        style_profile::Entity::delete_by_id(profile.id).exec(&*transaction).await?;
        let bare = artist::ActiveModel {
            id: Set(artist.id),
            research_status: Set(ResearchStatus::Pending.as_str().to_owned()),
            confidence_score: Set(Confidence::NONE.get()),
            sources_count: Set(0),
            last_updated: Set(StoredTime::new(self.0.backend(), self.0.now())),
            ..Default::default()
        };
        bare.update(&*transaction).await?;
        let version = version(&*transaction, ArtistId::from_uuid(artist.id)).await?;
        let version = artist::stored_version(version)?;
        let entry = AuditEntry {
            action: AuditAction::ProfileRemoved,
            subject: AuditSubject::artist(key),
            before: Some(artist::stored_version(artist.version)?),
            after: Some(version),
        };
        audit(&self.0, &*transaction, author, entry).await?;
        transaction.commit().await?;
        Ok(Some(version))
    }
}

/// What is stored of one artist.
pub(crate) struct Rows {
    pub(crate) artist: artist::Model,
    pub(crate) profile: Option<style_profile::Model>,
    pub(crate) embedding: Option<style_embedding::Model>,
}

impl Rows {
    fn read(row: &QueryResult) -> Result<Self, Failure> {
        let profile = artist::COLUMNS;
        let embedding = profile + style_profile::COLUMNS;
        Ok(Self {
            artist: artist::Model::read(row, 0)?,
            profile: style_profile::Model::read(row, profile)?,
            embedding: style_embedding::Model::read(row, embedding)?,
        })
    }

    pub(crate) fn into_profile(self) -> Option<Result<StyleProfile, Failure>> {
        let Self { artist, profile, embedding } = self;
        profile.map(|profile| style_profile::profile(&artist, profile, embedding))
    }
}

/// Reads what is stored of some artists, in one query.
pub(crate) async fn rows(
    database: &impl ConnectionTrait,
    keys: &[&str],
) -> Result<Vec<Rows>, Failure> {
    // Every read of a profile comes through here, and making the statement takes longer than some other ways to answer.
    static SELECT: LazyLock<String> = LazyLock::new(|| {
        artist::Entity::find()
            .left_join(style_profile::Entity)
            .left_join(style_embedding::Entity)
            .columns(style_profile::Column::iter())
            .columns(style_embedding::Column::iter())
            .build(DbBackend::Postgres)
            .sql
    });
    let backend = match database.get_database_backend() {
        DbBackend::Sqlite => Backend::Sqlite,
        _ => Backend::Postgres,
    };
    let places = placeholders(backend, 1, keys.len());
    let sql = format!("{} WHERE artists.name_key IN {places}", *SELECT);
    let keys = keys.iter().map(|key| Value::from(*key));
    let statement = Statement::from_sql_and_values(database.get_database_backend(), sql, keys);
    let found = database.query_all_raw(statement).await?;
    found.iter().map(Rows::read).collect()
}

async fn version(database: &impl ConnectionTrait, artist: ArtistId) -> Result<i64, Failure> {
    let version = artist::Entity::find_by_id(artist.as_uuid())
        .select_only()
        .column(artist::Column::Version)
        .into_tuple()
        .one(database)
        .await?;
    version.ok_or_else(|| RepositoryError::Conflict.into())
}

/// Whether what is stored, at this version, is what somebody expects.
fn expect(expected: Expected, current: Option<Version>) -> Result<(), Failure> {
    if expected.is_met_by(current) { Ok(()) } else { Err(mismatch(current)) }
}

fn mismatch(current: Option<Version>) -> Failure {
    RepositoryError::VersionMismatch { current }.into()
}
