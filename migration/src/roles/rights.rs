//! What the application may do with each table.

use sea_orm_migration::{prelude::ConnectionTrait, sea_orm::DbErr};

/// What the application may do with a table that no row below names.
pub(super) const USUAL: &str = "SELECT, INSERT, UPDATE, DELETE";

/// The tables with which the application may do less. A new one is a row here, and nothing else.
const EXCEPTIONS: &[(&str, &[&str])] = &[
    // Which changes of the schema are applied is for whoever applies them to say.
    ("seaql_migrations", &["SELECT"]),
    // What is remembered of writes is added to, and stays as it is.
    ("audit_log", &["SELECT", "INSERT"]),
    // A key is revoked, never removed.
    ("api_keys", &["SELECT", "INSERT", "UPDATE"]),
];

/// The exceptions as rows of `VALUES`.
pub(super) fn exceptions() -> String {
    let row = |(table, rights): &(&str, &[&str])| format!("('{table}', '{}')", rights.join(", "));
    EXCEPTIONS.iter().map(row).collect::<Vec<_>>().join(", ")
}

/// Takes from everybody but the owner what nobody else may do with the tables named above.
///
/// A new table has the usual rights by default as soon as it is made, whoever they are for: the
/// names of roles are not known here.
pub(crate) async fn restrict(connection: &impl ConnectionTrait) -> Result<(), DbErr> {
    let sql = format!(
        "DO $groovebase$
         DECLARE
             excess record;
         BEGIN
             FOR excess IN
                 SELECT c.oid::regclass AS name, a.privilege_type AS privilege, r.rolname AS grantee
                 FROM (VALUES {}) AS exception (name, rights)
                 JOIN pg_class c ON c.relname = exception.name
                     AND c.relnamespace = quote_ident(current_schema())::regnamespace
                 CROSS JOIN aclexplode(c.relacl) AS a
                 JOIN pg_roles r ON r.oid = a.grantee AND r.oid <> c.relowner
                 WHERE a.privilege_type <> ALL (string_to_array(exception.rights, ', '))
                     AND pg_has_role(c.relowner, 'USAGE')
             LOOP
                 EXECUTE format(
                     'REVOKE %s ON %s FROM %I', excess.privilege, excess.name, excess.grantee
                 );
             END LOOP;
         END
         $groovebase$",
        exceptions()
    );
    connection.execute_unprepared(&sql).await?;
    Ok(())
}
