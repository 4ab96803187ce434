//! What the Redis tier makes of a Redis, of a cluster, and of whatever else may answer in their place.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what cannot be prepared fails the test that needs it"
)]

#[path = "redis_tier/client.rs"]
mod client;
#[path = "redis_tier/cluster.rs"]
mod cluster;
#[path = "redis_tier/given.rs"]
mod given;
#[path = "redis_tier/profiles.rs"]
mod profiles;
#[path = "redis_tier/reads.rs"]
mod reads;
#[path = "redis_tier/refusals.rs"]
mod refusals;
#[path = "redis_tier/sentinel.rs"]
mod sentinel;
#[path = "redis_tier/stand_in.rs"]
mod stand_in;
#[path = "redis_tier/tls.rs"]
mod tls;
