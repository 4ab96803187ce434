//! Research sources: what profiles rest on.

use actix_web::{HttpResponse, get, post, web};
use domain::{
    Confidence, Limit, NewResearchSource, RepositoryError, ResearchSource, SourceCursor, SourceType,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::artists::known;
use crate::{
    access::By,
    batch::{Batch, OneOrMany},
    body::JsonBody,
    failures::{BadArtist, BadArtistBody, Broken, NoArtist, UnusableBody},
    json,
    parameters::{Asked, FromParameters, Parameters},
    path::ArtistInPath,
    problem::Problem,
    source_body::{SourceBody, SourceTypeBody},
    state::State,
};

/// How many sources may be added at once.
const MOST_AT_ONCE: usize = 100;

pub(super) fn register(config: &mut ServiceConfig<'_>) {
    config.service(list_sources).service(add_sources);
}

/// Lists an artist's sources, oldest first.
#[utoipa::path(
    tag = "sources",
    params(
        ("artist" = String, Path, description = "The name, in any spelling that means the artist", example = "J Dilla"),
        ("type" = Option<SourceTypeBody>, Query, description = "Only those of this kind"),
        ("cursor" = Option<String>, Query, description = "Where to go on: the `next_cursor` of the page before"),
        ("limit" = Option<u16>, Query, description = "How many at most; 100 if not given", minimum = 1, maximum = 500),
    ),
    responses((status = OK, description = "A page of sources", body = SourcePageView), BadArtist, NoArtist, Broken),
)]
#[get("/api/v1/artists/{artist}/sources")]
async fn list_sources(
    state: web::Data<State>,
    artist: ArtistInPath,
    query: Asked<ListParameters>,
) -> Result<web::Json<SourcePageView>, Problem> {
    let ListParameters { source_type, cursor, limit } = query.0;
    let artist = known(&state, &artist.0).await?;
    let page = state.research_sources.page(artist.id, source_type, cursor, limit).await?;
    Ok(web::Json(SourcePageView {
        artist: artist.name.to_string(),
        sources: page.items.into_iter().map(SourceView::from).collect(),
        next_cursor: page.next.map(|cursor| cursor.encode()),
    }))
}

/// Adds one source, or up to 100 in an array: all or none. The artist must be known.
#[utoipa::path(
    tag = "sources",
    params(("artist" = String, Path, description = "The name, in any spelling that means the artist", example = "J Dilla")),
    request_body = OneOrMany<SourceBody>,
    responses(
        (status = CREATED, description = "What was added, in the form it was given", body = OneOrMany<SourceView>),
        BadArtistBody, NoArtist, UnusableBody, Broken,
    ),
)]
#[post("/api/v1/artists/{artist}/sources")]
async fn add_sources(
    state: web::Data<State>,
    by: By,
    artist: ArtistInPath,
    _: Asked<()>,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let Batch { items, form } =
        json::read(&body.0, |node| Batch::read(node, MOST_AT_ONCE, SourceBody::read))?;
    let artist = known(&state, &artist.0).await?;
    let added = match state.research_sources.add(artist.id, items, &by.0).await {
        Ok(added) => added,
        // It was removed a moment ago.
        Err(RepositoryError::Conflict) => return Err(state.unknown_artist(&artist.name).await),
        Err(error) => return Err(error.into()),
    };
    let added = added.into_iter().map(SourceView::from).collect();
    Ok(HttpResponse::Created().json(form.shape(added)))
}

/// Which sources to list.
#[derive(Debug)]
struct ListParameters {
    source_type: Option<SourceType>,
    cursor: Option<SourceCursor>,
    limit: Limit<500>,
}

impl FromParameters for ListParameters {
    fn from_parameters(parameters: &mut Parameters) -> Option<Self> {
        let source_type = parameters.optional("type", str::parse);
        let cursor = parameters.optional("cursor", SourceCursor::parse);
        Some(Self { source_type, cursor, limit: parameters.limit(100)? })
    }
}

/// A page of an artist's sources.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SourcePage, example = json!({
    "artist": "J Dilla",
    "sources": [{
        "id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "source_type": "article",
        "url": "https://example.org/dilla-time",
        "file_path": null,
        "raw_content": null,
        "extracted_data": {"swing_percent": 62},
        "confidence": 0.8,
        "collected_at": "2026-11-21T08:30:00Z"
    }],
    "next_cursor": null
}))]
struct SourcePageView {
    /// The artist's name as it was first stored.
    artist: String,
    /// The sources, oldest first.
    sources: Vec<SourceView>,
    /// What to ask for as `cursor` to get the next page; null on the last.
    next_cursor: Option<String>,
}

/// Something a profile rests on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ResearchSource, example = json!({
    "id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "source_type": "article",
    "url": "https://example.org/dilla-time",
    "file_path": null,
    "raw_content": null,
    "extracted_data": {"swing_percent": 62},
    "confidence": 0.8,
    "collected_at": "2026-11-21T08:30:00Z"
}))]
struct SourceView {
    /// Identity.
    #[schema(format = Uuid)]
    id: String,
    /// Which kind it is.
    source_type: SourceTypeBody,
    /// Its address.
    url: Option<String>,
    /// Its path.
    file_path: Option<String>,
    /// Its content.
    raw_content: Option<String>,
    /// What was read out of it.
    #[schema(value_type = Option<Object>)]
    extracted_data: Option<Value>,
    /// How far it can be trusted, 0 to 1; null when that was not judged.
    confidence: Option<f64>,
    /// When it was collected.
    #[schema(format = DateTime)]
    collected_at: String,
}

impl From<ResearchSource> for SourceView {
    fn from(source: ResearchSource) -> Self {
        let ResearchSource { id, source, collected_at } = source;
        let NewResearchSource { source_type, location, extracted_data, confidence } = source;
        Self {
            id: id.to_string(),
            source_type: source_type.into(),
            url: location.url().map(str::to_owned),
            file_path: location.file_path().map(str::to_owned),
            raw_content: location.raw_content().map(str::to_owned),
            extracted_data: extracted_data.map(Value::from),
            confidence: confidence.map(Confidence::get),
            collected_at: collected_at.to_string(),
        }
    }
}
