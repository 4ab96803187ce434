//! What rows the database refuses.

use super::{Store, insert};

const TABLES: [&str; 5] =
    ["artists", "style_profiles", "style_embeddings", "research_sources", "generation_history"];

pub(crate) async fn accepts_valid_rows(store: Store) {
    let store = store.migrated().await;
    for table in TABLES {
        store.insert(table, 1).await;
    }

    // The limits themselves, and what may be missing.
    for (table, changes) in [
        ("artists", "confidence_score = 1, sources_count = 262140"),
        ("artists", "confidence_score = 0"),
        ("artists", "research_status = 'failed'"),
        ("style_profiles", "tempo_min = 1000, tempo_avg = 1000, tempo_max = 1000"),
        ("style_profiles", "tempo_min = 0.001"),
        ("style_profiles", "swing_percent = 100, ghost_note_prob = 1, syncopation_level = 1"),
        ("style_profiles", "swing_percent = 0, ghost_note_prob = 0, syncopation_level = 0"),
        ("style_profiles", "velocity_mean = 127, velocity_std = 0"),
        ("research_sources", "confidence = NULL, extracted_data = NULL, raw_content = ''"),
        ("research_sources", "source_type = 'midi', url = 'https://example.org'"),
        ("generation_history", "artist_id = NULL, tokens_used = NULL, cost = NULL"),
        ("generation_history", "model = NULL, error = NULL, input_tokens = NULL"),
        ("generation_history", "output_tokens = NULL, cache_read_tokens = NULL"),
        ("generation_history", "cache_write_tokens = NULL, reasoning_tokens = NULL"),
        ("generation_history", "status = 'cancelled', reasoning_tokens = 4294967295"),
        ("generation_history", "cost = 1000000000000000, generation_time_ms = 4294967295"),
    ] {
        assert_eq!(store.run(&format!("UPDATE {table} SET {changes}")).await, 1);
    }

    // Defaults.
    let row = store.row("artists", 2);
    let required = ["id", "name", "name_key", "name_search", "created_at", "last_updated"];
    let row: Vec<_> = row.into_iter().filter(|(column, _)| required.contains(column)).collect();
    store.run(&insert("artists", &row)).await;
    let defaults: String = store
        .one(&format!(
            "SELECT research_status || ' ' || sources_count || ' ' || (confidence_score = 0)
             FROM artists WHERE id = {}",
            store.id(2)
        ))
        .await;
    assert_eq!(defaults, store.pick("pending 0 true", "pending 0 1"));
}

