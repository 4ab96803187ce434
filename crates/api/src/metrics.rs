//! What the service counts about itself, in `OpenMetrics` text.

mod access;
mod accounts;
mod data_layer;
mod feed;
mod limits;
mod read_database;
mod redis;
mod similarity;
mod tiers;

use std::{fmt, time::Duration};

use actix_web::http::{Method, StatusCode};
use prometheus_client::{
    encoding::{
        EncodeLabelSet,
        text::{encode_eof, encode_registry},
    },
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use cache::{
    AnswersStatus, FeedStatus, KeyringStatus, RollupKeeperStatus, SimilarRead, SimilarityStatus,
    StatisticsStatus, TierStatistics,
};
use domain::Metric;
use storage::QueryStatistics;

use crate::{
    limits::LimitStatistics, reading::ReadDatabaseStatus, recall::RecallSamples, state::Connections,
};

/// Upper bounds in seconds: from a hit in memory to a statement's time limit.
const BOUNDS: [f64; 15] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
    30.0,
];

use self::{
    access::AccessMetrics, accounts::AccountMetrics, data_layer::DataLayerMetrics,
    feed::FeedMetrics, limits::LimitMetrics, read_database::ReadDatabaseMetrics,
    redis::RedisMetrics, similarity::SimilarityMetrics, tiers::TierMetrics,
};

pub use self::redis::RedisCounted;

/// Counters, histograms and gauges of one instance.
pub struct Metrics {
    registry: Registry,
    unprefixed: Registry,
    data_layer: DataLayerMetrics,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram>,
    connections: Family<ConnectionLabels, Gauge>,
    tiers: TierMetrics,
    feed: FeedMetrics,
    similarity: SimilarityMetrics,
    accounts: AccountMetrics,
    read_database: ReadDatabaseMetrics,
    redis: RedisMetrics,
    limits: LimitMetrics,
    access: AccessMetrics,
}

/// What others count, as it was when somebody asked.
#[derive(Debug, Clone)]
pub struct Counted<'a> {
    /// What was asked of the database.
    pub queries: QueryStatistics,
    /// How the database connections are used.
    pub connections: Connections,
    /// How reads were answered, by what was read.
    pub tiers: &'a [(&'static str, TierStatistics)],
    /// How the change feed stands.
    pub feed: FeedStatus,
    /// How the index of embeddings stands, and how searches were answered.
    pub similarity: SimilarityStatus,
    /// How many of the closest artists searches found.
    pub recall: RecallSamples,
    /// How generations are folded into sums.
    pub folding: RollupKeeperStatus,
    /// What statistics keep, and what that was good for.
    pub statistics: StatisticsStatus,
    /// What answers about generations in memory are good for.
    pub answers: AnswersStatus,
    /// How the database for reading does; `None` without one.
    pub read_database: Option<ReadDatabaseStatus>,
    /// How Redis is, and what was asked of it; `None` without one.
    pub redis: Option<RedisCounted>,
    /// What the service takes.
    pub limits: LimitStatistics,
    /// How what is known of API keys stands; `None` while access is off.
    pub access: Option<KeyringStatus>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConnectionLabels {
    state: &'static str,
}

impl Metrics {
    /// The media type of [`Self::text`].
    pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// Counts one answered request.
    pub fn observe(&self, method: &Method, route: &str, status: StatusCode, duration: Duration) {
        let (method, route) = (known(method), route.to_owned());
        let labels = RequestLabels { method, route: route.clone(), status: status.as_u16() };
        self.requests.get_or_create(&labels).inc();
        let labels = RouteLabels { method, route };
        self.durations.get_or_create(&labels).observe(duration.as_secs_f64());
    }

    /// Counts one search for similar artists that was answered.
    pub fn searched(&self, metric: Metric, read: &SimilarRead) {
        self.similarity.searched(metric, read);
        self.data_layer.searched();
    }

    /// Counts one style profile whose saving is acknowledged.
    pub fn saved_profile(&self) {
        self.data_layer.saved_profile();
    }

    /// Counts generations whose recording is acknowledged.
    pub fn saved_generations(&self, number: usize) {
        self.data_layer.saved_generations(number);
    }

