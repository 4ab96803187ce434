//! Every contract on SQLite, and those of the repositories once more behind the caches.

groovebase_tests::contracts!(groovebase_tests::fixture::Sqlite);

mod cached {
    groovebase_tests::contracts!(
        groovebase_tests::fixture::Cached<groovebase_tests::fixture::Sqlite>,
        repositories
    );
}
