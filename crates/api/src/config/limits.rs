//! What the service takes.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use clap::{Args, builder::RangedU64ValueParser};
use domain::Quota;

use super::LONGEST_MS;
use crate::limits::{LimitSettings, RateSettings, TrustedProxies};

/// What the service takes: how often, how much at once, how large and how slow.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// How many requests a second a client may send in the long run, unless its key says otherwise: one with a key is
    /// counted by it, one without by its address; 0 for no limit.
    #[arg(long, global = true, value_name = "COUNT", env = "GROOVEBASE_RATE_LIMIT_PER_SECOND", default_value = "0", value_parser = quota())]
    pub rate_limit_per_second: u32,
    /// How many it may send at once; as many as a second at 0.
    #[arg(long, global = true, value_name = "COUNT", env = "GROOVEBASE_RATE_LIMIT_BURST", default_value = "0", value_parser = quota())]
    pub rate_limit_burst: u32,
    /// How many it may send in any hour; 0 for no limit.
    #[arg(long, global = true, value_name = "COUNT", env = "GROOVEBASE_RATE_LIMIT_PER_HOUR", default_value = "0", value_parser = quota())]
    pub rate_limit_per_hour: u32,
    /// How many requests a second from one address may lack a good key before they are told to wait; 0 for no limit.
    #[arg(long, global = true, value_name = "COUNT", env = "GROOVEBASE_FAILED_ACCESS_PER_SECOND", default_value = "10", value_parser = quota())]
    pub failed_access_per_second: u32,
    /// How many of these may come at once; as many as a second at 0.
    #[arg(long, global = true, value_name = "COUNT", env = "GROOVEBASE_FAILED_ACCESS_BURST", default_value = "50", value_parser = quota())]
    pub failed_access_burst: u32,
    /// Proxies whose `X-Forwarded-For` is believed: addresses and networks such as `10.0.0.0/8`, with commas between them.
    #[arg(
        long,
        global = true,
        value_name = "NETWORKS",
        env = "GROOVEBASE_TRUSTED_PROXIES",
        default_value = ""
    )]
    pub trusted_proxies: TrustedProxies,
    /// How many requests are in progress at most; what comes beyond is answered 503 at once. A ceiling: the service finds
    /// out by itself how many it can take, and sends away what is more.
    #[arg(
        long,
        global = true,
        value_name = "COUNT",
        env = "GROOVEBASE_HTTP_MAX_IN_PROGRESS",
        default_value = "1024"
    )]
    pub http_max_in_progress: NonZeroUsize,
    /// How many connections each thread keeps open at most; what comes beyond waits to be accepted.
    #[arg(
        long,
        global = true,
        value_name = "COUNT",
        env = "GROOVEBASE_HTTP_MAX_CONNECTIONS",
        default_value = "4096"
    )]
    pub http_max_connections: NonZeroUsize,
    /// How many connections may wait to be accepted.
    #[arg(
        long,
        global = true,
        value_name = "COUNT",
        env = "GROOVEBASE_HTTP_BACKLOG",
        default_value = "1024"
    )]
    pub http_backlog: NonZeroU32,
    /// How long path and query of a request may be, in bytes.
    #[arg(
        long,
        global = true,
        value_name = "BYTES",
        env = "GROOVEBASE_HTTP_URL_LIMIT_BYTES",
        default_value = "16384"
    )]
    pub http_url_limit_bytes: NonZeroUsize,
    /// How long the head of a connection's first request may take to arrive, in milliseconds.
    #[arg(long, global = true, value_name = "MS", env = "GROOVEBASE_HTTP_HEADER_TIMEOUT_MS", default_value = "5000", value_parser = milliseconds())]
    pub http_header_timeout_ms: u64,
    /// How long a body may take to arrive, in milliseconds.
    #[arg(long, global = true, value_name = "MS", env = "GROOVEBASE_HTTP_BODY_TIMEOUT_MS", default_value = "10000", value_parser = milliseconds())]
    pub http_body_timeout_ms: u64,
    /// How long a connection on which nothing happens is kept, in milliseconds.
    #[arg(long, global = true, value_name = "MS", env = "GROOVEBASE_HTTP_KEEP_ALIVE_MS", default_value = "15000", value_parser = milliseconds())]
    pub http_keep_alive_ms: u64,
    /// How long a client has to take an answer and send its next request before it is cut off, in milliseconds.
    #[arg(long, global = true, value_name = "MS", env = "GROOVEBASE_HTTP_SLOW_CLIENT_TIMEOUT_MS", default_value = "30000", value_parser = milliseconds())]
    pub http_slow_client_timeout_ms: u64,
    /// No answer takes longer than this, in milliseconds, whatever its route may take.
    #[arg(long, global = true, value_name = "MS", env = "GROOVEBASE_HTTP_MAX_DEADLINE_MS", default_value = "25000", value_parser = milliseconds())]
    pub http_max_deadline_ms: u64,
}

fn quota() -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(..=u64::from(Quota::MOST))
}

fn milliseconds() -> RangedU64ValueParser {
    RangedU64ValueParser::new().range(1..=LONGEST_MS)
}

impl LimitArgs {
    pub(super) fn settings(&self) -> LimitSettings {
        let Self {
            rate_limit_per_second,
            rate_limit_burst,
            rate_limit_per_hour,
            failed_access_per_second,
            failed_access_burst,
            trusted_proxies,
            http_max_in_progress,
            http_max_connections: _,
            http_backlog: _,
            http_url_limit_bytes,
            http_header_timeout_ms: _,
            http_body_timeout_ms,
            http_keep_alive_ms: _,
            http_slow_client_timeout_ms,
            http_max_deadline_ms,
        } = self;
        LimitSettings {
            rates: RateSettings {
                per_second: *rate_limit_per_second,
                burst: *rate_limit_burst,
                per_hour: *rate_limit_per_hour,
                failed_per_second: *failed_access_per_second,
                failed_burst: *failed_access_burst,
            },
            trusted_proxies: trusted_proxies.clone(),
            most_in_progress: *http_max_in_progress,
            url_bytes: http_url_limit_bytes.get(),
            body_timeout: Duration::from_millis(*http_body_timeout_ms),
            longest_deadline: Duration::from_millis(*http_max_deadline_ms),
            slow_client_timeout: Duration::from_millis(*http_slow_client_timeout_ms),
        }
    }
}
