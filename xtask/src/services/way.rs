//! The ways to start a service, in the order in which they are tried.

use std::fmt;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::{
    Service, cache::Cache, docker, installation::Installation, installed, private_root,
    supervisor::Source,
};

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

/// Finds the service's programs, for those who have to run them on their own: neither an address
/// nor a container lets a test kill a server and start it again.
pub(super) fn programs(service: Service, cache: &Cache) -> anyhow::Result<Installation> {
    let installed = match installed::find(service) {
        Ok(installation) => return Ok(installation),
        Err(reason) => reason,
    };
    private_root::find(service, cache).with_context(|| {
        format!(
            "tests that kill servers need the programs of {service} on this machine, or to run as \
             root on a system like Debian; {}: {installed:#}; {}",
            Way::Installed,
            Way::PrivateRoot
        )
    })
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
