//! Generations: what was made with whose style, and what it took.

mod body;
mod history;
mod recording;
mod view;

use actix_web::{HttpResponse, get, http::header, post, web};
use domain::HistoryPage;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{artists::known, period::Period};
use crate::{
    access::By,
    batch::{Batch, Form, OneOrMany},
    body::JsonBody,
    failures::{
        BadArtist, BadId, BadKeyedBody, Broken, Contradiction, NoArtist, NoGeneration, UnusableBody,
    },
    idempotency::Keyed,
    json,
    parameters::Asked,
    path::{ArtistInPath, GenerationInPath},
    problem::{Code, Problem},
    reading::{Answered, X_READ_FROM},
    state::State,
};

// Imports and exports have the same form.
use self::body::made_until_about;
pub(crate) use self::{body::NewGenerationBody, view::GenerationView};

use self::{history::HistoryParameters, recording::Recording, view::HistoryPageView};

/// How many generations may be recorded at once.
const MOST_AT_ONCE: usize = 1_000;

pub(super) fn register(config: &mut ServiceConfig<'_>) {
    config.service(record_generations).service(find_generation).service(list_history);
}

/// Records one generation, or up to 1000 in an array: all or none. Artists must be known.
///
/// With an `id` in each entry, or with an `Idempotency-Key`, the request can be repeated: what is recorded already is not
/// counted twice, and is answered as it stands.
#[utoipa::path(
    tag = "generations",
    params(
        ("idempotency-key" = Option<String>, Header, description = "A name that the caller makes for this request, best a new UUID: 1 to 255 visible ASCII characters, with or without quotes. Each entry without an `id` gets one that follows from the key and the entry's place. Keys are the same for all callers and do not expire; what a key was used for cannot be recorded otherwise under it", example = "8e03978e-40d5-43dd-bc93-6894a57f9324"),
    ),
    request_body = OneOrMany<NewGenerationBody>,
    responses(
        (status = CREATED, description = "What was recorded, in the form it was given", body = OneOrMany<GenerationView>, headers(
            ("location" = String, description = "Path of the generation, when it was a single one"),
        )),
        BadKeyedBody, NoArtist, Contradiction, UnusableBody, Broken,
    ),
)]
#[post("/api/v1/generations")]
async fn record_generations(
    state: web::Data<State>,
    by: By,
    _: Asked<()>,
    key: Keyed,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let made = made_until_about(state.now());
    let Batch { items, form } = json::read(&body.0, |node| {
        Batch::read(node, MOST_AT_ONCE, |node| NewGenerationBody::read(node, made))
    })?;
    let (recording, generations) = Recording::of(items, form, key.0);
    let recorded = match state.generations.record(generations, &by.0).await {
        Ok(recorded) => recorded,
        Err(error) => return Err(recording.refusal(&state, error).await),
    };
    state.metrics().saved_generations(recorded.len());
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

/// Lists an artist's generations, newest first. What is asked for of them holds together.
#[utoipa::path(
    tag = "generations",
    params(
        ("artist" = String, Path, description = "The name, in any spelling that means the artist", example = "J Dilla"),
        ("provider" = Option<String>, Query, description = "Only generations by this provider", example = "anthropic"),
        ("status" = Option<String>, Query, description = "Only generations that ended so: `completed`, `failed` or `cancelled`", example = "completed"),
        Period,
        ("cursor" = Option<String>, Query, description = "Where to go on: the `next_cursor` of the page before"),
        ("limit" = Option<u16>, Query, description = "How many at most; 10 if not given", minimum = 1, maximum = 100),
    ),
    responses(
        (status = OK, description = "A page of the history", body = HistoryPageView, headers(
            ("x-read-from" = String, description = "With a database for reading: `read_database`, which may be behind what was recorded last, or `database`"),
        )),
        BadArtist, NoArtist, Broken,
    ),
)]
#[get("/api/v1/artists/{artist}/history")]
async fn list_history(
    state: web::Data<State>,
    artist: ArtistInPath,
    query: Asked<HistoryParameters>,
) -> Result<HttpResponse, Problem> {
    let HistoryParameters { filter, cursor, limit } = query.0;
    let artist = known(&state, &artist.0).await?;
    let Answered { value: HistoryPage { total, page }, from } =
        state.reading.history(artist.id, &filter, cursor, limit).await?;
    let mut response = HttpResponse::Ok();
    if let Some(from) = from {
        response.insert_header((X_READ_FROM, from.as_str()));
    }
    Ok(response.json(HistoryPageView::of(&artist.name, total, page)))
}
