//! Generations: what was made with whose style, and what it took.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, get, http::header, post, web};
use domain::{
    ArtistName, Generation, GenerationId, HistoryCursor, HistoryPage, Id, JsonObject, Limit,
    NewGeneration, Provider, RepositoryError, Statistics, Text,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::artists::known;
use crate::{
    batch::{Batch, Form, OneOrMany},
    body::JsonBody,
    failures::{
        BadArtist, BadBody, BadId, BadQuery, Broken, Contradiction, NoArtist, NoGeneration,
        UnusableBody,
    },
    json::{self, Node},
    money::{Dollars, read_cost},
    parameters::{Asked, FromParameters, Parameters},
    path::{ArtistInPath, GenerationInPath},
    problem::{Code, Problem},
    state::State,
    violation::Violation,
};

/// How many generations may be recorded at once.
const MOST_AT_ONCE: usize = 1_000;

pub(super) fn register(config: &mut ServiceConfig<'_>) {
    config
        .service(record_generations)
        .service(find_generation)
        .service(list_history)
        .service(show_statistics);
}

/// Records one generation, or up to 1000 in an array: all or none. Artists must be known.
///
/// With an `id` the request can be repeated: what is recorded already is not counted twice.
#[utoipa::path(
    tag = "generations",
    request_body = OneOrMany<NewGenerationBody>,
    responses(
        (status = CREATED, description = "What was recorded, in the form it was given", body = OneOrMany<GenerationView>, headers(
            ("location" = String, description = "Path of the generation, when it was a single one"),
        )),
        BadBody, NoArtist, Contradiction, UnusableBody, Broken,
    ),
)]
#[post("/api/v1/generations")]
async fn record_generations(
    state: web::Data<State>,
    _: Asked<()>,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let Batch { items, form } =
        json::read(&body.0, |node| Batch::read(node, MOST_AT_ONCE, NewGenerationBody::read))?;
    let artists: Vec<Option<ArtistName>> = items.iter().map(|it| it.artist.clone()).collect();
    let recorded = match state.generations.record(items).await {
        Ok(recorded) => recorded,
        Err(RepositoryError::UnknownArtist(artist)) => {
            let place = place_of(&artist, &artists, form);
            return Err(state.unknown_artist(&artist).await.at(place));
        }
        Err(error) => return Err(error.into()),
    };
    let mut response = HttpResponse::Created();
    if let ([generation], Form::One) = (recorded.as_slice(), form) {
        let location = format!("/api/v1/generations/{}", generation.id);
        response.insert_header((header::LOCATION, location));
    }
    let recorded = recorded.into_iter().map(GenerationView::from).collect();
    Ok(response.json(form.shape(recorded)))
}

/// Returns one generation.
#[utoipa::path(
    tag = "generations",
    params(("id" = String, Path, description = "Identity of the generation", example = "01890a5d-ac96-774b-bcce-b302099a8057")),
    responses((status = OK, description = "The generation", body = GenerationView), BadId, NoGeneration, Broken),
)]
#[get("/api/v1/generations/{id}")]
async fn find_generation(
    state: web::Data<State>,
    id: GenerationInPath,
    _: Asked<()>,
) -> Result<web::Json<GenerationView>, Problem> {
    let unknown =
        || Problem::new(Code::GenerationNotFound, format!("generation {} is not known", id.0));
    let generation = state.generations.find(id.0).await?.ok_or_else(unknown)?;
    Ok(web::Json(generation.into()))
}

/// Lists an artist's generations, newest first.
#[utoipa::path(
    tag = "generations",
    params(
        ("artist" = String, Path, description = "The name, in any spelling that means the artist", example = "J Dilla"),
        ("cursor" = Option<String>, Query, description = "Where to go on: the `next_cursor` of the page before"),
        ("limit" = Option<u16>, Query, description = "How many at most; 10 if not given", minimum = 1, maximum = 100),
    ),
    responses((status = OK, description = "A page of the history", body = HistoryPageView), BadArtist, NoArtist, Broken),
)]
#[get("/api/v1/artists/{artist}/history")]
async fn list_history(
    state: web::Data<State>,
    artist: ArtistInPath,
    query: Asked<HistoryParameters>,
) -> Result<web::Json<HistoryPageView>, Problem> {
    let HistoryParameters { cursor, limit } = query.0;
    let artist = known(&state, &artist.0).await?;
    let HistoryPage { total, page } = state.generations.history(artist.id, cursor, limit).await?;
    Ok(web::Json(HistoryPageView {
        artist: artist.name.to_string(),
        total_generations: total,
        history: page.items.into_iter().map(|it| GenerationView::from(it).entry).collect(),
        next_cursor: page.next.map(|cursor| cursor.encode()),
    }))
}

/// Shows all generations in figures.
#[utoipa::path(
    tag = "generations",
    responses((status = OK, description = "The figures", body = StatisticsView), BadQuery, Broken),
)]
#[get("/api/v1/stats")]
async fn show_statistics(
    state: web::Data<State>,
    _: Asked<()>,
) -> Result<web::Json<StatisticsView>, Problem> {
    Ok(web::Json(state.generations.statistics().await?.into()))
}

