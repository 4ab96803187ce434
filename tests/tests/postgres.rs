//! Every contract on PostgreSQL, those of the repositories once more behind the caches, and what only a server can do.

groovebase_tests::contracts!(groovebase_tests::fixture::Postgres);

mod cached {
    groovebase_tests::contracts!(
        groovebase_tests::fixture::Cached<groovebase_tests::fixture::Postgres>,
        repositories
    );
}

/// The service, and what else writes in a way of its own, as the role that it should have.
mod as_application {
    use groovebase_tests::contracts;

    contracts!(groovebase_tests::fixture::AsApplication, service);
    contracts! { groovebase_tests::fixture::AsApplication;
        changes: { a_follower_hears_of_every_commit, }
        commands: {
            an_export_is_imported_to_the_same_bytes, generations_are_imported_to_the_same_bytes,
            a_synthetic_history_can_be_loaded,
        }
        bulk_load: { replaces_only_what_differs, takes_thousands, }
        generations: { everything_is_paged_by_time, a_removed_artist_leaves_its_entries, }
        rollups: {
            folding_changes_no_sum, rebuilding_repairs, rebuilding_beside_recording_is_exact,
            retired_generations_stay_in_every_sum, nothing_is_missing_while_months_go,
        }
    }
}

#[path = "postgres/connections.rs"]
mod connections;

#[path = "postgres/followers.rs"]
mod followers;

#[path = "postgres/outages.rs"]
mod outages;

#[path = "postgres/reading.rs"]
mod reading;

#[path = "postgres/roles.rs"]
mod roles;

#[path = "postgres/slow_statements.rs"]
mod slow_statements;

#[path = "postgres/starting.rs"]
mod starting;

#[path = "postgres/tls.rs"]
mod tls;

#[path = "postgres/vector_index.rs"]
mod vector_index;
