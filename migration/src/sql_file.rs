//! Changes that are written in SQL.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{DbBackend, Statement},
};

/// Runs a file, on PostgreSQL with the name of the schema in the place of `%schema%`, and in the place of each other
/// placeholder a literal that names a relation of the schema.
///
/// A trigger runs under the search path of whoever caused it, so its functions must name the schema.
/// Writing it into them costs nothing when they run; a `SET search_path` on each would be paid for
/// every row.
pub(crate) async fn run(
    manager: &SchemaManager<'_>,
    sql: &str,
    relations: &[(&str, &str)],
) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    if manager.get_database_backend() != DbBackend::Postgres {
        connection.execute_unprepared(sql).await?;
        return Ok(());
    }

    let text = async |query: &str, values: Vec<Value>| -> Result<String, DbErr> {
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, query, values);
        let row = connection.query_one_raw(statement).await?;
        row.ok_or_else(|| DbErr::RecordNotFound("current schema".to_owned()))?.try_get_by(0)
    };
    let mut sql = sql.to_owned();
    for &(placeholder, relation) in relations {
        let query = "SELECT quote_literal(quote_ident(current_schema()) || '.' || $1)";
        sql = sql.replace(placeholder, &text(query, vec![relation.into()]).await?);
    }
    let schema = text("SELECT quote_ident(current_schema())", Vec::new()).await?;
    connection.execute_unprepared(&sql.replace("%schema%", &schema)).await?;
    Ok(())
}
