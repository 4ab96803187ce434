//! Generations as they are shown.

use domain::{
    ArtistName, Generation, GenerationDetails, GenerationStep, HistoryCursor, Page, Text, Tokens,
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::body::GenerationStatusBody;
use crate::money::Dollars;

/// A recorded generation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Generation)]
pub(crate) struct GenerationView {
    /// The artist whose style was used; null when none was, or when the artist was removed since.
    artist: Option<String>,
    /// The rest.
    #[serde(flatten)]
    entry: HistoryEntryView,
}

/// A recorded generation of a known artist.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HistoryEntry, example = json!(example_of_an_entry()))]
struct HistoryEntryView {
    /// Identity.
    #[schema(format = Uuid)]
    id: String,
    /// Who generated.
    provider_used: String,
    /// With which model; null when unknown.
    model: Option<String>,
    /// How it ended.
    #[schema(value_type = GenerationStatusBody)]
    status: &'static str,
    /// What went wrong; null when nothing did, or nothing is known of it.
    error: Option<String>,
    /// How long it took, in milliseconds.
    generation_time_ms: u32,
    /// What it consisted of, in order; empty when unknown.
    steps: Vec<StepView>,
    /// How many tokens it used altogether; null when unknown.
    tokens_used: Option<u32>,
    /// How many tokens the model read; null when unknown.
    input_tokens: Option<u32>,
    /// How many tokens the model wrote; null when unknown.
    output_tokens: Option<u32>,
    /// How many tokens were read from the provider's cache; null when unknown.
    cache_read_tokens: Option<u32>,
    /// How many tokens were written to the provider's cache; null when unknown.
    cache_write_tokens: Option<u32>,
    /// How many tokens were spent on reasoning that is not part of the answer; null when unknown.
    reasoning_tokens: Option<u32>,
    /// What it cost in US dollars, exactly; null when unknown.
    #[schema(value_type = Option<f64>)]
    cost_usd: Option<Dollars>,
    /// What was asked for.
    #[schema(value_type = Object)]
    user_params: Value,
    /// What came out of it.
    output_files: Vec<String>,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
}

/// One with everything that is mostly known.
fn example_of_an_entry() -> Value {
    json!({
        "id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "provider_used": "anthropic",
        "model": "drums-large-2",
        "status": "completed",
        "error": null,
        "generation_time_ms": 1_850,
        "steps": [{"name": "prompt", "time_ms": 150}, {"name": "generate", "time_ms": 1_700}],
        "tokens_used": 2_400,
        "input_tokens": 1_900,
        "output_tokens": 500,
        "cache_read_tokens": null,
        "cache_write_tokens": null,
        "reasoning_tokens": null,
        "cost_usd": 0.0125,
        "user_params": {"bars": 4, "tempo": 92},
        "output_files": ["groove_001.mid"],
        "created_at": "2026-11-21T08:30:00Z"
    })
}

/// A part of a generation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GenerationStep)]
struct StepView {
    /// What it is called.
    name: String,
    /// How long it took, in milliseconds.
    time_ms: u32,
}

impl From<GenerationStep> for StepView {
    fn from(step: GenerationStep) -> Self {
        let GenerationStep { name, time_ms } = step;
        Self { name: name.to_string(), time_ms }
    }
}

impl From<Generation> for GenerationView {
    fn from(generation: Generation) -> Self {
        let Generation { id, artist, created_at, details } = generation;
        let GenerationDetails {
            provider,
            model,
            status,
            error,
            steps,
            generation_time_ms,
            tokens: Tokens { used, input, output, cache_read, cache_write, reasoning },
            cost,
            user_params,
            output_files,
        } = details;
        let entry = HistoryEntryView {
            id: id.to_string(),
            provider_used: provider.to_string(),
            model: model.map(|model| model.to_string()),
            status: status.as_str(),
            error: error.map(|error| error.to_string()),
            generation_time_ms,
            steps: steps.into_iter().map(StepView::from).collect(),
            tokens_used: used,
            input_tokens: input,
            output_tokens: output,
            cache_read_tokens: cache_read,
            cache_write_tokens: cache_write,
            reasoning_tokens: reasoning,
            cost_usd: cost.map(|cost| Dollars(cost.into())),
            user_params: user_params.into(),
            output_files: output_files.iter().map(Text::to_string).collect(),
            created_at: created_at.to_string(),
        };
        Self { artist: artist.map(|artist| artist.to_string()), entry }
    }
}

/// A page of an artist's history.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HistoryPage, example = json!({
    "artist": "J Dilla",
    "total_generations": 12,
    "history": [example_of_an_entry()],
    "next_cursor": null
}))]
pub(super) struct HistoryPageView {
    /// The artist's name as it was first stored.
    artist: String,
    /// How many generations the artist has, on all pages, whatever was asked for of them.
    total_generations: u64,
    /// The generations, newest first.
    history: Vec<HistoryEntryView>,
    /// What to ask for as `cursor`, beside the same other parameters, to get the next page; null on the last.
    next_cursor: Option<String>,
}

impl HistoryPageView {
    /// A page of the history of this artist, who has so many generations.
    pub(super) fn of(
        artist: &ArtistName,
        total: u64,
        page: Page<Generation, HistoryCursor>,
    ) -> Self {
        let Page { items, next } = page;
        Self {
            artist: artist.to_string(),
            total_generations: total,
            history: items.into_iter().map(|it| GenerationView::from(it).entry).collect(),
            next_cursor: next.map(|cursor| cursor.encode()),
        }
    }
}
