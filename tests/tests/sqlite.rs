//! Every contract on Sqlite.

groovebase_tests::contracts!(groovebase_tests::fixture::Sqlite);
