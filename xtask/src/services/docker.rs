//! Services run by a Docker engine, as `xtask/compose.yaml` describes them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};

use super::{
    Service, postgres,
    program::{self, Cancellation},
    redis,
    server::{self, Answer},
};

/// What the superuser's password is in `compose.yaml` unless the environment says otherwise, as it
/// does here. The port is published to this machine only.
const PASSWORD: &str = "groovebase";

/// How long the engine has to answer a question.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// How long the engine has to start a service, which includes downloading its image.
const START_LIMIT: Duration = Duration::from_mins(10);

/// A service of `compose.yaml` that a Docker engine on this machine can run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Container {
    service: Service,
    file: PathBuf,
}

/// Finds an engine that answers, since a client alone is not enough, and `compose.yaml`.
pub(super) fn find(service: Service) -> anyhow::Result<Container> {
    // The nodes of a cluster name their addresses to clients, and those inside are not reachable.
    ensure!(service != Service::RedisCluster, "compose.yaml has no cluster");
    program::find("docker").context("there is no docker on the PATH")?;
    let ask = |question: &[&str]| {
        let mut docker = program::bound("docker");
        program::output(docker.args(question), ANSWER_LIMIT, &Cancellation::never())
    };
    ask(&["info"]).context("no engine answers")?;
    ask(&["compose", "version"]).context("the client has no compose plugin")?;

    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file =
        fs::canonicalize(folder.join("compose.yaml")).context("there is no xtask/compose.yaml")?;
    Ok(Container { service, file })
}

/// A container of ours, in a project of its own so that runs do not meet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Project {
    container: Container,
    name: String,
}

impl Project {
    /// Names the project; nothing is started.
    pub(super) fn new(container: Container, name: String) -> Self {
        Self { container, name }
    }

    /// Starts the container and waits until it answers. Returns its URL and its version.
    pub(super) fn start(&self, cancellation: &Cancellation) -> anyhow::Result<(String, String)> {
        let service = self.container.service;
        let mut up = self.compose();
        up.args(["up", "--detach", "--wait", service.name()]);
        program::output(&mut up, START_LIMIT, cancellation)?;

        let url = self.url(cancellation)?;
        let deadline = Instant::now() + server::START_LIMIT;
        loop {
            match self.probe(&url, cancellation)? {
                Answer::Ready { version } => return Ok((url, version)),
                Answer::NotYet { reason } if deadline <= Instant::now() => {
                    bail!("{service} did not answer in time: {reason}")
                }
                Answer::NotYet { reason: _ } => cancellation.sleep(server::PROBE_INTERVAL)?,
            }
        }
    }

    /// Stops the container, and removes it together with its data.
    pub(super) fn remove(&self) -> anyhow::Result<()> {
        let mut down = self.compose();
        down.args(["down", "--volumes", "--remove-orphans", "--timeout", "5"]);
        program::output(&mut down, Duration::from_mins(1), &Cancellation::never()).map(drop)
    }

    fn url(&self, cancellation: &Cancellation) -> anyhow::Result<String> {
        let service = self.container.service;
        let inside = match service {
            Service::Postgres => "5432",
            Service::Redis | Service::RedisCluster => "6379",
        };
        let mut port = self.compose();
        port.args(["port", service.name(), inside]);
        let published = program::output(&mut port, ANSWER_LIMIT, cancellation)?;
        let port = published_port(&published)
            .with_context(|| format!("compose.yaml publishes no port of {}", service.name()))?;
        Ok(match service {
            Service::Postgres => {
                format!("postgres://postgres:{PASSWORD}@127.0.0.1:{port}/postgres")
            }
            Service::Redis | Service::RedisCluster => format!("redis://127.0.0.1:{port}/0"),
        })
    }

    fn probe(&self, url: &str, cancellation: &Cancellation) -> anyhow::Result<Answer> {
        match self.container.service {
            Service::Redis | Service::RedisCluster => Ok(redis::probe(url)),
            Service::Postgres => {
                let mut psql = self.compose();
                // By TCP, because the image first starts a server that listens on a socket only.
                psql.args(["exec", "-T", "--env", &format!("PGPASSWORD={PASSWORD}")]);
                psql.args(["postgres", "psql"]).args(postgres::version_query("127.0.0.1", 5432));
                postgres::answer(program::output(&mut psql, ANSWER_LIMIT, cancellation))
            }
        }
    }

    fn compose(&self) -> Command {
        let mut docker = program::bound("docker");
        docker.args(["compose", "--project-name", &self.name, "--file"]);
        docker.arg(&self.container.file).env("POSTGRES_PASSWORD", PASSWORD);
        // Any free port, so that runs do not meet each other or what a developer runs.
        docker.env("POSTGRES_PORT", "0").env("REDIS_PORT", "0");
        docker
    }
}

/// Reads the port from an answer such as `127.0.0.1:49153`.
fn published_port(answer: &str) -> Option<u16> {
    let (_, port) = answer.lines().next()?.trim().rsplit_once(':')?;
    port.parse().ok().filter(|port| *port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_published_port() {
        assert_eq!(published_port("127.0.0.1:49153\n"), Some(49153));
        assert_eq!(published_port("[::]:49153\n"), Some(49153));
    }

    #[test]
    fn knows_when_no_port_is_published() {
        assert_eq!(published_port(""), None);
        assert_eq!(published_port(":0"), None);
    }
}
