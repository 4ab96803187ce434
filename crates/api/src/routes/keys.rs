//! API keys: made, listed, rotated and revoked by whoever has an admin key.

mod body;
pub(crate) mod view;

use std::sync::Arc;

use actix_web::{HttpResponse, HttpResponseBuilder, delete, get, http::header, post, web};
use cache::{FreshKey, Keyring};
use domain::{ApiKeyCursor, KeyText, Limit, NewApiKey, RepositoryError, Rotated, Rotation};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{
    access::By,
    body::JsonBody,
    failures::{BadBody, BadId, BadQuery, Broken, NoKey, NotIssued, UnusableBody},
    json,
    parameters::{Asked, FromParameters, Parameters},
    path::KeyInPath,
    problem::Problem,
    state::State,
};
use body::NewKey;
use view::{KeyPageView, KeyView};

/// A key that is replaced may go on for a year at most.
const MOST_GRACE_SECONDS: u64 = 31_536_000;

pub(super) fn register(config: &mut ServiceConfig<'_>) {
    config
        .service(list_keys)
        .service(create_key)
        .service(find_key)
        .service(rotate_key)
        .service(revoke_key);
}

/// Lists keys, oldest first, those that open nothing any more included.
#[utoipa::path(
    tag = "keys",
    params(
        ("cursor" = Option<String>, Query, description = "Where to go on: the `next_cursor` of the page before"),
        ("limit" = Option<u16>, Query, description = "How many at most; 50 if not given", minimum = 1, maximum = 500),
    ),
    responses((status = OK, description = "A page of keys", body = KeyPageView), BadQuery, Broken),
)]
#[get("/api/v1/keys")]
async fn list_keys(
    state: web::Data<State>,
    query: Asked<ListParameters>,
) -> Result<web::Json<KeyPageView>, Problem> {
    let ListParameters { cursor, limit } = query.0;
    let page = state.api_keys.page(cursor, limit).await?;
    let keys = page.items.into_iter().map(|key| KeyView::of(&state, key)).collect();
    let next_cursor = page.next.map(|cursor| cursor.encode());
    Ok(web::Json(KeyPageView { keys, next_cursor }))
}

/// Makes a key. The answer shows it once; it cannot be shown again.
#[utoipa::path(
    tag = "keys",
    request_body = NewKey,
    responses(
        (status = CREATED, description = "The key", body = KeyView, headers(
            ("location" = String, description = "Path of the key"),
            ("cache-control" = String, description = "no-store"),
        )),
        BadBody, NotIssued, UnusableBody, Broken,
    ),
)]
#[post("/api/v1/keys")]
async fn create_key(
    state: web::Data<State>,
    by: By,
    _: Asked<()>,
    body: JsonBody,
) -> Result<HttpResponse, Problem> {
    let keyring = keyring(&state)?;
    let now = state.now();
    let NewKey { name, scopes, limits, expires_at } =
        json::read(&body.0, |node| NewKey::read(node, now))?;
    let FreshKey { text, hash } = fresh_key(keyring)?;
    let public_id = text.public_id().clone();
    let new = NewApiKey { public_id, hash, name, scopes, limits, expires_at };
    let key = state.api_keys.insert(&new, &by.0).await?;
    keyring.enter(&key);
    Ok(issued(HttpResponse::Created(), &text, KeyView::of(&state, key)))
}

/// Shows a key, but for its secret.
#[utoipa::path(
    tag = "keys",
    params(("id" = String, Path, description = "What is between `gb_` and the next `_`", example = "LygHa16AHYF")),
    responses((status = OK, description = "The key", body = KeyView), BadId, NoKey, Broken),
)]
#[get("/api/v1/keys/{id}")]
async fn find_key(
    state: web::Data<State>,
    id: KeyInPath,
    _: Asked<()>,
) -> Result<web::Json<KeyView>, Problem> {
    let key = state.api_keys.find(&id.0).await?.ok_or_else(Problem::key_not_found)?;
    Ok(web::Json(KeyView::of(&state, key)))
}

