//! Saving profiles, those of several callers in one transaction.

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;

use std::{collections::HashMap, sync::Arc};

use domain::{
    ArtistId, ArtistKey, ArtistName, AuditAction, AuditEntry, AuditRecord, AuditSubject, Author,
    Expected, JsonArray, NewStyleProfile, RepositoryError, SavedProfile, StyleProfile,
    StyleProfileId, Timestamp, Version,
};
use sea_orm::prelude::Uuid;

#[cfg(feature = "sqlite")]
use super::Rows;
use super::expect;
use crate::{
    audit_log::record,
    entity::{
        StoredTime,
        artist::{artist_name, stored_version},
    },
    error::Failure,
    group_commit::{GroupCommit, GroupWrite, Outcome, Told},
    query_statistics::{Operation, Table},
    store::{Backend, Store},
};

/// A profile that a caller wants to save.
#[derive(Debug)]
pub(crate) struct Save {
    pub(crate) profile: NewStyleProfile,
    pub(crate) expected: Expected,
    pub(crate) author: Author,
}

impl GroupWrite for Save {
    type Written = SavedProfile;

    const OPERATION: Operation = Operation::Save;
    const TABLE: Table = Table::StyleProfiles;
    const MOST_ROWS: usize = 64;
    // Whoever moves versions keeps all others who do so out until it is committed: a second one could prepare nothing.
    const MOST_COMMITTERS: usize = 1;

    fn group_commit(store: &Store) -> &GroupCommit<Self> {
        store.saves()
    }

    fn rows(&self) -> usize {
        1
    }

    /// An artist takes one version in a transaction, and a version stands for one profile. What can be repeated is kept
    /// apart from what cannot.
    fn goes_with(&self, other: &Self) -> bool {
        self.key() != other.key() && self.is_repeatable() == other.is_repeatable()
    }

    async fn write(store: &Store, callers: &[Self]) -> Told<Self> {
        if callers.iter().all(Self::is_repeatable) {
            store.retry(Self::OPERATION, Self::TABLE, || save(store, callers)).await
        } else {
            store.once(Self::OPERATION, Self::TABLE, save(store, callers)).await
        }
    }
}

impl Save {
    fn key(&self) -> &ArtistKey {
        self.profile.artist.key()
    }

    /// A second attempt would not find what it expects if the first one was committed.
    const fn is_repeatable(&self) -> bool {
        matches!(self.expected, Expected::Any)
    }
}

/// Saves what finds what it expects, in one transaction; the others are told what there is instead.
async fn save(store: &Store, saves: &[Save]) -> Result<Vec<Outcome<Save>>, Failure> {
    let _writer = store.writer().await?;
    match store.backend() {
        #[cfg(feature = "postgres")]
        Backend::Postgres => postgres::save(store, saves).await,
        #[cfg(feature = "sqlite")]
        Backend::Sqlite => sqlite::save(store, saves).await,
        #[cfg(not(all(feature = "postgres", feature = "sqlite")))]
        _ => Err(RepositoryError::Conflict.into()),
    }
}

/// What a save has to know of what is stored of its artist.
pub(crate) struct Stored {
    id: ArtistId,
    name: ArtistName,
    version: Version,
    /// Identity and first time of the profile, if there is one.
    profile: Option<(StyleProfileId, Timestamp)>,
}

impl Stored {
    /// The same of what was read anyway.
    #[cfg(feature = "sqlite")]
    pub(crate) fn of(Rows { artist, profile, .. }: &Rows) -> Result<Self, Failure> {
        let profile = profile.as_ref().map(|row| (row.id, row.created_at));
        Self::new(artist.id, &artist.name, artist.version, profile)
    }

    fn new(
        id: Uuid,
        name: &str,
        version: i64,
        profile: Option<(Uuid, StoredTime)>,
    ) -> Result<Self, Failure> {
        let profile = profile
            .map(|(id, made)| Ok::<_, Failure>((StyleProfileId::from_uuid(id), made.timestamp()?)));
        Ok(Self {
            id: ArtistId::from_uuid(id),
            name: artist_name(name)?,
            version: stored_version(version)?,
            profile: profile.transpose()?,
        })
    }
}

