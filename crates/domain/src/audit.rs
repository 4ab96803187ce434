//! What is remembered of writes.

use crate::{ArtistKey, Author, GenerationId, Id, PublicKeyId, Timestamp, Version};

/// Identity of an [`AuditRecord`].
pub type AuditRecordId = Id<AuditRecord>;

/// One write, as it is remembered for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Identity.
    pub id: AuditRecordId,
    /// When.
    pub at: Timestamp,
    /// Who, and for which request.
    pub author: Author,
    /// What.
    pub entry: AuditEntry,
}

/// What a write did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// What was done.
    pub action: AuditAction,
    /// To what.
    pub subject: AuditSubject,
    /// Its version before; `None` when there was none, or it has none.
    pub before: Option<Version>,
    /// Its version after that; `None` when it has none.
    pub after: Option<Version>,
}

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuditAction {
    /// An artist was made.
    ArtistCreated,
    /// It was noted where research about an artist stands.
    ArtistStatusChanged,
    /// An artist was removed, with all that it had.
    ArtistRemoved,
    /// A profile was saved or replaced, and its artist made if it was new.
    ProfileSaved,
    /// A profile was removed.
    ProfileRemoved,
    /// Sources were added.
    SourcesAdded,
    /// Generations were recorded.
    GenerationsRecorded,
    /// A batch of artists, profiles and sources was loaded.
    ProfilesImported,
    /// An API key was made.
    KeyCreated,
    /// An API key was replaced.
    KeyRotated,
    /// An API key was revoked.
    KeyRevoked,
}

impl AuditAction {
    /// Every action.
    pub const ALL: [Self; 11] = [
        Self::ArtistCreated,
        Self::ArtistStatusChanged,
        Self::ArtistRemoved,
        Self::ProfileSaved,
        Self::ProfileRemoved,
        Self::SourcesAdded,
        Self::GenerationsRecorded,
        Self::ProfilesImported,
        Self::KeyCreated,
        Self::KeyRotated,
        Self::KeyRevoked,
    ];

    /// The action's name as it is written in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ArtistCreated => "artist.created",
            Self::ArtistStatusChanged => "artist.status_changed",
            Self::ArtistRemoved => "artist.removed",
            Self::ProfileSaved => "profile.saved",
            Self::ProfileRemoved => "profile.removed",
            Self::SourcesAdded => "sources.added",
            Self::GenerationsRecorded => "generations.recorded",
            Self::ProfilesImported => "profiles.imported",
            Self::KeyCreated => "key.created",
            Self::KeyRotated => "key.rotated",
            Self::KeyRevoked => "key.revoked",
        }
    }
}

impl std::str::FromStr for AuditAction {
    type Err = UnknownAuditAction;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|action| action.as_str() == text).ok_or(UnknownAuditAction)
    }
}

/// A text that is no [`AuditAction`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no action that is audited")]
pub struct UnknownAuditAction;

/// What something was done to. What there is only one of is not counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditSubject {
    /// Which artist.
    pub artist: Option<ArtistKey>,
    /// Which API key.
    pub api_key: Option<PublicKeyId>,
    /// The first of several generations.
    pub generation: Option<GenerationId>,
    /// How many sources, generations or artists.
    pub entries: Option<u64>,
}

impl AuditSubject {
    /// An artist.
    #[must_use]
    pub fn artist(artist: &ArtistKey) -> Self {
        Self { artist: Some(artist.clone()), ..Self::default() }
    }

    /// An API key.
    #[must_use]
    pub fn api_key(key: &PublicKeyId) -> Self {
        Self { api_key: Some(key.clone()), ..Self::default() }
    }
}

/// Which records are asked for. All conditions hold together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only what was done to this artist.
    pub artist: Option<ArtistKey>,
    /// Only what was done with this API key, or to it.
    pub api_key: Option<PublicKeyId>,
    /// Only what was done then.
    pub range: crate::TimeRange,
}

impl Default for AuditFilter {
    /// No condition at all.
    fn default() -> Self {
        Self { artist: None, api_key: None, range: crate::TimeRange::ALL }
    }
}
