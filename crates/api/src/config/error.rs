//! Why a configuration cannot be used, and which part of it.

use std::{fmt, io, path::PathBuf};

/// Why a configuration cannot be used. Secrets are not repeated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigurationError {
    /// The command line is wrong, or asks for help.
    #[error(transparent)]
    CommandLine(#[from] clap::Error),
    /// There is no such setting.
    #[error("unknown setting {name} in {origin}")]
    Unknown {
        /// What it was called.
        name: String,
        /// Where it stands.
        origin: Origin,
    },
    /// The setting cannot have this value.
    #[error("{name} in {origin} is invalid: {reason}")]
    Invalid {
        /// What it is called there.
        name: String,
        /// Where it stands.
        origin: Origin,
        /// What it must be.
        reason: String,
    },
    /// A file cannot be read.
    #[error("cannot read {origin}")]
    Unreadable {
        /// Which file.
        origin: Origin,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be understood.
    #[error("cannot understand {origin}, line {line}: {reason}")]
    Malformed {
        /// Which file.
        origin: Origin,
        /// Where, counted from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
}

/// Where a setting comes from, in the order of precedence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag.
    CommandLine,
    /// The process environment.
    Environment,
    /// `.env` in the working folder.
    DotEnv,
    /// The file that `--config` names.
    File(PathBuf),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => formatter.write_str("the command line"),
            Self::Environment => formatter.write_str("the environment"),
            Self::DotEnv => formatter.write_str(".env"),
            Self::File(path) => write!(formatter, "{}", path.display()),
            Self::Default => formatter.write_str("the defaults"),
        }
    }
}
