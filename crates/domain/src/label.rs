//! Short names that callers choose.

use std::{fmt, str::FromStr};

/// A trimmed name of one line, 1 to [`Label::MAX_CHARS`] characters, such as that of a model or of an API key. Case
/// counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(Box<str>);

impl Label {
    /// The longest label, in characters.
    pub const MAX_CHARS: usize = 100;

    /// The label's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Label {
    type Error = InvalidLabel;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        if text.chars().any(char::is_control) {
            return Err(InvalidLabel::ControlCharacter);
        }
        let text = text.trim();
        match text.chars().count() {
            0 => Err(InvalidLabel::Empty),
            chars if Self::MAX_CHARS < chars => Err(InvalidLabel::TooLong { chars }),
            _ => Ok(Self(text.into())),
        }
    }
}

impl FromStr for Label {
    type Err = InvalidLabel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Why a text is no [`Label`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidLabel {
    /// Nothing is left after trimming.
    #[error("must not be empty")]
    Empty,
    /// More than [`Label::MAX_CHARS`] characters.
    #[error("has {chars} characters, at most {max} are allowed", max = Label::MAX_CHARS)]
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
    fn keeps_case_and_drops_the_margin() {
        assert_eq!(Label::try_from("  GPT-5 mini ").unwrap().as_str(), "GPT-5 mini");
    }

    #[test]
    fn refuses_what_is_no_name() {
        assert_eq!(Label::try_from("  "), Err(InvalidLabel::Empty));
        assert_eq!(Label::try_from("a\nb"), Err(InvalidLabel::ControlCharacter));
        assert!(Label::try_from("ü".repeat(100).as_str()).is_ok());
        assert_eq!(
            Label::try_from("x".repeat(101).as_str()),
            Err(InvalidLabel::TooLong { chars: 101 })
        );
    }
}
