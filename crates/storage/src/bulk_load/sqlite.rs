//! Batched statements in one transaction.

use std::collections::{HashMap, HashSet};

use domain::{
    ArtistId, ArtistKey, ArtistName, Author, BulkCounts, NewResearchSource, NewStyleProfile,
    ProfileRecord, ResearchSource, SourceType, StyleProfile, StyleProfileId,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, Set, prelude::Uuid,
};

use super::remembered;
use crate::{
    audit_log::audit,
    entity::{StoredVector, artist, research_source, style_embedding, style_profile},
    error::Failure,
    insert::insert_models,
    store::Store,
    style_profiles::{Rows, Stored, rows, write_all},
};

/// How many artists are looked up at once.
const ARTISTS_PER_STATEMENT: usize = 1_000;

pub(super) async fn load(
    store: &Store,
    batch: &[ProfileRecord],
    author: &Author,
) -> Result<BulkCounts, Failure> {
    let _writer = store.writer().await?;
    let transaction = store.begin_versioned().await?;
    let mut counts = BulkCounts::default();
    let mut stored = stored(&transaction, batch).await?;
    let mut new = NewRows::default();
    let mut changed = Vec::new();

    for record in batch {
        let stored = stored.remove(record.artist().key());
        if !record.sources().is_empty() {
            new.stored.extend(stored.as_ref().map(|rows| rows.artist.id));
        }
        let (id, outcome) = match (record, stored) {
            (ProfileRecord::Artist { artist, .. }, None) => {
                (new.add_artist(store, artist), Outcome::Created)
            }
            (ProfileRecord::Artist { .. }, Some(rows)) => {
                (ArtistId::from_uuid(rows.artist.id), Outcome::Unchanged)
            }
            (ProfileRecord::Profile { profile, .. }, None) => {
                (new.add_profile(store, profile)?, Outcome::Created)
            }
            (ProfileRecord::Profile { profile, .. }, Some(rows)) => {
                let id = ArtistId::from_uuid(rows.artist.id);
                let outcome = compared(profile, &rows)?;
                if !matches!(outcome, Outcome::Unchanged) {
                    changed.push((&**profile, Some(Stored::of(&rows)?)));
                }
                (id, outcome)
            }
        };
        match outcome {
            Outcome::Created => counts.created += 1,
            Outcome::Replaced => counts.replaced += 1,
            Outcome::Unchanged => counts.unchanged += 1,
        }
        new.sources.extend(record.sources().iter().map(|source| (id, source)));
    }
    write_all(store, &*transaction, changed).await?;
    counts.sources = new.insert(store, &transaction).await?;
    if let Some(entry) = remembered(counts) {
        audit(store, &*transaction, author, entry).await?;
    }
    transaction.commit().await?;
    Ok(counts)
}

pub(super) async fn finish(store: &Store) -> Result<(), Failure> {
    store.database().execute_unprepared("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE)").await?;
    Ok(())
}

enum Outcome {
    Created,
    Replaced,
    Unchanged,
}

/// What writing a profile over what is stored of its artist comes to.
fn compared(profile: &NewStyleProfile, stored: &Rows) -> Result<Outcome, Failure> {
    let Rows { artist, profile: row, embedding } = stored;
    let Some(row) = row.clone() else { return Ok(Outcome::Created) };
    let before = style_profile::profile(artist, row, embedding.clone())?;
    Ok(if says_the_same(&before, profile) { Outcome::Unchanged } else { Outcome::Replaced })
}

fn says_the_same(stored: &StyleProfile, new: &NewStyleProfile) -> bool {
    let NewStyleProfile {
        artist: _, // The same by its key; the name shown is the one first stored.
        text_description,
        quantitative_params,
        embedding,
        midi_templates,
        confidence,
        sources_count,
    } = new;
    stored.text_description == *text_description
        && stored.quantitative_params == *quantitative_params
        && stored.embedding == *embedding
        && stored.midi_templates == *midi_templates
        && stored.confidence == *confidence
        && stored.sources_count == *sources_count
}

