//! A PostgreSQL server of our own.

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Context as _, ensure};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use super::{
    installation::Installation,
    program::{self, Cancellation},
    scratch::Scratch,
    server::{Answer, Program},
};

/// The oldest version that will do.
pub(super) const MIN_MAJOR: u32 = 16;

const INITIALISATION_LIMIT: Duration = Duration::from_mins(1);

const PROBE_LIMIT: Duration = Duration::from_secs(10);

/// What a crash may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Durability {
    /// Nothing that was committed, whatever crashes.
    Full,
    /// Nothing that was committed when the server is killed; everything when the machine fails.
    Processes,
    /// Everything. Made for data that is thrown away anyway, and several times as fast.
    None,
}

/// A server whose data folder is prepared.
pub(super) struct Postgres {
    installation: Installation,
    data: PathBuf,
    password: String,
    durability: Durability,
    settings: Vec<String>,
}

impl Postgres {
    /// Prepares a data folder in the scratch folder.
    pub(super) fn prepare(
        installation: &Installation,
        scratch: &Scratch,
        password: String,
        durability: Durability,
        cancellation: &Cancellation,
    ) -> anyhow::Result<Self> {
        scratch.write("password", &password)?;
        let data = scratch.inside("data");
        let mut initdb = installation.command(&installation.server().with_file_name("initdb"));
        initdb.arg("--pgdata").arg(&data).arg("--pwfile").arg(scratch.inside("password"));
        initdb.args(["--username=postgres", "--auth=scram-sha-256"]);
        initdb.args(["--encoding=UTF8", "--locale=C.UTF-8"]);
        if durability != Durability::Full {
            initdb.arg("--no-sync");
        }
        program::output(&mut initdb, INITIALISATION_LIMIT, cancellation)?;
        let (installation, settings) = (installation.clone(), Vec::new());
        Ok(Self { installation, data, password, durability, settings })
    }

    /// With settings such as `max_connections=20`, which override our own.
    pub(super) fn with(self, settings: Vec<String>) -> Self {
        Self { settings, ..self }
    }
}

impl Program for Postgres {
    fn command(&self, port: u16) -> Command {
        let mut postgres = self.installation.command(self.installation.server());
        postgres.arg("-D").arg(&self.data);
        let mut set = |setting: &str| {
            postgres.args(["-c", setting]);
        };
        set(&format!("port={port}"));
        set("listen_addresses=127.0.0.1");
        set("unix_socket_directories=");
        set("max_connections=300");
        set("shared_buffers=256MB");
        set("timezone=UTC");
        set("log_timezone=UTC");
        // A bare root has no /dev/shm, and what a killed server leaves there stays.
        set("dynamic_shared_memory_type=mmap");
        match self.durability {
            Durability::Full => {}
            Durability::Processes => set("fsync=off"),
            Durability::None => {
                set("fsync=off");
                set("synchronous_commit=off");
                set("full_page_writes=off");
            }
        }
        for setting in &self.settings {
            set(setting);
        }
        postgres
    }

    fn url(&self, port: u16) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{port}/postgres", self.password)
    }

    fn probe(&self, port: u16, cancellation: &Cancellation) -> anyhow::Result<Answer> {
        let psql = self.installation.server().with_file_name("psql");
        let mut psql = self.installation.command(&psql);
        psql.args(version_query("127.0.0.1", port)).env("PGPASSWORD", &self.password);
        answer(program::output(&mut psql, PROBE_LIMIT, cancellation))
    }

    /// PostgreSQL calls this a fast shutdown.
    fn stop_signal(&self) -> Signal {
        Signal::INT
    }
}

/// The arguments that make `psql` ask for the versions of PostgreSQL and pgvector.
pub(super) fn version_query(host: &str, port: u16) -> Vec<String> {
    let query = "select current_setting('server_version_num'), current_setting('server_version'), \
                 (select default_version from pg_available_extensions where name = 'vector')";
    let words =
        ["--no-psqlrc", "--no-password", "--tuples-only", "--no-align", "--username=postgres"];
    let mut arguments: Vec<_> = words.map(str::to_owned).into();
    arguments.extend(["--dbname=postgres".to_owned(), "--field-separator=|".to_owned()]);
    arguments.extend([format!("--host={host}"), format!("--port={port}")]);
    arguments.push(format!("--command={query}"));
    arguments
}

/// Reads what `psql` answered to [`version_query`].
pub(super) fn answer(output: anyhow::Result<String>) -> anyhow::Result<Answer> {
    match output {
        Ok(line) => Ok(Answer::Ready { version: version(line.trim())? }),
        Err(reason) => Ok(Answer::NotYet { reason: format!("{reason:#}") }),
    }
}

/// Writes such as "17.6 (Debian 17.6-1)" for people, unless something is missing.
fn version(line: &str) -> anyhow::Result<String> {
    let mut fields = line.split('|');
    let mut field = || fields.next().context("psql answered in a strange way");
    let (number, postgres, vector) = (field()?, field()?, field()?);

    let number: u32 = number.parse().context("psql answered in a strange way")?;
    let postgres = postgres.split(' ').next().unwrap_or(postgres);
    let major = number / 10_000;
    ensure!(MIN_MAJOR <= major, "PostgreSQL {postgres} is too old; {MIN_MAJOR} is needed");
    ensure!(!vector.is_empty(), "PostgreSQL {postgres} comes without the extension `vector`");
    Ok(format!("PostgreSQL {postgres}, pgvector {vector}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_versions_for_people() -> anyhow::Result<()> {
        let version = version("170006|17.6 (Debian 17.6-1)|0.8.0")?;

        assert_eq!(version, "PostgreSQL 17.6, pgvector 0.8.0");
        Ok(())
    }

    #[test]
    fn refuses_an_old_server() {
        assert!(version("150013|15.13|0.8.0").is_err());
    }

    #[test]
    fn refuses_a_server_without_pgvector() {
        assert!(version("160009|16.9|").is_err());
    }
}
