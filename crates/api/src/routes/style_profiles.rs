//! Style profiles: what research found about how an artist plays.

use actix_web::{
    HttpResponse, HttpResponseBuilder, delete, get,
    http::header::{self, ContentType, HeaderName},
    put, web,
};
use cache::{Freshness, Representation};
use domain::{ArtistKey, Expected, RepositoryError, SavedProfile, StyleProfile, StyleProfiles};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{
    access::By,
    body::JsonBody,
    conditions::{Demand, Known, profile_tag},
    failures::{BadCondition, BadConditionalBody, Broken, NoProfile, OtherVersion, UnusableBody},
    freshness::{Served, Wanted},
    parameters::{Asked, FromParameters, Parameters},
    path::ArtistInPath,
    problem::Problem,
    profile_body::{self, QuantitativeParamsBody, SourcesCountBody, StyleProfileBody},
    state::State,
};

/// A cache in between asks again each time, with the tag it has.
const REVALIDATE: (HeaderName, &str) = (header::CACHE_CONTROL, "no-cache");

pub(super) fn register(config: &mut ServiceConfig<'_>) {
    config.service(find_style_profile).service(save_style_profile).service(remove_style_profile);
}

/// Returns an artist's style profile.
#[utoipa::path(
    tag = "style-profiles",
    params(
        ("artist" = String, Path, description = "The name, in any spelling that means the artist", example = "J Dilla"),
        ("include" = Option<String>, Query, description = "`embedding`: show the embedding too", example = "embedding"),
        ("if-none-match" = Option<String>, Header, description = "Entity tags the caller has", example = "\"42\""),
        Wanted,
    ),
    responses(
        (status = OK, description = "The profile", body = StyleProfileView, headers(
            ("etag" = String, description = "The version, as in \"42\"; with the embedding \"42+embedding\""),
            ("x-cache" = String, description = "Which tier answered: memory, redis or database"),
            ("age" = u64, description = "Seconds since the answer was known to be current"),
            ("warning" = String, description = "110, when the database cannot be reached and the answer may be out of date"),
        )),
        (status = NOT_MODIFIED, description = "The caller has the profile as it is"),
        BadCondition, NoProfile, Broken,
    ),
)]
#[get("/api/v1/artists/{artist}/profile")]
async fn find_style_profile(
    state: web::Data<State>,
    artist: ArtistInPath,
    query: Asked<FindParameters>,
    known: Known,
    wanted: Wanted,
) -> Result<HttpResponse, Problem> {
    let key = artist.0.key();
    let at_hand = match wanted.0 {
        Freshness::Default => state.style_profiles.at_hand(key),
        Freshness::Strict => None,
    };
    let read = match at_hand {
        Some(read) => read,
        None => state.style_profiles.read(key, wanted.0).await?,
    };
    let served = Served::of(&read);
    let Some(cached) = read.value else {
        return Err(state.no_profile(&artist.0).await.served(served));
    };
    match query.0.embedding() {
        Embedding::LeftOut => {
            let ReadyProfile { tag, body } = &cached.representation;
            Ok(answer(tag, &known, served, |response| response.body(body.clone())))
        }
        Embedding::Shown => {
            let profile = &cached.profile;
            let tag = profile_tag(profile.version, true);
            let view = || StyleProfileView::of(profile, Embedding::Shown);
            Ok(answer(&tag, &known, served, |response| response.json(view())))
        }
    }
}