/// What is stored of a batch's artists.
async fn stored(
    transaction: &DatabaseTransaction,
    batch: &[ProfileRecord],
) -> Result<HashMap<ArtistKey, Rows>, Failure> {
    let keys: Vec<&str> = batch.iter().map(|record| record.artist().key().as_str()).collect();
    let mut stored = HashMap::new();
    for some in keys.chunks(ARTISTS_PER_STATEMENT) {
        for rows in rows(transaction, some).await? {
            let key = ArtistKey::parse(&rows.artist.name_key).map_err(Failure::corrupt)?;
            stored.insert(key, rows);
        }
    }
    Ok(stored)
}

/// Rows for artists that are new to the store, and sources that may be.
#[derive(Default)]
struct NewRows<'a> {
    artists: Vec<artist::ActiveModel>,
    profiles: Vec<style_profile::ActiveModel>,
    embeddings: Vec<style_embedding::ActiveModel>,
    sources: Vec<(ArtistId, &'a NewResearchSource)>,
    /// Artists who were there before, and may have some of the sources.
    stored: Vec<Uuid>,
}

impl NewRows<'_> {
    fn add_artist(&mut self, store: &Store, name: &ArtistName) -> ArtistId {
        let id = ArtistId::generate();
        let mut row = artist::pending(store.backend(), name, store.now());
        row.id = Set(id.as_uuid());
        self.artists.push(row);
        id
    }

    fn add_profile(
        &mut self,
        store: &Store,
        profile: &NewStyleProfile,
    ) -> Result<ArtistId, Failure> {
        let now = store.now();
        let id = ArtistId::generate();
        let mut row = artist::pending(store.backend(), &profile.artist, now);
        row.id = Set(id.as_uuid());
        row.follow(profile)?;
        self.artists.push(row);
        let ids = (StyleProfileId::generate(), id);
        self.profiles.push(style_profile::row(store.backend(), profile, ids, (now, now)));
        if let Some(embedding) = &profile.embedding {
            self.embeddings.push(style_embedding::ActiveModel {
                artist_id: Set(id.as_uuid()),
                embedding: Set(StoredVector::new(store.backend(), embedding)),
            });
        }
        Ok(id)
    }

    async fn insert(
        self,
        store: &Store,
        transaction: &DatabaseTransaction,
    ) -> Result<u64, Failure> {
        // A profile or an embedding whose artist is there gives the artist a version. These come before their artists, who
        // then take one instead of three.
        transaction.execute_unprepared("PRAGMA defer_foreign_keys = ON").await?;
        insert_models(transaction, self.embeddings, "").await?;
        insert_models(transaction, self.profiles, "").await?;
        insert_models(transaction, self.artists, "").await?;
        let known = known_sources(transaction, &self.stored).await?;
        let mut seen = HashSet::new();
        let now = store.now();
        let mut new = Vec::new();
        for (artist, source) in self.sources {
            let identity = source_identity(artist, source);
            if !known.contains(&identity) && seen.insert(identity) {
                new.push(research_source::row(store.backend(), source, artist, now));
            }
        }
        let count = new.len() as u64;
        insert_models(transaction, new, "").await?;
        Ok(count)
    }
}

/// What makes two sources one: kind, address, path, and the content if there is neither address nor path.
type SourceIdentity = (ArtistId, SourceType, Option<String>, Option<String>, Option<String>);

fn source_identity(artist: ArtistId, source: &NewResearchSource) -> SourceIdentity {
    let location = &source.location;
    let (url, file_path) = (location.url(), location.file_path());
    let content = location.raw_content().filter(|_| url.or(file_path).is_none());
    let owned = |text: Option<&str>| text.map(str::to_owned);
    (artist, source.source_type, owned(url), owned(file_path), owned(content))
}

async fn known_sources(
    transaction: &DatabaseTransaction,
    artists: &[Uuid],
) -> Result<HashSet<SourceIdentity>, Failure> {
    let mut known = HashSet::new();
    for some in artists.chunks(ARTISTS_PER_STATEMENT) {
        let rows = research_source::Entity::find()
            .filter(research_source::Column::ArtistId.is_in(some.iter().copied()))
            .all(transaction)
            .await?;
        for row in rows {
            let artist = ArtistId::from_uuid(row.artist_id);
            known.insert(source_identity(artist, &ResearchSource::try_from(row)?.source));
        }
    }
    Ok(known)
}
