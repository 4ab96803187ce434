//! The schema on PostgreSQL, in a database of each test's own.
//!
//! `GROOVEBASE_TEST_POSTGRES_URL` names a server with pgvector and a superuser on it. Without it the
//! tests fail; they are never skipped.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is tests, but clippy only knows functions marked as such"
)]

mod suite;

#[path = "postgres/environment.rs"]
mod environment;
#[path = "postgres/fixture.rs"]
mod fixture;
#[path = "postgres/order.rs"]
mod order;
#[path = "postgres/partitions.rs"]
mod partitions;

suite::suite!(crate::fixture::with_store);

/// The same, for the owner of a schema with an awkward name, who may not create extensions: they are
/// in another schema. Sessions default to a stricter isolation.
mod schema_of_its_own {
    crate::suite::suite!(crate::fixture::with_schema_of_its_own);
}
