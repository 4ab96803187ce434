//! What the process tells of itself while it runs: the log, one line an event, and traces.

mod database_time;
mod exporter;
mod log_file;
mod one_line;
mod trace_context;
mod traces;

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
    time::Duration,
};

use tracing::Metadata;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterExt, FilterFn, LevelFilter, filter_fn},
    fmt,
    layer::{Filter, SubscriberExt},
    util::SubscriberInitExt,
};

use crate::config::{LogFormat, LogSettings, TraceSettings};

use self::{
    database_time::DatabaseTime,
    log_file::{LogFile, LogFileThread, Rotation},
    one_line::{Escapes, OneLine},
    traces::Traces,
};
pub(crate) use self::{
    database_time::spent_in_database,
    trace_context::{TRACEPARENT, TraceContext},
};

/// The span that lines of the log are part of. Every other span is for traces.
pub(crate) const LOGGED_SPAN: &str = "request";

/// What spans of this program are made in.
const OURS: &str = "groovebase_";

type Layers = Vec<Box<dyn Layer<Registry> + Send + Sync>>;

/// What is written and sent. [`Telemetry::finish`] brings it to its end.
#[derive(Debug)]
#[must_use = "what is still to be written is lost without its end"]
pub struct Telemetry {
    log_file: Option<LogFileThread>,
    traces: Option<Traces>,
}

/// What is told.
#[derive(Debug, Clone)]
pub struct TelemetrySettings {
    /// The log.
    pub log: LogSettings,
    /// Traces.
    pub traces: TraceSettings,
    /// Whether answers tell what they took.
    pub server_timing: bool,
}

/// Starts logging and tracing for the whole process; once.
///
/// # Errors
///
/// When the filter is invalid, the log file cannot be opened, spans cannot be sent to the collector of the settings, or
/// logging was started before. Whether the collector answers is not asked.
pub fn start(settings: &TelemetrySettings) -> Result<Telemetry, TelemetryError> {
    let TelemetrySettings { log, traces, server_timing } = settings;
    let (mut layers, log_file) = log_layers(log)?;
    let traces = Traces::start(traces)?;
    if let Some(traces) = &traces {
        layers.push(traces.layer().with_filter(traced()).boxed());
    }
    if *server_timing {
        layers.push(DatabaseTime.with_filter(traced()).boxed());
    }
    tracing_subscriber::registry().with(layers).try_init()?;
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    Ok(Telemetry { log_file, traces })
}

impl Telemetry {
    /// Sends the spans and writes the lines that are waiting. Neither a collector nor a disk is waited for long.
    pub fn finish(self) {
        let Self { log_file, traces } = self;
        // First: it may have something to log.
        if let Some(traces) = traces {
            traces.finish();
        }
        if let Some(log_file) = log_file {
            log_file.finish();
        }
    }
}

fn log_layers(settings: &LogSettings) -> Result<(Layers, Option<LogFileThread>), TelemetryError> {
    let LogSettings { log, log_format, log_file, log_file_max_bytes, log_file_keep_days } =
        settings;
    let format = log_format.unwrap_or_else(|| {
        if io::stderr().is_terminal() { LogFormat::Pretty } else { LogFormat::Json }
    });
    let coloured = format == LogFormat::Pretty && io::stderr().is_terminal();
    let escapes = match format {
        LogFormat::Json => Escapes::Json,
        LogFormat::Pretty if coloured => Escapes::Coloured,
        LogFormat::Pretty => Escapes::Plain,
    };
    let lines = fmt::layer().with_writer(OneLine::new(io::stderr, escapes));
    let mut layers: Layers = vec![match format {
        LogFormat::Pretty => lines.with_ansi(coloured).with_filter(logged(log)?).boxed(),
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).with_span_list(false);
            lines.with_filter(logged(log)?).boxed()
        }
    }];
    let Some(path) = log_file else { return Ok((layers, None)) };
    let kept = Duration::from_hours(24 * u64::from(*log_file_keep_days));
    let rotation = Rotation { most_bytes: *log_file_max_bytes, kept };
    let unusable = |source| TelemetryError::LogFile { path: path.clone(), source };
    let (file, thread) = LogFile::open(path, rotation).map_err(unusable)?;
    let file = OneLine::new(file, Escapes::Json);
    let lines = fmt::layer().with_writer(file).json().flatten_event(true).with_span_list(false);
    layers.push(lines.with_filter(logged(log)?).boxed());
    Ok((layers, Some(thread)))
}

/// What the settings let through. Spans for traces would be in the way of the one that lines are part of.
fn logged(filter: &str) -> Result<impl Filter<Registry> + use<>, TelemetryError> {
    let filter = EnvFilter::builder().parse(filter)?;
    // It keeps nothing back that the filter lets through by its level.
    let lines = filter_fn(|metadata| metadata.is_event() || metadata.name() == LOGGED_SPAN)
        .with_max_level_hint(LevelFilter::TRACE);
    Ok(filter.and(lines))
}

/// Spans of this program, except the one for the log.
fn traced() -> FilterFn<impl Fn(&Metadata<'_>) -> bool> {
    let is_traced = |metadata: &Metadata<'_>| {
        metadata.is_span() && metadata.target().starts_with(OURS) && metadata.name() != LOGGED_SPAN
    };
    filter_fn(is_traced).with_max_level_hint(LevelFilter::DEBUG)
}

/// Why there is no log, or no traces.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error("the log filter is invalid")]
    InvalidFilter(#[from] tracing_subscriber::filter::ParseError),
    /// The log file cannot be opened.
    #[error("cannot open the log file {}", path.display())]
    LogFile {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Spans cannot be sent as the settings say.
    #[error("cannot send traces to the collector of the settings")]
    Traces(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Somebody else logs already.
    #[error("logging was started before")]
    StartedBefore(#[from] tracing_subscriber::util::TryInitError),
}
