//! The schema in words that a database says of itself.

use std::fmt::Write as _;

use sea_orm_migration::{
    prelude::ConnectionTrait,
    sea_orm::{self, DbBackend, DbErr, FromQueryResult, Statement},
};

use super::RECORD;

/// A line of a description: what it belongs to, which of its sections, and what it says.
#[derive(Debug, FromQueryResult)]
struct Line {
    owner: String,
    section: String,
    text: String,
}

/// Sections come in the order of their numbers, columns in that of the table, everything else by
/// name. Partitions are left out: they are as their table is, and which there are depends on the
/// date.
const POSTGRES: &str = "
    WITH tables AS (
      SELECT c.oid, c.relname FROM pg_class c
      WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND c.relkind IN ('r', 'p')
        AND NOT c.relispartition AND c.relname <> $1
    ),
    lines AS (
      SELECT t.relname AS owner, 1 AS rank, 'columns' AS section, a.attnum AS place,
        '`' || a.attname || '` ' || format_type(a.atttypid, a.atttypmod)
        || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
        || coalesce(' default `' || pg_get_expr(d.adbin, d.adrelid) || '`', '')
        || coalesce(': ' || col_description(t.oid, a.attnum), '') AS text
      FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum
      UNION ALL
      SELECT t.relname, 2, 'partitions', 0, '`' || pg_get_partkeydef(t.oid) || '`'
      FROM tables t JOIN pg_partitioned_table p ON p.partrelid = t.oid
      UNION ALL
      SELECT t.relname, 3, 'constraints', 0, '`' || k.conname || '` `' || pg_get_constraintdef(k.oid) || '`'
      FROM tables t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype IN ('c', 'f', 'p', 'u')
      UNION ALL
      SELECT t.relname, 4, 'indexes', 0, '`' || pg_get_indexdef(i.indexrelid) || '`'
      FROM tables t JOIN pg_index i ON i.indrelid = t.oid
      WHERE NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid)
      UNION ALL
      SELECT t.relname, 5, 'triggers', 0, '`' || pg_get_triggerdef(g.oid) || '`'
      FROM tables t JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
    )
    SELECT owner, section, text FROM lines ORDER BY owner COLLATE \"C\", rank, place, text COLLATE \"C\"";

const SQLITE: &str = "
    SELECT tbl_name AS owner, type AS section, sql AS text FROM sqlite_master
    WHERE sql IS NOT NULL AND tbl_name <> ? AND tbl_name NOT LIKE 'sqlite!_%' ESCAPE '!'
    ORDER BY tbl_name, CASE type WHEN 'table' THEN 1 WHEN 'index' THEN 2 ELSE 3 END, name";

/// Describes the tables, one heading of the third level for each.
pub(super) async fn describe(connection: &impl ConnectionTrait) -> Result<String, DbErr> {
    let backend = connection.get_database_backend();
    let query = if backend == DbBackend::Postgres { POSTGRES } else { SQLITE };
    let statement = Statement::from_sql_and_values(backend, query, [RECORD.into()]);
    let lines = Line::find_by_statement(statement).all(connection).await?;

    let mut description = String::new();
    let (mut owner, mut section) = (String::new(), String::new());
    for line in lines {
        if line.owner != owner {
            push(&mut description, format_args!("\n### {}\n", line.owner))?;
            owner.clone_from(&line.owner);
            section.clear();
        }
        if backend == DbBackend::Postgres {
            if line.section != section {
                push(&mut description, format_args!("\n{}:\n\n", capitalized(&line.section)))?;
                section = line.section;
            }
            push(&mut description, format_args!("- {}\n", line.text))?;
        } else {
            push(&mut description, format_args!("\n```sql\n{}\n```\n", line.text))?;
        }
    }
    Ok(description)
}

fn push(description: &mut String, text: std::fmt::Arguments<'_>) -> Result<(), DbErr> {
    description.write_fmt(text).map_err(|error| DbErr::Custom(error.to_string()))
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
