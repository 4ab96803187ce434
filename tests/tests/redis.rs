//! The service with a Redis: shared by instances, away, wrong, and back.

#[path = "redis/binary.rs"]
mod binary;
#[path = "redis/eviction.rs"]
mod eviction;
#[path = "redis/limits.rs"]
mod limits;
#[path = "redis/shared.rs"]
mod shared;
