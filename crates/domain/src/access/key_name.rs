//! What a key is for, in words.

use std::fmt;

/// A trimmed name of one line, 1 to [`KeyName::MAX_CHARS`] characters. Several keys may have the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyName(Box<str>);

impl KeyName {
    /// The longest name, in characters.
    pub const MAX_CHARS: usize = 100;

    /// The name's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for KeyName {
    type Error = InvalidKeyName;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        if text.chars().any(char::is_control) {
            return Err(InvalidKeyName::ControlCharacter);
        }
        let text = text.trim();
        match text.chars().count() {
            0 => Err(InvalidKeyName::Empty),
            chars if Self::MAX_CHARS < chars => Err(InvalidKeyName::TooLong { chars }),
            _ => Ok(Self(text.into())),
        }
    }
}

impl std::str::FromStr for KeyName {
    type Err = InvalidKeyName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text)
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Why a text is no [`KeyName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKeyName {
    /// Nothing is left after trimming.
    #[error("must not be empty")]
    Empty,
    /// More than [`KeyName::MAX_CHARS`] characters.
    #[error("has {chars} characters, at most {max} are allowed", max = KeyName::MAX_CHARS)]
    TooLong {
        /// How many characters it has.
        chars: usize,
    },
    /// Holds a line break or another control character.
    #[error("must not hold control characters")]
    ControlCharacter,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_one_line_of_bounded_length() {
        assert_eq!(KeyName::try_from("  nightly import ").unwrap().as_str(), "nightly import");
        assert_eq!(KeyName::try_from(" "), Err(InvalidKeyName::Empty));
        assert_eq!(KeyName::try_from("a\nb"), Err(InvalidKeyName::ControlCharacter));
        assert!(KeyName::try_from("ü".repeat(100).as_str()).is_ok());
        assert_eq!(
            KeyName::try_from("x".repeat(101).as_str()),
            Err(InvalidKeyName::TooLong { chars: 101 })
        );
    }
}
