//! Artists: who is known, and where research stands.

use actix_web::{HttpResponse, delete, get, http::header, post, web};
use cache::Freshness;
use domain::{
    Artist, ArtistCursor, ArtistFilter, ArtistName, Artists, FoundArtist, Limit, ResearchStatus,
    SearchText,
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{
    access::By,
    body::JsonBody,
    failures::{BadArtist, BadBody, BadQuery, Broken, NoArtist, UnusableBody},
    freshness::{Served, Wanted},
    json::{self, Node},
    parameters::{Asked, FromParameters, Parameters},
    path::{ArtistInPath, encoded},
    problem::Problem,
    state::State,
};

pub(super) fn register(config: &mut ServiceConfig<'_>) {
    config.service(list_artists).service(create_artist).service(find_artist).service(remove_artist);
}

/// Lists artists by key, which is the name folded.
#[utoipa::path(
    tag = "artists",
    params(
        ("q" = Option<String>, Query, description = "Only those whose name holds this text; case and diacritics do not matter", example = "dilla"),
        ("status" = Option<StatusBody>, Query, description = "Only those with this status"),
        ("cursor" = Option<String>, Query, description = "Where to go on: the `next_cursor` of the page before"),
        ("limit" = Option<u16>, Query, description = "How many at most; 50 if not given", minimum = 1, maximum = 500),
    ),
    responses((status = OK, description = "A page of artists", body = ArtistPageView), BadQuery, Broken),
)]
#[get("/api/v1/artists")]
async fn list_artists(
    state: web::Data<State>,
    query: Asked<ListParameters>,
) -> Result<web::Json<ArtistPageView>, Problem> {
    let ListParameters { filter, limit } = query.0;
    let page = state.artists.page(&filter, limit).await?;
    let artists = page.items.into_iter().map(ArtistView::from).collect();
    let next_cursor = page.next.map(|cursor| cursor.encode());
    Ok(web::Json(ArtistPageView { artists, next_cursor }))
}

/// Returns the artist of a name, made if it is new.
#[utoipa::path(
    tag = "artists",
    request_body = NewArtist,
    responses(
        (status = OK, description = "The artist, who was known", body = ArtistView),
        (status = CREATED, description = "The artist, who is new", body = ArtistView, headers(
            ("location" = String, description = "Path of the artist"),
        )),
        BadBody, UnusableBody, Broken,
    ),
)]
#[post("/api/v1/artists")]
async fn create_artist(
    state: web::Data<State>,
    by: By,
    _: Asked<()>,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let NewArtist { name } = json::read(&body.0, NewArtist::read)?;
    let FoundArtist { artist, created } = state.artists.find_or_create(&name, &by.0).await?;
    let mut response = if created { HttpResponse::Created() } else { HttpResponse::Ok() };
    if created {
        response.insert_header((header::LOCATION, location(&artist.name)));
    }
    Ok(response.json(ArtistView::from(artist)))
}

/// Returns one artist.
#[utoipa::path(
    tag = "artists",
    params(
        ("artist" = String, Path, description = "The name, in any spelling that means the artist", example = "J Dilla"),
        Wanted,
    ),
    responses(
        (status = OK, description = "The artist", body = ArtistView, headers(
            ("x-cache" = String, description = "Which tier answered: memory or database"),
            ("age" = u64, description = "Seconds since the answer was known to be current"),
            ("warning" = String, description = "110, when the database cannot be reached and the answer may be out of date"),
        )),
        BadArtist, NoArtist, Broken,
    ),
)]
#[get("/api/v1/artists/{artist}")]
async fn find_artist(
    state: web::Data<State>,
    artist: ArtistInPath,
    _: Asked<()>,
    wanted: Wanted,
) -> Result<HttpResponse, Problem> {
    let read = state.artists.read(artist.0.key(), wanted.0).await?;
    let served = Served::of(&read);
    match read.value {
        Some(artist) => Ok(served.tell(&mut HttpResponse::Ok()).json(ArtistView::from(artist))),
        None => Err(state.unknown_artist(&artist.0).await.served(served)),
    }
}

/// Removes an artist with profile, embedding and sources. Generations stay, without an artist.
#[utoipa::path(
    tag = "artists",
    params(("artist" = String, Path, description = "The name, in any spelling that means the artist", example = "J Dilla")),
    responses((status = NO_CONTENT, description = "The artist is gone"), BadArtist, NoArtist, Broken),
)]
#[delete("/api/v1/artists/{artist}")]
async fn remove_artist(
    state: web::Data<State>,
    by: By,
    artist: ArtistInPath,
    _: Asked<()>,
) -> Result<HttpResponse, Problem> {
    if state.artists.remove(artist.0.key(), &by.0).await?.is_some() {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(state.unknown_artist(&artist.0).await)
    }
}