/// Table, column, value, and what the refusal names on PostgreSQL and on SQLite.
type Refused = (&'static str, &'static str, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const REFUSED: &[Refused] = &[
    ("artists", "id", "NULL", "null value", "NOT NULL"),
    ("artists", "id", "'no identity'", "uuid", "BLOB"),
    ("artists", "name", "NULL", "null value", "NOT NULL"),
    ("artists", "name", "''", "ck_artists_name", "ck_artists_name"),
    ("artists", "name_key", "NULL", "null value", "NOT NULL"),
    ("artists", "name_key", "''", "ck_artists_name_key", "ck_artists_name_key"),
    ("artists", "name_search", "NULL", "null value", "NOT NULL"),
    ("artists", "research_status", "NULL", "null value", "NOT NULL"),
    ("artists", "research_status", "'unheard of'", "ck_artists_research_status", "ck_artists_research_status"),
    ("artists", "research_status", "'Pending'", "ck_artists_research_status", "ck_artists_research_status"),
    ("artists", "sources_count", "NULL", "null value", "NOT NULL"),
    ("artists", "sources_count", "-1", "ck_artists_sources_count", "ck_artists_sources_count"),
    ("artists", "sources_count", "2147483648", "out of range", "ck_artists_sources_count"),
    ("artists", "sources_count", "'many'", "integer", "INTEGER"),
    ("artists", "confidence_score", "NULL", "null value", "NOT NULL"),
    ("artists", "confidence_score", "-0.001", "ck_artists_confidence_score", "ck_artists_confidence_score"),
    ("artists", "confidence_score", "1.001", "ck_artists_confidence_score", "ck_artists_confidence_score"),
    ("artists", "confidence_score", "NAN", "ck_artists_confidence_score", "NOT NULL"),
    ("artists", "created_at", "NULL", "null value", "NOT NULL"),
    ("artists", "created_at", "'yesterday noon'", "timestamp", "INTEGER"),
    ("artists", "last_updated", "NULL", "null value", "NOT NULL"),
    ("style_profiles", "id", "NULL", "null value", "NOT NULL"),
    ("style_profiles", "artist_id", "NULL", "null value", "NOT NULL"),
    ("style_profiles", "artist_id", "UNKNOWN", "fk_style_profiles_artist_id", "FOREIGN KEY"),
    ("style_profiles", "text_description", "NULL", "null value", "NOT NULL"),
    ("style_profiles", "tempo_min", "NULL", "null value", "NOT NULL"),
    ("style_profiles", "tempo_min", "0", "ck_style_profiles_tempo", "ck_style_profiles_tempo"),
    ("style_profiles", "tempo_min", "90.001", "ck_style_profiles_tempo", "ck_style_profiles_tempo"),
    ("style_profiles", "tempo_min", "NAN", "ck_style_profiles_tempo", "NOT NULL"),
    ("style_profiles", "tempo_avg", "100.001", "ck_style_profiles_tempo", "ck_style_profiles_tempo"),
    ("style_profiles", "tempo_avg", "NAN", "ck_style_profiles_tempo", "NOT NULL"),
    ("style_profiles", "tempo_max", "89.999", "ck_style_profiles_tempo", "ck_style_profiles_tempo"),
    ("style_profiles", "tempo_max", "1000.001", "ck_style_profiles_tempo", "ck_style_profiles_tempo"),
    ("style_profiles", "tempo_max", "NAN", "ck_style_profiles_tempo", "NOT NULL"),
    ("style_profiles", "tempo_max", "INFINITY", "ck_style_profiles_tempo", "ck_style_profiles_tempo"),
    ("style_profiles", "swing_percent", "-0.001", "ck_style_profiles_swing_percent", "ck_style_profiles_swing_percent"),
    ("style_profiles", "swing_percent", "100.001", "ck_style_profiles_swing_percent", "ck_style_profiles_swing_percent"),
    ("style_profiles", "swing_percent", "NAN", "ck_style_profiles_swing_percent", "NOT NULL"),
    ("style_profiles", "ghost_note_prob", "-0.001", "ck_style_profiles_ghost_note_prob", "ck_style_profiles_ghost_note_prob"),
    ("style_profiles", "ghost_note_prob", "1.001", "ck_style_profiles_ghost_note_prob", "ck_style_profiles_ghost_note_prob"),
    ("style_profiles", "ghost_note_prob", "NAN", "ck_style_profiles_ghost_note_prob", "NOT NULL"),
    ("style_profiles", "syncopation_level", "-0.001", "ck_style_profiles_syncopation_level", "ck_style_profiles_syncopation_level"),
    ("style_profiles", "syncopation_level", "1.001", "ck_style_profiles_syncopation_level", "ck_style_profiles_syncopation_level"),
    ("style_profiles", "syncopation_level", "NAN", "ck_style_profiles_syncopation_level", "NOT NULL"),
    ("style_profiles", "velocity_mean", "-0.001", "ck_style_profiles_velocity_mean", "ck_style_profiles_velocity_mean"),
    ("style_profiles", "velocity_mean", "127.001", "ck_style_profiles_velocity_mean", "ck_style_profiles_velocity_mean"),
    ("style_profiles", "velocity_mean", "NAN", "ck_style_profiles_velocity_mean", "NOT NULL"),
    ("style_profiles", "velocity_std", "-0.001", "ck_style_profiles_velocity_std", "ck_style_profiles_velocity_std"),
    ("style_profiles", "velocity_std", "127.001", "ck_style_profiles_velocity_std", "ck_style_profiles_velocity_std"),
    ("style_profiles", "velocity_std", "NAN", "ck_style_profiles_velocity_std", "NOT NULL"),
    ("style_profiles", "midi_templates", "NULL", "null value", "NOT NULL"),
    ("style_profiles", "midi_templates", "'{'", "json", "ck_style_profiles_midi_templates"),
    ("style_profiles", "confidence_score", "-0.001", "ck_style_profiles_confidence_score", "ck_style_profiles_confidence_score"),
    ("style_profiles", "confidence_score", "1.001", "ck_style_profiles_confidence_score", "ck_style_profiles_confidence_score"),
    ("style_profiles", "confidence_score", "NAN", "ck_style_profiles_confidence_score", "NOT NULL"),
    ("style_profiles", "sources_papers", "-1", "ck_style_profiles_sources_papers", "ck_style_profiles_sources_papers"),
    ("style_profiles", "sources_articles", "-1", "ck_style_profiles_sources_articles", "ck_style_profiles_sources_articles"),
    ("style_profiles", "sources_audio", "-1", "ck_style_profiles_sources_audio", "ck_style_profiles_sources_audio"),
    ("style_profiles", "sources_midi", "-1", "ck_style_profiles_sources_midi", "ck_style_profiles_sources_midi"),
    ("style_profiles", "sources_midi", "65536", "ck_style_profiles_sources_midi", "ck_style_profiles_sources_midi"),
    ("style_profiles", "sources_midi", "NULL", "null value", "NOT NULL"),
    ("style_profiles", "created_at", "NULL", "null value", "NOT NULL"),
    ("style_profiles", "updated_at", "NULL", "null value", "NOT NULL"),
    ("style_embeddings", "artist_id", "NULL", "null value", "NOT NULL"),
    ("style_embeddings", "artist_id", "UNKNOWN", "fk_style_embeddings_artist_id", "FOREIGN KEY"),
    ("style_embeddings", "embedding", "NULL", "null value", "NOT NULL"),
    ("style_embeddings", "embedding", "ZERO", "ck_style_embeddings_embedding", "ck_style_embeddings_embedding"),
    ("style_embeddings", "embedding", "SHORT", "expected 384 dimensions", "ck_style_embeddings_embedding"),
    ("research_sources", "artist_id", "NULL", "null value", "NOT NULL"),
    ("research_sources", "artist_id", "UNKNOWN", "fk_research_sources_artist_id", "FOREIGN KEY"),
    ("research_sources", "source_type", "NULL", "null value", "NOT NULL"),
    ("research_sources", "source_type", "'rumour'", "ck_research_sources_source_type", "ck_research_sources_source_type"),
    ("research_sources", "extracted_data", "'{'", "json", "ck_research_sources_extracted_data"),
    ("research_sources", "confidence", "-0.001", "ck_research_sources_confidence", "ck_research_sources_confidence"),
    ("research_sources", "confidence", "1.001", "ck_research_sources_confidence", "ck_research_sources_confidence"),
    ("research_sources", "collected_at", "NULL", "null value", "NOT NULL"),
    ("generation_history", "artist_id", "'no identity'", "uuid", "BLOB"),
    ("generation_history", "artist_id", "SHORT", "uuid", "ck_generation_history_artist_id"),
    ("generation_history", "provider_used", "NULL", "null value", "NOT NULL"),
    ("generation_history", "provider_used", "''", "ck_generation_history_provider_used", "ck_generation_history_provider_used"),
    ("generation_history", "provider_used", "'123456789 123456789 123456789 123456789 123456789 1'", "character varying(50)", "ck_generation_history_provider_used"),
    ("generation_history", "model", "''", "ck_generation_history_model", "ck_generation_history_model"),
    ("generation_history", "model", "LONG", "character varying(100)", "ck_generation_history_model"),
    ("generation_history", "status", "NULL", "null value", "NOT NULL"),
    ("generation_history", "status", "'unheard of'", "ck_generation_history_status", "ck_generation_history_status"),
    ("generation_history", "generation_time_ms", "NULL", "null value", "NOT NULL"),
    ("generation_history", "generation_time_ms", "-1", "ck_generation_history_generation_time_ms", "ck_generation_history_generation_time_ms"),
    ("generation_history", "generation_time_ms", "4294967296", "ck_generation_history_generation_time_ms", "ck_generation_history_generation_time_ms"),
    ("generation_history", "tokens_used", "4294967296", "ck_generation_history_tokens_used", "ck_generation_history_tokens_used"),
    ("generation_history", "input_tokens", "-1", "ck_generation_history_input_tokens", "ck_generation_history_input_tokens"),
    ("generation_history", "input_tokens", "4294967296", "ck_generation_history_input_tokens", "ck_generation_history_input_tokens"),
    ("generation_history", "output_tokens", "-1", "ck_generation_history_output_tokens", "ck_generation_history_output_tokens"),
    ("generation_history", "output_tokens", "4294967296", "ck_generation_history_output_tokens", "ck_generation_history_output_tokens"),
    ("generation_history", "cache_read_tokens", "-1", "ck_generation_history_cache_read_tokens", "ck_generation_history_cache_read_tokens"),
    ("generation_history", "cache_read_tokens", "4294967296", "ck_generation_history_cache_read_tokens", "ck_generation_history_cache_read_tokens"),
    ("generation_history", "cache_write_tokens", "-1", "ck_generation_history_cache_write_tokens", "ck_generation_history_cache_write_tokens"),
    ("generation_history", "cache_write_tokens", "4294967296", "ck_generation_history_cache_write_tokens", "ck_generation_history_cache_write_tokens"),
    ("generation_history", "reasoning_tokens", "-1", "ck_generation_history_reasoning_tokens", "ck_generation_history_reasoning_tokens"),
    ("generation_history", "reasoning_tokens", "4294967296", "ck_generation_history_reasoning_tokens", "ck_generation_history_reasoning_tokens"),
    ("generation_history", "cost", "1000000000000001", "ck_generation_history_cost", "ck_generation_history_cost"),
    ("generation_history", "tokens_used", "-1", "ck_generation_history_tokens_used", "ck_generation_history_tokens_used"),
    ("generation_history", "cost", "-1", "ck_generation_history_cost", "ck_generation_history_cost"),
    ("generation_history", "cost", "9223372036854775808", "out of range", "REAL value in INTEGER"),
    ("generation_history", "user_params", "NULL", "null value", "NOT NULL"),
    ("generation_history", "user_params", "'{'", "json", "ck_generation_history_user_params"),
    ("generation_history", "output_files", "NULL", "null value", "NOT NULL"),
    ("generation_history", "output_files", "'{'", "json", "ck_generation_history_output_files"),
    ("generation_history", "steps", "NULL", "null value", "NOT NULL"),
    ("generation_history", "steps", "'{'", "json", "ck_generation_history_steps"),
    // In PostgreSQL a row without a time belongs to no partition.
    ("generation_history", "created_at", "NULL", "no partition", "NOT NULL"),
];

pub(crate) async fn refuses_invalid_rows(store: Store) {
    let store = store.migrated().await;
    for table in TABLES {
        store.insert(table, 1).await;
    }
    store.insert("artists", 2).await;
    let mut tables = Vec::new();

    for &(table, column, value, postgres, sqlite) in REFUSED {
        let (unknown, long) = (store.id(404), format!("'{}'", "m".repeat(101)));
        let value = match value {
            // Drivers bind a NaN to SQLite as NULL.
            "NAN" => store.pick("'NaN'", "NULL"),
            "INFINITY" => store.pick("'Infinity'", "9e999"),
            "UNKNOWN" => &unknown,
            "LONG" => &long,
            "SHORT" => store.pick("'[1,2,3]'", "zeroblob(1535)"),
            "ZERO" => store.pick("array_fill(0, ARRAY[384])::real[]::vector", "zeroblob(1536)"),
            value => value,
        };
        let mut row = store.row(table, 2);
        let field = row.iter_mut().find(|(name, _)| *name == column);
        value.clone_into(&mut field.expect("the column is in the row").1);
        let expected = store.pick(postgres, sqlite);

        for sql in [insert(table, &row), format!("UPDATE {table} SET {column} = {value}")] {
            let error = store.try_run(&sql).await.expect_err(&sql).to_string();
            assert!(error.contains(expected), "{sql}: {error}");
        }
        tables.push(table);
    }

    // Each column of each table was tried, or is one of these.
    let free = ["name_search", "url", "file_path", "raw_content", "error"];
    for table in TABLES {
        assert!(tables.contains(&table));
        for (column, _) in store.row(table, 1) {
            let tried = REFUSED.iter().any(|refused| refused.0 == table && refused.1 == column);
            assert!(tried || free.contains(&column) || column == "id", "{table}.{column}");
        }
    }
}

pub(crate) async fn refuses_names_and_keys_that_are_taken(store: Store) {
    let store = store.migrated().await;
    for table in ["artists", "style_profiles", "style_embeddings"] {
        store.insert(table, 1).await;
    }

    for (table, column, value, postgres, sqlite) in [
        ("artists", "id", store.id(1), "pk_artists", "artists.id"),
        ("artists", "name", "'Artist 1'".to_owned(), "uq_artists_name", "artists.name"),
        ("artists", "name_key", "'artist 1'".to_owned(), "uq_artists_name_key", "artists.name_key"),
        (
            "style_profiles",
            "artist_id",
            store.id(1),
            "uq_style_profiles_artist_id",
            "style_profiles.artist_id",
        ),
        (
            "style_embeddings",
            "artist_id",
            store.id(1),
            "pk_style_embeddings",
            "style_embeddings.artist_id",
        ),
    ] {
        let mut row = store.row(table, 2);
        row.iter_mut().find(|(name, _)| *name == column).unwrap().1 = value;
        let sql = insert(table, &row);
        let error = store.try_run(&sql).await.expect_err(&sql).to_string();
        let quoted = format!("\"{postgres}\"");
        let failed = format!("UNIQUE constraint failed: {sqlite}");
        assert!(error.contains(store.pick(&quoted, &failed)), "{sql}: {error}");
    }
}

pub(crate) async fn measures_names_in_characters_and_keys_in_bytes(store: Store) {
    let store = store.migrated().await;
    let name = |length| ("name", format!("'{}'", "𝄞".repeat(length)));
    let key = |length| ("name_key", format!("'{}'", "ß".repeat(length)));

    for (number, field, fits) in
        [(1, name(255), true), (2, name(256), false), (3, key(1024), true), (4, key(1025), false)]
    {
        let mut row = store.row("artists", number);
        row.iter_mut().find(|(column, _)| *column == field.0).unwrap().1 = field.1;
        let outcome = store.try_run(&insert("artists", &row)).await;
        assert_eq!(outcome.is_ok(), fits, "{number}: {outcome:?}");
    }
}

pub(crate) async fn orders_text_by_code_point(store: Store) {
    let store = store.migrated().await;
    let names = ["!!!", "+/-", "AC/DC", "Sigur Rós", "Zed", "a", "beta", "ß", "é", "坂本龍一", "𝄞"];
    for (number, name) in (0_u32..11).zip(names).rev() {
        let mut row = store.row("artists", number);
        for (column, value) in &mut row {
            if column.starts_with("name") {
                *value = format!("'{name}'");
            }
        }
        store.run(&insert("artists", &row)).await;
    }

    for column in ["name", "name_key", "name_search"] {
        let sql = format!("SELECT {column} FROM artists ORDER BY {column}");
        let ordered: Vec<String> = store.all(&sql).await;
        assert_eq!(ordered, names, "{column}");
    }
}

pub(crate) async fn removes_what_belongs_to_a_removed_artist(store: Store) {
    let store = store.migrated().await;
    for number in [1, 2] {
        for table in TABLES {
            store.insert(table, number).await;
        }
    }

    store.run(&format!("DELETE FROM artists WHERE id = {}", store.id(1))).await;

    for table in ["artists", "style_profiles", "style_embeddings", "research_sources"] {
        assert_eq!(store.one::<i64>(&format!("SELECT count(*) FROM {table}")).await, 1, "{table}");
    }
    // History is an account: it outlives the artist, and is not touched.
    let history = "SELECT count(DISTINCT artist_id) FROM generation_history";
    assert_eq!(store.one::<i64>(history).await, 2);
}
