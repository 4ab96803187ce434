//! What the schema does on either database. Each target brings a way to make a [`Store`].

pub(crate) mod account;
pub(crate) mod changes;
pub(crate) mod checks;
pub(crate) mod versions;

use groovebase_migration::Schema;
use sea_orm_migration::sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement, TryGetable,
};

/// Makes each test of the suite a test of the target, on a store of its own.
macro_rules! suite {
    ($with_store:path) => {
        $crate::suite::suite! { @each $with_store, changes:
            applies_reverts_and_applies_again
            reverts_one_change_at_a_time
            applies_as_many_as_asked
            says_what_is_pending_without_writing
            refuses_a_database_newer_than_itself
            changes_nothing_when_a_change_fails
            concurrent_runs_apply_each_change_once
            fresh_fills_an_empty_database
            fresh_refuses_a_database_with_tables
            fresh_drops_everything_on_consent
            never_repeats_versions_after_a_way_back
            describes_its_tables
        }
        $crate::suite::suite! { @each $with_store, checks:
            accepts_valid_rows
            refuses_invalid_rows
            refuses_names_and_keys_that_are_taken
            measures_names_in_characters_and_keys_in_bytes
            orders_text_by_code_point
            removes_what_belongs_to_a_removed_artist
        }
        $crate::suite::suite! { @each $with_store, account:
            keeps_the_history_it_finds
            goes_back_to_the_history_as_it_was
            puts_what_it_finds_into_quarters_of_an_hour
            puts_what_it_finds_into_months_of_artists
            accepts_valid_cells
            refuses_invalid_cells
            has_one_state
            tells_pending_cells_apart_for_ever
        }
        $crate::suite::suite! { @each $with_store, versions:
            every_change_to_an_artist_moves_its_version
            every_change_to_a_profile_moves_its_artist
            every_change_to_an_embedding_moves_its_artist
            a_row_moved_to_another_artist_moves_both
            research_and_history_move_nothing
            a_version_set_by_hand_is_replaced
            a_removed_artist_leaves_its_key
            a_renamed_artist_leaves_its_old_key_first
            an_artist_made_again_is_newer_than_its_removal
            statements_on_many_rows_give_each_its_own
            upserts_and_replacements_count
            versions_are_never_repeated
        }
    };
    (@each $with_store:path, $module:ident: $($name:ident)*) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    $with_store(crate::suite::$module::$name).await;
                }
            )*
        }
    };
}
pub(crate) use suite;

/// An empty database and a connection to it that goes around [`Schema`].
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) url: String,
    pub(crate) db: DatabaseConnection,
}

impl Store {
    pub(crate) async fn schema(&self) -> Schema {
        Schema::connect(&self.url).await.unwrap()
    }

    /// The store with all changes applied.
    pub(crate) async fn migrated(self) -> Self {
        let schema = self.schema().await;
        schema.up(None).await.unwrap();
        schema.close().await.unwrap();
        self
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.db.get_database_backend() == DbBackend::Postgres
    }

    pub(crate) fn pick<'a>(&self, postgres: &'a str, sqlite: &'a str) -> &'a str {
        if self.is_postgres() { postgres } else { sqlite }
    }

    pub(crate) async fn try_run(&self, sql: &str) -> Result<u64, DbErr> {
        Ok(self.db.execute_unprepared(sql).await?.rows_affected())
    }

