//! The part of a profile that is a fixed number of numbers.
//!
//! In this order: identity of the profile and of the artist (16 bytes each); when it was created and updated, in
//! microseconds since 1970; the eight parameters in the order of [`DrumFeel`] and the confidence, as IEEE 754 doubles;
//! the counts of papers, articles, recordings and MIDI performances, two bytes each.

use domain::{DrumFeel, SourcesCount, StyleProfile};

use super::reader::Reader;

/// Numbers as they were read, not yet checked.
pub(super) struct Facts {
    pub(super) id: [u8; 16],
    pub(super) artist_id: [u8; 16],
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
    pub(super) feel: DrumFeel,
    pub(super) confidence: f64,
    pub(super) sources_count: SourcesCount,
}

impl Facts {
    pub(super) const BYTES: usize = 128;

    pub(super) fn of(profile: &StyleProfile) -> Self {
        Self {
            id: profile.id.as_uuid().into_bytes(),
            artist_id: profile.artist_id.as_uuid().into_bytes(),
            created_at: profile.created_at.unix_micros(),
            updated_at: profile.updated_at.unix_micros(),
            feel: *profile.quantitative_params.feel(),
            confidence: profile.confidence.get(),
            sources_count: profile.sources_count,
        }
    }

    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        let Self { id, artist_id, created_at, updated_at, feel, confidence, sources_count } = self;
        let DrumFeel {
            tempo_min,
            tempo_max,
            tempo_avg,
            swing_percent,
            ghost_note_prob,
            syncopation_level,
            velocity_mean,
            velocity_std,
        } = feel;
        let SourcesCount { papers, articles, audio, midi } = sources_count;

        bytes.extend(id);
        bytes.extend(artist_id);
        for time in [created_at, updated_at] {
            bytes.extend(time.to_be_bytes());
        }
        for number in [
            tempo_min,
            tempo_max,
            tempo_avg,
            swing_percent,
            ghost_note_prob,
            syncopation_level,
            velocity_mean,
            velocity_std,
            confidence,
        ] {
            bytes.extend(number.to_be_bytes());
        }
        for count in [papers, articles, audio, midi] {
            bytes.extend(count.to_be_bytes());
        }
    }

    /// Reads in the order of writing, which is the order of evaluation.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            id: reader.array()?,
            artist_id: reader.array()?,
            created_at: reader.i64()?,
            updated_at: reader.i64()?,
            feel: DrumFeel {
                tempo_min: reader.f64()?,
                tempo_max: reader.f64()?,
                tempo_avg: reader.f64()?,
                swing_percent: reader.f64()?,
                ghost_note_prob: reader.f64()?,
                syncopation_level: reader.f64()?,
                velocity_mean: reader.f64()?,
                velocity_std: reader.f64()?,
            },
            confidence: reader.f64()?,
            sources_count: SourcesCount {
                papers: reader.u16()?,
                articles: reader.u16()?,
                audio: reader.u16()?,
                midi: reader.u16()?,
            },
        })
    }
}