/// The artist of this name, or what to answer when there is none.
///
/// Whoever is about to write about an artist may do so as soon as somebody else was told that it exists.
pub(super) async fn known(state: &State, name: &ArtistName) -> Result<Artist, Problem> {
    for freshness in [Freshness::Default, Freshness::Strict] {
        if let Some(artist) = state.artists.read(name.key(), freshness).await?.value {
            return Ok(artist);
        }
    }
    Err(state.unknown_artist(name).await)
}

/// The path of an artist.
pub(super) fn location(artist: &ArtistName) -> String {
    format!("/api/v1/artists/{}", encoded(artist.as_str()))
}

/// Somebody to know.
#[derive(Debug, ToSchema)]
#[schema(example = json!({"name": "J Dilla"}))]
#[serde(deny_unknown_fields)]
struct NewArtist {
    /// The name to show.
    #[schema(value_type = String, min_length = 1, max_length = 255)]
    name: ArtistName,
}

impl NewArtist {
    fn read(node: &Node<'_>) -> Option<Self> {
        let mut members = node.members()?;
        let name = members
            .required("name")
            .and_then(|node| node.checked(ArtistName::try_from(node.text()?.as_str())));
        members.end();
        Some(Self { name: name? })
    }
}

/// Which artists to list.
#[derive(Debug)]
struct ListParameters {
    filter: ArtistFilter,
    limit: Limit<500>,
}

impl FromParameters for ListParameters {
    fn from_parameters(parameters: &mut Parameters) -> Option<Self> {
        let status = parameters.optional("status", str::parse::<ResearchStatus>);
        let search = parameters.optional("q", |text| SearchText::try_from(text));
        let after = parameters.optional("cursor", ArtistCursor::parse);
        let limit = parameters.limit(50)?;
        Some(Self { filter: ArtistFilter { status, search, after }, limit })
    }
}

/// A page of artists.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ArtistPage, example = json!({
    "artists": [{
        "id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "name": "J Dilla",
        "research_status": "cached",
        "sources_count": 25,
        "confidence_score": 0.92,
        "version": 42,
        "created_at": "2026-11-21T08:30:00Z",
        "last_updated": "2026-11-21T09:15:00.25Z"
    }],
    "next_cursor": "YTFqIGRpbGxh"
}))]
struct ArtistPageView {
    /// The artists, by key.
    artists: Vec<ArtistView>,
    /// What to ask for as `cursor` to get the next page; null on the last.
    next_cursor: Option<String>,
}

/// An artist.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Artist, example = json!({
    "id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "name": "J Dilla",
    "research_status": "cached",
    "sources_count": 25,
    "confidence_score": 0.92,
    "version": 42,
    "created_at": "2026-11-21T08:30:00Z",
    "last_updated": "2026-11-21T09:15:00.25Z"
}))]
struct ArtistView {
    /// Identity; it stays when the profile is replaced.
    #[schema(value_type = String, format = Uuid)]
    id: String,
    /// The name as it was first stored.
    name: String,
    /// Where research stands.
    research_status: StatusBody,
    /// How many sources the profile rests on, all kinds together; 0 without one.
    sources_count: u32,
    /// How far the profile can be trusted, 0 to 1; 0 without one.
    confidence_score: f64,
    /// Moves whenever the artist, its profile or its embedding changes.
    version: u64,
    /// When the artist was first stored.
    #[schema(format = DateTime)]
    created_at: String,
    /// When the artist or its profile was last written.
    #[schema(format = DateTime)]
    last_updated: String,
}

impl From<Artist> for ArtistView {
    fn from(artist: Artist) -> Self {
        let Artist {
            id,
            name,
            research_status,
            sources_count,
            confidence,
            version,
            created_at,
            last_updated,
        } = artist;
        Self {
            id: id.to_string(),
            name: name.to_string(),
            research_status: research_status.into(),
            sources_count,
            confidence_score: confidence.get(),
            version: version.number(),
            created_at: created_at.to_string(),
            last_updated: last_updated.to_string(),
        }
    }
}

/// Where research about an artist stands.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = ResearchStatus)]
#[serde(rename_all = "snake_case")]
enum StatusBody {
    /// Nobody has begun.
    Pending,
    /// Somebody is at it.
    Researching,
    /// There is a profile.
    Cached,
    /// Research ended without a profile.
    Failed,
}

impl From<ResearchStatus> for StatusBody {
    fn from(status: ResearchStatus) -> Self {
        match status {
            ResearchStatus::Pending => Self::Pending,
            ResearchStatus::Researching => Self::Researching,
            ResearchStatus::Cached => Self::Cached,
            ResearchStatus::Failed => Self::Failed,
        }
    }
}

/// Reads the body of an artist, for the fuzz targets.
#[cfg(fuzzing)]
#[must_use]
pub fn read_any(body: &[u8]) -> Option<ArtistName> {
    json::read(body, NewArtist::read).ok().map(|NewArtist { name }| name)
}