/// The profile with this tag, unless the caller has it.
fn answer(
    tag: &str,
    known: &Known,
    served: Served,
    body: impl FnOnce(&mut HttpResponseBuilder) -> HttpResponse,
) -> HttpResponse {
    let unchanged = known.includes(tag);
    let mut response = if unchanged { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    served.tell(&mut response).insert_header((header::ETAG, tag)).insert_header(REVALIDATE);
    if unchanged { response.finish() } else { body(response.content_type(ContentType::json())) }
}

/// Saves or replaces an artist's style profile. The artist is made if new.
#[utoipa::path(
    tag = "style-profiles",
    params(
        ("artist" = String, Path, description = "The name, in any spelling that means the artist", example = "J Dilla"),
        ("if-match" = Option<String>, Header, description = "Only if the stored profile has one of these entity tags; * for any", example = "\"42\""),
        ("if-none-match" = Option<String>, Header, description = "*: only if there is no profile yet", example = "*"),
    ),
    request_body = StyleProfileBody,
    responses(
        (status = OK, description = "The profile, which replaced another one", body = StyleProfileView, headers(
            ("etag" = String, description = "The version, as in \"42\""),
        )),
        (status = CREATED, description = "The profile, which is the artist's first", body = StyleProfileView, headers(
            ("etag" = String, description = "The version, as in \"42\""),
            ("location" = String, description = "Path of the profile"),
        )),
        BadConditionalBody, OtherVersion, UnusableBody, Broken,
    ),
)]
#[put("/api/v1/artists/{artist}/profile")]
async fn save_style_profile(
    state: web::Data<State>,
    by: By,
    artist: ArtistInPath,
    _: Asked<()>,
    demand: Demand,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let profile = profile_body::read(&body.0, artist.0)?;
    let expected = expected(&state, profile.artist.key(), demand).await?;
    let SavedProfile { profile, created } =
        state.style_profiles.save(&profile, expected, &by.0).await?;
    state.metrics().saved_profile();
    let mut response = if created { HttpResponse::Created() } else { HttpResponse::Ok() };
    if created {
        let location = format!("{}/profile", super::artists::location(&profile.artist));
        response.insert_header((header::LOCATION, location));
    }
    Ok(response
        .insert_header((header::ETAG, profile_tag(profile.version, false)))
        .json(StyleProfileView::of(&profile, Embedding::LeftOut)))
}

/// Removes an artist's style profile and embedding. The artist stays, as pending.
#[utoipa::path(
    tag = "style-profiles",
    params(
        ("artist" = String, Path, description = "The name, in any spelling that means the artist", example = "J Dilla"),
        ("if-match" = Option<String>, Header, description = "Only if the stored profile has one of these entity tags", example = "\"42\""),
    ),
    responses(
        (status = NO_CONTENT, description = "The profile is gone"),
        BadCondition, NoProfile, OtherVersion, Broken,
    ),
)]
#[delete("/api/v1/artists/{artist}/profile")]
async fn remove_style_profile(
    state: web::Data<State>,
    by: By,
    artist: ArtistInPath,
    _: Asked<()>,
    demand: Demand,
) -> Result<HttpResponse, Problem> {
    let expected = expected(&state, artist.0.key(), demand).await?;
    if state.style_profiles.remove(artist.0.key(), expected, &by.0).await?.is_some() {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(state.no_profile(&artist.0).await)
    }
}

/// What a write shall expect. Of several versions it is the one that is stored now, if it is among them.
async fn expected(
    state: &State,
    artist: &ArtistKey,
    demand: Demand,
) -> Result<Expected, RepositoryError> {
    let versions = match demand {
        Demand::Anything => return Ok(Expected::Any),
        Demand::Present => return Ok(Expected::Present),
        Demand::Absent => return Ok(Expected::Absent),
        Demand::OneOf(versions) => versions,
    };
    if let [version] = versions.as_slice() {
        return Ok(Expected::At(*version));
    }
    let read = state.style_profiles.read(artist, Freshness::Strict).await?;
    let current = read.value.map(|cached| cached.profile.version);
    match current {
        Some(version) if versions.contains(&version) => Ok(Expected::At(version)),
        _ => Err(RepositoryError::VersionMismatch { current }),
    }
}

/// What to show of a profile.
#[derive(Debug)]
struct FindParameters {
    include: Option<Include>,
}

#[derive(Debug, Clone, Copy)]
enum Include {
    Embedding,
}

#[derive(Debug, thiserror::Error)]
#[error("include must be embedding")]
struct UnknownPart;

impl FindParameters {
    const fn embedding(&self) -> Embedding {
        match self.include {
            Some(Include::Embedding) => Embedding::Shown,
            None => Embedding::LeftOut,
        }
    }
}

