//! Placeholder signatures; being written.
#![allow(missing_docs, clippy::all, clippy::pedantic, clippy::todo)]
use std::{sync::Arc, time::Duration};
use domain::Clock;

#[derive(Debug, Clone)]
pub struct PoolLimits { pub kept: u32, pub most: u32, pub acquire_timeout: Duration, pub statement_timeout: Duration }
impl Default for PoolLimits { fn default() -> Self { Self { kept: 10, most: 30, acquire_timeout: Duration::from_secs(5), statement_timeout: Duration::from_secs(30) } } }

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    #[error("the database URL must begin with sqlite:// or postgres://")]
    UnsupportedUrl,
    #[error("the database URL is malformed")]
    MalformedUrl(#[source] Arc<dyn std::error::Error + Send + Sync>),
    #[error("cannot connect to the database")]
    Unreachable(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

/// Opens the store at `url`.
pub async fn connect(url: &str, limits: &PoolLimits, clock: Arc<dyn Clock>) -> Result<Store, ConnectError> { let _ = (url, limits, clock); todo!() }

#[derive(Clone)]
pub struct Store;
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend { Postgres, Sqlite }
/// Connections of the pool.
#[derive(Debug, Clone, Copy)]
pub struct PoolUse { pub active: u32, pub idle: u32, pub most: u32 }

impl Store {
    pub fn backend(&self) -> Backend { todo!() }
    pub async fn ping(&self) -> Result<(), domain::RepositoryError> { todo!() }
    pub fn pool_use(&self) -> PoolUse { todo!() }
    pub async fn close(&self) { todo!() }
    pub fn artists(&self) -> Arc<dyn domain::Artists> { todo!() }
    pub fn style_profiles(&self) -> Arc<dyn domain::StyleProfiles> { todo!() }
    pub fn research_sources(&self) -> Arc<dyn domain::ResearchSources> { todo!() }
    pub fn similar_artists(&self) -> Arc<dyn domain::SimilarArtists> { todo!() }
    pub fn generations(&self) -> Arc<dyn domain::Generations> { todo!() }
    pub fn changes(&self) -> Arc<dyn domain::Changes> { todo!() }
    pub fn bulk_load(&self) -> Arc<dyn domain::BulkLoad> { todo!() }
}