/// Makes a key with the name, the scopes and the limits of this one, which opens nothing any more, or after a while.
#[utoipa::path(
    tag = "keys",
    params(
        ("id" = String, Path, description = "What is between `gb_` and the next `_`", example = "LygHa16AHYF"),
        ("grace_seconds" = Option<u64>, Query, description = "For how long the old key goes on; not at all if not given", minimum = 0, maximum = 31_536_000),
    ),
    responses(
        (status = CREATED, description = "The new key. If the old one had an end, this one has as much time from now as the old one had from the beginning", body = KeyView, headers(
            ("location" = String, description = "Path of the new key"),
            ("cache-control" = String, description = "no-store"),
        )),
        BadId, NoKey, NotIssued, Broken,
    ),
)]
#[post("/api/v1/keys/{id}/rotate")]
async fn rotate_key(
    state: web::Data<State>,
    by: By,
    id: KeyInPath,
    query: Asked<RotateParameters>,
) -> Result<HttpResponse, Problem> {
    let keyring = keyring(&state)?;
    let FreshKey { text, hash } = fresh_key(keyring)?;
    let rotation = Rotation {
        public_id: text.public_id().clone(),
        hash,
        grace_micros: query.0.grace_seconds * 1_000_000,
    };
    let rotated = match state.api_keys.rotate(&id.0, &rotation, &by.0).await {
        Ok(rotated) => rotated.ok_or_else(Problem::key_not_found)?,
        Err(RepositoryError::Conflict) => return Err(Problem::key_over()),
        Err(error) => return Err(error.into()),
    };
    let Rotated { new, old } = rotated;
    keyring.enter(&old);
    keyring.enter(&new);
    Ok(issued(HttpResponse::Created(), &text, KeyView::of(&state, new)))
}

/// Revokes a key. From then on it opens nothing, on every instance within a second. One that is revoked stays so.
#[utoipa::path(
    tag = "keys",
    params(("id" = String, Path, description = "What is between `gb_` and the next `_`", example = "LygHa16AHYF")),
    responses((status = NO_CONTENT, description = "The key is revoked"), BadId, NoKey, Broken),
)]
#[delete("/api/v1/keys/{id}")]
async fn revoke_key(
    state: web::Data<State>,
    by: By,
    id: KeyInPath,
    _: Asked<()>,
) -> Result<HttpResponse, Problem> {
    let revoked = state.api_keys.revoke(&id.0, &by.0).await?.ok_or_else(Problem::key_not_found)?;
    if let Some(keyring) = state.keyring() {
        keyring.enter(&revoked);
    }
    Ok(HttpResponse::NoContent().finish())
}

/// Who makes keys, while they are asked for: when they are not, nobody has to prove to be an admin.
fn keyring(state: &State) -> Result<&Keyring, Problem> {
    state.keyring().ok_or_else(Problem::access_off)
}

fn fresh_key(keyring: &Keyring) -> Result<FreshKey, Problem> {
    keyring.hasher().fresh_key().map_err(|error| Problem::internal(Arc::new(error)))
}

/// The one answer that shows a key.
fn issued(mut response: HttpResponseBuilder, text: &KeyText, view: KeyView) -> HttpResponse {
    response
        .insert_header((header::LOCATION, format!("/api/v1/keys/{}", text.public_id())))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(view.showing(text))
}

/// Which keys to list.
#[derive(Debug)]
struct ListParameters {
    cursor: Option<ApiKeyCursor>,
    limit: Limit<500>,
}

impl FromParameters for ListParameters {
    fn from_parameters(parameters: &mut Parameters) -> Option<Self> {
        let cursor = parameters.optional("cursor", ApiKeyCursor::parse);
        Some(Self { cursor, limit: parameters.limit(50)? })
    }
}

/// How to replace a key.
#[derive(Debug)]
struct RotateParameters {
    grace_seconds: u64,
}

impl FromParameters for RotateParameters {
    fn from_parameters(parameters: &mut Parameters) -> Option<Self> {
        let grace = parameters.optional("grace_seconds", |text| match text.parse() {
            Ok(seconds) if seconds <= MOST_GRACE_SECONDS => Ok(seconds),
            Ok(_) | Err(_) => Err(InvalidGrace),
        });
        Some(Self { grace_seconds: grace.unwrap_or_default() })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("must be a whole number from 0 to {MOST_GRACE_SECONDS}")]
struct InvalidGrace;

/// Whether this is the body of a key, for the fuzz targets.
#[cfg(fuzzing)]
#[must_use]
pub fn read_any(body: &[u8], now: domain::Timestamp) -> bool {
    json::read(body, |node| NewKey::read(node, now)).is_ok()
}
