//! Every contract on PostgreSQL, those of the repositories once more behind the caches, and what only a server can do.

groovebase_tests::contracts!(groovebase_tests::fixture::Postgres);

mod cached {
    groovebase_tests::contracts!(
        groovebase_tests::fixture::Cached<groovebase_tests::fixture::Postgres>,
        repositories
    );
}

/// The same as the role that the service should have.
mod as_application {
    groovebase_tests::contracts!(groovebase_tests::fixture::AsApplication);
}

#[path = "postgres/connections.rs"]
mod connections;

#[path = "postgres/followers.rs"]
mod followers;

#[path = "postgres/outages.rs"]
mod outages;

#[path = "postgres/roles.rs"]
mod roles;

#[path = "postgres/starting.rs"]
mod starting;

#[path = "postgres/vector_index.rs"]
mod vector_index;
