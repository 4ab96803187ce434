//! The tier of style profiles that instances share.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{ArtistKey, StyleProfile, Version};

/// Style profiles kept where several instances find them.
///
/// It never fails: what it cannot do, it does not do. Nothing it says is believed but what carries the version asked
/// for.
#[async_trait]
pub trait SharedProfiles: Send + Sync {
    /// The profile at exactly this version, or `None`.
    async fn find(&self, artist: &ArtistKey, version: Version) -> Option<StyleProfile>;

    /// The same for many, in the order asked for, in one round trip.
    async fn find_many(&self, artists: &[(ArtistKey, Version)]) -> Vec<Option<StyleProfile>>;

    /// Keeps this profile unless one that is as new is kept.
    async fn put(&self, profile: &StyleProfile);

    /// Keeps many, each unless one that is as new is kept.
    async fn put_many(&self, profiles: &[Arc<StyleProfile>]);

    /// Forgets what is kept of this artist up to and including this version.
    async fn forget(&self, artist: &ArtistKey, version: Version);

    /// Adds to how often profiles were read.
    async fn note_reads(&self, reads: &[(ArtistKey, u64)]);

    /// The artists whose profiles were read most, the most read first, at most `limit`.
    async fn most_read(&self, limit: usize) -> Vec<ArtistKey>;
}
