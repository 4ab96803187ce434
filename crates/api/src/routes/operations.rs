//! Operations: health, metrics and documentation.

use actix_web::{HttpResponse, get, http::header, web};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{
    document::Document,
    failures::{BadQuery, Broken},
    metrics::Metrics,
    parameters::Asked,
    problem::Problem,
    state::{Connections, State},
};

pub(super) fn register(config: &mut ServiceConfig<'_>) {
    config
        .service(show_health)
        .service(show_liveness)
        .service(show_readiness)
        .service(show_metrics)
        .service(show_document)
        .service(show_documentation);
}

/// Shows how the service is doing.
#[utoipa::path(
    tag = "operations",
    responses(
        (status = OK, description = "It can work", body = HealthView),
        (status = SERVICE_UNAVAILABLE, description = "It cannot", body = HealthView),
        BadQuery,
    ),
)]
#[get("/health")]
async fn show_health(state: web::Data<State>, _: Asked<()>) -> HttpResponse {
    let health = HealthView::of(&state).await;
    match health.status {
        Status::Ok => HttpResponse::Ok().json(health),
        Status::Unavailable => HttpResponse::ServiceUnavailable().json(health),
    }
}

/// Tells that the process is alive.
#[utoipa::path(
    tag = "operations",
    responses((status = OK, description = "It is", body = LivenessView), BadQuery),
)]
#[get("/health/live")]
async fn show_liveness(_: Asked<()>) -> web::Json<LivenessView> {
    web::Json(LivenessView { status: Status::Ok })
}

/// Tells whether requests may be sent here: the database answers and the service is not stopping.
#[utoipa::path(
    tag = "operations",
    responses(
        (status = OK, description = "They may", body = LivenessView),
        (status = SERVICE_UNAVAILABLE, description = "They should not", body = LivenessView),
        BadQuery,
    ),
)]
#[get("/health/ready")]
async fn show_readiness(state: web::Data<State>, _: Asked<()>) -> HttpResponse {
    if state.is_stopping() || state.probe().await.is_none() {
        HttpResponse::ServiceUnavailable().json(LivenessView { status: Status::Unavailable })
    } else {
        HttpResponse::Ok().json(LivenessView { status: Status::Ok })
    }
}

/// Shows the service's counters in `OpenMetrics` text, as Prometheus reads it.
#[utoipa::path(
    tag = "operations",
    responses((status = OK, description = "The counters", body = String, content_type = Metrics::MEDIA_TYPE), BadQuery, Broken),
)]
#[get("/metrics")]
async fn show_metrics(state: web::Data<State>, _: Asked<()>) -> Result<HttpResponse, Problem> {
    let text = state.metrics().text(state.connections());
    let text = text.map_err(|error| Problem::internal(std::sync::Arc::new(error)))?;
    Ok(HttpResponse::Ok().content_type(Metrics::MEDIA_TYPE).body(text))
}

/// Shows this document.
#[utoipa::path(
    tag = "operations",
    responses((status = OK, description = "OpenAPI 3.1", body = Object), BadQuery),
)]
#[get("/openapi.json")]
async fn show_document(document: web::Data<Document>, _: Asked<()>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(document.json())
}

/// Leads to the documentation to read and try.
#[utoipa::path(
    tag = "operations",
    responses((status = PERMANENT_REDIRECT, description = "At /docs/"), BadQuery),
)]
#[get("/docs")]
async fn show_documentation(_: Asked<()>) -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "/docs/")).finish()
}

/// Whether something works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// It does.
    Ok,
    /// It does not.
    Unavailable,
}

/// Whether the service works.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Liveness, example = json!({"status": "ok"}))]
struct LivenessView {
    /// Whether it works.
    status: Status,
}

/// How the service is doing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Health, example = json!({
    "status": "ok",
    "version": "0.1.0",
    "database": {"state": "ok", "backend": "sqlite", "latency_us": 120},
    "redis": {"state": "not_configured"},
    "pool": {"active": 1, "idle": 9, "most": 30}
}))]
struct HealthView {
    /// Whether it can do its work.
    status: Status,
    /// The program's version.
    #[schema(value_type = String)]
    version: &'static str,
    /// The database.
    database: DatabaseView,
    /// Redis.
    redis: RedisView,
    /// The database connections.
    pool: PoolView,
}

/// How the database is doing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DatabaseHealth)]
struct DatabaseView {
    /// Whether it answers.
    state: Status,
    /// `postgres` or `sqlite`.
    #[schema(value_type = String)]
    backend: &'static str,
    /// How long the answer took, in microseconds; null without one.
    latency_us: Option<u64>,
}

/// How Redis is doing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RedisHealth)]
struct RedisView {
    /// `not_configured`.
    #[schema(value_type = String)]
    state: &'static str,
}

/// How the database connections are used.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PoolUse)]
struct PoolView {
    /// At work.
    active: u32,
    /// Open and free.
    idle: u32,
    /// How many may be open.
    most: u32,
}

impl HealthView {
    async fn of(state: &State) -> Self {
        let latency = state.probe().await;
        let status = if latency.is_some() { Status::Ok } else { Status::Unavailable };
        let latency_us =
            latency.map(|latency| u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
        Self {
            status,
            version: env!("CARGO_PKG_VERSION"),
            database: DatabaseView { state: status, backend: state.backend(), latency_us },
            redis: RedisView { state: "not_configured" },
            pool: state.connections().into(),
        }
    }
}

impl From<Connections> for PoolView {
    fn from(connections: Connections) -> Self {
        let Connections { active, idle, most } = connections;
        Self { active, idle, most }
    }
}
