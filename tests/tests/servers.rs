//! The servers that tests may kill: each does what it is told, and nothing is left of it. And a disk that may be full.

#[path = "servers/deployment.rs"]
mod deployment;
#[path = "servers/full_disk.rs"]
mod full_disk;
#[path = "servers/left_behind.rs"]
mod left_behind;
#[path = "servers/postgres.rs"]
mod postgres;
#[path = "servers/redis.rs"]
mod redis;
#[path = "servers/redis_cluster.rs"]
mod redis_cluster;
