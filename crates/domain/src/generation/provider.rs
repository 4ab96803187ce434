//! Who generates.

use std::fmt;

/// A generator: one of the known, or another by name.
///
/// Names are kept in lower case, so that `OpenAI` and `openai` are counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Provider(Box<str>);

impl Provider {
    /// The longest name, in characters.
    pub const MAX_CHARS: usize = 50;

    /// Models by Anthropic.
    pub const ANTHROPIC: &'static str = "anthropic";
    /// Models by Google.
    pub const GOOGLE: &'static str = "google";
    /// Models by `OpenAI`.
    pub const OPENAI: &'static str = "openai";
    /// Patterns filled in without a model.
    pub const TEMPLATE: &'static str = "template";

    /// The names of the known providers.
    pub const KNOWN: [&'static str; 4] =
        [Self::ANTHROPIC, Self::GOOGLE, Self::OPENAI, Self::TEMPLATE];

    /// The provider's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is one of [`Self::KNOWN`].
    #[must_use]
    pub fn is_known(&self) -> bool {
        Self::KNOWN.contains(&self.as_str())
    }
}

impl TryFrom<&str> for Provider {
    type Error = InvalidProvider;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        if text.chars().any(char::is_control) {
            return Err(InvalidProvider::ControlCharacter);
        }
        let name = text.trim().to_lowercase();
        match name.chars().count() {
            0 => Err(InvalidProvider::Empty),
            chars if Self::MAX_CHARS < chars => Err(InvalidProvider::TooLong { chars }),
            _ => Ok(Self(name.into_boxed_str())),
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Why a text names no provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidProvider {
    /// Nothing is left after trimming.
    #[error("a provider's name must not be empty")]
    Empty,
    /// More than [`Provider::MAX_CHARS`] characters.
    #[error("a provider's name has at most 50 characters, this one has {chars}")]
    TooLong {
        /// How many characters it has.
        chars: usize,
    },
    /// Holds a control character.
    #[error("a provider's name must not hold control characters")]
    ControlCharacter,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_provider_has_one_name() {
        assert_eq!(Provider::try_from(" OpenAI ").unwrap().as_str(), Provider::OPENAI);
        assert!(Provider::try_from("Anthropic").unwrap().is_known());
        assert!(!Provider::try_from("Udio").unwrap().is_known());
    }

    #[test]
    fn refuses_what_is_no_name() {
        assert_eq!(Provider::try_from(" "), Err(InvalidProvider::Empty));
        assert_eq!(Provider::try_from("a\tb"), Err(InvalidProvider::ControlCharacter));
        assert!(Provider::try_from("x".repeat(50).as_str()).is_ok());
        assert_eq!(
            Provider::try_from("x".repeat(51).as_str()),
            Err(InvalidProvider::TooLong { chars: 51 })
        );
    }
}
