//! The schema on SQLite, in a file of each test's own.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is tests, but clippy only knows functions marked as such"
)]

mod suite;

use std::{fs, future::Future};

use groovebase_migration::{Consent, MigrationError, Schema, Steps};
use sea_orm_migration::sea_orm::{
    SqlxSqliteConnector,
    sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use suite::{Store, changes::NAMES};

async fn with<F>(recursive_triggers: &'static str, test: impl FnOnce(Store) -> F)
where
    F: Future<Output = ()>,
{
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true)
        .foreign_keys(true)
        .pragma("recursive_triggers", recursive_triggers);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let db = SqlxSqliteConnector::from_sqlx_sqlite_pool(pool);
    test(Store { url: format!("sqlite://{}", path.display()), db }).await;
}

async fn with_store<F: Future<Output = ()>>(test: impl FnOnce(Store) -> F) {
    with("OFF", test).await;
}

/// Tools may turn them on.
async fn with_recursive_triggers<F: Future<Output = ()>>(test: impl FnOnce(Store) -> F) {
    with("ON", test).await;
}

suite::suite!(crate::with_store);

mod recursive_triggers {
    super::suite::suite!(crate::with_recursive_triggers);
}

#[tokio::test]
async fn makes_a_missing_file_unless_told_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.db");
    let url = format!("sqlite://{}", path.display());

    let error = Schema::connect(&format!("{url}?mode=rw")).await.unwrap_err();
    assert!(matches!(error, MigrationError::Connect(_)), "{error:?}");
    assert!(!path.exists());

    let schema = Schema::connect(&url).await.unwrap();
    assert_eq!(schema.up(None).await.unwrap(), NAMES);
    schema.close().await.unwrap();
    assert_eq!(fs::read(&path).unwrap()[18..20], [2, 2], "the file is not in WAL mode");
}

#[tokio::test]
async fn tells_the_status_of_a_file_opened_for_reading() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("store.db").display());
    let schema = Schema::connect(&url).await.unwrap();
    schema.up(Some(5)).await.unwrap();
    schema.close().await.unwrap();

    let schema = Schema::connect(&format!("{url}?mode=ro")).await.unwrap();

    assert_eq!(schema.pending().await.unwrap(), NAMES[5..]);
    let error = schema.up(None).await.unwrap_err();
    assert!(matches!(error, MigrationError::Database(_)), "{error:?}");
}

#[tokio::test]
async fn works_in_memory() {
    let schema = Schema::connect("sqlite://:memory:").await.unwrap();
    assert_eq!(schema.fresh(Consent::EmptyOnly).await.unwrap(), NAMES);
    assert_eq!(schema.fresh(Consent::DropEverything).await.unwrap(), NAMES);
    assert_eq!(schema.down(Steps::All).await.unwrap().len(), NAMES.len());
}

#[tokio::test]
async fn refuses_urls_of_other_databases_without_repeating_them() {
    for url in ["mysql://me:secret@host/db", "secret", "", "file.db", "Postgres://me:secret@host"] {
        let error = Schema::connect(url).await.unwrap_err();
        assert!(matches!(error, MigrationError::UnsupportedUrl), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
}

#[tokio::test]
async fn never_repeats_a_password() {
    for url in [
        "postgres://me:secret@127.0.0.1:1/db",
        "postgresql://me:secret@127.0.0.1:port/db",
        "postgres://me:secret@[::bad/db",
        "postgres://me:secret@/db?sslmode=secret-mode",
        "postgres://me@127.0.0.1:1/db?password=secret",
    ] {
        let error = Schema::connect(url).await.unwrap_err();
        let is_told = matches!(error, MigrationError::Connect(_) | MigrationError::Away(_));
        assert!(is_told, "{error:?}");
        let mut text = format!("{error} {error:?}");
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            text = format!("{text} {cause} {cause:?}");
            source = cause.source();
        }
        assert!(!text.replace("secret-mode", "").contains("secret"), "{text}");
    }
}
