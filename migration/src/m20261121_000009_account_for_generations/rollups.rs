//! Tables of sums over generations. What they hold is called a cell: the sums over the generations
//! of one span of time that have the provider, the model and the outcome in common.

use sea_orm_migration::prelude::*;

use crate::column::Dialect;

/// The table and what it is.
const TABLES: [(&str, &str); 7] = [
    (
        "generation_rollups",
        "Sums over generations by quarter of an hour (width 1), hour (2), UTC day (3) and UTC \
         month (4), complete but for what is pending.",
    ),
    (
        "generation_rollup_pending",
        "Sums over a quarter of an hour that are not in generation_rollups yet, as they came in.",
    ),
    ("generation_rollup_log", "What each fold added to generation_rollups, by quarter of an hour."),
    (
        "generation_rollup_state",
        "One row: the last fold of pending sums, and the last fold trimmed from the log.",
    ),
    (
        "generation_artist_rollups",
        "Sums over the generations of an artist by UTC month (width 4) and over all time (width 5, \
         as if from 1970), complete but for what is pending; the artist is all zeros where there \
         was none.",
    ),
    (
        "generation_artist_pending",
        "Sums over the UTC month of an artist that are not in generation_artist_rollups yet, as \
         they came in.",
    ),
    (
        "retired_generations",
        "Sums over the generations that retention dropped from the history, for an artist and a \
         quarter of an hour each; the artist is all zeros where there was none.",
    ),
];

/// What a cell counts. Sums of tokens are of those that are known.
const COUNTS: [&str; 11] = [
    "generations",
    "time_ms",
    "priced",
    "cost_dollars",
    "cost_nanos",
    "tokens_used",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
];

/// Within a span, what tells a cell from another.
const KEY: [&str; 4] = ["starts_at", "provider_used", "model", "status"];

pub(super) async fn create(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = Dialect::of(manager.get_database_backend());

    let width = || dialect.smallint("width").not_null().take();
    let mut rollups = keyed(dialect, "generation_rollups", [width()]);
    rollups.check(("ck_generation_rollups_width", Expr::cust("width IN (1, 2, 3, 4)")));
    manager.create_table(rollups).await?;
    manager.create_table(pending(dialect, "generation_rollup_pending", None)).await?;

    let fold = dialect.bigint("fold").not_null().take();
    manager.create_table(keyed(dialect, "generation_rollup_log", [fold])).await?;

    let name = "generation_artist_rollups";
    let artist = dialect.id("artist_id", "ck_generation_artist_rollups_artist_id");
    let mut rollups = keyed(dialect, name, [artist, width()]);
    rollups.check(("ck_generation_artist_rollups_width", Expr::cust("width IN (4, 5)")));
    manager.create_table(rollups).await?;
    // The key finds what belongs to an artist, this the artists of a month.
    let by_time = Index::create()
        .name("idx_generation_artist_rollups_width_starts_at")
        .table(name)
        .col("width")
        .col("starts_at")
        .take();
    manager.create_index(by_time).await?;
    let artist = dialect.id("artist_id", "ck_generation_artist_pending_artist_id");
    manager.create_table(pending(dialect, "generation_artist_pending", Some(artist))).await?;

    manager.create_table(state(dialect)).await?;
    let row = "INSERT INTO generation_rollup_state (id) VALUES (1)";
    manager.get_connection().execute_unprepared(row).await?;

    let artist = dialect.id("artist_id", "ck_retired_generations_artist_id");
    manager.create_table(keyed(dialect, "retired_generations", [artist])).await?;
    let by_time = Index::create()
        .name("idx_retired_generations_starts_at")
        .table("retired_generations")
        .col("starts_at")
        .take();
    manager.create_index(by_time).await?;

    if dialect.is_postgres() {
        for (table, comment) in TABLES {
            let sql = format!("COMMENT ON TABLE {table} IS '{comment}'");
            manager.get_connection().execute_unprepared(&sql).await?;
        }
    }
    Ok(())
}

pub(super) async fn drop(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for (table, _) in TABLES {
        manager.drop_table(Table::drop().table(table).take()).await?;
    }
    Ok(())
}

/// A table of cells that are found by their key, after columns of the table's own.
fn keyed(
    dialect: Dialect,
    name: &'static str,
    first: impl IntoIterator<Item = ColumnDef>,
) -> TableCreateStatement {
    let mut key = Index::create();
    key.name(format!("pk_{name}"));
    let mut table = Table::create();
    table.table(name);
    for column in first {
        key.col(column.get_column_name());
        table.col(column);
    }
    for column in KEY {
        key.col(column);
    }
    cell(dialect, name, &mut table);
    table.primary_key(&mut key);
    if !dialect.is_postgres() {
        // The key is most of a row: beside a row it would be kept twice.
        table.extra("STRICT, WITHOUT ROWID");
    }
    table
}

/// Rows come with every generation and go with the next fold.
fn pending(
    dialect: Dialect,
    name: &'static str,
    artist: Option<ColumnDef>,
) -> TableCreateStatement {
    // In SQLite too an identity is never used again, so that a fold may take all up to the last.
    let before = dialect.pick("GENERATED ALWAYS AS IDENTITY ", "");
    let after = dialect.pick("", " AUTOINCREMENT");
    let identity = format!("{before}CONSTRAINT pk_{name} PRIMARY KEY{after}");
    let mut table = Table::create();
    table.table(name).col(dialect.bigint("id").extra(identity));
    if let Some(artist) = artist {
        table.col(artist);
    }
    cell(dialect, name, &mut table);
    if dialect.is_postgres() {
        // Rows come and go all the time, so that its size says nothing about how many are dead, and
        // every fold has to read past those: vacuum goes by their number and does not pause.
        table.extra(
            "WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, \
             autovacuum_vacuum_cost_delay = 0)",
        );
    }
    dialect.strict(&mut table);
    table
}

fn state(dialect: Dialect) -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table("generation_rollup_state")
        .col(dialect.smallint("id").not_null())
        .col(dialect.bigint("fold").not_null().default(0))
        .col(dialect.bigint("trimmed").not_null().default(0))
        .primary_key(Index::create().name("pk_generation_rollup_state").col("id"))
        .check(("ck_generation_rollup_state_id", Expr::cust("id = 1")));
    dialect.strict(&mut table);
    table
}

/// Adds the columns of a cell, and what holds for them.
fn cell(dialect: Dialect, name: &str, table: &mut TableCreateStatement) {
    table
        .col(dialect.time("starts_at"))
        .col(dialect.varchar("provider_used", 50).not_null())
        // A key cannot be NULL: no model is the empty text.
        .col(dialect.varchar("model", 100).not_null().default(""))
        .col(dialect.varchar("status", 20).not_null());
    for column in COUNTS {
        table.col(dialect.bigint(column).not_null());
    }
    table.col(dialect.bytes("times").null());

    let mut check = |column: &str, condition: &str| {
        table.check((format!("ck_{name}_{column}"), Expr::cust(condition.to_owned())));
    };
    check("provider_used", "length(provider_used) BETWEEN 1 AND 50");
    check("model", "length(model) <= 100");
    check("status", "status IN ('completed', 'failed', 'cancelled')");
    for column in COUNTS {
        match column {
            "cost_nanos" => check(column, "cost_nanos BETWEEN 0 AND 999999999"),
            _ => check(column, &format!("{column} >= 0")),
        }
    }
    // The histogram of one time is that time.
    check("times", "(times IS NULL) = (generations = 1)");
}
