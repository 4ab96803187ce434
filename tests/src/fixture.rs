//! Real stores, each test's own.

mod as_application;
mod cached;
mod postgres;
mod sqlite;

use std::sync::Arc;

use domain::{Artists, BulkLoad, SimilarArtists, StyleProfiles, SystemClock};
use migration::Schema;
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DatabaseTransaction,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use storage::{PoolLimits, Store};

pub use as_application::{AsApplication, RoleUrls};
pub use cached::Cached;
pub use postgres::Postgres;
pub use sqlite::Sqlite;

/// A store with an up-to-date schema that nobody else uses.
pub trait Fixture: Sized + Send + Sync {
    /// Makes the database and opens a store in it.
    fn open() -> impl Future<Output = anyhow::Result<Self>> + Send;

    /// Where the database is.
    fn url(&self) -> &str;

    /// Where it is for whoever may do everything.
    fn administrator(&self) -> &str {
        self.url()
    }

    /// The open store.
    fn store(&self) -> &Store;

    /// What is tested on top of a store: its own repositories, unless something stands in front of them.
    fn repositories_of(&self, store: &Store) -> Repositories {
        Repositories {
            artists: store.artists(),
            style_profiles: store.style_profiles(),
            bulk_load: store.bulk_load(),
            similar_artists: store.similar_artists(),
            strict_similar_artists: store.similar_artists(),
        }
    }

    /// The artists to test, in the open store.
    fn artists(&self) -> Arc<dyn Artists> {
        self.repositories_of(self.store()).artists
    }

    /// The style profiles to test, in the open store.
    fn style_profiles(&self) -> Arc<dyn StyleProfiles> {
        self.repositories_of(self.store()).style_profiles
    }

    /// The bulk loads to test, in the open store.
    fn bulk_load(&self) -> Arc<dyn BulkLoad> {
        self.repositories_of(self.store()).bulk_load
    }

    /// The search for similar artists to test, in the open store.
    fn similar_artists(&self) -> Arc<dyn SimilarArtists> {
        self.repositories_of(self.store()).similar_artists
    }

    /// The same, with every answer including what anybody wrote before.
    fn strict_similar_artists(&self) -> Arc<dyn SimilarArtists> {
        self.repositories_of(self.store()).strict_similar_artists
    }

    /// Closes the store and removes the database.
    fn close(self) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Opens the same database once more, as another process would.
    fn another_store(&self) -> impl Future<Output = anyhow::Result<Store>> + Send {
        async { store_at(self.url()).await }
    }

    /// Makes the database refuse every embedding from now on.
    fn refuse_embeddings(&self) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Begins a transaction beside the store that keeps every writer waiting until it ends.
    fn block_writers(&self) -> impl Future<Output = anyhow::Result<DatabaseTransaction>> + Send {
        async { block_writers(self.administrator()).await }
    }

    /// Runs plain SQL beside the store, as a person at a prompt would.
    fn by_hand(&self, sql: &str) -> impl Future<Output = anyhow::Result<()>> + Send {
        by_hand(self.url(), sql)
    }
}

/// The repositories that may have something in front of them.
pub struct Repositories {
    /// The artists.
    pub artists: Arc<dyn Artists>,
    /// The style profiles.
    pub style_profiles: Arc<dyn StyleProfiles>,
    /// The bulk loads.
    pub bulk_load: Arc<dyn BulkLoad>,
    /// The search for similar artists.
    pub similar_artists: Arc<dyn SimilarArtists>,
    /// The same, strictly.
    pub strict_similar_artists: Arc<dyn SimilarArtists>,
}

/// Runs plain SQL in a database, as a person at a prompt would.
pub async fn by_hand(url: &str, sql: &str) -> anyhow::Result<()> {
    let database = plain_connection(url).await?;
    database.execute_unprepared(sql).await?;
    Ok(database.close().await?)
}

/// Begins a transaction in a database that keeps every other writer waiting until it ends.
pub async fn block_writers(url: &str) -> anyhow::Result<DatabaseTransaction> {
    let database = plain_connection(url).await?;
    if url.starts_with("sqlite:") {
        let immediate = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        return Ok(database.begin_with_options(immediate).await?);
    }
    let transaction = database.begin().await?;
    transaction.execute_unprepared("SELECT lock_store_version()").await?;
    Ok(transaction)
}

/// Opens a store in a database that has its schema.
pub async fn store_at(url: &str) -> anyhow::Result<Store> {
    store_with(url, &PoolLimits { kept: 0, most: 10, ..PoolLimits::default() }).await
}

/// Opens a store with limits of its own.
pub async fn store_with(url: &str, limits: &PoolLimits) -> anyhow::Result<Store> {
    Ok(storage::connect(url, limits, Arc::new(SystemClock)).await?)
}

/// Makes the schema in an empty database and opens a store in it.
pub async fn migrated_store_at(url: &str) -> anyhow::Result<Store> {
    Schema::connect(url).await?.up(None).await?;
    store_at(url).await
}

#[expect(clippy::disallowed_methods, reason = "stands for tools that know nothing of the store")]
async fn plain_connection(url: &str) -> anyhow::Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Ok(sea_orm::Database::connect(options).await?)
}
