//! Saving on PostgreSQL: one statement writes everything.

use std::collections::HashMap;

use domain::{ArtistId, ArtistName, DrumFeel, JsonArray, ResearchStatus, Timestamp};
use sea_orm::{
    prelude::{Json, PgVector, Uuid},
    sqlx::{self, Row, postgres::PgRow},
};
use time::OffsetDateTime;

use super::{Plan, Save, Stored, Writing, Written};
use crate::{
    audit_log::bind_audited,
    entity::{
        StoredTime,
        artist::{stored_sources, stored_version},
    },
    error::Failure,
    group_commit::Outcome,
    insert::PostgresQuery,
    store::Store,
};

const STORED: &str = "
    SELECT a.name_key, a.id, a.name, a.version, p.id AS profile_id, p.created_at
    FROM artists a LEFT JOIN style_profiles p ON p.artist_id = a.id
    WHERE a.name_key = ANY($1)";

/// Columns come as arrays, so that there is one statement for any number of rows.
///
/// Each artist is inserted or updated, so its version is that of this transaction, and what becomes of its children moves it
/// no more. That is what audit records tell of.
const WRITE: &str = "
    WITH saved AS (
     SELECT * FROM unnest($1::uuid[], $2::boolean[], $3::text[], $4::text[], $5::text[], $6::int[], $7::uuid[],
      $8::timestamptz[], $9::text[], $10::float8[], $11::float8[], $12::float8[], $13::float8[], $14::float8[],
      $15::float8[], $16::float8[], $17::float8[], $18::jsonb[], $19::float8[], $20::int[], $21::int[], $22::int[],
      $23::int[], $24::vector[])
      AS columns (artist_id, is_known, name, name_key, name_search, sources_count, profile_id, created_at,
      text_description, tempo_min, tempo_max, tempo_avg, swing_percent, ghost_note_prob, syncopation_level,
      velocity_mean, velocity_std, midi_templates, confidence, papers, articles, audio, midi, embedding)
    ), inserted AS (
     INSERT INTO artists (id, name, name_key, name_search, research_status, sources_count, confidence_score, version,
      created_at, last_updated)
     SELECT artist_id, name, name_key, name_search, $25, sources_count, confidence, 0, $26, $26
     FROM saved WHERE NOT is_known
     RETURNING id, version
    ), updated AS (
     UPDATE artists a SET research_status = $25, sources_count = saved.sources_count,
      confidence_score = saved.confidence, last_updated = $26
     FROM saved WHERE a.id = saved.artist_id AND saved.is_known
     RETURNING a.id, a.version
    ), profile AS (
     INSERT INTO style_profiles (id, artist_id, text_description, tempo_min, tempo_max, tempo_avg, swing_percent,
      ghost_note_prob, syncopation_level, velocity_mean, velocity_std, midi_templates, confidence_score,
      sources_papers, sources_articles, sources_audio, sources_midi, created_at, updated_at)
     SELECT profile_id, artist_id, text_description, tempo_min, tempo_max, tempo_avg, swing_percent,
      ghost_note_prob, syncopation_level, velocity_mean, velocity_std, midi_templates, confidence,
      papers, articles, audio, midi, created_at, $26
     FROM saved
     ON CONFLICT (artist_id) DO UPDATE SET text_description = excluded.text_description,
      tempo_min = excluded.tempo_min, tempo_max = excluded.tempo_max, tempo_avg = excluded.tempo_avg,
      swing_percent = excluded.swing_percent, ghost_note_prob = excluded.ghost_note_prob,
      syncopation_level = excluded.syncopation_level, velocity_mean = excluded.velocity_mean,
      velocity_std = excluded.velocity_std, midi_templates = excluded.midi_templates,
      confidence_score = excluded.confidence_score, sources_papers = excluded.sources_papers,
      sources_articles = excluded.sources_articles, sources_audio = excluded.sources_audio,
      sources_midi = excluded.sources_midi, updated_at = excluded.updated_at
     RETURNING artist_id, midi_templates
    ), embedded AS (
     INSERT INTO style_embeddings (artist_id, embedding)
     SELECT artist_id, embedding FROM saved WHERE embedding IS NOT NULL
     ON CONFLICT (artist_id) DO UPDATE SET embedding = excluded.embedding
    ), without AS (
     DELETE FROM style_embeddings e USING saved
     WHERE e.artist_id = saved.artist_id AND saved.embedding IS NULL
    ), artist AS (
     SELECT * FROM inserted UNION ALL SELECT * FROM updated
    ), audited AS (
     INSERT INTO audit_log (id, at, actor, actor_key_id, actor_key, actor_key_name, request_id, action, artist_key,
      api_key, generation_id, entries, version_before, version_after)
     SELECT audit.id, audit.at, actor, actor_key_id, actor_key, actor_key_name, request_id, action, artist_key,
      api_key, generation_id, entries, version_before, artist.version
     FROM unnest($27::uuid[], $28::timestamptz[], $29::text[], $30::uuid[], $31::text[], $32::text[], $33::text[],
      $34::text[], $35::text[], $36::text[], $37::uuid[], $38::bigint[], $39::bigint[], $40::bigint[])
      AS audit (id, at, actor, actor_key_id, actor_key, actor_key_name, request_id, action, artist_key,
      api_key, generation_id, entries, version_before, version_after)
     JOIN saved ON saved.name_key = audit.artist_key
     JOIN artist ON artist.id = saved.artist_id
    )
    SELECT artist.id, artist.version, profile.midi_templates
    FROM artist JOIN profile ON profile.artist_id = artist.id";

