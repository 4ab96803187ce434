//! Importing artists as a user does, beside putting the same rows into the same tables and indexes.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rusqlite::{Connection, OpenFlags, params_from_iter, types::Value};
use tempfile::TempDir;

use crate::bench::{
    figures::Figures,
    pairs::{Pair, Pairs},
    programs::output,
    row::{Bound, Promise, Row},
    servers::sql,
    site::Site,
};
use crate::services::postgres_program;

pub(super) const NAME_ON_SQLITE: &str = "import-sqlite";
pub(super) const NAME_OF_MANY_ON_SQLITE: &str = "import-sqlite-many";
pub(super) const NAME_ON_POSTGRES: &str = "import-postgres";
pub(super) const NAME_OF_MANY_ON_POSTGRES: &str = "import-postgres-many";

/// What an import fills, in the order in which rows refer to each other.
const TABLES: [&str; 4] = ["artists", "style_profiles", "style_embeddings", "research_sources"];

pub(super) fn on_sqlite(site: &mut Site) -> anyhow::Result<Row> {
    sqlite(site, NAME_ON_SQLITE, site.extent.artists)
}

pub(super) fn many_on_sqlite(site: &mut Site) -> anyhow::Result<Row> {
    sqlite(site, NAME_OF_MANY_ON_SQLITE, site.extent.many)
}

pub(super) fn on_postgres(site: &mut Site) -> anyhow::Result<Row> {
    postgres(site, NAME_ON_POSTGRES, site.extent.artists)
}

pub(super) fn many_on_postgres(site: &mut Site) -> anyhow::Result<Row> {
    postgres(site, NAME_OF_MANY_ON_POSTGRES, site.extent.many)
}

fn sqlite(site: &mut Site, name: &'static str, count: usize) -> anyhow::Result<Row> {
    let (artists, full) = (site.artists(count)?, site.sqlite(count)?);
    let pairs = Pairs::taken(site.extent.long_turns, || {
        let subject = site.import(&site.empty_sqlite("imported")?, &artists)?;
        let limit = inserted(&full, &site.empty_sqlite("inserted")?)?;
        Ok(pair(count, subject, limit))
    })?;
    Ok(Row {
        name,
        what: format!("import, {count} artists, SQLite"),
        subject: pairs.subject(),
        against: "bare inserts of the same rows in one transaction".to_owned(),
        limit: pairs.limit(),
        promises: vec![Promise::of_limit("rate", &pairs, |it| it.rate, Bound::AtLeast(0.5))],
    })
}

fn postgres(site: &mut Site, name: &'static str, count: usize) -> anyhow::Result<Row> {
    let (artists, full) = (site.artists(count)?, site.postgres(count)?);
    let rows = TempDir::with_prefix("groovebase-rows-")?;
    copy(&full, rows.path(), "", |table, file| {
        format!("\\copy {table} TO '{file}' (FORMAT binary)")
    })?;
    let pairs = Pairs::taken(site.extent.long_turns, || {
        let empty = site.empty_postgres("imported")?;
        let subject = site.import(&empty, &artists)?;
        site.servers()?.remove(&empty)?;
        let empty = site.empty_postgres("copied")?;
        // Without triggers and without looking whether references are good.
        let began = Instant::now();
        let bare = "SET session_replication_role = replica;\n";
        copy(&empty, rows.path(), bare, |table, file| {
            format!("\\copy {table} FROM '{file}' (FORMAT binary)")
        })?;
        // An import does this as well, since an index that was made for no rows finds next to nothing.
        sql(&empty, "REINDEX TABLE style_embeddings")?;
        let limit = began.elapsed();
        site.servers()?.remove(&empty)?;
        Ok(pair(count, subject, limit))
    })?;
    Ok(Row {
        name,
        what: format!("import, {count} artists, PostgreSQL"),
        subject: pairs.subject(),
        against: "raw COPY of the same rows, and the index of embeddings".to_owned(),
        limit: pairs.limit(),
        promises: vec![Promise::of_limit("rate", &pairs, |it| it.rate, Bound::AtLeast(0.6))],
    })
}

fn pair(count: usize, subject: Duration, limit: Duration) -> Pair {
    #[expect(clippy::cast_precision_loss, reason = "nobody imports 2^53 artists")]
    let rate = |took: Duration| Figures::of_rate(count as f64 / took.as_secs_f64());
    Pair { subject: rate(subject), limit: rate(limit) }
}

/// Copies each table to a file or from one, on one connection.
fn copy(
    url: &str,
    folder: &Path,
    first: &str,
    line: impl Fn(&str, &str) -> String,
) -> anyhow::Result<()> {
    let mut script = first.to_owned();
    for table in TABLES {
        let file = folder.join(table);
        script
            .push_str(&line(table, file.to_str().context("the temporary folder's name is UTF-8")?));
        script.push('\n');
    }
    let file = folder.join("script.sql");
    fs::write(&file, script)?;
    let mut psql = postgres_program("psql")?;
    psql.args(["--no-psqlrc", "--no-password", "--quiet", "--set=ON_ERROR_STOP=1", "--file"]);
    output(psql.arg(file).arg(url)).map(drop)
}

/// How long it takes to put all rows of one database into another one, row by row with a statement for each table, and with
/// nothing that would look at them.
fn inserted(from: &str, to: &str) -> anyhow::Result<Duration> {
    let [from, to] = [from, to].map(|url| url.trim_start_matches("sqlite://"));
    let from = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let tables = TABLES.map(|table| Ok::<_, anyhow::Error>((table, rows(&from, table)?)));
    let tables = tables.into_iter().collect::<Result<Vec<_>, _>>()?;

    let mut to = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    to.pragma_update(None, "foreign_keys", false)?;
    let triggers = "SELECT 'DROP TRIGGER ' || name FROM sqlite_master WHERE type = 'trigger'";
    let triggers: Vec<String> =
        to.prepare(triggers)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    to.execute_batch(&triggers.join(";"))?;
    let began = Instant::now();
    let transaction = to.transaction()?;
    for (table, rows) in &tables {
        let Some(width) = rows.first().map(Vec::len) else { continue };
        let places = vec!["?"; width].join(", ");
        let mut insert = transaction.prepare(&format!("INSERT INTO {table} VALUES ({places})"))?;
        for row in rows {
            insert.execute(params_from_iter(row))?;
        }
    }
    transaction.commit()?;
    Ok(began.elapsed())
}

/// All rows of a table.
fn rows(database: &Connection, table: &str) -> anyhow::Result<Vec<Vec<Value>>> {
    let mut select = database.prepare(&format!("SELECT * FROM {table}"))?;
    let width = select.column_count();
    let rows = select.query_map([], |row| (0..width).map(|column| row.get(column)).collect())?;
    Ok(rows.collect::<Result<_, _>>()?)
}