    /// Everything counted so far, here and by others.
    pub fn text(&self, counted: Counted<'_>) -> Result<String, fmt::Error> {
        let Counted {
            queries,
            connections,
            tiers,
            feed,
            similarity,
            recall,
            folding,
            statistics,
            answers,
            read_database,
            redis,
            limits,
            access,
        } = counted;
        self.access.take(access);
        self.limits.take(limits);
        self.data_layer.take(queries, connections, tiers, redis.as_ref());
        self.tiers.take(tiers);
        self.similarity.take(&similarity, feed.applied, recall);
        self.feed.take(feed);
        self.accounts.take(folding, statistics, answers);
        if let Some(status) = read_database {
            self.read_database.take(status);
        }
        if let Some(counted) = redis {
            self.redis.take(&counted);
        }
        let Connections { active, idle, most } = connections;
        for (state, number) in [("active", active), ("idle", idle), ("most", most)] {
            self.connections.get_or_create(&ConnectionLabels { state }).set(number.into());
        }
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)?;
        encode_registry(&mut text, &self.unprefixed)?;
        encode_eof(&mut text)?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("groovebase");
        let mut unprefixed = Registry::default();
        let data_layer = DataLayerMetrics::registered(&mut unprefixed);
        let requests = Family::default();
        let durations =
            Family::<RouteLabels, Histogram>::new_with_constructor(|| Histogram::new(BOUNDS));
        let connections = Family::default();
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Time from a request's head to its answer's head",
            Unit::Seconds,
            durations.clone(),
        );
        registry.register(
            "database_connections",
            "Connections of the pool at work and idle, and how many may be open",
            connections.clone(),
        );
        let tiers = TierMetrics::registered(&mut registry);
        let feed = FeedMetrics::registered(&mut registry);
        let similarity = SimilarityMetrics::registered(&mut registry);
        let accounts = AccountMetrics::registered(&mut registry);
        let read_database = ReadDatabaseMetrics::registered(&mut registry);
        let redis = RedisMetrics::registered(&mut registry);
        let limits = LimitMetrics::registered(&mut registry);
        let access = AccessMetrics::registered(&mut registry);
        Self {
            registry,
            unprefixed,
            data_layer,
            requests,
            durations,
            connections,
            tiers,
            feed,
            similarity,
            accounts,
            read_database,
            redis,
            limits,
            access,
        }
    }
}

