//! How an artist plays, as research found it.

mod confidence;
mod embedding;
mod quantitative_params;
mod text_description;

use crate::{ArtistId, ArtistName, Id, JsonArray, Timestamp, Version};

pub use confidence::{Confidence, InvalidConfidence};
pub use embedding::{Embedding, InvalidEmbedding};
pub use quantitative_params::{
    DrumFeel, InvalidQuantitativeParams, ParamViolation, QuantitativeParams,
};
pub use text_description::TextDescription;

/// Identity of a [`StyleProfile`].
pub type StyleProfileId = Id<StyleProfile>;

/// A stored style profile. An artist has at most one.
#[derive(Debug, Clone, PartialEq)]
pub struct StyleProfile {
    /// Identity; it stays when the profile is replaced.
    pub id: StyleProfileId,
    /// Whose profile this is.
    pub artist_id: ArtistId,
    /// The artist's name as it was first stored.
    pub artist: ArtistName,
    /// The version of the artist that this profile was read or written at.
    pub version: Version,
    /// What was found, in words.
    pub text_description: TextDescription,
    /// What was found, in numbers.
    pub quantitative_params: QuantitativeParams,
    /// Where the artist lies among others; `None` when none was computed.
    pub embedding: Option<Embedding>,
    /// Drum patterns to start from; their form is the caller's.
    pub midi_templates: JsonArray,
    /// How far the profile can be trusted.
    pub confidence: Confidence,
    /// How many sources it rests on.
    pub sources_count: SourcesCount,
    /// When the artist's first profile was saved.
    pub created_at: Timestamp,
    /// When this profile was saved.
    pub updated_at: Timestamp,
}

impl StyleProfile {
    /// About how many bytes the profile takes in memory, everything that it owns included.
    #[must_use]
    pub fn approximate_bytes(&self) -> usize {
        let names = self.artist.as_str().len() + self.artist.key().as_str().len();
        let numbers = self.embedding.as_ref().map_or(0, |it| size_of_val(it.as_slice()));
        let text = self.text_description.as_str().len();
        size_of::<Self>() + names + numbers + text + self.midi_templates.approximate_bytes()
    }
}

/// A style profile to save: what research knows, without what the store adds.
#[derive(Debug, Clone, PartialEq)]
pub struct NewStyleProfile {
    /// Whose profile this is; the artist is made if new.
    pub artist: ArtistName,
    /// See [`StyleProfile::text_description`].
    pub text_description: TextDescription,
    /// See [`StyleProfile::quantitative_params`].
    pub quantitative_params: QuantitativeParams,
    /// See [`StyleProfile::embedding`]; saving `None` removes an older one.
    pub embedding: Option<Embedding>,
    /// See [`StyleProfile::midi_templates`].
    pub midi_templates: JsonArray,
    /// See [`StyleProfile::confidence`].
    pub confidence: Confidence,
    /// See [`StyleProfile::sources_count`].
    pub sources_count: SourcesCount,
}

/// How many sources of each kind a profile rests on, at most 65,535 of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourcesCount {
    /// Scholarly papers.
    pub papers: u16,
    /// Articles and pages.
    pub articles: u16,
    /// Recordings.
    pub audio: u16,
    /// MIDI performances.
    pub midi: u16,
}

impl SourcesCount {
    /// All kinds together.
    #[must_use]
    pub fn total(self) -> u32 {
        let Self { papers, articles, audio, midi } = self;
        [papers, articles, audio, midi].into_iter().map(u32::from).sum()
    }
}