/// What becomes of saves, given what is stored.
struct Plan<'a> {
    now: Timestamp,
    /// Who is told that there is something else than expected.
    refusals: Vec<Option<RepositoryError>>,
    /// What is written for the others, in their order.
    writings: Vec<Writing<'a>>,
}

impl<'a> Plan<'a> {
    fn new(saves: &'a [Save], mut stored: HashMap<String, Stored>, now: Timestamp) -> Self {
        let mut plan =
            Self { now, refusals: Vec::with_capacity(saves.len()), writings: Vec::new() };
        for save in saves {
            let stored = stored.remove(save.key().as_str());
            let current = stored.as_ref().filter(|it| it.profile.is_some()).map(|it| it.version);
            let refusal = expect(save.expected, current).err().map(RepositoryError::from);
            if refusal.is_none() {
                plan.writings.push(Writing::new(&save.profile, stored, now));
            }
            plan.refusals.push(refusal);
        }
        plan
    }

    fn audited(
        &self,
        store: &Store,
        saves: &[Save],
        written: &HashMap<ArtistId, Written>,
    ) -> Vec<AuditRecord> {
        let admitted = saves.iter().zip(&self.refusals).filter(|(_, refusal)| refusal.is_none());
        let audited = admitted.zip(&self.writings).map(|((save, _), writing)| {
            let entry = AuditEntry {
                action: AuditAction::ProfileSaved,
                subject: AuditSubject::artist(save.key()),
                before: writing.before,
                after: written.get(&writing.artist).map(|written| written.version),
            };
            record(store, &save.author, entry)
        });
        audited.collect()
    }

    /// What everybody is told.
    fn told(self, mut written: HashMap<ArtistId, Written>) -> Vec<Outcome<Save>> {
        let Self { now, refusals, writings } = self;
        let mut writings = writings.into_iter();
        let mut told = Vec::with_capacity(refusals.len());
        for refusal in refusals {
            let written = match refusal {
                Some(refusal) => Err(refusal),
                None => writings
                    .next()
                    .and_then(|writing| Some((written.remove(&writing.artist)?, writing)))
                    .map(|(written, writing)| writing.saved(written, now))
                    .ok_or(RepositoryError::Conflict),
            };
            told.push(written);
        }
        told
    }
}

/// A profile on its way into the database.
struct Writing<'a> {
    profile: &'a NewStyleProfile,
    /// The artist, under the name that is shown.
    artist: ArtistId,
    name: ArtistName,
    /// The artist's version, if it is known.
    before: Option<Version>,
    id: StyleProfileId,
    created: bool,
    created_at: Timestamp,
}

/// What the database made of it.
struct Written {
    version: Version,
    /// As the database understands it: it may write a number in another way.
    midi_templates: JsonArray,
}

impl<'a> Writing<'a> {
    fn new(profile: &'a NewStyleProfile, stored: Option<Stored>, now: Timestamp) -> Self {
        let (before, artist, name, replaced) = match stored {
            Some(Stored { id, name, version, profile }) => (Some(version), id, name, profile),
            None => (None, ArtistId::generate(), profile.artist.clone(), None),
        };
        let created = replaced.is_none();
        let (id, created_at) = replaced.unwrap_or_else(|| (StyleProfileId::generate(), now));
        Self { profile, artist, name, before, id, created, created_at }
    }

    fn saved(self, written: Written, now: Timestamp) -> SavedProfile {
        let Self { profile, artist, name, before: _, id, created, created_at } = self;
        let NewStyleProfile {
            artist: _,
            text_description,
            quantitative_params,
            embedding,
            midi_templates: _,
            confidence,
            sources_count,
        } = profile;
        let profile = StyleProfile {
            id,
            artist_id: artist,
            artist: name,
            version: written.version,
            text_description: text_description.clone(),
            quantitative_params: *quantitative_params,
            embedding: embedding.clone(),
            midi_templates: written.midi_templates,
            confidence: *confidence,
            sources_count: *sources_count,
            created_at,
            updated_at: now,
        };
        SavedProfile { profile: Arc::new(profile), created }
    }
}
