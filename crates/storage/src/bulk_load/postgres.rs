//! `COPY` into temporary tables, then a few statements over all rows.

use domain::{
    ArtistId, Author, BulkCounts, NewResearchSource, ProfileRecord, ResearchSourceId,
    StyleProfileId,
};
use sea_orm::sqlx::{self, Connection as _, Postgres, Row, Transaction};

use self::copy::Copy;
use super::remembered;
use crate::{
    audit_log::{audit_beside_the_orm, record},
    connect::unhurried,
    error::Failure,
    store::{Store, unbroken},
    vector_index::VectorIndexError,
};

mod copy;

/// Rows on their way in, as `COPY` delivers them. What has no state is new.
const INCOMING: &str = "
    CREATE TEMPORARY TABLE incoming (
     artist_id uuid, name text COLLATE \"C\", name_key text COLLATE \"C\", name_search text COLLATE \"C\",
     profile_id uuid, text_description text,
     tempo_min float8, tempo_max float8, tempo_avg float8, swing_percent float8, ghost_note_prob float8,
     syncopation_level float8, velocity_mean float8, velocity_std float8,
     midi_templates jsonb, confidence_score float8,
     sources_papers int4, sources_articles int4, sources_audio int4, sources_midi int4,
     embedding vector(384), state text
    ) ON COMMIT DROP";

const INCOMING_SOURCES: &str = "
    CREATE TEMPORARY TABLE incoming_sources (
     id uuid, name_key text COLLATE \"C\", source_type text, url text, file_path text, raw_content text,
     extracted_data jsonb, confidence float8
    ) ON COMMIT DROP";

const COPY_INCOMING: &str = "
    COPY incoming (artist_id, name, name_key, name_search, profile_id, text_description,
     tempo_min, tempo_max, tempo_avg, swing_percent, ghost_note_prob, syncopation_level, velocity_mean, velocity_std,
     midi_templates, confidence_score, sources_papers, sources_articles, sources_audio, sources_midi, embedding)
     FROM STDIN (FORMAT binary)";
const INCOMING_COLUMNS: u16 = 21;

const COPY_INCOMING_SOURCES: &str = "COPY incoming_sources FROM STDIN (FORMAT binary)";
const INCOMING_SOURCES_COLUMNS: u16 = 8;

/// Without it the planner takes a batch for so many rows that it reads everything stored to compare it with.
const COUNT_INCOMING: &str = "ANALYZE incoming (name_key), incoming_sources (name_key)";

/// What is stored already takes its own identities, and is compared with what comes in.
const COMPARE_WITH_STORED: &str = "
    UPDATE incoming i SET artist_id = a.id, profile_id = coalesce(p.id, i.profile_id),
     state = CASE
      WHEN i.text_description IS NULL THEN 'unchanged'
      WHEN p.id IS NULL THEN 'profile'
      WHEN (p.text_description, p.tempo_min, p.tempo_max, p.tempo_avg, p.swing_percent, p.ghost_note_prob,
       p.syncopation_level, p.velocity_mean, p.velocity_std, p.midi_templates, p.confidence_score, p.sources_papers,
       p.sources_articles, p.sources_audio, p.sources_midi)
       IS DISTINCT FROM
       (i.text_description, i.tempo_min, i.tempo_max, i.tempo_avg, i.swing_percent, i.ghost_note_prob,
       i.syncopation_level, i.velocity_mean, i.velocity_std, i.midi_templates, i.confidence_score, i.sources_papers,
       i.sources_articles, i.sources_audio, i.sources_midi)
       OR e.embedding IS DISTINCT FROM i.embedding THEN 'replaced'
      ELSE 'unchanged' END
    FROM artists a
    LEFT JOIN style_profiles p ON p.artist_id = a.id
    LEFT JOIN style_embeddings e ON e.artist_id = a.id
    WHERE a.name_key = i.name_key";

const INSERT_ARTISTS: &str = "
    INSERT INTO artists (id, name, name_key, name_search, research_status, sources_count, confidence_score, version,
     created_at, last_updated)
    SELECT artist_id, name, name_key, name_search,
     CASE WHEN text_description IS NULL THEN 'pending' ELSE 'cached' END,
     coalesce(sources_papers + sources_articles + sources_audio + sources_midi, 0), coalesce(confidence_score, 0), 0,
     $1, $1
    FROM incoming WHERE state IS NULL";

const UPDATE_ARTISTS: &str = "
    UPDATE artists a SET research_status = 'cached',
     sources_count = i.sources_papers + i.sources_articles + i.sources_audio + i.sources_midi,
     confidence_score = i.confidence_score, last_updated = $1
    FROM incoming i WHERE a.id = i.artist_id AND i.state IN ('profile', 'replaced')";