    pub(crate) async fn run(&self, sql: &str) -> u64 {
        self.try_run(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The first column of all rows.
    pub(crate) async fn all<T: TryGetable>(&self, sql: &str) -> Vec<T> {
        let statement = Statement::from_string(self.db.get_database_backend(), sql);
        let rows = self.db.query_all_raw(statement).await;
        let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
        rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
    }

    /// The only column of the only row.
    pub(crate) async fn one<T: TryGetable>(&self, sql: &str) -> T {
        let mut values = self.all(sql).await;
        assert_eq!(values.len(), 1, "{sql}");
        values.remove(0)
    }

    /// The literal of an identity.
    pub(crate) fn id(&self, number: u32) -> String {
        let hex = format!("{number:032x}");
        if self.is_postgres() { format!("'{hex}'") } else { format!("X'{hex}'") }
    }

    /// The literal of a vector.
    pub(crate) fn embedding(&self, value: u8) -> String {
        if self.is_postgres() {
            format!("array_fill({value}, ARRAY[384])::real[]::vector")
        } else {
            format!("CAST(replace(hex(zeroblob(384)), '00', 'abc{}') AS BLOB)", value % 10)
        }
    }

    /// The literal of a moment.
    pub(crate) fn time(&self) -> &'static str {
        if self.is_postgres() { "'2026-11-21 12:00:00.123456Z'" } else { "1795262400123456" }
    }

    /// A valid row: columns and the literals of their values.
    pub(crate) fn row(&self, table: &str, number: u32) -> Vec<(&'static str, String)> {
        let id = self.id(number);
        let time = self.time().to_owned();
        let text = |text: &str| format!("'{text}'");
        match table {
            "artists" => vec![
                ("id", id),
                ("name", format!("'Artist {number}'")),
                ("name_key", format!("'artist {number}'")),
                ("name_search", format!("'artist {number}'")),
                ("research_status", text("pending")),
                ("sources_count", "0".to_owned()),
                ("confidence_score", "0.5".to_owned()),
                ("created_at", time.clone()),
                ("last_updated", time),
            ],
            "style_profiles" => vec![
                ("id", id.clone()),
                ("artist_id", id),
                ("text_description", text("laid back")),
                ("tempo_min", "80".to_owned()),
                ("tempo_max", "100".to_owned()),
                ("tempo_avg", "90".to_owned()),
                ("swing_percent", "55".to_owned()),
                ("ghost_note_prob", "0.3".to_owned()),
                ("syncopation_level", "0.4".to_owned()),
                ("velocity_mean", "80".to_owned()),
                ("velocity_std", "12".to_owned()),
                ("midi_templates", text("[]")),
                ("confidence_score", "0.5".to_owned()),
                ("sources_papers", "0".to_owned()),
                ("sources_articles", "0".to_owned()),
                ("sources_audio", "0".to_owned()),
                ("sources_midi", "0".to_owned()),
                ("created_at", time.clone()),
                ("updated_at", time),
            ],
            "style_embeddings" => vec![("artist_id", id), ("embedding", self.embedding(1))],
            "research_sources" => vec![
                ("id", id.clone()),
                ("artist_id", id),
                ("source_type", text("paper")),
                ("extracted_data", text("{}")),
                ("confidence", "0.5".to_owned()),
                ("collected_at", time),
            ],
            "generation_history" => vec![
                ("id", id.clone()),
                ("artist_id", id),
                ("provider_used", text("local")),
                ("model", text("small")),
                ("status", text("failed")),
                ("error", text("out of tune")),
                ("generation_time_ms", "12".to_owned()),
                ("tokens_used", "34".to_owned()),
                ("input_tokens", "20".to_owned()),
                ("output_tokens", "14".to_owned()),
                ("cache_read_tokens", "5".to_owned()),
                ("cache_write_tokens", "6".to_owned()),
                ("reasoning_tokens", "7".to_owned()),
                ("cost", "56".to_owned()),
                ("user_params", text("{}")),
                ("output_files", text("[]")),
                ("steps", text("[]")),
                // PostgreSQL has a partition for the current month, whichever it is.
                ("created_at", self.pick("now()", self.time()).to_owned()),
            ],
            "generation_rollups" => keyed("width", "1".to_owned(), self.cell(number)),
            "generation_rollup_log" => keyed("fold", "1".to_owned(), self.cell(number)),
            "generation_artist_rollups" => {
                keyed("artist_id", id, keyed("width", "4".to_owned(), self.cell(number)))
            }
            "retired_generations" | "generation_artist_pending" => {
                keyed("artist_id", id, self.cell(number))
            }
            "generation_rollup_pending" => self.cell(number),
            _ => panic!("no table {table}"),
        }
    }

    /// Sums over two generations by a provider of the number's own.
    fn cell(&self, number: u32) -> Vec<(&'static str, String)> {
        let count = |column| (column, number.to_string());
        vec![
            ("starts_at", self.pick("'2026-11-21 12:00:00Z'", "1795262400000000").to_owned()),
            ("provider_used", format!("'local {number}'")),
            ("model", "'small'".to_owned()),
            ("status", "'completed'".to_owned()),
            ("generations", "2".to_owned()),
            count("time_ms"),
            count("priced"),
            count("cost_dollars"),
            count("cost_nanos"),
            count("tokens_used"),
            count("input_tokens"),
            count("output_tokens"),
            count("cache_read_tokens"),
            count("cache_write_tokens"),
            count("reasoning_tokens"),
            ("times", self.pick(r"'\x0102'", "X'0102'").to_owned()),
        ]
    }

    pub(crate) async fn insert(&self, table: &str, number: u32) {
        self.run(&insert(table, &self.row(table, number))).await;
    }

    /// The version of an artist.
    pub(crate) async fn version(&self, number: u32) -> i64 {
        self.one(&format!("SELECT version FROM artists WHERE id = {}", self.id(number))).await
    }

    /// The version as of which a key was removed.
    pub(crate) async fn removal(&self, key: &str) -> Option<i64> {
        let sql = format!("SELECT version FROM removed_artists WHERE name_key = '{key}'");
        self.all(&sql).await.pop()
    }

    /// The highest version a reader can see.
    pub(crate) async fn last_version(&self) -> i64 {
        let versions: Vec<i64> = self
            .all("SELECT version FROM artists UNION ALL SELECT version FROM removed_artists")
            .await;
        versions.into_iter().max().unwrap_or(0)
    }
}

/// A row of a cell after a column of the table's own.
fn keyed(
    column: &'static str,
    value: String,
    cell: Vec<(&'static str, String)>,
) -> Vec<(&'static str, String)> {
    std::iter::once((column, value)).chain(cell).collect()
}

/// The statement that inserts a row.
pub(crate) fn insert(table: &str, row: &[(&str, String)]) -> String {
    let columns: Vec<&str> = row.iter().map(|(column, _)| *column).collect();
    let values: Vec<&str> = row.iter().map(|(_, value)| value.as_str()).collect();
    format!("INSERT INTO {table} ({}) VALUES ({})", columns.join(", "), values.join(", "))
}
