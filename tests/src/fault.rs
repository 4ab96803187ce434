//! Servers that a test may kill, and a network that it may break.
//!
//! Each server is the test's own: its process, its port, its files. All of it is gone when the value is dropped, or
//! when the test's process ends in whichever way. The programs are found by `cargo xtask test`; without it, or where
//! there is nothing but an address or a container, starting a server is an error that says what is missing.

mod certificates;
mod keeper;
mod port;
mod postgres_server;
mod proxy;
mod redis_cluster;
mod redis_server;

pub use deadpool_redis::redis;
pub use postgres_server::PostgresServer;
pub use proxy::{Direction, Proxy};
pub use redis_cluster::RedisCluster;
pub use redis_server::{RedisServer, RedisSetup, Snapshot};
