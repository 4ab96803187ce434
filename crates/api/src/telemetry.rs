//! The log: one line an event, on standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{LogFormat, LogSettings};

/// Starts logging for the whole process; once.
///
/// # Errors
///
/// When the filter is invalid or logging was started before.
pub fn start(settings: &LogSettings) -> Result<(), TelemetryError> {
    let filter = EnvFilter::builder().parse(&settings.log)?;
    let format = settings.log_format.unwrap_or_else(|| {
        if io::stderr().is_terminal() { LogFormat::Pretty } else { LogFormat::Json }
    });
    let lines = fmt::layer().with_writer(io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Pretty => {
            registry.with(lines.with_ansi(io::stderr().is_terminal())).try_init()?;
        }
        LogFormat::Json => {
            registry.with(lines.json().flatten_event(true).with_span_list(false)).try_init()?;
        }
    }
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    Ok(())
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error("the log filter is invalid")]
    InvalidFilter(#[from] tracing_subscriber::filter::ParseError),
    /// Somebody else logs already.
    #[error("logging was started before")]
    StartedBefore(#[from] tracing_subscriber::util::TryInitError),
}