/// Methods are the caller's to invent; labels are not.
pub(crate) const fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use cache::{
        IndexState, RedisHealth, RedisStatistics, SearchCounts, SearchSource,
        SharedProfileStatistics,
    };

    use storage::{Operation, QueryDurations, QueryError, QueryErrors, Table};

    use super::*;

    fn read_database() -> ReadDatabaseStatus {
        let connections = Connections { active: 3, idle: 4, most: 10 };
        ReadDatabaseStatus { connections, answered: 18, fallbacks: 19, resting: true }
    }

    /// What others counted.
    fn counted<'a>(tiers: &'a [(&'static str, TierStatistics)]) -> Counted<'a> {
        let query = QueryDurations {
            operation: Operation::Find,
            table: Table::StyleProfiles,
            buckets: [0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            total: Duration::from_millis(40_500),
        };
        let error =
            QueryErrors { operation: Operation::Save, error: QueryError::Timeout, number: 5 };
        Counted {
            queries: QueryStatistics { durations: vec![query], errors: vec![error] },
            connections: Connections { active: 1, idle: 2, most: 30 },
            tiers,
            feed: FeedStatus {
                age: None,
                last_round: Duration::from_millis(2),
                unreachable: false,
                reliable: true,
                applied: domain::Version::new(43),
                artists: 3,
                rounds: 4,
                failures: 0,
                connections: 1,
                changes: 3,
            },
            similarity: SimilarityStatus {
                state: IndexState::Behind,
                vectors: 5,
                dead_vectors: 2,
                segments: 1,
                memory_bytes: 9_000,
                bound_bytes: 10_000,
                applied: domain::Version::new(40),
                searches: SearchCounts { stale: 1, ..SearchCounts::default() },
                scans: 7,
                scanning: Duration::from_millis(250),
                catch_ups: 8,
                catch_up_failures: 6,
                last_catch_up: Some(Duration::from_millis(500)),
                kept_answers: 4,
            },
            recall: RecallSamples { taken: 3, recall_at_10: Some(0.9) },
            folding: RollupKeeperStatus {
                folds: 11,
                sums: 12,
                failing_for: Some(Duration::from_millis(1_500)),
            },
            statistics: StatisticsStatus { spans: 13, bytes: 14, hits: 15, misses: 16, resets: 17 },
            answers: AnswersStatus { bytes: 18, hits: 19, misses: 20 },
            read_database: Some(read_database()),
            redis: Some(RedisCounted {
                health: RedisHealth::Up,
                statistics: RedisStatistics::default(),
                profiles: SharedProfileStatistics::default(),
            }),
            limits: LimitStatistics { in_progress: 19, shed: 20, ..LimitStatistics::default() },
            access: Some(KeyringStatus { keys: 21, age: None, failing: true, reliable: false }),
        }
    }

    #[test]
    fn counts_by_route_method_and_status() {
        let metrics = Metrics::default();

        metrics.observe(&Method::GET, "/a/{b}", StatusCode::OK, Duration::from_millis(2));
        let invented = Method::from_bytes(b"BREW").unwrap();
        metrics.observe(&invented, "none", StatusCode::NOT_FOUND, Duration::from_millis(2));

        let memory = TierStatistics { memory: 7, ..TierStatistics::default() };
        let answer = domain::Neighbours {
            neighbours: Vec::new(),
            exactness: domain::Exactness {
                mode: domain::SearchMode::Exact,
                compared: 0,
                as_of: domain::Version::ZERO,
            },
        };
        metrics.searched(
            Metric::L2,
            &SimilarRead {
                answer: std::sync::Arc::new(answer),
                source: SearchSource::Index,
                age: Duration::ZERO,
                stale: false,
            },
        );
        metrics.saved_profile();
        metrics.saved_generations(3);
        let tiers = [("profile", memory)];
        let text = metrics.text(counted(&tiers)).unwrap();
        for line in [
            r#"groovebase_http_requests_total{method="GET",route="/a/{b}",status="200"} 1"#,
            r#"groovebase_http_requests_total{method="other",route="none",status="404"} 1"#,
            r#"groovebase_http_request_duration_seconds_bucket{le="0.0025",method="GET",route="/a/{b}"} 1"#,
            r#"groovebase_database_connections{state="most"} 30"#,
            r#"groovebase_cache_reads_total{kind="profile",tier="memory"} 7"#,
            "groovebase_feed_age_seconds -1.0",
            "groovebase_feed_rounds_total 4",
            r#"groovebase_similarity_searches_total{metric="l2",mode="exact",source="index"} 1"#,
            "groovebase_similarity_stale_searches_total 1",
            r#"groovebase_similarity_index_state{state="behind"} 1"#,
            r#"groovebase_similarity_index_state{state="ready"} 0"#,
            r#"groovebase_similarity_index_vectors{kind="dead"} 2"#,
            "groovebase_similarity_index_memory_bytes 9000",
            "groovebase_similarity_index_lag 3",
            "groovebase_similarity_scanning_seconds_total 0.25",
            "groovebase_similarity_last_catch_up_seconds 0.5",
            "groovebase_similarity_kept_answers 4",
            "groovebase_similarity_recall_at_10 0.9",
            "groovebase_similarity_recall_samples_total 3",
            "groovebase_account_folds_total 11",
            "groovebase_account_folded_sums_total 12",
            "groovebase_account_fold_failing_seconds 1.5",
            "groovebase_statistics_spans 13",
            "groovebase_statistics_memory_bytes 14",
            r#"groovebase_statistics_span_reads_total{source="memory"} 15"#,
            r#"groovebase_statistics_span_reads_total{source="database"} 16"#,
            "groovebase_statistics_resets_total 17",
            "groovebase_read_database_fallbacks_total 19",
            "groovebase_redis_up 1",
            r#"db_query_duration_seconds_bucket{le="0.0005",operation="find",table="style_profiles"} 2"#,
            r#"db_query_duration_seconds_bucket{le="30.0",operation="find",table="style_profiles"} 3"#,
            r#"db_query_duration_seconds_bucket{le="+Inf",operation="find",table="style_profiles"} 4"#,
            r#"db_query_duration_seconds_count{operation="find",table="style_profiles"} 4"#,
            r#"db_query_duration_seconds_sum{operation="find",table="style_profiles"} 40.5"#,
            r#"db_query_errors_total{operation="save",error_type="timeout"} 5"#,
            r#"db_cache_errors_total{error_type="unreadable"} 0"#,
            "db_cache_hit_rate 1.0",
            "db_pool_active_connections 1",
            "db_pool_idle_connections 2",
            "db_style_profile_saves_total 1",
            "db_generation_history_saves_total 3",
            "db_similarity_searches_total 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
