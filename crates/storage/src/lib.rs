#![doc = include_str!("../README.md")]

mod api_keys;
mod artists;
mod audit_log;
mod bulk_load;
mod changes;
mod connect;
mod entity;
mod error;
mod generations;
mod group_commit;
mod insert;
mod query_statistics;
mod research_sources;
mod rollups;
mod similar_artists;
mod slow_statements;
mod store;
mod style_profiles;
mod style_vectors;
mod suggestions;
#[cfg(feature = "postgres")]
mod vector_index;

pub use connect::{ConnectError, PoolLimits, connect, connect_later};
pub use query_statistics::{
    Operation, QueryDurations, QueryError, QueryErrors, QueryStatistics, Table,
};
pub use rollups::{Accounts, Difference, Drift, Retired};
pub use store::{Backend, PoolUse, Probe, Store};
#[cfg(feature = "postgres")]
pub use vector_index::{
    BuildProgress, StoredVectorIndex, VectorIndex, VectorIndexError, VectorIndexKind,
    VectorIndexParameters, VectorIndexStatus,
};

#[cfg(not(any(feature = "postgres", feature = "sqlite")))]
compile_error!("choose at least one of the features `postgres` and `sqlite`");
