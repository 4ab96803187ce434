//! Servers installed on this machine. They are run as private processes; a server that happens to
//! run already is left alone.

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};

use super::{
    Service,
    installation::Installation,
    postgres,
    program::{self, Cancellation},
    redis,
};

/// Finds a server that is recent enough, or says what was found instead.
pub(super) fn find(service: Service) -> anyhow::Result<Installation> {
    let (candidates, verdict): (_, fn(&Path) -> anyhow::Result<()>) = match service {
        Service::Postgres => (postgres_candidates(), judge_postgres),
        Service::Redis | Service::RedisCluster => (redis_candidates(), judge_redis),
    };
    let mut refusals = Vec::new();
    for server in candidates {
        match verdict(&server) {
            Ok(()) => return Installation::on_this_machine(server),
            Err(reason) => refusals.push(format!("{}: {reason:#}", server.display())),
        }
    }
    if refusals.is_empty() {
        bail!("no server was found");
    }
    bail!("{}", refusals.join("; "))
}

/// Distributions keep PostgreSQL's server away from the `PATH`, one folder per version.
fn postgres_candidates() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for (parent, prefix) in [("/usr/lib/postgresql", ""), ("/usr", "pgsql-")] {
        let Ok(entries) = fs::read_dir(parent) else { continue };
        let mut versions: Vec<(u32, PathBuf)> = entries
            .filter_map(Result::ok)
            .filter_map(|entry| {
                let version = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
                Some((version, entry.path().join("bin")))
            })
            .collect();
        versions.sort();
        folders.extend(versions.into_iter().rev().map(|(_, folder)| folder));
    }
    if let Ok(folder) = ask("pg_config", "--bindir") {
        folders.push(PathBuf::from(folder.trim()));
    }
    let mut servers: Vec<_> = folders.into_iter().map(|folder| folder.join("postgres")).collect();
    servers.extend(program::find("postgres"));
    servers.retain(|server| server.is_file());
    let mut seen = HashSet::new();
    servers.retain(|server| seen.insert(server.clone()));
    servers
}

fn judge_postgres(server: &Path) -> anyhow::Result<()> {
    // Such as "postgres (PostgreSQL) 17.6 (Debian 17.6-1)".
    let answer = ask(server, "--version")?;
    let version = answer.split_whitespace().nth(2).context("tells no version")?;
    let major = version.split(|character: char| !character.is_ascii_digit()).next();
    let major: u32 = major.and_then(|major| major.parse().ok()).context("tells no version")?;
    if major < postgres::MIN_MAJOR {
        bail!("is version {version}, and {} is needed", postgres::MIN_MAJOR);
    }
    for program in ["initdb", "psql"] {
        if !server.with_file_name(program).is_file() {
            bail!("comes without {program}");
        }
    }
    // Where `pg_config` is missing the server itself is asked, once it runs.
    if let Ok(shared) = ask(server.with_file_name("pg_config"), "--sharedir")
        && !Path::new(shared.trim()).join("extension/vector.control").is_file()
    {
        bail!("comes without the extension `vector`");
    }
    Ok(())
}

fn redis_candidates() -> Vec<PathBuf> {
    ["valkey-server", "redis-server"].into_iter().filter_map(program::find).collect()
}

fn judge_redis(server: &Path) -> anyhow::Result<()> {
    // Such as "Redis server v=8.0.2 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64".
    let answer = ask(server, "--version")?;
    let version = answer.split_whitespace().find_map(|word| word.strip_prefix("v="));
    redis::require_recent(version.context("tells no version")?)
}

fn ask(program: impl AsRef<OsStr>, question: &str) -> anyhow::Result<String> {
    let mut command = program::bound(program);
    program::output(command.arg(question), Duration::from_secs(10), &Cancellation::never())
}
