//! The PostgreSQL roles that a well-run installation uses: one that owns the schema, one for the
//! application, which cannot change it, and one that only reads.

mod rights;

use std::fmt;

use sea_orm_migration::{
    prelude::{ConnectionTrait, DbErr},
    sea_orm::{DatabaseTransaction, DbBackend},
};

pub(crate) use rights::restrict;

/// Everything that is done for the roles, with placeholders for their names and rights.
const SQL: &str = include_str!("roles/postgres.sql");

/// PostgreSQL's limit on a name, in bytes.
const MAX_NAME_BYTES: usize = 63;

/// One role: its name, and its password if that is to be set.
///
/// The password is kept as the server keeps it, from which nobody learns it: so it cannot get into
/// the server's log, nor into a file that the statements are written to.
#[derive(Clone)]
pub struct Role {
    name: String,
    verifier: Option<String>,
}

impl Role {
    /// A role of this name. Without a password the one it has stays.
    pub fn new(name: &str, password: Option<&str>) -> Result<Self, InvalidRole> {
        let is_usable = !name.is_empty()
            && name.len() <= MAX_NAME_BYTES
            && !name.chars().any(char::is_control)
            && !name.starts_with("pg_")
            // They stand for something in the statements that the name is put into.
            && !name.contains(['$', '%'])
            // Names that mean somebody else where a role is named.
            && !matches!(name, "public" | "none" | "current_user" | "session_user" | "current_role");
        if !is_usable {
            return Err(InvalidRole::Name { name: name.to_owned() });
        }
        if password.is_some_and(|password| password.is_empty() || password.contains('\0')) {
            return Err(InvalidRole::Password { name: name.to_owned() });
        }
        let verifier = password
            .map(|password| postgres_protocol::password::scram_sha_256(password.as_bytes()));
        Ok(Self { name: name.to_owned(), verifier })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Role").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The three roles.
#[derive(Debug, Clone)]
pub struct Roles {
    owner: Role,
    application: Role,
    readonly: Role,
}

/// Why roles cannot be made as asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRole {
    /// No role can be called that, or it means something else.
    #[error(
        "'{name}' cannot be the name of a role: it has 1 to {MAX_NAME_BYTES} bytes, does not begin \
         with pg_, and is no reserved word"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// No password can be that.
    #[error("the password of '{name}' is empty or holds a zero byte")]
    Password {
        /// Whose it is.
        name: String,
    },
    /// Two roles have one name.
    #[error("the roles must be three, and '{name}' is named twice")]
    Twice {
        /// The name.
        name: String,
    },
}

impl Roles {
    /// The roles of an installation; their names must differ.
    pub fn new(owner: Role, application: Role, readonly: Role) -> Result<Self, InvalidRole> {
        if owner.name == application.name || owner.name == readonly.name {
            return Err(InvalidRole::Twice { name: owner.name });
        }
        if application.name == readonly.name {
            return Err(InvalidRole::Twice { name: application.name });
        }
        Ok(Self { owner, application, readonly })
    }

    /// The statements, to be run in the database in one transaction, as an administrator.
    #[must_use]
    pub fn sql(&self) -> String {
        let Self { owner, application, readonly } = self;
        let mut sql = SQL
            .replace("%owner%", &literal(&owner.name))
            .replace("%application%", &literal(&application.name))
            .replace("%readonly%", &literal(&readonly.name))
            .replace("%exceptions%", &rights::exceptions())
            .replace("%rights%", rights::USUAL);
        for Role { name, verifier } in [owner, application, readonly] {
            if let Some(verifier) = verifier {
                let (name, verifier) = (quoted(name), literal(verifier));
                sql += &["ALTER ROLE ", &name, " PASSWORD ", &verifier, ";\n"].concat();
            }
        }
        sql
    }

    /// The same as a script, which needs nothing but `psql`.
    #[must_use]
    pub fn script(&self) -> String {
        format!("BEGIN;\n\n{}\nCOMMIT;\n", self.sql())
    }
}

/// Makes the roles, or brings them up to date.
pub(crate) async fn make(transaction: &DatabaseTransaction, roles: &Roles) -> Result<(), DbErr> {
    debug_assert_eq!(transaction.get_database_backend(), DbBackend::Postgres);
    transaction.execute_unprepared(&roles.sql()).await?;
    Ok(())
}

fn literal(text: &str) -> String {
    let escaped = text.replace('\'', "''");
    // A backslash means itself, whatever the server is set to.
    if escaped.contains('\\') {
        format!("E'{}'", escaped.replace('\\', "\\\\"))
    } else {
        format!("'{escaped}'")
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(name: &str) -> Role {
        Role::new(name, None).unwrap()
    }

    #[test]
    fn names_are_three_and_usable() {
        for wrong in ["", "pg_owner", "public", "two\nlines", &"x".repeat(64)] {
            assert!(matches!(Role::new(wrong, None), Err(InvalidRole::Name { .. })), "{wrong:?}");
        }
        assert!(matches!(Role::new("a", Some("")), Err(InvalidRole::Password { .. })));
        for (owner, application, readonly) in [("a", "a", "b"), ("a", "b", "a"), ("b", "a", "a")] {
            let twice = Roles::new(role(owner), role(application), role(readonly));
            assert_eq!(twice.unwrap_err(), InvalidRole::Twice { name: "a".to_owned() });
        }
    }

    #[test]
    fn a_password_is_nowhere_to_be_seen() {
        let role = |name| Role::new(name, Some("hunter2")).unwrap();

        let roles = Roles::new(role("o'wner\\"), role("app\"lication"), role("readonly")).unwrap();

        let script = roles.script();
        assert!(!script.contains("hunter2") && !format!("{roles:?}").contains("hunter2"));
        assert_eq!(script.matches("PASSWORD 'SCRAM-SHA-256$").count(), 3);
        assert!(script.contains("E'o''wner\\\\'") && script.contains("\"app\"\"lication\""));
        assert!(!script.contains('%') || !script.contains("%owner%"), "{script}");
    }
}
