//! The audit log: who wrote what, when and for which request.

use actix_web::{get, web};
use domain::{
    Actor, ArtistKey, AuditCursor, AuditEntry, AuditFilter, AuditRecord, AuditSubject, Author,
    Limit, Version,
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::period::Period;
use crate::{
    failures::{BadQuery, Broken},
    parameters::{Asked, FromParameters, Parameters},
    problem::Problem,
    state::State,
};

pub(super) fn register(config: &mut ServiceConfig<'_>) {
    config.service(list_records);
}

/// Lists what was written, newest first.
#[utoipa::path(
    tag = "audit",
    params(
        ("artist" = Option<String>, Query, description = "Only what was done to this artist, in any spelling; whether there is one does not matter", example = "J Dilla"),
        ("key" = Option<String>, Query, description = "Only what was done with this API key, or to it: what is between `gb_` and the next `_`", example = "LygHa16AHYF"),
        ("from" = Option<String>, Query, description = "Only what was done at this time (RFC 3339) or later", format = DateTime),
        ("to" = Option<String>, Query, description = "Only what was done before this time (RFC 3339)", format = DateTime),
        ("cursor" = Option<String>, Query, description = "Where to go on: the `next_cursor` of the page before"),
        ("limit" = Option<u16>, Query, description = "How many at most; 50 if not given", minimum = 1, maximum = 500),
    ),
    responses((status = OK, description = "A page of records", body = AuditPageView), BadQuery, Broken),
)]
#[get("/api/v1/audit")]
async fn list_records(
    state: web::Data<State>,
    query: Asked<ListParameters>,
) -> Result<web::Json<AuditPageView>, Problem> {
    let ListParameters { filter, cursor, limit } = query.0;
    let page = state.audit_log.page(&filter, cursor, limit).await?;
    let records = page.items.into_iter().map(AuditView::from).collect();
    let next_cursor = page.next.map(|cursor| cursor.encode());
    Ok(web::Json(AuditPageView { records, next_cursor }))
}

/// Which records to list.
#[derive(Debug)]
struct ListParameters {
    filter: AuditFilter,
    cursor: Option<AuditCursor>,
    limit: Limit<500>,
}

impl FromParameters for ListParameters {
    fn from_parameters(parameters: &mut Parameters) -> Option<Self> {
        let artist = parameters.optional("artist", ArtistKey::parse);
        let api_key = parameters.optional("key", str::parse);
        let range = Period::from_parameters(parameters).range();
        let cursor = parameters.optional("cursor", AuditCursor::parse);
        let filter = AuditFilter { artist, api_key, range };
        Some(Self { filter, cursor, limit: parameters.limit(50)? })
    }
}

/// A page of the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditPage, example = json!({
    "records": [{
        "id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "at": "2026-11-21T08:30:00Z",
        "actor": {"kind": "key", "key": "LygHa16AHYF", "name": "nightly import"},
        "request_id": "01890a5d-ac96-774b-bcce-b302099a8058",
        "action": "profile.saved",
        "artist": "j dilla",
        "key": null,
        "first_generation": null,
        "count": null,
        "version_before": 41,
        "version_after": 42
    }],
    "next_cursor": null
}))]
struct AuditPageView {
    /// The records, newest first.
    records: Vec<AuditView>,
    /// What to ask for as `cursor` to get the next page; null on the last.
    next_cursor: Option<String>,
}

/// One write.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditRecord)]
struct AuditView {
    /// Identity.
    #[schema(value_type = String, format = Uuid)]
    id: String,
    /// When.
    #[schema(format = DateTime)]
    at: String,
    /// Who.
    actor: ActorView,
    /// For which request: its `x-request-id`.
    request_id: String,
    /// What was done, such as `profile.saved`.
    #[schema(value_type = String)]
    action: &'static str,
    /// To which artist: what its name is folded into.
    artist: Option<String>,
    /// To which API key.
    key: Option<String>,
    /// The first of the generations that were recorded.
    #[schema(format = Uuid)]
    first_generation: Option<String>,
    /// How many sources, generations or artists it was about.
    count: Option<u64>,
    /// The version before; null when there was none.
    version_before: Option<u64>,
    /// The version after that; null when there is none.
    version_after: Option<u64>,
}

/// Whoever wrote.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Actor)]
struct ActorView {
    /// `key`, `anonymous` (access was off) or `command` (somebody at the command line).
    #[schema(value_type = String)]
    kind: &'static str,
    /// The API key, if it was one.
    key: Option<String>,
    /// What the key is for.
    name: Option<String>,
}

impl From<Actor> for ActorView {
    fn from(actor: Actor) -> Self {
        let kind = actor.kind();
        let (key, name) = match actor {
            Actor::Anonymous | Actor::Command => (None, None),
            Actor::Key { id: _, public_id, name } => {
                (Some(public_id.to_string()), Some(name.to_string()))
            }
        };
        Self { kind, key, name }
    }
}

impl From<AuditRecord> for AuditView {
    fn from(record: AuditRecord) -> Self {
        let AuditRecord { id, at, author: Author { actor, request }, entry } = record;
        let AuditEntry { action, subject, before, after } = entry;
        let AuditSubject { artist, api_key, generation, entries } = subject;
        Self {
            id: id.to_string(),
            at: at.to_string(),
            actor: actor.into(),
            request_id: request.to_string(),
            action: action.as_str(),
            artist: artist.map(|artist| artist.to_string()),
            key: api_key.map(|key| key.to_string()),
            first_generation: generation.map(|id| id.to_string()),
            count: entries,
            version_before: before.map(Version::number),
            version_after: after.map(Version::number),
        }
    }
}
