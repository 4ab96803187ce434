//! A Redis server of our own, and the little of Redis' protocol it takes to greet one.

pub(super) mod cluster;
mod protocol;

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Context as _, ensure};
use percent_encoding::percent_decode_str;
use rustix::process::Signal;
use url::Url;

use super::{
    installation::Installation,
    program::Cancellation,
    scratch::Scratch,
    server::{self, Answer, Program},
};
use protocol::Connection;

/// The oldest version that will do. Valkey's are numbered on from it.
const MIN_VERSION: (u32, u32) = (7, 2);

/// How long a server has to accept a connection, and then to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a server is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// To stand alone.
    Alone,
    /// To stand alone and speak TLS on a second port. The certificates are named in its settings.
    Tls,
    /// To be a node of a cluster.
    Node,
}

impl Role {
    /// How a server begins its configuration.
    fn settings(self) -> &'static str {
        match self {
            Self::Alone => "",
            Self::Tls => "tls-auth-clients no\n",
            // Failing over takes about as long as the timeout, and tests wait for it.
            Self::Node => {
                "cluster-enabled yes\ncluster-config-file nodes.conf\n\
                 cluster-node-timeout 3000\ncluster-allow-replica-migration no\n\
                 cluster-replica-validity-factor 0\nrepl-diskless-sync-delay 0\n"
            }
        }
    }
}

/// A server whose configuration is prepared.
pub(super) struct Redis {
    installation: Installation,
    configuration: PathBuf,
    password: String,
    role: Role,
}

impl Redis {
    /// Prepares the configuration in the scratch folder. Nothing is written to disk but what the
    /// settings, lines of a configuration, ask for.
    pub(super) fn prepare(
        installation: &Installation,
        scratch: &Scratch,
        password: String,
        role: Role,
        settings: &[String],
    ) -> anyhow::Result<Self> {
        let folder = scratch.inside("");
        let folder = folder.to_str().context("the scratch folder is not UTF-8")?;
        // In a file, because everyone can read the arguments of a process.
        let configuration = format!(
            "bind 127.0.0.1\nrequirepass {password}\nmasterauth {password}\ndir \"{folder}\"\n\
             save \"\"\nappendonly no\ndaemonize no\n{}{}\n",
            role.settings(),
            settings.join("\n")
        );
        scratch.write("redis.conf", &configuration)?;
        let configuration = scratch.inside("redis.conf");
        Ok(Self { installation: installation.clone(), configuration, password, role })
    }
}

impl Program for Redis {
    fn command(&self, port: u16) -> Command {
        let mut redis = self.installation.command(self.installation.server());
        redis.arg(&self.configuration).args(["--port", &port.to_string()]);
        if self.role == Role::Tls {
            redis.args(["--tls-port", &server::companion(port).to_string()]);
        }
        redis
    }

    fn url(&self, port: u16) -> String {
        format!("redis://:{}@127.0.0.1:{port}/0", self.password)
    }

    fn probe(&self, port: u16, _: &Cancellation) -> anyhow::Result<Answer> {
        Ok(probe(&self.url(port)))
    }

    fn stop_signal(&self) -> Signal {
        Signal::TERM
    }
}

/// Asks the server at this URL whether it works.
pub(super) fn probe(url: &str) -> Answer {
    match version(url) {
        Ok(version) => Answer::Ready { version },
        Err(reason) => Answer::NotYet { reason: format!("{reason:#}") },
    }
}

/// Signs in to the server at this URL and returns its version, in words.
pub(super) fn version(url: &str) -> anyhow::Result<String> {
    let url = Url::parse(url).context("the address is not a URL")?;
    ensure!(matches!(url.scheme(), "redis" | "rediss"), "the address is not a `redis:` URL");
    if url.scheme() == "rediss" {
        server::connect(&url, 6379, PATIENCE)?;
        // Speaking TLS is left to those who use the address.
        return Ok("Redis".to_owned());
    }
    let mut connection = sign_in(&url)?;
    connection.call(["PING"])?;
    // A user may be allowed everything but this; the service works all the same.
    let Ok(about) = connection.call(["INFO", "server"]) else { return Ok("Redis".to_owned()) };
    let field = |name: &str| about.lines().find_map(|line| line.strip_prefix(name));
    let compatible = field("redis_version:").context("the server tells no version")?;
    require_recent(compatible)?;
    Ok(match field("valkey_version:") {
        Some(version) => format!("Valkey {version}"),
        None => format!("Redis {compatible}"),
    })
}

fn sign_in(url: &Url) -> anyhow::Result<Connection> {
    let mut connection = Connection::new(server::connect(url, 6379, PATIENCE)?)?;
    if let Some(password) = url.password() {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (user, password) = (decoded(url.username()), decoded(password));
        let words = ["AUTH", user.as_str(), password.as_str()];
        connection.call(words.into_iter().filter(|word| !word.is_empty()))?;
    }
    Ok(connection)
}

/// Fails if the version, such as `7.2.4`, is older than the oldest that will do.
pub(super) fn require_recent(version: &str) -> anyhow::Result<()> {
    let mut parts = version.split('.').map(str::parse);
    let (Some(Ok(major)), Some(Ok(minor))) = (parts.next(), parts.next()) else {
        anyhow::bail!("{version} is not a version");
    };
    let (min_major, min_minor) = MIN_VERSION;
    ensure!(
        MIN_VERSION <= (major, minor),
        "is version {version}, and {min_major}.{min_minor} is needed"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_recent_versions_only() {
        for recent in ["7.2.0", "7.10", "8.0.2"] {
            assert!(require_recent(recent).is_ok(), "{recent}");
        }
        for old in ["7.0.15", "6.2", "seven"] {
            assert!(require_recent(old).is_err(), "{old}");
        }
    }
}
