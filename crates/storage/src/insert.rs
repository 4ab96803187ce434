//! Writing many rows with few statements.

#[cfg(feature = "sqlite")]
use futures::future;
#[cfg(feature = "postgres")]
use sea_orm::sqlx;
#[cfg(feature = "sqlite")]
use sea_orm::{ActiveModelTrait, DbBackend, EntityName, EntityTrait, IdenStatic, Iterable};
use sea_orm::{ConnectionTrait, Statement, Value};

use crate::{error::Failure, store::Backend};

/// A statement for PostgreSQL beside the ORM, with what is bound to it.
#[cfg(feature = "postgres")]
pub(crate) type PostgresQuery<'q> =
    sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

/// Rows of one statement at most.
const MOST_ROWS: usize = 512;

/// The same for rows of the ORM. A statement with more takes longer to make and to prepare than it saves.
#[cfg(feature = "sqlite")]
pub(crate) const MOST_MODELS: usize = 64;

/// Inserts rows. `columns` has as many as each row, `conflict` ends the statement.
///
/// Statements have a power of two of rows, so that few different ones are prepared on each connection.
pub(crate) async fn insert(
    database: &impl ConnectionTrait,
    backend: Backend,
    (table, columns, conflict): (&str, &str, &str),
    rows: Vec<impl IntoIterator<Item = Value>>,
) -> Result<(), Failure> {
    let before = format!("INSERT INTO {table} ({columns}) VALUES");
    with_rows(database, backend, (&before, columns.split(',').count(), conflict), rows).await
}

/// Runs statements that say something, then rows of so many values, then something else.
pub(crate) async fn with_rows(
    database: &impl ConnectionTrait,
    backend: Backend,
    (before, width, after): (&str, usize, &str),
    rows: Vec<impl IntoIterator<Item = Value>>,
) -> Result<(), Failure> {
    let most = (most_values(backend) / width).min(MOST_ROWS);
    let mut rows = rows.into_iter();
    while rows.len() != 0 {
        let count = power_of_two(rows.len().min(most));
        let sql = format!("{before} {} {after}", placeholders(backend, count, width));
        let values: Vec<Value> = rows.by_ref().take(count).flatten().collect();
        let statement =
            Statement::from_sql_and_values(database.get_database_backend(), sql, values);
        database.execute_raw(statement).await?;
    }
    Ok(())
}

/// Inserts rows of the ORM, `conflict` ends the statement. All rows have the columns of the first.
///
/// The ORM would make an expression of each value, and the text of each statement anew, which takes half as long as SQLite
/// does to run it.
#[cfg(feature = "sqlite")]
pub(crate) async fn insert_models<A: ActiveModelTrait>(
    database: &impl ConnectionTrait,
    rows: Vec<A>,
    conflict: &str,
) -> Result<(), Failure> {
    type Column<A> = <<A as ActiveModelTrait>::Entity as EntityTrait>::Column;

    let Some(first) = rows.first() else { return Ok(()) };
    let columns: Vec<Column<A>> =
        Column::<A>::iter().filter(|&column| !first.is_not_set(column)).collect();
    let names: Vec<&str> = columns.iter().map(IdenStatic::as_str).collect();
    let before =
        format!("INSERT INTO {} ({}) VALUES", A::Entity::default().table_name(), names.join(", "));
    let mut rows = rows.into_iter();
    let mut statement = || {
        let count = power_of_two(rows.len().min(MOST_MODELS));
        let mut values = Vec::with_capacity(count * columns.len());
        for mut row in rows.by_ref().take(count) {
            for &column in &columns {
                // What a row lacks is NULL, which a column that has to be there refuses.
                values.push(row.take(column).into_value().unwrap_or(Value::Int(None)));
            }
        }
        let places = placeholders(Backend::Sqlite, count, columns.len());
        let sql = format!("{before} {places} {conflict}");
        (count != 0).then(|| Statement::from_sql_and_values(DbBackend::Sqlite, sql, values))
    };
    let mut next = statement();
    while let Some(now) = next {
        // SQLite has a thread of its own, which runs one statement while the next one is made.
        let ran;
        (ran, next) = future::join(database.execute_raw(now), async { statement() }).await;
        ran?;
    }
    Ok(())
}

/// How many values a statement binds at most.
const fn most_values(backend: Backend) -> usize {
    match backend {
        Backend::Postgres => 65_535,
        Backend::Sqlite => 32_766,
    }
}

/// The largest power of two that is not above a number.
pub(crate) const fn power_of_two(number: usize) -> usize {
    if number == 0 { 0 } else { 1 << number.ilog2() }
}

/// Such as `($1,$2),($3,$4)` for two rows of two columns.
///
/// SQLite looks up the name of each parameter among all of them, so there they have none.
pub(crate) fn placeholders(backend: Backend, rows: usize, columns: usize) -> String {
    let mut text = String::with_capacity(rows * columns * 3);
    for row in 0..rows {
        for column in 1..=columns {
            text.push(if column == 1 { '(' } else { ',' });
            match backend {
                Backend::Postgres => {
                    text.push('$');
                    text.push_str(&(row * columns + column).to_string());
                }
                Backend::Sqlite => text.push('?'),
            }
        }
        text.push_str(if row + 1 == rows { ")" } else { ")," });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_place() {
        assert_eq!(placeholders(Backend::Postgres, 2, 3), "($1,$2,$3),($4,$5,$6)");
        assert_eq!(placeholders(Backend::Sqlite, 2, 3), "(?,?,?),(?,?,?)");
    }

    #[test]
    fn statements_have_a_power_of_two_of_rows() {
        assert_eq!([0, 1, 2, 3, 511, 512].map(power_of_two), [0, 1, 2, 2, 256, 512]);
    }
}
