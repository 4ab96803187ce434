//! What the application may do with each table.

use sea_orm_migration::{prelude::ConnectionTrait, sea_orm::DbErr};

/// What the application may do with a table that no row below names.
pub(super) const USUAL: &str = "SELECT, INSERT, UPDATE, DELETE";

/// A table with which others than the owner may do less than usual.
struct Exception {
    table: &'static str,
    /// What the application may do with it.
    application: &'static [&'static str],
    /// Whether whoever only reads may not.
    is_private: bool,
}

/// A new one is a row here, and nothing else.
const EXCEPTIONS: &[Exception] = &[
    // Which changes of the schema are applied is for whoever applies them to say.
    Exception { table: "seaql_migrations", application: &["SELECT"], is_private: false },
    // What is remembered of writes is added to and stays as it is. Who did what is for admins to know.
    Exception { table: "audit_log", application: &["SELECT", "INSERT"], is_private: true },
    // A key is revoked, never removed.
    Exception { table: "api_keys", application: &["SELECT", "INSERT", "UPDATE"], is_private: true },
];

/// The exceptions as rows of `VALUES`: the name, the application's rights, whether it is private.
pub(super) fn exceptions() -> String {
    let row = |exception: &Exception| {
        let Exception { table, application, is_private } = exception;
        format!("('{table}', '{}', {is_private})", application.join(", "))
    };
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
                 FROM (VALUES {}) AS exception (name, rights, is_private)
                 JOIN pg_class c ON c.relname = exception.name
                     AND c.relnamespace = quote_ident(current_schema())::regnamespace
                 CROSS JOIN aclexplode(c.relacl) AS a
                 JOIN pg_roles r ON r.oid = a.grantee AND r.oid <> c.relowner
                 WHERE pg_has_role(c.relowner, 'USAGE')
                     AND (
                         a.privilege_type <> ALL (string_to_array(exception.rights, ', '))
                         -- Whoever may not write is the one who only reads.
                         OR exception.is_private AND a.privilege_type = 'SELECT'
                             AND NOT has_table_privilege(a.grantee, c.oid, 'INSERT')
                     )
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
