//! What is in a database, and dropping it.

use sea_orm_migration::{
    prelude::{ConnectionTrait, DbErr},
    sea_orm::{DbBackend, Statement},
};

/// The tables and views, ours or not, in the order of their names.
pub(super) async fn tables(connection: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    let query = if connection.get_database_backend() == DbBackend::Postgres {
        format!(
            "SELECT relname::text FROM pg_class AS object
             WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
               AND relnamespace = to_regnamespace(quote_ident(current_schema()))
               AND {}
             ORDER BY relname",
            not_of_an_extension("pg_class")
        )
    } else {
        r"SELECT name FROM sqlite_schema
          WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\_%' ESCAPE '\'
          ORDER BY name"
            .to_owned()
    };
    strings(connection, query).await
}

/// Drops all there is in the file or in the current schema.
pub(super) async fn drop_everything(connection: &impl ConnectionTrait) -> Result<(), DbErr> {
    let statements = if connection.get_database_backend() == DbBackend::Postgres {
        drop_postgres()
    } else {
        // Checked at the commit, when the tables at both ends of a key are gone.
        connection.execute_unprepared("PRAGMA defer_foreign_keys = ON").await?;
        drop_sqlite()
    };
    for statement in strings(connection, statements).await? {
        connection.execute_unprepared(&statement).await?;
    }
    Ok(())
}

/// A query for the statements. Each drops what depends on its object as well, so that later ones may
/// find theirs gone. Sequences come after tables, because an identity column's goes only with its
/// table; otherwise the order is free.
fn drop_postgres() -> String {
    format!(
        "SELECT statement FROM (
             SELECT CASE relkind WHEN 'S' THEN 2 ELSE 1 END AS place, format(
                 'DROP %s IF EXISTS %I.%I CASCADE',
                 CASE relkind
                     WHEN 'v' THEN 'VIEW'
                     WHEN 'm' THEN 'MATERIALIZED VIEW'
                     WHEN 'f' THEN 'FOREIGN TABLE'
                     WHEN 'S' THEN 'SEQUENCE'
                     ELSE 'TABLE'
                 END,
                 current_schema(), relname
             ) AS statement
             FROM pg_class AS object
             WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
               AND relnamespace = to_regnamespace(quote_ident(current_schema()))
               AND {class}
             UNION ALL
             SELECT 3, format(
                 'DROP ROUTINE IF EXISTS %I.%I(%s) CASCADE',
                 current_schema(), proname, pg_get_function_identity_arguments(oid)
             )
             FROM pg_proc AS object
             WHERE pronamespace = to_regnamespace(quote_ident(current_schema())) AND {procedure}
             UNION ALL
             SELECT 4, format('DROP TYPE IF EXISTS %I.%I CASCADE', current_schema(), typname)
             FROM pg_type AS object
             WHERE typnamespace = to_regnamespace(quote_ident(current_schema()))
               AND typtype IN ('c', 'd', 'e', 'r')
               AND (typrelid = 0 OR EXISTS (
                   SELECT FROM pg_class WHERE pg_class.oid = typrelid AND relkind = 'c'
               ))
               AND {kind}
         ) AS drops
         ORDER BY place",
        class = not_of_an_extension("pg_class"),
        procedure = not_of_an_extension("pg_proc"),
        kind = not_of_an_extension("pg_type"),
    )
}

/// A condition on the row `object` of a catalog.
fn not_of_an_extension(catalog: &str) -> String {
    format!(
        "NOT EXISTS (
             SELECT FROM pg_depend
             WHERE classid = '{catalog}'::regclass AND objid = object.oid AND deptype = 'e'
         )"
    )
}

/// A query for the statements: triggers first, lest they fire; virtual tables before the tables
/// they keep themselves in, which go with them.
fn drop_sqlite() -> String {
    r#"SELECT 'DROP ' || type || ' IF EXISTS "' || replace(name, '"', '""') || '"'
       FROM sqlite_schema
       WHERE type IN ('trigger', 'view', 'table') AND name NOT LIKE 'sqlite\_%' ESCAPE '\'
       ORDER BY
           CASE type WHEN 'trigger' THEN 1 WHEN 'view' THEN 2 ELSE 3 END,
           sql NOT LIKE 'CREATE VIRTUAL%'"#
        .to_owned()
}

async fn strings(connection: &impl ConnectionTrait, query: String) -> Result<Vec<String>, DbErr> {
    let statement = Statement::from_string(connection.get_database_backend(), query);
    let rows = connection.query_all_raw(statement).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}