/// Which entry of the body named this artist.
fn place_of(artist: &ArtistName, artists: &[Option<ArtistName>], form: Form) -> Violation {
    let index = artists.iter().position(|named| named.as_ref() == Some(artist));
    let pointer = format!("{}/artist", form.pointer(index.unwrap_or_default()));
    Violation::at_pointer(pointer, "is not known")
}

/// A generation to record.
#[derive(Debug, ToSchema)]
#[schema(as = NewGeneration, example = json!({
    "artist": "J Dilla",
    "provider_used": "anthropic",
    "generation_time_ms": 1_850,
    "tokens_used": 2_400,
    "cost_usd": 0.0125,
    "user_params": {"bars": 4, "tempo": 92},
    "output_files": ["groove_001.mid"]
}))]
struct NewGenerationBody {
    /// Identity to make, so that the request can be repeated; absent makes a new one.
    #[schema(value_type = Option<String>, format = Uuid)]
    id: GenerationId,
    /// The artist whose style was used, who must be known; absent when none was.
    #[schema(value_type = Option<String>)]
    artist: Option<ArtistName>,
    /// Who generated: `anthropic`, `google`, `openai`, `template`, or another name.
    #[schema(value_type = String, min_length = 1, max_length = 50)]
    provider_used: Provider,
    /// How long it took, in milliseconds.
    generation_time_ms: u32,
    /// How many tokens it used; absent when unknown.
    tokens_used: Option<u32>,
    /// What it cost in US dollars, at most nine decimals; absent when unknown, which is not zero.
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 1_000_000)]
    cost_usd: Option<domain::Cost>,
    /// What was asked for, in any form.
    #[schema(value_type = Object)]
    user_params: JsonObject,
    /// What came out of it; absent is nothing.
    #[schema(value_type = Option<Vec<String>>)]
    output_files: Vec<Text>,
    /// When it was made (RFC 3339); absent is now.
    #[schema(value_type = Option<String>, format = DateTime)]
    created_at: Option<domain::Timestamp>,
}

impl NewGenerationBody {
    fn read(node: &Node<'_>) -> Option<NewGeneration> {
        let mut members = node.members()?;
        let id = members
            .optional("id")
            .and_then(|node| node.checked(node.text()?.parse::<GenerationId>()))
            .unwrap_or_else(Id::generate);
        let artist = members
            .optional("artist")
            .and_then(|node| node.checked(ArtistName::try_from(node.text()?.as_str())));
        let provider_used = members
            .required("provider_used")
            .and_then(|node| node.checked(Provider::try_from(node.text()?.as_str())));
        let generation_time_ms =
            members.required("generation_time_ms").and_then(|node| node.whole(u32::MAX));
        let tokens_used = members.optional("tokens_used").and_then(|node| node.whole(u32::MAX));
        let cost_usd = members.optional("cost_usd").and_then(|node| read_cost(&node));
        let user_params = members
            .required("user_params")
            .and_then(|node| node.checked(JsonObject::try_from(node.open_ended()?)));
        let output_files =
            members.optional("output_files").and_then(|node| read_files(&node)).unwrap_or_default();
        let created_at =
            members.optional("created_at").and_then(|node| node.checked(node.text()?.parse()));
        members.end();

        let body = Self {
            id,
            artist,
            provider_used: provider_used?,
            generation_time_ms: generation_time_ms?,
            tokens_used,
            cost_usd,
            user_params: user_params?,
            output_files,
            created_at,
        };
        Some(body.into_generation())
    }

    fn into_generation(self) -> NewGeneration {
        let Self {
            id,
            artist,
            provider_used,
            generation_time_ms,
            tokens_used,
            cost_usd,
            user_params,
            output_files,
            created_at,
        } = self;
        NewGeneration {
            id,
            artist,
            provider: provider_used,
            generation_time_ms,
            tokens_used,
            cost: cost_usd,
            user_params,
            output_files,
            created_at,
        }
    }
}

fn read_files(node: &Node<'_>) -> Option<Vec<Text>> {
    let read = |node: &Node<'_>| node.checked(Text::try_from(node.text()?));
    let files: Vec<Option<Text>> = node.elements()?.iter().map(read).collect();
    files.into_iter().collect()
}

/// Which part of a history to list.
#[derive(Debug)]
struct HistoryParameters {
    cursor: Option<HistoryCursor>,
    limit: Limit<100>,
}

impl FromParameters for HistoryParameters {
    fn from_parameters(parameters: &mut Parameters) -> Option<Self> {
        let cursor = parameters.optional("cursor", HistoryCursor::parse);
        Some(Self { cursor, limit: parameters.limit(10)? })
    }
}

/// A recorded generation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Generation)]
struct GenerationView {
    /// The artist whose style was used; null when none was, or when the artist was removed since.
    artist: Option<String>,
    /// The rest.
    #[serde(flatten)]
    entry: HistoryEntryView,
}

