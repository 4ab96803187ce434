//! Every contract on Postgres.

groovebase_tests::contracts!(groovebase_tests::fixture::Postgres);