const UPSERT_PROFILES: &str = "
    INSERT INTO style_profiles (id, artist_id, text_description, tempo_min, tempo_max, tempo_avg, swing_percent,
     ghost_note_prob, syncopation_level, velocity_mean, velocity_std, midi_templates, confidence_score,
     sources_papers, sources_articles, sources_audio, sources_midi, created_at, updated_at)
    SELECT profile_id, artist_id, text_description, tempo_min, tempo_max, tempo_avg, swing_percent,
     ghost_note_prob, syncopation_level, velocity_mean, velocity_std, midi_templates, confidence_score,
     sources_papers, sources_articles, sources_audio, sources_midi, $1, $1
    FROM incoming WHERE coalesce(state, 'profile') IN ('profile', 'replaced') AND text_description IS NOT NULL
    ON CONFLICT (artist_id) DO UPDATE SET text_description = excluded.text_description,
     tempo_min = excluded.tempo_min, tempo_max = excluded.tempo_max, tempo_avg = excluded.tempo_avg,
     swing_percent = excluded.swing_percent, ghost_note_prob = excluded.ghost_note_prob,
     syncopation_level = excluded.syncopation_level, velocity_mean = excluded.velocity_mean,
     velocity_std = excluded.velocity_std, midi_templates = excluded.midi_templates,
     confidence_score = excluded.confidence_score, sources_papers = excluded.sources_papers,
     sources_articles = excluded.sources_articles, sources_audio = excluded.sources_audio,
     sources_midi = excluded.sources_midi, updated_at = excluded.updated_at";

const UPSERT_EMBEDDINGS: &str = "
    INSERT INTO style_embeddings (artist_id, embedding)
    SELECT artist_id, embedding FROM incoming
    WHERE coalesce(state, 'profile') IN ('profile', 'replaced') AND embedding IS NOT NULL
    ON CONFLICT (artist_id) DO UPDATE SET embedding = excluded.embedding";

const DELETE_EMBEDDINGS: &str = "
    DELETE FROM style_embeddings e USING incoming i
    WHERE e.artist_id = i.artist_id AND i.state IN ('profile', 'replaced') AND i.embedding IS NULL";

/// Of equal sources in one batch the first is kept.
const INSERT_SOURCES: &str = "
    INSERT INTO research_sources (id, artist_id, source_type, url, file_path, raw_content, extracted_data, confidence,
     collected_at)
    SELECT DISTINCT ON (i.artist_id, s.source_type, s.url, s.file_path, s.sole_content)
     s.id, i.artist_id, s.source_type, s.url, s.file_path, s.raw_content, s.extracted_data, s.confidence, $1
    FROM (
     SELECT *, CASE WHEN coalesce(url, file_path) IS NULL THEN raw_content END AS sole_content FROM incoming_sources
    ) s JOIN incoming i ON i.name_key = s.name_key
    WHERE NOT EXISTS (
     SELECT 1 FROM research_sources r WHERE r.artist_id = i.artist_id AND r.source_type = s.source_type
      AND r.url IS NOT DISTINCT FROM s.url AND r.file_path IS NOT DISTINCT FROM s.file_path
      AND (s.sole_content IS NULL OR r.raw_content = s.sole_content))
    ORDER BY i.artist_id, s.source_type, s.url, s.file_path, s.sole_content, s.id";

const COUNT: &str = "
    SELECT count(*) FILTER (WHERE coalesce(state, 'profile') = 'profile') AS created,
     count(*) FILTER (WHERE state = 'replaced') AS replaced,
     count(*) FILTER (WHERE state = 'unchanged') AS unchanged
    FROM incoming";

pub(super) async fn load(
    store: &Store,
    batch: &[ProfileRecord],
    author: &Author,
) -> Result<BulkCounts, Failure> {
    let _writer = store.writer().await?;
    let mut transaction = store.begin_versioned_raw().await?;
    sqlx::query(INCOMING).execute(&mut *transaction).await?;
    sqlx::query(INCOMING_SOURCES).execute(&mut *transaction).await?;
    let transaction = copy_in(transaction, COPY_INCOMING, incoming(batch)?).await?;
    let sources = incoming_sources(batch)?;
    let mut transaction = copy_in(transaction, COPY_INCOMING_SOURCES, sources).await?;

    sqlx::query(COUNT_INCOMING).execute(&mut *transaction).await?;
    sqlx::query(COMPARE_WITH_STORED).execute(&mut *transaction).await?;
    let now = time::OffsetDateTime::from(store.now());
    for statement in [INSERT_ARTISTS, UPDATE_ARTISTS, UPSERT_PROFILES] {
        sqlx::query(statement).bind(now).execute(&mut *transaction).await?;
    }
    sqlx::query(UPSERT_EMBEDDINGS).execute(&mut *transaction).await?;
    sqlx::query(DELETE_EMBEDDINGS).execute(&mut *transaction).await?;
    let sources =
        sqlx::query(INSERT_SOURCES).bind(now).execute(&mut *transaction).await?.rows_affected();

    let row = sqlx::query(COUNT).fetch_one(&mut *transaction).await?;
    let count = |column: &str| -> Result<u64, Failure> {
        u64::try_from(row.try_get::<i64, _>(column)?).map_err(Failure::corrupt)
    };
    let counts = BulkCounts {
        created: count("created")?,
        replaced: count("replaced")?,
        unchanged: count("unchanged")?,
        sources,
    };
    if let Some(entry) = remembered(counts) {
        audit_beside_the_orm(&mut transaction, &[record(store, author, entry)]).await?;
    }
    transaction.commit().await?;
    Ok(counts)
}

