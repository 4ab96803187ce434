//! How generations end.

use std::fmt;

/// How a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum GenerationStatus {
    /// With a result.
    #[default]
    Completed,
    /// With an error.
    Failed,
    /// Because somebody stopped it.
    Cancelled,
}

impl GenerationStatus {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Completed, Self::Failed, Self::Cancelled];

    /// The status as text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl TryFrom<&str> for GenerationStatus {
    type Error = UnknownGenerationStatus;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        Self::ALL.into_iter().find(|it| it.as_str() == text).ok_or(UnknownGenerationStatus)
    }
}

impl fmt::Display for GenerationStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A text that is no [`GenerationStatus`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of completed, failed, cancelled")]
pub struct UnknownGenerationStatus;
