//! An artist, and where research about it stands.

mod likeness;
mod name;

use crate::{Confidence, Id, Timestamp, Version};

pub use name::{ArtistKey, ArtistName, InvalidArtistName, SearchText};

/// Identity of an [`Artist`].
pub type ArtistId = Id<Artist>;

/// Somebody whose way of playing is, or will be, known.
#[derive(Debug, Clone, PartialEq)]
pub struct Artist {
    /// Identity; it stays when the artist's profile is replaced.
    pub id: ArtistId,
    /// The name as it was first stored.
    pub name: ArtistName,
    /// Where research stands.
    pub research_status: ResearchStatus,
    /// How many sources the artist's profile rests on, all kinds together; 0 without a profile.
    pub sources_count: u32,
    /// How far the artist's profile can be trusted; 0 without a profile.
    pub confidence: Confidence,
    /// Moves whenever the artist, its profile or its embedding changes.
    pub version: Version,
    /// When the artist was first stored.
    pub created_at: Timestamp,
    /// When the artist or its profile was last written through a repository.
    pub last_updated: Timestamp,
}

/// Where research about an artist stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResearchStatus {
    /// Nobody has begun.
    Pending,
    /// Somebody is at it.
    Researching,
    /// There is a profile.
    Cached,
    /// Research ended without a profile.
    Failed,
}

impl ResearchStatus {
    /// Every status, in the order of an artist's life.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Researching, Self::Cached, Self::Failed];

    /// The status as it is written in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Researching => "researching",
            Self::Cached => "cached",
            Self::Failed => "failed",
        }
    }
}

impl std::str::FromStr for ResearchStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownStatus)
    }
}

/// A text that names no [`ResearchStatus`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a status is one of pending, researching, cached, failed")]
pub struct UnknownStatus;
