//! Similar artists: who plays alike.

use std::time::Instant;

use actix_web::{get, web};
use domain::{Exactness, Limit, Neighbour, Neighbours, Search, StyleProfiles as _};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{
    failures::{BadArtist, Broken, NoEmbedding, NoProfile},
    parameters::{Asked, FromParameters, Parameters},
    path::ArtistInPath,
    problem::{Code, Problem},
    state::State,
};

pub(super) fn register(config: &mut ServiceConfig<'_>) {
    config.service(find_similar_artists);
}

/// Finds the artists who play most like one, the closest first.
#[utoipa::path(
    tag = "similar-artists",
    params(
        ("artist" = String, Path, description = "The name, in any spelling that means the artist", example = "J Dilla"),
        ("limit" = Option<u16>, Query, description = "How many at most; 5 if not given", minimum = 1, maximum = 20),
    ),
    responses(
        (status = OK, description = "The closest artists", body = SimilarArtistsView),
        BadArtist, NoProfile, NoEmbedding, Broken,
    ),
)]
#[get("/api/v1/similar/{artist}")]
async fn find_similar_artists(
    state: web::Data<State>,
    artist: ArtistInPath,
    query: Asked<FindParameters>,
) -> Result<web::Json<SimilarArtistsView>, Problem> {
    let asked = Instant::now();
    let Some(profile) = state.style_profiles.find(artist.0.key()).await? else {
        return Err(state.no_profile(&artist.0).await);
    };
    let Some(embedding) = &profile.embedding else {
        let detail =
            format!("the style profile of '{}' has no embedding to compare", profile.artist);
        return Err(Problem::new(Code::EmbeddingMissing, detail));
    };
    let search = Search {
        except: vec![artist.0.key().clone()],
        ..Search::around(embedding.clone(), query.0.limit)
    };
    let Neighbours { neighbours, exactness } = state.similar_artists.nearest(&search).await?;
    Ok(web::Json(SimilarArtistsView {
        artist: profile.artist.to_string(),
        similar_artists: neighbours.into_iter().map(NeighbourView::from).collect(),
        exactness: ExactnessView::of(exactness, asked),
    }))
}

/// How many artists to find.
#[derive(Debug)]
struct FindParameters {
    limit: Limit<20>,
}

impl FromParameters for FindParameters {
    fn from_parameters(parameters: &mut Parameters) -> Option<Self> {
        Some(Self { limit: parameters.limit(5)? })
    }
}

/// Who plays like an artist.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SimilarArtists, example = json!({
    "artist": "J Dilla",
    "similar_artists": [{"name": "Questlove", "similarity": 0.914}, {"name": "Karriem Riggins", "similarity": 0.887}],
    "exactness": {"mode": "exact", "compared": 1_204, "as_of_version": 42, "took_us": 380}
}))]
struct SimilarArtistsView {
    /// The artist's name as it was first stored.
    artist: String,
    /// The closest first, ties by name; as many as asked for, or as exist.
    similar_artists: Vec<NeighbourView>,
    /// How they were found.
    exactness: ExactnessView,
}

/// One artist who plays alike.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Neighbour)]
struct NeighbourView {
    /// Who.
    name: String,
    /// Cosine of the angle: 1 alike, 0 unrelated, -1 opposite.
    similarity: f64,
}

impl From<Neighbour> for NeighbourView {
    fn from(neighbour: Neighbour) -> Self {
        let Neighbour { artist, score } = neighbour;
        Self { name: artist.to_string(), similarity: score }
    }
}

/// What a search can be trusted for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Exactness)]
struct ExactnessView {
    /// `exact` when every embedding was compared; `approximate` when an index chose some.
    #[schema(value_type = String)]
    mode: &'static str,
    /// How many embeddings the search covered.
    compared: u64,
    /// The store's latest version when the search began.
    as_of_version: u64,
    /// How long it took, in microseconds.
    took_us: u64,
}

impl ExactnessView {
    fn of(exactness: Exactness, asked: Instant) -> Self {
        let Exactness { mode, compared, as_of } = exactness;
        let took_us = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
        Self { mode: mode.as_str(), compared, as_of_version: as_of.number(), took_us }
    }
}
