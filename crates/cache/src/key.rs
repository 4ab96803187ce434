//! What the tools name their entries by, and how long entries last.

use std::{fmt, time::Duration};

/// The longest key of an entry, in bytes.
pub const MAX_KEY_BYTES: usize = 512;

/// Accepts the key of an entry: any text of 1 to [`MAX_KEY_BYTES`] bytes.
pub(crate) fn checked(key: &str) -> Result<&str, InvalidKey> {
    match key.len() {
        0 => Err(InvalidKey::Empty),
        bytes if MAX_KEY_BYTES < bytes => Err(InvalidKey::TooLong { bytes }),
        _ => Ok(key),
    }
}

/// Why a text cannot be the key of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// It is empty.
    #[error("a key is not empty")]
    Empty,
    /// It is longer than [`MAX_KEY_BYTES`].
    #[error("a key has at most {MAX_KEY_BYTES} bytes, not {bytes}")]
    TooLong {
        /// The length of the text.
        bytes: usize,
    },
}

/// The name that sets the entries of one use of a tool apart from those of another use.
///
/// It has 1 to [`Namespace::MAX_BYTES`] characters of `A-Z a-z 0-9 _ . -`, so that a key in Redis can be read by a person
/// and taken apart at its colons.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Namespace(Box<str>);

impl Namespace {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 64;

    /// The name as a text.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<&str> for Namespace {
    type Error = InvalidNamespace;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if !(1..=Self::MAX_BYTES).contains(&text.len()) {
            return Err(InvalidNamespace::Length { bytes: text.len() });
        }
        if !text.bytes().all(plain) {
            return Err(InvalidNamespace::Character);
        }
        Ok(Self(text.into()))
    }
}

/// Why a text is no [`Namespace`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNamespace {
    /// It is empty or too long.
    #[error("a namespace has 1 to {} characters, not {bytes}", Namespace::MAX_BYTES)]
    Length {
        /// The length of the text.
        bytes: usize,
    },
    /// It holds a character that is not among those allowed.
    #[error("a namespace is made of letters, digits, underscores, dots and hyphens")]
    Character,
}

/// How long an entry lasts: whole milliseconds, from one to ten years of 365 days. What is below a millisecond is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lifetime {
    milliseconds: u64,
}

impl Lifetime {
    /// The longest lifetime.
    pub const MAX: Self = Self { milliseconds: 10 * 365 * 24 * 60 * 60 * 1000 };

    /// A lifetime of this many minutes, for constants.
    #[cfg(feature = "redis")]
    pub(crate) const fn of_minutes(minutes: u32) -> Self {
        Self { milliseconds: minutes as u64 * 60_000 }
    }

    /// The lifetime as a duration.
    #[must_use]
    pub const fn as_duration(self) -> Duration {
        Duration::from_millis(self.milliseconds)
    }

    /// The lifetime in milliseconds.
    #[cfg(feature = "redis")]
    pub(crate) const fn as_millis(self) -> u64 {
        self.milliseconds
    }
}

impl TryFrom<Duration> for Lifetime {
    type Error = LifetimeOutOfRange;

    fn try_from(duration: Duration) -> Result<Self, Self::Error> {
        match u64::try_from(duration.as_millis()) {
            Ok(milliseconds) if (1..=Self::MAX.milliseconds).contains(&milliseconds) => {
                Ok(Self { milliseconds })
            }
            Ok(_) | Err(_) => Err(LifetimeOutOfRange),
        }
    }
}

/// A duration that is no [`Lifetime`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entry lasts from one millisecond to ten years")]
pub struct LifetimeOutOfRange;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_keys_up_to_the_longest() {
        let longest = "k".repeat(MAX_KEY_BYTES);
        let too_long = "k".repeat(MAX_KEY_BYTES + 1);

        assert_eq!(checked(&longest), Ok(longest.as_str()));
        assert_eq!(checked(&too_long), Err(InvalidKey::TooLong { bytes: MAX_KEY_BYTES + 1 }));
        assert_eq!(checked(""), Err(InvalidKey::Empty));
    }

    #[test]
    fn accepts_plain_namespaces_only() {
        assert_eq!(Namespace::try_from("api_v1.2-x").unwrap().as_str(), "api_v1.2-x");
        assert_eq!(Namespace::try_from(""), Err(InvalidNamespace::Length { bytes: 0 }));
        assert_eq!(
            Namespace::try_from("n".repeat(65).as_str()),
            Err(InvalidNamespace::Length { bytes: 65 })
        );
        for text in ["a:b", "a b", "{a}", "a*", "é"] {
            assert_eq!(Namespace::try_from(text), Err(InvalidNamespace::Character), "{text}");
        }
    }

    #[test]
    fn accepts_lifetimes_from_a_millisecond_to_ten_years() {
        let longest = Lifetime::MAX.as_duration();

        assert_eq!(Lifetime::try_from(Duration::from_micros(999)), Err(LifetimeOutOfRange));
        assert_eq!(
            Lifetime::try_from(Duration::from_micros(1_500)).unwrap().as_duration(),
            Duration::from_millis(1)
        );
        assert_eq!(Lifetime::try_from(longest), Ok(Lifetime::MAX));
        assert_eq!(Lifetime::try_from(longest + Duration::from_millis(1)), Err(LifetimeOutOfRange));
        assert_eq!(Lifetime::try_from(Duration::MAX), Err(LifetimeOutOfRange));
    }
}
