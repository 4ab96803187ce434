//! The history that a database had before its generations were accounted for, and the sums.

use groovebase_migration::Steps;

use super::{Store, insert};

const CELLS: [&str; 6] = [
    "generation_rollups",
    "generation_rollup_pending",
    "generation_rollup_log",
    "generation_artist_rollups",
    "generation_artist_pending",
    "retired_generations",
];

/// A time of the history: as PostgreSQL reads it, in SQLite's microseconds, and the quarter of an
/// hour and the month that it is in.
type Time = (&'static str, i64, i64, i64);

#[rustfmt::skip]
const TIMES: [Time; 9] = [
    // The last of a year, in UTC; elsewhere it may be the next.
    ("2025-12-31 23:59:59.999999Z", 1_767_225_599_999_999, 1_767_224_700_000_000, 1_764_547_200_000_000),
    ("2026-01-01 00:00:00Z", 1_767_225_600_000_000, 1_767_225_600_000_000, 1_767_225_600_000_000),
    // Before 1970: the last of a quarter, the first of one, and within one.
    ("1969-12-31 23:59:59.999999Z", -1, -900_000_000, -2_678_400_000_000),
    ("1969-12-31 23:45:00Z", -900_000_000, -900_000_000, -2_678_400_000_000),
    ("1969-12-31 23:44:59.999999Z", -900_000_001, -1_800_000_000, -2_678_400_000_000),
    // The first of a month before 1970, and the microsecond before it, which is in another month.
    ("1969-12-01 00:00:00Z", -2_678_400_000_000, -2_678_400_000_000, -2_678_400_000_000),
    ("1969-11-30 23:59:59.999999Z", -2_678_400_000_001, -2_679_300_000_000, -5_270_400_000_000),
    ("0001-01-01 00:00:00Z", -62_135_596_800_000_000, -62_135_596_800_000_000, -62_135_596_800_000_000),
    // The last of a February with a leap day.
    ("2024-02-29 23:59:59.999999Z", 1_709_251_199_999_999, 1_709_250_300_000_000, 1_706_745_600_000_000),
];

/// The changes before this one, and a history: two entries by an artist, the others by nobody.
async fn given(store: &Store) {
    let schema = store.schema().await;
    schema.up(Some(8)).await.unwrap();
    schema.close().await.unwrap();
    store.insert("artists", 1).await;
    for (number, (text, micros, _, _)) in (1_u32..).zip(TIMES) {
        let (artist, tokens, cost) = match number {
            1 => (store.id(1), "34", "1000000000000000"),
            2 => (store.id(1), "NULL", "NULL"),
            3 => ("NULL".to_owned(), "4294967295", "1999999999"),
            _ => ("NULL".to_owned(), "0", "0"),
        };
        let time = if store.is_postgres() { format!("'{text}'") } else { micros.to_string() };
        let row = [
            ("id", store.id(number)),
            ("artist_id", artist),
            ("provider_used", format!("'provider {}'", number % 2)),
            ("generation_time_ms", (number * 1000).to_string()),
            ("tokens_used", tokens.to_owned()),
            ("cost", cost.to_owned()),
            ("user_params", format!(r#"'{{"take": {number}}}'"#)),
            ("output_files", format!(r#"'["{number}.mid"]'"#)),
            ("created_at", time),
        ];
        store.run(&insert("generation_history", &row)).await;
    }
}

async fn up(store: &Store) {
    let schema = store.schema().await;
    assert_eq!(schema.up(Some(1)).await.unwrap(), ["m20261121_000009_account_for_generations"]);
    schema.close().await.unwrap();
}

async fn down(store: &Store) {
    let schema = store.schema().await;
    assert_eq!(schema.down(Steps::N(1)).await.unwrap().len(), 1);
    schema.close().await.unwrap();
}

/// The tables in the database's words; SQLite's are those of the statement, however it was written.
async fn description(store: &Store) -> String {
    let schema = store.schema().await;
    let description = schema.describe().await.unwrap();
    schema.close().await.unwrap();
    if store.is_postgres() {
        return description;
    }
    description.chars().filter(|letter| !letter.is_whitespace() && *letter != '"').collect()
}

/// Microseconds since 1970, in a column.
fn micros(store: &Store, column: &str) -> String {
    let postgres = format!("(extract(epoch FROM {column}) * 1000000)::bigint");
    if store.is_postgres() { postgres } else { column.to_owned() }
}

/// What was there before this change, a line for each row.
async fn history(store: &Store) -> Vec<String> {
    let id = store.pick("replace(id::text, '-', '')", "lower(hex(id))");
    let artist = store.pick("replace(artist_id::text, '-', '')", "lower(hex(artist_id))");
    let sql = format!(
        "SELECT {id} || ' ' || coalesce({artist}, '') || ' ' || provider_used || ' '
             || generation_time_ms || ' ' || coalesce(tokens_used, -1) || ' ' || coalesce(cost, -1)
             || ' ' || user_params || ' ' || output_files || ' ' || {}
         FROM generation_history ORDER BY id",
        micros(store, "created_at")
    );
    store.all(&sql).await
}

pub(crate) async fn keeps_the_history_it_finds(store: Store) {
    given(&store).await;
    let before = history(&store).await;
    assert_eq!(before.len(), TIMES.len());

    up(&store).await;

    assert_eq!(history(&store).await, before);
    let new = "SELECT count(*) FROM generation_history
               WHERE model IS NULL AND status = 'completed' AND error IS NULL AND CAST(steps AS TEXT) = '[]'
                 AND coalesce(input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
                              reasoning_tokens) IS NULL";
    assert_eq!(store.one::<i64>(new).await, 9);
    if store.is_postgres() {
        let missing: i64 = store
            .one(
                "SELECT count(*) FROM generation_history AS entry
                 FULL JOIN generation_ids AS identity
                     ON identity.id = entry.id AND identity.created_at = entry.created_at
                 WHERE entry.id IS NULL OR identity.id IS NULL",
            )
            .await;
        assert_eq!(missing, 0);
    }
}

pub(crate) async fn goes_back_to_the_history_as_it_was(store: Store) {
    given(&store).await;
    let (before, tables) = (history(&store).await, description(&store).await);
    up(&store).await;
    let accounted = description(&store).await;
    assert_ne!(accounted, tables);

    down(&store).await;
    assert_eq!(description(&store).await, tables);
    assert_eq!(history(&store).await, before);

    up(&store).await;
    assert_eq!(description(&store).await, accounted);
    assert_eq!(history(&store).await, before);
    for pending in ["generation_rollup_pending", "generation_artist_pending"] {
        let count = format!("SELECT count(*) FROM {pending}");
        assert_eq!(store.one::<i64>(&count).await, 9, "{pending}");
    }

    // The artist is kept when it is gone, but a foreign key cannot keep it.
    let artists = "SELECT count(artist_id) FROM generation_history";
    store.run("DELETE FROM artists").await;
    assert_eq!(store.one::<i64>(artists).await, 2);
    down(&store).await;
    assert_eq!(store.one::<i64>(artists).await, 0);
    assert_eq!(history(&store).await.len(), 9);
    let error = store
        .try_run(&format!("UPDATE generation_history SET artist_id = {}", store.id(1)))
        .await
        .unwrap_err()
        .to_string();
    let key = store.pick("fk_generation_history_artist_id", "FOREIGN KEY");
    assert!(error.contains(key), "{error}");
}

/// The pending cells of a table, a line for each, by the number of the generation.
async fn pending(store: &Store, table: &str) -> Vec<String> {
    let sql = format!(
        "SELECT {} || ' ' || provider_used || ' [' || model || '] ' || status || ' ' || generations
             || ' ' || time_ms || ' ' || priced || ' ' || cost_dollars || ' ' || cost_nanos || ' '
             || tokens_used || ' ' || (input_tokens + output_tokens + cache_read_tokens
             + cache_write_tokens + reasoning_tokens) || ' ' || coalesce(length(times), -1)
         FROM {table} ORDER BY time_ms",
        micros(store, "starts_at")
    );
    store.all(&sql).await
}

/// The cells of [`given`] that begin where `start` says.
fn expected(start: impl Fn(Time) -> i64) -> Vec<String> {
    let amounts = ["1 1000000 0 34", "0 0 0 0", "1 1 999999999 4294967295"];
    (1..)
        .zip(TIMES)
        .map(|(number, time)| {
            let amounts = amounts.get(number - 1).unwrap_or(&"1 0 0 0");
            let (start, provider) = (start(time), number % 2);
            format!("{start} provider {provider} [] completed 1 {number}000 {amounts} 0 -1")
        })
        .collect()
}

pub(crate) async fn puts_what_it_finds_into_quarters_of_an_hour(store: Store) {
    given(&store).await;

    up(&store).await;

    let quarters = expected(|(_, _, quarter, _)| quarter);
    assert_eq!(pending(&store, "generation_rollup_pending").await, quarters);
}

pub(crate) async fn puts_what_it_finds_into_months_of_artists(store: Store) {
    given(&store).await;

    up(&store).await;

    let months = expected(|(_, _, _, month)| month);
    assert_eq!(pending(&store, "generation_artist_pending").await, months);
    // Nobody has an identity of zeros.
    let artist = store.pick("replace(artist_id::text, '-', '')", "lower(hex(artist_id))");
    let sql = format!("SELECT {artist} FROM generation_artist_pending ORDER BY time_ms");
    let artists: Vec<String> = store.all(&sql).await;
    let expected: Vec<String> =
        (1..=TIMES.len()).map(|number| format!("{:032x}", u8::from(number <= 2))).collect();
    assert_eq!(artists, expected);
    // What is folded already is nothing yet.
    for table in ["generation_rollups", "generation_artist_rollups", "retired_generations"] {
        let count = format!("SELECT count(*) FROM {table}");
        assert_eq!(store.one::<i64>(&count).await, 0, "{table}");
    }
}

pub(crate) async fn accepts_valid_cells(store: Store) {
    let store = store.migrated().await;
    for table in CELLS {
        store.insert(table, 1).await;
        store.insert(table, 2).await;

        for change in [
            "generations = 1, times = NULL",
            "generations = 0, times = EMPTY, cost_nanos = 999999999",
            "model = '', status = 'failed', time_ms = 9223372036854775807",
            "status = 'cancelled', cost_dollars = 0, cost_nanos = 0",
        ] {
            let change = change.replace("EMPTY", store.pick(r"'\x'", "X''"));
            assert_eq!(store.run(&format!("UPDATE {table} SET {change}")).await, 2);
        }
    }

    // One cell for what tells cells apart; those that are pending are not told apart.
    for table in [
        "generation_rollups",
        "generation_rollup_log",
        "generation_artist_rollups",
        "retired_generations",
    ] {
        let mut row = store.row(table, 1);
        for (column, value) in [("model", "''"), ("status", "'cancelled'")] {
            let field = row.iter_mut().find(|(name, _)| *name == column).unwrap();
            value.clone_into(&mut field.1);
        }
        let error = store.try_run(&insert(table, &row)).await.unwrap_err().to_string();
        let key = format!("pk_{table}");
        assert!(error.contains(store.pick(&key, "UNIQUE constraint failed")), "{error}");
    }
    for (table, widths) in [("generation_rollups", 2..=4), ("generation_artist_rollups", 5..=5)] {
        for width in widths {
            let sql = format!("UPDATE {table} SET width = {width}");
            assert_eq!(store.run(&sql).await, 2);
        }
    }
    // Artists are told apart, and nobody is an artist too; so are the month and all time.
    for (artist, width) in [(0, "5"), (1, "4")] {
        let artist = ("artist_id", store.id(artist));
        let width = ("width", width.to_owned());
        let [model, status] = [("model", "''"), ("status", "'cancelled'")]
            .map(|(column, value)| (column, value.to_owned()));
        let changed = [artist, width, model, status];
        let mut row = store.row("generation_artist_rollups", 1);
        row.retain(|(column, _)| changed.iter().all(|(other, _)| other != column));
        row.extend(changed);
        store.run(&insert("generation_artist_rollups", &row)).await;
    }
}

pub(crate) async fn refuses_invalid_cells(store: Store) {
    let store = store.migrated().await;
    let long = format!("'{}'", "m".repeat(101));
    for table in CELLS {
        store.insert(table, 1).await;
        let mut tried = Vec::new();

        for (column, _) in store.row(table, 1) {
            let mut values = vec!["NULL"];
            match column {
                "width" if table == "generation_artist_rollups" => values.extend(["3", "6"]),
                "width" => values.extend(["0", "5"]),
                "artist_id" => values.push(store.pick("'no identity'", "X'00'")),
                "provider_used" => values.push("''"),
                "model" => values.push(&long),
                "status" => values.extend(["'unheard of'", "''"]),
                "generations" => values.extend(["-1", "1"]),
                "cost_nanos" => values.extend(["-1", "1000000000"]),
                "starts_at" | "fold" | "times" => {}
                _ => values.push("-1"),
            }
            for value in values {
                let sql = format!("UPDATE {table} SET {column} = {value}");
                let error = store.try_run(&sql).await.expect_err(&sql).to_string();
                let named = match (column, value) {
                    ("times", _) | ("generations", "1") => format!("ck_{table}_times"),
                    (_, "NULL") => store.pick("null value", "NOT NULL").to_owned(),
                    ("artist_id", _) if store.is_postgres() => "uuid".to_owned(),
                    ("model", _) if store.is_postgres() => "character varying(100)".to_owned(),
                    _ => format!("ck_{table}_{column}"),
                };
                assert!(error.contains(&named), "{sql}: {error}");
                tried.push(sql);
            }
        }
        assert!(17 <= tried.len(), "{tried:?}");
    }
}

pub(crate) async fn has_one_state(store: Store) {
    let store = store.migrated().await;

    let state = "SELECT id || ' ' || fold || ' ' || trimmed FROM generation_rollup_state";
    assert_eq!(store.one::<String>(state).await, "1 0 0");
    for sql in [
        "INSERT INTO generation_rollup_state (id) VALUES (1)",
        "INSERT INTO generation_rollup_state (id) VALUES (2)",
        "UPDATE generation_rollup_state SET id = 2",
        "UPDATE generation_rollup_state SET fold = NULL",
    ] {
        store.try_run(sql).await.expect_err(sql);
    }
}

pub(crate) async fn tells_pending_cells_apart_for_ever(store: Store) {
    let store = store.migrated().await;
    for table in ["generation_rollup_pending", "generation_artist_pending"] {
        let last = format!("SELECT max(id) FROM {table}");
        store.insert(table, 1).await;
        let first: i64 = store.one(&last).await;

        store.run(&format!("DELETE FROM {table}")).await;
        store.insert(table, 1).await;

        assert!(first < store.one::<i64>(&last).await, "{table}");
    }
}
