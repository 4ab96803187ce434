//! The ways to start a service, in the order in which they are tried.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Service, cache::Cache, docker, installed, private_root, supervisor::Source};

/// A way to start a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Way {
    Docker,
    Installed,
    PrivateRoot,
}

impl Way {
    pub(super) const ALL: [Self; 3] = [Self::Docker, Self::Installed, Self::PrivateRoot];

    /// Finds what the service can be started from, or says why this way is closed.
    pub(super) fn source(self, service: Service, cache: &Cache) -> anyhow::Result<Source> {
        match self {
            Self::Docker => docker::find(service).map(Source::Container),
            Self::Installed => installed::find(service).map(Source::Programs),
            Self::PrivateRoot => private_root::find(service, cache).map(Source::Programs),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Docker => "Docker",
            Self::Installed => "programs installed on this machine",
            Self::PrivateRoot => "a private Debian root",
        })
    }
}
