#![doc = include_str!("../README.md")]

mod access;
mod artist;
mod audit;
mod author;
mod cursor;
mod generation;
mod id;
mod json;
mod label;
mod limit;
mod repository;
mod research_source;
mod similarity;
mod style_profile;
mod text;
mod time_series;
mod timestamp;
mod version;

pub use access::{
    ApiKey, ApiKeyId, InvalidKeyHash, InvalidKeyText, InvalidPublicKeyId, InvalidQuota, KeyHash,
    KeyLimits, KeySecret, KeyStanding, KeyText, NewApiKey, NoScope, PublicKeyId, Quota, Scope,
    Scopes, UnknownScope, UnknownScopes,
};
pub use artist::{
    Artist, ArtistId, ArtistKey, ArtistName, InvalidArtistName, ResearchStatus, SearchText,
    UnknownStatus,
};
pub use audit::{
    AuditAction, AuditEntry, AuditFilter, AuditRecord, AuditRecordId, AuditSubject,
    UnknownAuditAction,
};
pub use author::{Actor, Author, InvalidRequestId, RequestId};
pub use cursor::{
    ApiKeyCursor, ArtistCursor, AuditCursor, HistoryCursor, InvalidCursor, Page, SourceCursor,
};
pub use generation::{
    Cost, Generation, GenerationDetails, GenerationId, GenerationKind, GenerationStatus,
    GenerationStep, InvalidCost, InvalidProvider, InvalidTimes, Money, NewGeneration, Provider,
    Quarter, QuarterSpan, Sums, Times, TokenSums, Tokens, UnknownGenerationStatus,
};
pub use id::{Id, InvalidId};
pub use json::{InvalidJson, JsonArray, JsonObject};
pub use label::{InvalidLabel, Label};
pub use limit::{Limit, LimitOutOfRange};
pub use repository::{
    ApiKeys, ArtistFilter, Artists, AuditLog, BulkCounts, BulkLoad, Change, ChangeFollower,
    Changes, EntriesReading, EntrySums, Exactness, Expected, FoundArtist, GenerationRollups,
    Generations, HistoryFilter, HistoryPage, KeyChange, Neighbour, Neighbours, ProfileRecord,
    RepositoryError, ResearchSources, Rollup, RollupPosition, RollupReading, RollupSnapshot,
    Rotated, Rotation, SavedProfile, SearchMode, SimilarArtists, StoreState, StyleProfiles,
    StyleVector, StyleVectors, VectorChange,
};
pub use research_source::{
    InvalidResearchSource, NewResearchSource, ResearchSource, ResearchSourceId, SourceLocation,
    SourceType, UnknownSourceType,
};
pub use similarity::{
    Engine, FeelParameter, FeelRange, InvalidFeelRange, Metric, Search, SearchFilter,
    UnknownEngine, UnknownFeelParameter, UnknownMetric, closest_first, direction,
};
pub use style_profile::{
    Confidence, DrumFeel, Embedding, InvalidConfidence, InvalidEmbedding,
    InvalidQuantitativeParams, NewStyleProfile, ParamViolation, QuantitativeParams, SourcesCount,
    StyleProfile, StyleProfileId, TextDescription,
};
pub use text::{InvalidText, Text};
pub use time_series::{
    Bucket, BucketWidth, InvalidTimeRange, TimeRange, TooManyBuckets, UnknownBucketWidth,
    UnknownZone, Zone, buckets, last_buckets,
};
pub use timestamp::{Clock, InvalidTimestamp, SystemClock, Timestamp};
pub use version::{InvalidVersion, Version};
