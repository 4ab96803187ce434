//! The API keys of a store.

use async_trait::async_trait;

use crate::{
    ApiKey, ApiKeyCursor, ApiKeyId, Author, KeyHash, Limit, NewApiKey, Page, PublicKeyId,
    RepositoryError, Timestamp, Version,
};

/// Stores [`ApiKey`]s. None is ever removed.
#[async_trait]
pub trait ApiKeys: Send + Sync {
    /// Stores a new key.
    ///
    /// Fails with [`RepositoryError::Conflict`] when its public identity is taken.
    async fn insert(&self, key: &NewApiKey, author: &Author) -> Result<ApiKey, RepositoryError>;

    /// Returns the key, or `None` if there is none.
    async fn find(&self, key: &PublicKeyId) -> Result<Option<ApiKey>, RepositoryError>;

    /// Returns keys, oldest first, revoked and expired ones included.
    async fn page(
        &self,
        after: Option<ApiKeyCursor>,
        limit: Limit<500>,
    ) -> Result<Page<ApiKey, ApiKeyCursor>, RepositoryError>;

    /// Makes a key with the name, the scopes and the limits of another one, which expires from then on; `None` if there is
    /// no such key.
    ///
    /// Fails with [`RepositoryError::Conflict`] when the other one opens nothing any more.
    async fn rotate(
        &self,
        key: &PublicKeyId,
        rotation: &Rotation,
        author: &Author,
    ) -> Result<Option<Rotated>, RepositoryError>;

    /// Revokes a key; `None` if there is none. One that is revoked already stays as it is.
    async fn revoke(
        &self,
        key: &PublicKeyId,
        author: &Author,
    ) -> Result<Option<ApiKey>, RepositoryError>;

    /// Returns how the keys that changed after `version` stand, oldest change first, at most `limit` of them.
    ///
    /// Fewer than `limit` means that these were all. Versions are those of the change feed, and using a key moves none.
    async fn since(&self, version: Version, limit: u32) -> Result<Vec<KeyChange>, RepositoryError>;

    /// Notes when keys were used; what is noted already and later stays.
    async fn note_uses(&self, uses: &[(ApiKeyId, Timestamp)]) -> Result<(), RepositoryError>;
}

/// How one key stands after its latest change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyChange {
    /// It can be read.
    Present(ApiKey),
    /// Somebody made something of it by hand that is no key. It opens nothing.
    Unreadable {
        /// The change's place in the order of all changes.
        version: Version,
        /// Which key it was.
        id: ApiKeyId,
    },
}

impl KeyChange {
    /// The change's place in the order of all changes.
    #[must_use]
    pub const fn version(&self) -> Version {
        match self {
            Self::Present(key) => key.version,
            Self::Unreadable { version, id: _ } => *version,
        }
    }
}

/// How a key is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// What people will know the new key by.
    pub public_id: PublicKeyId,
    /// What is left of its secret.
    pub hash: KeyHash,
    /// For how long the old one goes on, in microseconds, unless it expires before.
    pub grace_micros: u64,
}

/// A key that was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The new one. If the old one had an end, this one has as much time from now as the old one had from the beginning.
    pub new: ApiKey,
    /// The old one.
    pub old: ApiKey,
}