/// A recorded generation of a known artist.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HistoryEntry, example = json!({
    "id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "provider_used": "anthropic",
    "generation_time_ms": 1_850,
    "tokens_used": 2_400,
    "cost_usd": 0.0125,
    "user_params": {"bars": 4, "tempo": 92},
    "output_files": ["groove_001.mid"],
    "created_at": "2026-11-21T08:30:00Z"
}))]
struct HistoryEntryView {
    /// Identity.
    #[schema(format = Uuid)]
    id: String,
    /// Who generated.
    provider_used: String,
    /// How long it took, in milliseconds.
    generation_time_ms: u32,
    /// How many tokens it used; null when unknown.
    tokens_used: Option<u32>,
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

impl From<Generation> for GenerationView {
    fn from(generation: Generation) -> Self {
        let Generation {
            id,
            artist,
            provider,
            generation_time_ms,
            tokens_used,
            cost,
            user_params,
            output_files,
            created_at,
        } = generation;
        let entry = HistoryEntryView {
            id: id.to_string(),
            provider_used: provider.to_string(),
            generation_time_ms,
            tokens_used,
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
    "history": [{
        "id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "provider_used": "anthropic",
        "generation_time_ms": 1_850,
        "tokens_used": 2_400,
        "cost_usd": 0.0125,
        "user_params": {"bars": 4, "tempo": 92},
        "output_files": ["groove_001.mid"],
        "created_at": "2026-11-21T08:30:00Z"
    }],
    "next_cursor": null
}))]
struct HistoryPageView {
    /// The artist's name as it was first stored.
    artist: String,
    /// How many generations the artist has, on all pages.
    total_generations: u64,
    /// The generations, newest first.
    history: Vec<HistoryEntryView>,
    /// What to ask for as `cursor` to get the next page; null on the last.
    next_cursor: Option<String>,
}

/// All generations in figures.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Statistics, example = json!({
    "total_generations": 1_204,
    "avg_generation_time_ms": 1_850.5,
    "total_cost_usd": 15.0125,
    "provider_usage": {"anthropic": 800, "template": 404},
    "avg_cost_per_generation": 0.012_510_417,
    "cached_artists": 87,
    "unpriced_generations": 4
}))]
struct StatisticsView {
    /// How many there are.
    total_generations: u64,
    /// Mean time in milliseconds; null without generations.
    avg_generation_time_ms: Option<f64>,
    /// Sum of the known costs in US dollars, exactly.
    #[schema(value_type = f64)]
    total_cost_usd: Dollars,
    /// How many each provider made.
    provider_usage: BTreeMap<String, u64>,
    /// Mean of the known costs in US dollars, to the nano-dollar; null when none is known.
    #[schema(value_type = Option<f64>)]
    avg_cost_per_generation: Option<Dollars>,
    /// How many artists have a profile.
    cached_artists: u64,
    /// How many generations have no known cost.
    unpriced_generations: u64,
}

impl From<Statistics> for StatisticsView {
    fn from(statistics: Statistics) -> Self {
        let avg_generation_time_ms = statistics.avg_generation_time_ms();
        let avg_cost_per_generation = statistics.avg_cost().map(Dollars);
        let Statistics {
            total_generations,
            total_time_ms: _,
            total_cost,
            priced_generations,
            provider_usage,
            cached_artists,
        } = statistics;
        let usage = provider_usage.into_iter();
        Self {
            total_generations,
            avg_generation_time_ms,
            total_cost_usd: Dollars(total_cost),
            provider_usage: usage.map(|(provider, count)| (provider.to_string(), count)).collect(),
            avg_cost_per_generation,
            cached_artists,
            unpriced_generations: total_generations.saturating_sub(priced_generations),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(body: &str) -> String {
        let read = json::read(body.as_bytes(), |node| {
            Batch::read(node, MOST_AT_ONCE, NewGenerationBody::read).map(|batch| batch.items.len())
        });
        read.map_or_else(|invalid| invalid.to_string(), |count| count.to_string())
    }

    #[test]
    fn reads_the_documented_example() {
        let schema = <NewGenerationBody as utoipa::PartialSchema>::schema();
        let example = &serde_json::to_value(schema).unwrap()["example"];

        assert_eq!(told(&example.to_string()), "1");
        assert_eq!(told(&format!("[{example}, {example}]")), "2");
    }

    #[test]
    fn points_into_an_array() {
        let good = r#"{"provider_used": "template", "generation_time_ms": 1, "user_params": {}}"#;
        let bad =
            r#"{"provider_used": 1, "generation_time_ms": -1, "user_params": [], "cost_usd": "1"}"#;

        assert_eq!(
            told(&format!("[{good}, {bad}]")),
            "/1/provider_used: must be a string, not a number; \
             /1/generation_time_ms: must be a whole number from 0 to 4294967295; \
             /1/cost_usd: must be a number, not a string; /1/user_params: must be a JSON object"
        );
        assert_eq!(told("[]"), "must hold 1 to 1000 entries, not 0");
    }
}
