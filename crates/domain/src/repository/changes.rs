//! What changed in a store.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{ArtistId, ArtistKey, ArtistName, RepositoryError, Version};

/// The store's change feed: the only way in which a cache learns that something is out of date.
#[async_trait]
pub trait Changes: Send + Sync {
    /// Returns what changed after `version`, oldest first, at most `limit` changes.
    ///
    /// Of several changes to one artist the latest is returned. Fewer than `limit` means that these were all.
    async fn since(&self, version: Version, limit: u32) -> Result<Vec<Change>, RepositoryError>;

    /// Opens a connection to the feed that nothing else uses, for whoever follows it for long.
    async fn follow(&self) -> Result<Box<dyn ChangeFollower>, RepositoryError>;
}

/// A connection to the change feed. After any error it is of no more use: drop it and open another one.
#[async_trait]
pub trait ChangeFollower: Send {
    /// The same as [`Changes::since`], asked once: nothing is tried again.
    ///
    /// When the future is dropped before it ends, the follower is of no more use.
    async fn since(&mut self, version: Version, limit: u32)
    -> Result<Vec<Change>, RepositoryError>;

    /// A state that the store was in after the last call of [`Self::since`] and no later than its answer was read; `None` if
    /// that cannot be told.
    fn state(&self) -> Option<StoreState> {
        None
    }

    /// Waits until something may have changed.
    ///
    /// A hint may come late, twice, for nothing or not at all; it saves waiting and proves nothing. The future may be
    /// dropped at any time.
    async fn hint(&mut self) -> Result<(), RepositoryError>;
}

/// A state of everything in a store, profiles or not. Two that one follower tells are equal only if nothing at all was
/// committed in between. They may differ although nothing was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreState(pub Arc<str>);

/// The state of one artist after its latest change.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The artist is stored.
    Present {
        /// The change's place in the order of all changes.
        version: Version,
        /// Which artist.
        id: ArtistId,
        /// Its name as it was first stored.
        artist: ArtistName,
        /// Whether it has a profile.
        has_profile: bool,
    },
    /// The artist is gone. It may have been made again since, with a later version.
    Removed {
        /// The change's place in the order of all changes.
        version: Version,
        /// What the artist was found by.
        key: ArtistKey,
    },
    /// An artist, stored or gone, whose name is none, because somebody wrote it by hand. No key leads to it.
    Unnamed {
        /// The change's place in the order of all changes.
        version: Version,
    },
}

impl Change {
    /// The change's place in the order of all changes.
    #[must_use]
    pub const fn version(&self) -> Version {
        match self {
            Self::Present { version, .. }
            | Self::Removed { version, .. }
            | Self::Unnamed { version } => *version,
        }
    }
}
