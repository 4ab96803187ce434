//! Bodies of requests, in which only what matters to a test is spelled out.

use anyhow::Context;
use serde_json::{Value, json};

use super::embedding;

/// A profile with everything but an embedding.
#[must_use]
pub fn profile() -> Value {
    json!({
        "text_description": "Behind the beat",
        "quantitative_params": {
            "tempo_min": 80.0, "tempo_max": 102.5, "tempo_avg": 91.5, "swing_percent": 62.0,
            "ghost_note_prob": 0.4, "syncopation_level": 0.7, "velocity_mean": 84.0, "velocity_std": 18.0
        },
        "midi_templates": ["late_snare.mid", {"bars": 2}],
        "confidence_score": 0.92,
        "sources_count": {"papers": 1, "articles": 2, "audio": 3, "midi": 4},
    })
}

/// A profile with an embedding that depends on the seed.
pub fn profile_with_embedding(seed: u64) -> anyhow::Result<Value> {
    changed(profile(), "/embedding", json!(embedding(seed)?.as_slice()))
}

/// A source at an address.
#[must_use]
pub fn source(url: &str) -> Value {
    json!({
        "source_type": "article", "url": url, "extracted_data": {"swing_percent": 62}, "confidence": 0.75,
    })
}

/// A generation without an artist.
#[must_use]
pub fn generation() -> Value {
    json!({
        "provider_used": "anthropic",
        "generation_time_ms": 1850,
        "tokens_used": 2400,
        "cost_usd": 0.0125,
        "user_params": {"bars": 4, "feel": "late"},
        "output_files": ["groove_001.mid"],
    })
}

/// A generation with the style of an artist.
pub fn generation_of(artist: &str) -> anyhow::Result<Value> {
    changed(generation(), "/artist", json!(artist))
}

/// A generation that was made at a time.
pub fn generation_at(time: &str) -> anyhow::Result<Value> {
    changed(generation(), "/created_at", json!(time))
}

/// The same with the member that a JSON pointer leads to changed or added.
pub fn changed(mut body: Value, pointer: &str, value: Value) -> anyhow::Result<Value> {
    let (parent, name) = pointer.rsplit_once('/').context("a pointer to a member")?;
    let parent = body.pointer_mut(parent).and_then(Value::as_object_mut);
    parent.context("an object")?.insert(name.to_owned(), value);
    Ok(body)
}

/// The same without the member that a JSON pointer leads to.
pub fn without(mut body: Value, pointer: &str) -> anyhow::Result<Value> {
    let (parent, name) = pointer.rsplit_once('/').context("a pointer to a member")?;
    let parent = body.pointer_mut(parent).and_then(Value::as_object_mut);
    parent.context("an object")?.remove(name).context("a member")?;
    Ok(body)
}
