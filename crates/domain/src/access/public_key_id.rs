//! The part of a key that may be shown.

use std::{fmt, str::FromStr};

use super::key_text::{PREFIX, base62, is_base62};

/// What people know a key by: 8 to 32 letters and digits, that may be shown and logged. With `gb_` in front it is how the
/// key itself begins.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKeyId(Box<str>);

impl PublicKeyId {
    const CHARS: std::ops::RangeInclusive<usize> = 8..=32;

    /// As many as 64 bits need.
    const CHARS_OF_RANDOM: usize = 11;

    /// A new one of random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 8]) -> Self {
        Self(base62(&bytes, Self::CHARS_OF_RANDOM).into())
    }

    /// The letters and digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How the key begins that people have.
    #[must_use]
    pub fn prefix(&self) -> String {
        format!("{PREFIX}{}", self.0)
    }
}

/// Reads it with or without `gb_` in front.
impl FromStr for PublicKeyId {
    type Err = InvalidPublicKeyId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id = text.strip_prefix(PREFIX).unwrap_or(text);
        if Self::CHARS.contains(&id.len()) && is_base62(id) {
            Ok(Self(id.into()))
        } else {
            Err(InvalidPublicKeyId)
        }
    }
}

impl fmt::Display for PublicKeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for PublicKeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// A text that is no [`PublicKeyId`]. It may be a whole key, so it is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the id of a key has 8 to 32 letters and digits: what is between gb_ and the next _")]
pub struct InvalidPublicKeyId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_with_and_without_its_prefix() {
        let id = PublicKeyId::from_random(u64::MAX.to_be_bytes());

        assert_eq!(id.as_str(), "LygHa16AHYF");
        assert_eq!(id.prefix().parse(), Ok(id.clone()));
        assert_eq!("LygHa16AHYF".parse(), Ok(id));
        assert_eq!(PublicKeyId::from_random([0; 8]).as_str(), "00000000000");
        for wrong in ["", "gb_", "1234567", "with-dash1", "gb_12345678_x", &"x".repeat(33)] {
            assert_eq!(wrong.parse::<PublicKeyId>(), Err(InvalidPublicKeyId), "{wrong}");
        }
    }
}
