//! Operations: health, metrics and documentation.

mod access;

use std::time::Duration;

use actix_web::{HttpResponse, get, http::header, web};
use cache::{FeedStatus, IndexState, Redis, RedisHealth, RollupKeeperStatus, SimilarityStatus};
use serde::Serialize;
use storage::Probe;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use self::access::AccessView;

use crate::{
    document::Document,
    failures::{BadQuery, Broken},
    metrics::Metrics,
    parameters::Asked,
    problem::Problem,
    state::{Connections, State},
};

/// How long folding has to fail to be worth a word: one attempt may, and the next ones follow within moments.
const FAILING: Duration = Duration::from_secs(10);

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
        (status = OK, description = "It can work, perhaps without Redis or slower", body = HealthView),
        (status = SERVICE_UNAVAILABLE, description = "It cannot", body = HealthView),
        BadQuery,
    ),
)]
#[get("/health")]
async fn show_health(state: web::Data<State>, _: Asked<()>) -> HttpResponse {
    let health = HealthView::of(&state).await;
    match health.status {
        Status::Ok | Status::Degraded => HttpResponse::Ok().json(health),
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

/// Tells whether requests may be sent here.
///
/// They may once the catalog of artists is complete, as long as the database answers or, for a while, what is cached can be
/// handed out without it; not when the service is stopping.
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
    if state.is_ready().await {
        HttpResponse::Ok().json(LivenessView { status: Status::Ok })
    } else {
        HttpResponse::ServiceUnavailable().json(LivenessView { status: Status::Unavailable })
    }
}

/// Shows the service's counters in `OpenMetrics` text, as Prometheus reads it.
#[utoipa::path(
    tag = "operations",
    responses((status = OK, description = "The counters", body = String, content_type = Metrics::MEDIA_TYPE), BadQuery, Broken),
)]
#[get("/metrics")]
async fn show_metrics(state: web::Data<State>, _: Asked<()>) -> Result<HttpResponse, Problem> {
    let text =
        state.metrics_text().map_err(|error| Problem::internal(std::sync::Arc::new(error)))?;
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
    /// It does, but not all of it.
    Degraded,
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
    "read_database": {"state": "not_configured", "latency_us": null},
    "redis": {"state": "ok", "latency_us": 90, "detail": null},
    "feed": {"state": "ok", "latency_us": 310, "age_ms": 120, "artists": 108},
    "index": {"state": "ready", "latency_us": 840, "vectors": 108, "memory_bytes": 259_200, "bound_bytes": 1_073_741_824, "version": 42},
    "accounts": {"state": "ok"},
    "access": {"state": "ok", "age_ms": 130, "keys": 3},
    "pool": {"state": "ok", "latency_us": 3, "active": 1, "idle": 9, "most": 30}
}))]
struct HealthView {
    /// Whether it can do its work.
    status: Status,
    /// The program's version.
    #[schema(value_type = String)]
    version: &'static str,
    /// The database.
    database: DatabaseView,
    /// The database that statistics and histories are read in, where there is another one for that.
    read_database: ReadDatabaseView,
    /// Redis.
    redis: RedisView,
    /// The change feed that keeps the caches right.
    feed: FeedView,
    /// The index of embeddings in memory, which similar artists are found in.
    index: IndexView,
    /// The account of generations.
    accounts: AccountsView,
    /// What is known of API keys.
    access: AccessView,
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

/// How the database for reading is doing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReadDatabaseHealth)]
struct ReadDatabaseView {
    /// `ok`, `unavailable` (the other one is read in its place) or `not_configured`.
    #[schema(value_type = String)]
    state: &'static str,
    /// How long the answer took, in microseconds; null without one.
    latency_us: Option<u64>,
}

/// How Redis is doing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RedisHealth)]
struct RedisView {
    /// `ok`, `degraded` (it refuses some operations), `unavailable` or `not_configured`.
    #[schema(value_type = String)]
    state: &'static str,
    /// How long an answer took, in microseconds; null without one.
    latency_us: Option<u64>,
    /// What is wrong, in words.
    detail: Option<String>,
}

/// How the change feed stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FeedHealth)]
struct FeedView {
    /// `ok`, `loading` (before the catalog is complete for the first time), `late` (reads go to the database) or
    /// `unavailable`.
    #[schema(value_type = String)]
    state: &'static str,
    /// How long the last round took, in microseconds: from its question to the last change applied.
    latency_us: u64,
    /// Milliseconds since the catalog was known to be complete; null before.
    age_ms: Option<u64>,
    /// How many artists the catalog holds.
    artists: u64,
}

/// How the index of embeddings stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IndexHealth)]
struct IndexView {
    /// `ready`, `loading` (after the start), `behind` (it has not caught up with a change yet), `too_large` (the
    /// embeddings do not fit into the memory it may take) or `off`. Unless it is `ready`, the database may have to search.
    #[schema(value_type = String)]
    state: &'static str,
    /// How long it took the last time to catch up with changes, in microseconds; null before.
    latency_us: Option<u64>,
    /// How many embeddings it holds.
    vectors: u64,
    /// How many bytes it takes.
    memory_bytes: u64,
    /// How many bytes it may take.
    bound_bytes: u64,
    /// It includes every change up to this version.
    version: u64,
}

/// How the account of generations is kept.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccountsHealth)]
struct AccountsView {
    /// `ok`, or `failing`: for ten seconds and more, recorded generations could not be folded into sums. Statistics stay
    /// exact, but take longer the longer it lasts.
    #[schema(value_type = String)]
    state: &'static str,
}

/// How the database connections are used.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PoolUse)]
struct PoolView {
    /// `ok`, `exhausted` (all connections are at work, and none became free in time) or `unavailable` (none can be opened).
    #[schema(value_type = String)]
    state: &'static str,
    /// How long a connection was waited for, in microseconds; null if there was none to be had.
    latency_us: Option<u64>,
    /// At work.
    active: u32,
    /// Open and free.
    idle: u32,
    /// How many may be open.
    most: u32,
}

impl HealthView {
    async fn of(state: &State) -> Self {
        // Before a connection is taken to ask: it is not the one at work that is meant.
        let connections = state.connections();
        let (probe, read_database, redis) =
            tokio::join!(state.probe(), ReadDatabaseView::of(state), RedisView::of(state.redis()));
        let Probe { checkout, answer } = probe;
        let database = if answer.is_some() { Status::Ok } else { Status::Unavailable };
        let feed = FeedView::from(state.feed_status());
        let index = IndexView::from(state.similarity_status());
        let accounts = AccountsView::from(state.folding_status());
        let access = AccessView::of(state.keyring());
        let is_wanting = redis.is_wanting()
            || read_database.is_wanting()
            || feed.is_wanting()
            || index.is_wanting()
            || accounts.is_wanting()
            || access.is_wanting();
        let status = match database {
            Status::Ok if is_wanting => Status::Degraded,
            database => database,
        };
        let latency_us = answer.map(micros);
        Self {
            status,
            version: env!("CARGO_PKG_VERSION"),
            database: DatabaseView { state: database, backend: state.backend(), latency_us },
            read_database,
            redis,
            feed,
            index,
            accounts,
            access,
            pool: PoolView::of(connections, checkout),
        }
    }
}

impl ReadDatabaseView {
    async fn of(state: &State) -> Self {
        match state.reading.probe().await {
            None => Self { state: "not_configured", latency_us: None },
            Some(None) => Self { state: "unavailable", latency_us: None },
            Some(Some(latency)) => Self { state: "ok", latency_us: Some(micros(latency)) },
        }
    }

