#![doc = include_str!("../README.md")]

mod access;
mod answers;
mod artists;
mod bulk_load;
mod catalog;
mod coherent;
#[cfg(feature = "redis")]
mod counters;
mod feed;
mod freshness;
mod generation_statistics;
mod key;
mod loads;
mod local;
mod rate_limiter;
mod read_through;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "redis")]
mod sessions;
mod similar_artists;
mod statistics;
mod style_profiles;
mod warming;

pub use access::{
    FreshKey, InvalidAccessSecret, KeyHasher, KeyRefusal, Keyring, KeyringStatus, NoRandomness,
};
pub use answers::{Answers, AnswersStatus};
pub use artists::CachedArtists;
pub use bulk_load::CachedBulkLoad;
#[cfg(feature = "redis")]
pub use counters::{CounterError, Counters};
pub use feed::{Feed, FeedStatus};
pub use freshness::{Bounds, Freshness, Read, Tier};
pub use generation_statistics::{
    Dimensions, GenerationStatistics, GroupSums, RollupKeeper, RollupKeeperStatus,
    StatisticsQuestion, StatisticsStatus,
};
pub use key::{
    InvalidKey, InvalidNamespace, Lifetime, LifetimeOutOfRange, MAX_KEY_BYTES, Namespace,
};
pub use rate_limiter::{
    Decider, Decision, InvalidRateLimit, InvalidTake, LeasingRateLimiter, RateLimit, RateLimiter,
    RateLimiterStatistics,
};
pub use read_through::{ReadThrough, ReadThroughError};
#[cfg(fuzzing)]
pub use redis::fuzzing;
#[cfg(feature = "redis")]
pub use redis::keyspace::{
    Keyspace, KeyspaceError, KeyspaceStatistics, MAX_VALUE_BYTES, PrefixRemoval,
};
#[cfg(feature = "redis")]
pub use redis::{
    InvalidRedisSettings, Redis, RedisAway, RedisFailures, RedisHealth, RedisSettings,
    RedisStatistics, RedisStyleProfiles, RedisTrouble, SharedProfileStatistics,
    UnreadableEnvelopes,
};
#[cfg(feature = "redis")]
pub use sessions::{InvalidSessionLifetimes, MAX_SESSION_BYTES, SessionError, Sessions};
pub use similar_artists::{
    CachedSimilarArtists, IndexState, SearchCounts, SearchSource, SimilarRead, SimilaritySettings,
    SimilarityStatus,
};
pub use statistics::TierStatistics;
pub use style_profiles::{
    CachedProfile, CachedStyleProfiles, Representation, shared::SharedProfiles,
};
pub use warming::{Warming, WarmingSettings};