impl FromParameters for FindParameters {
    fn from_parameters(parameters: &mut Parameters) -> Option<Self> {
        let include = parameters.optional("include", |text| match text {
            "embedding" => Ok(Include::Embedding),
            _ => Err(UnknownPart),
        });
        Some(Self { include })
    }
}

/// A profile's answer without the embedding, made once and kept beside the profile.
#[derive(Debug)]
pub(crate) struct ReadyProfile {
    tag: String,
    body: web::Bytes,
}

impl Representation for ReadyProfile {
    fn of(profile: &StyleProfile) -> Self {
        // Every number in a profile is finite and every key a text, so there is nothing that JSON cannot say.
        let view = StyleProfileView::of(profile, Embedding::LeftOut);
        let body = serde_json::to_vec(&view).unwrap_or_default();
        Self { tag: profile_tag(profile.version, false), body: body.into() }
    }

    fn bytes(&self) -> usize {
        self.tag.len() + self.body.len()
    }
}

/// Whether a representation has the embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Embedding {
    Shown,
    LeftOut,
}

/// An artist's style profile.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StyleProfile, example = json!({
    "artist": "J Dilla",
    "id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "version": 42,
    "text_description": "Behind-the-beat swing with ghosted snares and a soft kick.",
    "quantitative_params": {
        "tempo_min": 80.0, "tempo_max": 102.0, "tempo_avg": 91.5, "swing_percent": 62.0,
        "ghost_note_prob": 0.4, "syncopation_level": 0.7, "velocity_mean": 84.0, "velocity_std": 18.0
    },
    "midi_templates": ["dilla_donuts.mid"],
    "confidence_score": 0.92,
    "sources_count": {"papers": 3, "articles": 12, "audio": 8, "midi": 2},
    "created_at": "2026-11-21T08:30:00Z",
    "updated_at": "2026-11-21T09:15:00.25Z"
}))]
struct StyleProfileView {
    /// The artist's name as it was first stored.
    artist: String,
    /// Identity; it stays when the profile is replaced.
    #[schema(format = Uuid)]
    id: String,
    /// The version of the artist, also in the entity tag.
    version: u64,
    /// What was found, in words.
    text_description: String,
    /// What was found, in numbers.
    quantitative_params: QuantitativeParamsBody,
    /// Where the artist lies among others; only when asked for, and null when none was computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<f32>>, required = false, min_items = 384, max_items = 384)]
    embedding: Option<EmbeddingView>,
    /// Drum patterns to start from.
    #[schema(value_type = Vec<serde_json::Value>)]
    midi_templates: Vec<Value>,
    /// How far the profile can be trusted, 0 to 1.
    confidence_score: f64,
    /// How many sources the profile rests on.
    sources_count: SourcesCountBody,
    /// When the artist's first profile was saved.
    #[schema(format = DateTime)]
    created_at: String,
    /// When this profile was saved.
    #[schema(format = DateTime)]
    updated_at: String,
}

/// The numbers of an embedding; null when there is none.
#[derive(Debug, Serialize)]
struct EmbeddingView(Option<Vec<f32>>);

impl StyleProfileView {
    fn of(profile: &StyleProfile, shown: Embedding) -> Self {
        let StyleProfile {
            id,
            artist_id: _,
            artist,
            version,
            text_description,
            quantitative_params,
            embedding,
            midi_templates,
            confidence,
            sources_count,
            created_at,
            updated_at,
        } = profile;
        let embedding = match shown {
            Embedding::Shown => {
                Some(EmbeddingView(embedding.as_ref().map(|it| it.as_slice().to_vec())))
            }
            Embedding::LeftOut => None,
        };
        Self {
            artist: artist.to_string(),
            id: id.to_string(),
            version: version.number(),
            text_description: text_description.as_str().to_owned(),
            quantitative_params: (*quantitative_params).into(),
            embedding,
            midi_templates: midi_templates.elements().to_vec(),
            confidence_score: confidence.get(),
            sources_count: (*sources_count).into(),
            created_at: created_at.to_string(),
            updated_at: updated_at.to_string(),
        }
    }
}