/// Saves what finds what it expects.
pub(super) async fn save(store: &Store, saves: &[Save]) -> Result<Vec<Outcome<Save>>, Failure> {
    let mut transaction = store.begin_versioned_raw().await?;
    let keys: Vec<&str> = saves.iter().map(|save| save.key().as_str()).collect();
    let stored = sqlx::query(STORED).bind(keys).fetch_all(&mut *transaction);
    let stored = store.watch(STORED, stored).await?.iter().map(read).collect::<Result<_, _>>()?;
    let plan = Plan::new(saves, stored, store.now());
    if plan.writings.is_empty() {
        return Ok(plan.told(HashMap::new()));
    }
    // The statement knows the versions that come of it.
    let audited = plan.audited(store, saves, &HashMap::new());
    let write = bind_audited(bind(&plan.writings, plan.now)?, &audited)?;
    let write = write.fetch_all(&mut *transaction);
    let written = store.watch(WRITE, write).await?.iter().map(written).collect::<Result<_, _>>()?;
    transaction.commit().await?;
    Ok(plan.told(written))
}

fn read(row: &PgRow) -> Result<(String, Stored), Failure> {
    let made: Option<OffsetDateTime> = row.try_get("created_at")?;
    let profile = row.try_get::<Option<Uuid>, _>("profile_id")?;
    let profile = profile.zip(made.map(StoredTime::WithTimeZone));
    let name: &str = row.try_get("name")?;
    let stored = Stored::new(row.try_get("id")?, name, row.try_get("version")?, profile)?;
    Ok((row.try_get("name_key")?, stored))
}

fn written(row: &PgRow) -> Result<(ArtistId, Written), Failure> {
    let midi_templates: Json = row.try_get("midi_templates")?;
    let written = Written {
        version: stored_version(row.try_get("version")?)?,
        midi_templates: JsonArray::try_from(midi_templates).map_err(Failure::corrupt)?,
    };
    Ok((ArtistId::from_uuid(row.try_get("id")?), written))
}

fn bind<'q>(writings: &[Writing<'q>], now: Timestamp) -> Result<PostgresQuery<'q>, Failure> {
    let names = || writings.iter().map(|it| &it.profile.artist);
    let feel = |of: fn(&DrumFeel) -> f64| -> Vec<f64> {
        writings.iter().map(|it| of(it.profile.quantitative_params.feel())).collect()
    };
    let count = |of: fn(&Writing<'_>) -> u16| -> Vec<i32> {
        writings.iter().map(|it| of(it).into()).collect()
    };
    let embedding = |it: &Writing<'_>| {
        it.profile.embedding.as_ref().map(|it| PgVector::from(it.as_slice().to_vec()))
    };
    let sources = writings.iter().map(|it| stored_sources(it.profile));
    let sources = sources.collect::<Result<Vec<i32>, _>>()?;
    Ok(sqlx::query(WRITE)
        .bind(writings.iter().map(|it| it.artist.as_uuid()).collect::<Vec<Uuid>>())
        .bind(writings.iter().map(|it| it.before.is_some()).collect::<Vec<bool>>())
        .bind(names().map(ArtistName::as_str).collect::<Vec<&str>>())
        .bind(names().map(|name| name.key().as_str()).collect::<Vec<&str>>())
        .bind(names().map(|name| name.key().search_form()).collect::<Vec<String>>())
        .bind(sources)
        .bind(writings.iter().map(|it| it.id.as_uuid()).collect::<Vec<Uuid>>())
        .bind(writings.iter().map(|it| it.created_at.into()).collect::<Vec<OffsetDateTime>>())
        .bind(writings.iter().map(|it| it.profile.text_description.as_str()).collect::<Vec<&str>>())
        .bind(feel(|it| it.tempo_min))
        .bind(feel(|it| it.tempo_max))
        .bind(feel(|it| it.tempo_avg))
        .bind(feel(|it| it.swing_percent))
        .bind(feel(|it| it.ghost_note_prob))
        .bind(feel(|it| it.syncopation_level))
        .bind(feel(|it| it.velocity_mean))
        .bind(feel(|it| it.velocity_std))
        .bind(
            writings
                .iter()
                .map(|it| it.profile.midi_templates.clone().into())
                .collect::<Vec<Json>>(),
        )
        .bind(writings.iter().map(|it| it.profile.confidence.get()).collect::<Vec<f64>>())
        .bind(count(|it| it.profile.sources_count.papers))
        .bind(count(|it| it.profile.sources_count.articles))
        .bind(count(|it| it.profile.sources_count.audio))
        .bind(count(|it| it.profile.sources_count.midi))
        .bind(writings.iter().map(embedding).collect::<Vec<Option<PgVector>>>())
        .bind(ResearchStatus::Cached.as_str())
        .bind(OffsetDateTime::from(now)))
}
