//! Artists, vectors and searches for tests.

use domain::{
    ArtistName, Confidence, DrumFeel, Embedding, JsonArray, Limit, NewStyleProfile,
    QuantitativeParams, ResearchStatus, Search, SourcesCount, StyleVector, TextDescription,
};

/// How the numbers of a vector lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// All of about the same size.
    Even,
    /// A few large ones, which may be negative, among zeros.
    Sparse,
    /// All alike but for the last digits.
    NearlyEqual,
    /// Mostly too small to have all their digits.
    Subnormal,
    /// As short as allowed.
    Tiny,
    /// As long as allowed.
    Huge,
    /// Of any length.
    Any,
}

impl Shape {
    pub(crate) const ALL: [Self; 7] = [
        Self::Even,
        Self::Sparse,
        Self::NearlyEqual,
        Self::Subnormal,
        Self::Tiny,
        Self::Huge,
        Self::Any,
    ];
}

/// The vector of this shape with this number; equal numbers give equal vectors.
pub(crate) fn shaped(shape: Shape, number: u64) -> Embedding {
    let mut random = fastrand::Rng::with_seed(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut even = || 2.0 * random.f32() - 1.0;
    let numbers: Vec<f32> = match shape {
        Shape::Even => (0..384).map(|_| even()).collect(),
        Shape::Sparse => {
            (0..384).map(|at| if at % 97 == number % 97 { even() } else { 0.0 }).collect()
        }
        Shape::NearlyEqual => (0..384_u16).map(|at| f32::from(at) + 1e-4 * even()).collect(),
        Shape::Subnormal => (0..384)
            .map(|at| if at % 50 == 7 { 1e-15 * (even() + 2.0) } else { 1e-39 * even() })
            .collect(),
        Shape::Tiny => (0..384).map(|_| 1e-15 * even()).collect(),
        Shape::Huge => (0..384).map(|_| 5e13 * even()).collect(),
        Shape::Any => {
            let scale = 10.0_f32.powi((number % 28) as i32 - 14);
            (0..384).map(|_| scale * even()).collect()
        }
    };
    Embedding::try_from(numbers).unwrap()
}

/// A vector of ordinary numbers.
pub(crate) fn embedding(number: u64) -> Embedding {
    shaped(Shape::Even, number)
}

pub(crate) fn name(artist: &str) -> ArtistName {
    ArtistName::try_from(artist).unwrap()
}

pub(crate) fn params(tempo: f64) -> QuantitativeParams {
    QuantitativeParams::try_from(DrumFeel {
        tempo_min: 40.0,
        tempo_max: 400.0,
        tempo_avg: tempo,
        swing_percent: 56.5,
        ghost_note_prob: 0.4,
        syncopation_level: 0.55,
        velocity_mean: 78.25,
        velocity_std: 18.0,
    })
    .unwrap()
}

/// What searches look at in an artist with this embedding.
pub(crate) fn vector(embedding: Embedding) -> StyleVector {
    StyleVector {
        embedding,
        research_status: ResearchStatus::Cached,
        confidence: Confidence::try_from(0.5).unwrap(),
        quantitative_params: params(92.0),
    }
}

pub(crate) fn profile(artist: &str, embedding: Embedding) -> NewStyleProfile {
    NewStyleProfile {
        artist: name(artist),
        text_description: TextDescription::try_from("Behind the beat.".to_owned()).unwrap(),
        quantitative_params: params(92.0),
        embedding: Some(embedding),
        midi_templates: JsonArray::default(),
        confidence: Confidence::try_from(0.5).unwrap(),
        sources_count: SourcesCount::default(),
    }
}

/// A search for so many around a target.
pub(crate) fn around(target: Embedding, limit: u16) -> Search {
    Search::around(target, Limit::new(limit).unwrap())
}
