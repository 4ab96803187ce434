//! Free text that every backend can keep.

use std::fmt;

/// Text without U+0000, which PostgreSQL cannot keep.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Text(Box<str>);

impl Text {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Text {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.contains('\0') { Err(InvalidText::Nul) } else { Ok(Self(text.into_boxed_str())) }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Why a text cannot be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidText {
    /// Nothing but white space where something must be said.
    #[error("must not be empty")]
    Empty,
    /// Longer than its kind of text may be.
    #[error("has {chars} characters, at most {max} are allowed")]
    TooLong {
        /// How many characters it has.
        chars: usize,
        /// How many it may have.
        max: usize,
    },
    /// Holds U+0000.
    #[error("must not hold the character U+0000")]
    Nul,
}
