//! Similar artists: who plays alike.

mod body;
mod explanation;
mod filter;
mod target;
mod view;
mod wishes;

use std::time::Instant;

use actix_web::{HttpResponse, get, post, web};
use cache::{Freshness, SimilarRead};
use domain::{DrumFeel, Neighbours, RepositoryError, Search};
use serde::Serialize;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{
    body::JsonBody,
    failures::{BadArtist, BadBody, Broken, NoEmbedding, NoProfile, UnusableBody},
    freshness::{Served, Wanted},
    json,
    parameters::Asked,
    path::ArtistInPath,
    problem::Problem,
    state::State,
};

use self::{
    body::{BatchBody, SearchBody, Sought},
    explanation::Feels,
    target::{Around, Target},
    view::{
        BatchResultView, Comparison, EntryView, ExactnessView, NeighbourView, SearchResultView,
        SimilarArtistsView,
    },
    wishes::Wishes,
};

pub(super) fn register(config: &mut ServiceConfig<'_>) {
    config
        .service(find_similar_artists)
        .service(search_similar_artists)
        .service(find_similar_to_many);
}

/// Finds the artists who play most like one, the closest first.
#[utoipa::path(
    tag = "similar-artists",
    params(
        ("artist" = String, Path, description = "The name, in any spelling that means the artist", example = "J Dilla"),
        Wishes,
        Wanted,
    ),
    responses(
        (status = OK, description = "The closest artists", body = SimilarArtistsView, headers(
            ("x-cache" = String, description = "What answered: memory (it was kept from the same search), index (compared in memory) or database"),
            ("age" = u64, description = "Seconds since the answer was known to be current"),
            ("warning" = String, description = "110, when the database cannot be reached and the answer may be out of date"),
        )),
        BadArtist, NoProfile, NoEmbedding, Broken,
    ),
)]
#[get("/api/v1/similar/{artist}")]
async fn find_similar_artists(
    state: web::Data<State>,
    artist: ArtistInPath,
    query: Asked<Wishes>,
    wanted: Wanted,
) -> Result<HttpResponse, Problem> {
    let asked = Instant::now();
    let wishes = query.0;
    let (target, known) = Target::find(&state, &artist.0, wanted.0).await?;
    let search = around(&target, &wishes);
    let read = state.similar_artists.read(&search, wanted.0).await?;
    state.metrics().searched(wishes.metric, &read);
    let feels = feels(&state, &wishes, [&*read.answer], wanted.0).await?;
    let view = SimilarArtistsView {
        artist: target.artist.to_string(),
        metric: view::told(wishes.metric),
        similar_artists: similar(&read, &wishes, feels.as_ref(), Some(&target.feel)),
        exactness: ExactnessView::of(read.answer.exactness, asked),
    };
    Ok(answer([Some(Served::of_search(&read)), Some(known), compared(feels.as_ref())], view))
}

/// Finds the artists closest to an embedding, or those who play like some artists and unlike others.
#[utoipa::path(
    tag = "similar-artists",
    params(Wanted),
    request_body = SearchBody,
    responses(
        (status = OK, description = "The closest artists", body = SearchResultView, headers(
            ("x-cache" = String, description = "What answered: memory (it was kept from the same search), index (compared in memory) or database"),
            ("age" = u64, description = "Seconds since the answer was known to be current"),
            ("warning" = String, description = "110, when the database cannot be reached and the answer may be out of date"),
        )),
        BadBody, NoProfile, NoEmbedding, UnusableBody, Broken,
    ),
)]
#[post("/api/v1/similar")]
async fn search_similar_artists(
    state: web::Data<State>,
    _: Asked<()>,
    wanted: Wanted,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let asked = Instant::now();
    let Sought { centre, wishes } = json::read(&body.0, SearchBody::read)?;
    let Around { embedding, except, artists } = Around::of(&state, centre, wanted.0).await?;
    let search = wishes.search(embedding, except);
    let read = state.similar_artists.read(&search, wanted.0).await?;
    state.metrics().searched(wishes.metric, &read);
    let feels = feels(&state, &wishes, [&*read.answer], wanted.0).await?;
    let known = artists.as_ref().map(|artists| artists.served);
    let target = artists.as_ref().map(|artists| &artists.feel);
    let similar = similar(&read, &wishes, feels.as_ref(), target);
    let exactness = ExactnessView::of(read.answer.exactness, asked);
    let view = SearchResultView::new(artists, wishes.metric, similar, exactness);
    Ok(answer([Some(Served::of_search(&read)), known, compared(feels.as_ref())], view))
}

