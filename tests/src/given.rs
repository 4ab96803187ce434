//! Builders: valid values in which only what matters to a test is spelled out.

pub mod body;

use anyhow::Context;
use domain::{
    ArtistKey, ArtistName, Author, Confidence, DrumFeel, Embedding, GenerationDetails,
    GenerationId, GenerationStatus, GenerationStep, JsonArray, JsonObject, Label, NewGeneration,
    NewResearchSource, NewStyleProfile, Provider, QuantitativeParams, SourceLocation, SourceType,
    SourcesCount, Text, TextDescription, Tokens,
};
use serde_json::json;

/// Names that real artists have, or that people try on a service.
pub const DIFFICULT_NAMES: [&str; 14] = [
    "AC/DC",
    "Sigur Rós",
    "Beyoncé",
    "J Dilla",
    "!!!",
    "+/-",
    "50% Off",
    "坂本龍一",
    "Мумий Тролль",
    "The \"5\" Royales",
    "O'Jays; DROP TABLE artists",
    "\u{1f941} The Drummers",
    "..",
    "a\\b_c?d#e&f=g",
];

/// Whoever writes, where it does not matter who.
#[must_use]
pub fn author() -> Author {
    Author::at_the_command_line()
}

/// A name.
pub fn name(text: &str) -> anyhow::Result<ArtistName> {
    ArtistName::try_from(text).with_context(|| format!("{text:?}"))
}

/// A key.
pub fn key(text: &str) -> anyhow::Result<ArtistKey> {
    Ok(name(text)?.key().clone())
}

/// A profile with an embedding that depends on the description.
pub fn profile(artist: &str, description: &str) -> anyhow::Result<NewStyleProfile> {
    Ok(NewStyleProfile {
        artist: name(artist)?,
        text_description: TextDescription::try_from(description.to_owned())?,
        quantitative_params: QuantitativeParams::try_from(DrumFeel {
            tempo_min: 82.0,
            tempo_max: 104.5,
            tempo_avg: 92.1,
            swing_percent: 56.5,
            ghost_note_prob: 0.4,
            syncopation_level: 0.55,
            velocity_mean: 78.25,
            velocity_std: 18.0,
        })?,
        embedding: Some(embedding(description.len() as u64)?),
        midi_templates: JsonArray::try_from(json!(["late_snare.mid", {"bars": 2}]))?,
        confidence: Confidence::try_from(0.8)?,
        sources_count: SourcesCount { papers: 1, articles: 2, audio: 3, midi: 4 },
    })
}

/// A reproducible embedding of unit length.
pub fn embedding(seed: u64) -> anyhow::Result<Embedding> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    let numbers: Vec<f64> = (0..Embedding::DIMENSIONS)
        .map(|_| {
            // xorshift64* by Marsaglia and Vigna.
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            let bits = state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40;
            f64::from(u32::try_from(bits).unwrap_or(0)) / f64::from(1_u32 << 24) - 0.5
        })
        .collect();
    let length = numbers.iter().map(|number| number * number).sum::<f64>().sqrt();
    #[expect(clippy::cast_possible_truncation, reason = "embeddings are single precision")]
    let numbers: Vec<f32> = numbers.iter().map(|number| (number / length) as f32).collect();
    Ok(Embedding::try_from(numbers)?)
}

/// A source at an address.
pub fn source(source_type: SourceType, url: &str) -> anyhow::Result<NewResearchSource> {
    Ok(NewResearchSource {
        source_type,
        location: SourceLocation::new(Some(Text::try_from(url.to_owned())?), None, None)?,
        extracted_data: Some(JsonObject::try_from(json!({"tempo": 92}))?),
        confidence: Some(Confidence::try_from(0.7)?),
    })
}

/// A source that is its own content.
pub fn recording(content: &str) -> anyhow::Result<NewResearchSource> {
    Ok(NewResearchSource {
        source_type: SourceType::Audio,
        location: SourceLocation::new(None, None, Some(Text::try_from(content.to_owned())?))?,
        extracted_data: None,
        confidence: None,
    })
}

/// A generation without an artist.
pub fn generation(provider: &str) -> anyhow::Result<NewGeneration> {
    Ok(NewGeneration {
        id: GenerationId::generate(),
        artist: None,
        created_at: None,
        details: GenerationDetails {
            provider: Provider::try_from(provider)?,
            model: Some(Label::try_from("large-2")?),
            status: GenerationStatus::Completed,
            error: None,
            steps: vec![GenerationStep { name: Label::try_from("prompt")?, time_ms: 150 }],
            generation_time_ms: 1_200,
            tokens: Tokens { used: Some(900), input: Some(700), ..Tokens::default() },
            cost: Some("0.0125".parse()?),
            user_params: JsonObject::try_from(json!({"bars": 4, "feel": "late"}))?,
            output_files: vec![Text::try_from("take-1.mid".to_owned())?],
        },
    })
}
