//! What the tools make of a Redis and of a cluster, and of their absence.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what cannot be prepared fails the test that needs it"
)]

#[path = "redis_tools/counters.rs"]
mod counters;
#[path = "redis_tools/given.rs"]
mod given;
#[path = "redis_tools/keyspace.rs"]
mod keyspace;
#[path = "redis_tools/rate_limiter.rs"]
mod rate_limiter;
#[path = "redis_tools/read_through.rs"]
mod read_through;
#[path = "redis_tools/sessions.rs"]
mod sessions;
