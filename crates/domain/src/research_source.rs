//! What a profile rests on.

use std::str::FromStr;

use crate::{Confidence, Id, JsonObject, Text, Timestamp};

/// Identity of a [`ResearchSource`].
pub type ResearchSourceId = Id<ResearchSource>;

/// A stored source.
#[derive(Debug, Clone, PartialEq)]
pub struct ResearchSource {
    /// Identity.
    pub id: ResearchSourceId,
    /// What was collected.
    pub source: NewResearchSource,
    /// When it was collected.
    pub collected_at: Timestamp,
}

/// A source to keep.
#[derive(Debug, Clone, PartialEq)]
pub struct NewResearchSource {
    /// Which kind it is.
    pub source_type: SourceType,
    /// Where it can be found.
    pub location: SourceLocation,
    /// What was read out of it; the form is the caller's.
    pub extracted_data: Option<JsonObject>,
    /// How far it can be trusted, if that was judged.
    pub confidence: Option<Confidence>,
}

/// Where a source can be found: at least one of an address, a path and the content itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLocation {
    url: Option<Text>,
    file_path: Option<Text>,
    raw_content: Option<Text>,
}

impl SourceLocation {
    /// The longest address or path, in characters.
    pub const MAX_CHARS: usize = 2_048;

    /// A location; blank texts count as absent.
    ///
    /// # Errors
    ///
    /// When all three are absent, or the address or the path is too long.
    pub fn new(
        url: Option<Text>,
        file_path: Option<Text>,
        raw_content: Option<Text>,
    ) -> Result<Self, InvalidResearchSource> {
        let said = |text: Option<Text>| text.filter(|text| !text.as_str().trim().is_empty());
        let location =
            Self { url: said(url), file_path: said(file_path), raw_content: said(raw_content) };
        let too_long = |text: &Option<Text>| {
            text.as_ref().is_some_and(|text| Self::MAX_CHARS < text.as_str().chars().count())
        };
        match &location {
            Self { url: None, file_path: None, raw_content: None } => {
                Err(InvalidResearchSource::Nowhere)
            }
            Self { url, .. } if too_long(url) => Err(InvalidResearchSource::UrlTooLong),
            Self { file_path, .. } if too_long(file_path) => {
                Err(InvalidResearchSource::FilePathTooLong)
            }
            _ => Ok(location),
        }
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.url.as_ref().map(Text::as_str)
    }

    /// Its path.
    #[must_use]
    pub fn file_path(&self) -> Option<&str> {
        self.file_path.as_ref().map(Text::as_str)
    }

    /// Its content.
    #[must_use]
    pub fn raw_content(&self) -> Option<&str> {
        self.raw_content.as_ref().map(Text::as_str)
    }
}

/// Why something is no source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidResearchSource {
    /// Nothing says where it is.
    #[error("a source needs at least one of url, file_path and raw_content")]
    Nowhere,
    /// An address of more than [`SourceLocation::MAX_CHARS`] characters.
    #[error("a url has at most 2048 characters")]
    UrlTooLong,
    /// A path of more than [`SourceLocation::MAX_CHARS`] characters.
    #[error("a file_path has at most 2048 characters")]
    FilePathTooLong,
}

/// Which kind of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceType {
    /// A scholarly paper.
    Paper,
    /// An article or page.
    Article,
    /// A recording.
    Audio,
    /// A MIDI performance.
    Midi,
}

impl SourceType {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Paper, Self::Article, Self::Audio, Self::Midi];

    /// The kind as it is written in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Article => "article",
            Self::Audio => "audio",
            Self::Midi => "midi",
        }
    }
}

impl FromStr for SourceType {
    type Err = UnknownSourceType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownSourceType)
    }
}

/// A text that names no [`SourceType`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a source type is one of paper, article, audio, midi")]
pub struct UnknownSourceType;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_says_where_it_is() {
        let text = |text: &str| Some(Text::try_from(text.to_owned()).unwrap());

        assert!(SourceLocation::new(None, text("take-3.mid"), None).is_ok());
        assert_eq!(SourceLocation::new(None, text(" "), None), Err(InvalidResearchSource::Nowhere));
        assert_eq!(
            SourceLocation::new(text(&"u".repeat(2_049)), None, None),
            Err(InvalidResearchSource::UrlTooLong)
        );
    }
}
