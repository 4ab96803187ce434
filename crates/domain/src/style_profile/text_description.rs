//! What research found, in words.

use crate::{InvalidText, Text};

/// A description of 1 to [`TextDescription::MAX_CHARS`] characters that says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextDescription(Text);

impl TextDescription {
    /// The longest description, in characters.
    pub const MAX_CHARS: usize = 100_000;

    /// The text, as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl TryFrom<String> for TextDescription {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.trim().is_empty() {
            return Err(InvalidText::Empty);
        }
        // There are at most as many characters as bytes.
        if Self::MAX_CHARS < text.len() {
            let chars = text.chars().count();
            if Self::MAX_CHARS < chars {
                return Err(InvalidText::TooLong { chars, max: Self::MAX_CHARS });
            }
        }
        Text::try_from(text).map(Self)
    }
}