/// Finds the artists who play most like each of several. What is wrong with one does not keep the others from being
/// answered.
#[utoipa::path(
    tag = "similar-artists",
    params(Wanted),
    request_body = BatchBody,
    responses(
        (status = OK, description = "The closest artists to each", body = BatchResultView, headers(
            ("x-cache" = String, description = "What answered the costliest search: memory, index or database; without any, what knows that"),
            ("age" = u64, description = "Seconds since all of the answer was known to be current"),
            ("warning" = String, description = "110, when the database cannot be reached and the answer may be out of date"),
        )),
        BadBody, UnusableBody, Broken,
    ),
)]
#[post("/api/v1/similar/batch")]
async fn find_similar_to_many(
    state: web::Data<State>,
    _: Asked<()>,
    wanted: Wanted,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let asked = Instant::now();
    let BatchBody { artists, wishes } = json::read(&body.0, BatchBody::read)?;
    let (targets, known) = Target::find_each(&state, &artists, wanted.0).await?;
    let searches: Vec<Search> =
        targets.iter().flatten().map(|target| around(target, &wishes)).collect();
    let reads = state.similar_artists.read_many(&searches, wanted.0).await?;
    for read in &reads {
        state.metrics().searched(wishes.metric, read);
    }
    let feels = feels(&state, &wishes, reads.iter().map(|read| &*read.answer), wanted.0).await?;

    let mut answers = reads.iter();
    let results = artists.iter().zip(&targets).filter_map(|(artist, target)| match target {
        Ok(target) => Some(EntryView::Found {
            artist: target.artist.to_string(),
            similar_artists: similar(answers.next()?, &wishes, feels.as_ref(), Some(&target.feel)),
        }),
        Err(problem) => {
            Some(EntryView::Failed { artist: artist.to_string(), error: problem.of_entry() })
        }
    });
    let view = BatchResultView {
        metric: view::told(wishes.metric),
        results: results.collect(),
        exactness: ExactnessView::of_all(&reads, asked),
    };
    Ok(answer([Served::of_searches(&reads), known, compared(feels.as_ref())], view))
}

/// An answer that says of itself what is true of everything it rests on. What answered is the first of that.
fn answer(rests_on: [Option<Served>; 3], view: impl Serialize) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    if let Some(served) = rests_on.into_iter().flatten().reduce(Served::resting_on) {
        served.tell(&mut response);
    }
    response.json(view)
}

fn compared(feels: Option<&Feels>) -> Option<Served> {
    feels.and_then(|feels| feels.served)
}

/// The search for who plays like an artist.
fn around(target: &Target, wishes: &Wishes) -> Search {
    wishes.search(target.embedding.clone(), vec![target.artist.key().clone()])
}

/// How everybody plays who was found, if that is to be compared.
async fn feels(
    state: &State,
    wishes: &Wishes,
    answers: impl IntoIterator<Item = &Neighbours>,
    freshness: Freshness,
) -> Result<Option<Feels>, RepositoryError> {
    if wishes.explain { Feels::of(state, answers, freshness).await.map(Some) } else { Ok(None) }
}

fn similar(
    read: &SimilarRead,
    wishes: &Wishes,
    feels: Option<&Feels>,
    target: Option<&DrumFeel>,
) -> Vec<NeighbourView> {
    let comparison = feels.zip(target).map(|(feels, target)| Comparison { feels, target });
    NeighbourView::all(&read.answer, wishes.metric, comparison)
}

/// Whether this is the body of a search, for the fuzz targets.
#[cfg(fuzzing)]
#[must_use]
pub fn read_any(body: &[u8]) -> bool {
    json::read(body, SearchBody::read).is_ok()
}

/// Whether this is the body of a batch of searches, for the fuzz targets.
#[cfg(fuzzing)]
#[must_use]
pub fn read_any_batch(body: &[u8]) -> bool {
    json::read(body, BatchBody::read).is_ok()
}