    /// Whether there should be one and it does not do its part.
    fn is_wanting(&self) -> bool {
        self.state == "unavailable"
    }
}

impl RedisView {
    async fn of(redis: Option<&Redis>) -> Self {
        let Some(redis) = redis else {
            return Self { state: "not_configured", latency_us: None, detail: None };
        };
        let latency_us = redis.ping().await.ok().map(micros);
        let (state, detail) = match redis.health() {
            RedisHealth::Untried | RedisHealth::Up if latency_us.is_some() => ("ok", None),
            RedisHealth::Untried | RedisHealth::Up => ("unavailable", None),
            RedisHealth::Limited { since: _, why } => ("degraded", Some(why.to_string())),
            RedisHealth::Down { since: _, why } => ("unavailable", Some(why.to_string())),
        };
        Self { state, latency_us, detail }
    }

    /// Whether there should be a Redis and it does not do its part.
    fn is_wanting(&self) -> bool {
        matches!(self.state, "degraded" | "unavailable")
    }
}

impl FeedView {
    /// Whether the caches are of less use than they should be.
    fn is_wanting(&self) -> bool {
        matches!(self.state, "late" | "unavailable")
    }
}

impl From<FeedStatus> for FeedView {
    fn from(status: FeedStatus) -> Self {
        let FeedStatus { age, last_round, unreachable, reliable, artists, .. } = status;
        let state = match age {
            _ if unreachable => "unavailable",
            Some(_) if reliable => "ok",
            Some(_) => "late",
            None => "loading",
        };
        Self {
            state,
            latency_us: micros(last_round),
            age_ms: age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            artists: u64::try_from(artists).unwrap_or(u64::MAX),
        }
    }
}

impl IndexView {
    /// Whether somebody has to give it more memory, or say that there is to be none.
    fn is_wanting(&self) -> bool {
        self.state == IndexState::TooLarge.as_str()
    }
}

impl From<SimilarityStatus> for IndexView {
    fn from(status: SimilarityStatus) -> Self {
        let SimilarityStatus {
            state,
            vectors,
            memory_bytes,
            bound_bytes,
            applied,
            last_catch_up,
            ..
        } = status;
        Self {
            state: state.as_str(),
            latency_us: last_catch_up.map(micros),
            vectors,
            memory_bytes,
            bound_bytes,
            version: applied.number(),
        }
    }
}

impl AccountsView {
    /// Whether statistics cost more than they should.
    fn is_wanting(&self) -> bool {
        self.state == "failing"
    }
}

impl From<RollupKeeperStatus> for AccountsView {
    fn from(status: RollupKeeperStatus) -> Self {
        let is_failing = status.failing_for.is_some_and(|failing| FAILING <= failing);
        Self { state: if is_failing { "failing" } else { "ok" } }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl PoolView {
    fn of(connections: Connections, checkout: Option<Duration>) -> Self {
        let Connections { active, idle, most } = connections;
        let state = match checkout {
            Some(_) => "ok",
            None if most <= active => "exhausted",
            None => "unavailable",
        };
        Self { state, latency_us: checkout.map(micros), active, idle, most }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_fold_that_fails_is_not_worth_a_word() {
        let after = |failing_for| {
            let view = AccountsView::from(RollupKeeperStatus { folds: 1, sums: 1, failing_for });
            (view.state, view.is_wanting())
        };

        assert_eq!(after(None), ("ok", false));
        assert_eq!(after(Some(Duration::from_millis(9_999))), ("ok", false));
        assert_eq!(after(Some(Duration::from_secs(10))), ("failing", true));
    }
}
