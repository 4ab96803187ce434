//! Every contract on PostgreSQL, and what only a server can do.

groovebase_tests::contracts!(groovebase_tests::fixture::Postgres);

#[path = "postgres/connections.rs"]
mod connections;

#[path = "postgres/followers.rs"]
mod followers;