/// Builds the vector index anew if the load has outgrown it, and lets the planner know what there is now. Neither may be
/// cut off by the statement timeout, which is meant for requests.
pub(super) async fn finish(store: &Store) -> Result<(), Failure> {
    match store.vector_index().rebuild_if_outgrown().await {
        Ok(_) | Err(VectorIndexError::Unmanaged) => {}
        Err(VectorIndexError::Busy) => {
            tracing::info!("The vector index is being built already");
        }
        Err(error @ VectorIndexError::NotOwner) => {
            tracing::warn!(%error, "The vector index has been outgrown; run `groovebase index rebuild` as the owner of the tables");
        }
        Err(VectorIndexError::Repository(error)) => return Err(error.into()),
    }
    let mut connection = unhurried(store).await?;
    // It would wait for a build of the index; the server looks at what is left out here by itself later.
    sqlx::query(
        "ANALYZE (SKIP_LOCKED) artists, style_profiles, style_embeddings, research_sources",
    )
    .execute(&mut connection)
    .await?;
    connection.close().await?;
    Ok(())
}

/// An interrupted COPY leaves answers behind that the next statement would take for its own, and its caller for a commit.
async fn copy_in(
    mut transaction: Transaction<'static, Postgres>,
    statement: &'static str,
    rows: Vec<u8>,
) -> Result<Transaction<'static, Postgres>, Failure> {
    unbroken(async move {
        let mut copy = transaction.copy_in_raw(statement).await?;
        // One message stays far below what the protocol can carry.
        for part in rows.chunks(1 << 20) {
            copy.send(part).await?;
        }
        copy.finish().await?;
        Ok::<_, sqlx::Error>(transaction)
    })
    .await
}

fn incoming(batch: &[ProfileRecord]) -> Result<Vec<u8>, Failure> {
    let mut copy = Copy::new();
    for record in batch {
        let artist = record.artist();
        copy.row(INCOMING_COLUMNS);
        copy.uuid(ArtistId::generate().as_uuid())?;
        copy.text(artist.as_str())?;
        copy.text(artist.key().as_str())?;
        copy.text(&artist.key().search_form())?;
        let ProfileRecord::Profile { profile, .. } = record else {
            copy.nulls(INCOMING_COLUMNS - 4);
            continue;
        };
        copy.uuid(StyleProfileId::generate().as_uuid())?;
        copy.text(profile.text_description.as_str())?;
        let feel = profile.quantitative_params.feel();
        for value in [
            feel.tempo_min,
            feel.tempo_max,
            feel.tempo_avg,
            feel.swing_percent,
            feel.ghost_note_prob,
            feel.syncopation_level,
            feel.velocity_mean,
            feel.velocity_std,
        ] {
            copy.double(value)?;
        }
        copy.json(&profile.midi_templates.clone().into())?;
        copy.double(profile.confidence.get())?;
        let sources = profile.sources_count;
        for count in [sources.papers, sources.articles, sources.audio, sources.midi] {
            copy.integer(count.into())?;
        }
        match &profile.embedding {
            Some(embedding) => copy.vector(embedding)?,
            None => copy.nulls(1),
        }
    }
    Ok(copy.finish())
}

fn incoming_sources(batch: &[ProfileRecord]) -> Result<Vec<u8>, Failure> {
    let mut copy = Copy::new();
    for record in batch {
        for source in record.sources() {
            let NewResearchSource { source_type, location, extracted_data, confidence } = source;
            copy.row(INCOMING_SOURCES_COLUMNS);
            copy.uuid(ResearchSourceId::generate().as_uuid())?;
            copy.text(record.artist().key().as_str())?;
            copy.text(source_type.as_str())?;
            for text in [location.url(), location.file_path(), location.raw_content()] {
                match text {
                    Some(text) => copy.text(text)?,
                    None => copy.nulls(1),
                }
            }
            match extracted_data {
                Some(data) => copy.json(&data.clone().into())?,
                None => copy.nulls(1),
            }
            match confidence {
                Some(confidence) => copy.double(confidence.get())?,
                None => copy.nulls(1),
            }
        }
    }
    Ok(copy.finish())
}
