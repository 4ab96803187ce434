//! Columns that are spelled differently in the two databases and must behave the same.
//!
//! Released migrations use these, so what a function here produces never changes; a new spelling is
//! a new function.

use sea_orm_migration::{
    prelude::{ColumnDef, Expr, IntoIden, TableCreateStatement},
    sea_orm::DbBackend,
};

/// Spells columns and tables for one database.
#[derive(Clone, Copy)]
pub(crate) struct Dialect {
    backend: DbBackend,
}

impl Dialect {
    pub(crate) fn of(backend: DbBackend) -> Self {
        Self { backend }
    }

    pub(crate) fn is_postgres(self) -> bool {
        self.backend == DbBackend::Postgres
    }

    /// One of two spellings.
    pub(crate) fn pick(self, postgres: &'static str, sqlite: &'static str) -> &'static str {
        if self.is_postgres() { postgres } else { sqlite }
    }

    /// The identity of a row.
    pub(crate) fn id(self, name: impl IntoIden, constraint: &'static str) -> ColumnDef {
        let name = name.into_iden();
        let mut column = self.uuid(name.clone());
        if !self.is_postgres() {
            column.check((constraint, Expr::cust(format!("length({name}) = 16"))));
        }
        column.not_null().take()
    }

    /// A UUID. In SQLite its 16 bytes, which is what the driver binds: half the size of its text,
    /// and in the same order.
    pub(crate) fn uuid(self, name: impl IntoIden) -> ColumnDef {
        self.column(name, "uuid", "BLOB")
    }

    /// Text that is compared or ordered. PostgreSQL would order by the database's locale, SQLite
    /// orders by code point: `C` makes both do the latter.
    pub(crate) fn text(self, name: impl IntoIden) -> ColumnDef {
        self.column(name, r#"text COLLATE "C""#, "TEXT")
    }

    /// Text of a limited length, ordered by code point. SQLite ignores a limit, so the table needs a
    /// check as well.
    pub(crate) fn varchar(self, name: impl IntoIden, limit: u32) -> ColumnDef {
        self.column(name, &format!(r#"varchar({limit}) COLLATE "C""#), "TEXT")
    }

    /// A moment. In SQLite microseconds since the Unix epoch, the resolution PostgreSQL keeps: the
    /// text that drivers write for times does not sort (fractions of different length, offsets), and
    /// pages are ordered by time.
    pub(crate) fn time(self, name: impl IntoIden) -> ColumnDef {
        self.column(name, "timestamptz", "INTEGER").not_null().take()
    }

    /// A JSON document; SQLite refuses other text with the constraint, PostgreSQL with the type.
    pub(crate) fn json(self, name: impl IntoIden, constraint: &'static str) -> ColumnDef {
        let name = name.into_iden();
        let mut column = self.column(name.clone(), "jsonb", "TEXT");
        if !self.is_postgres() {
            column.check((constraint, Expr::cust(format!("json_valid({name})"))));
        }
        column
    }

    /// A floating-point number. A check's upper bound also refuses NaN: it is above every number in
    /// PostgreSQL, and SQLite stores it as NULL.
    pub(crate) fn double(self, name: impl IntoIden) -> ColumnDef {
        self.column(name, "double precision", "REAL")
    }

    /// A count up to `most`, zero unless given.
    pub(crate) fn count(
        self,
        name: impl IntoIden,
        most: u32,
        constraint: &'static str,
    ) -> ColumnDef {
        let name = name.into_iden();
        let check = Expr::cust(format!("{name} BETWEEN 0 AND {most}"));
        self.column(name, "integer", "INTEGER")
            .not_null()
            .default(0)
            .check((constraint, check))
            .take()
    }

    pub(crate) fn smallint(self, name: impl IntoIden) -> ColumnDef {
        self.column(name, "smallint", "INTEGER")
    }

    pub(crate) fn bigint(self, name: impl IntoIden) -> ColumnDef {
        self.column(name, "bigint", "INTEGER")
    }

    pub(crate) fn bytes(self, name: impl IntoIden) -> ColumnDef {
        self.column(name, "bytea", "BLOB")
    }

    /// Makes the types of SQLite's columns binding. Without it a hand edit can store text in a
    /// number's place, where every comparison with a lower bound then holds.
    pub(crate) fn strict(self, table: &mut TableCreateStatement) {
        if !self.is_postgres() {
            table.extra("STRICT");
        }
    }

    fn column(self, name: impl IntoIden, postgres: &str, sqlite: &str) -> ColumnDef {
        let spelling = if self.is_postgres() { postgres } else { sqlite };
        ColumnDef::new(name).custom(spelling.to_owned()).take()
    }
}
