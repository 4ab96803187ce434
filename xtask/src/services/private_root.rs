//! A Debian of our own in a folder, with both servers in it, so that nothing on this machine is
//! changed.
//!
//! It is built once, in the cache folder, and used by `chroot`. Its servers see no `/proc` and
//! share only the network with this machine.

mod debootstrap;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context as _, bail, ensure};
use rustix::process::geteuid;

use super::{Service, cache::Cache, installation::Installation, program};
use crate::terminal;
use debootstrap::Debootstrap;

/// The release of Debian. Its packages are recent enough.
const SUITE: &str = "trixie";

/// To be counted up when the root is built in another way, so that an older one is not used.
const EDITION: u32 = 1;

const PACKAGES: [&str; 3] = ["postgresql-17", "postgresql-17-pgvector", "redis-server"];

/// What the packages leave behind and servers do not need: more than a quarter of the whole.
const SURPLUS: [&str; 5] = [
    "var/cache/apt",
    "var/lib/apt/lists",
    // A data folder that is made during installation.
    "var/lib/postgresql/17",
    "usr/share/doc",
    "usr/share/locale",
];

/// PostgreSQL's server inside the root, beside its other programs.
const POSTGRES: &str = "/usr/lib/postgresql/17/bin/postgres";

/// Finds the server in the private root, which is built if it does not exist yet.
pub(super) fn find(service: Service, cache: &Cache) -> anyhow::Result<Installation> {
    let root = ensure_built(cache)?;
    let server = match service {
        Service::Postgres => POSTGRES,
        Service::Redis | Service::RedisCluster => "/usr/bin/redis-server",
    };
    Installation::inside(root, PathBuf::from(server))
}

/// A command that runs one of PostgreSQL's client programs outside the root, so that it sees this machine's files.
pub(super) fn program(name: &str, cache: &Cache) -> anyhow::Result<Command> {
    let root = ensure_built(cache)?;
    let program = root.join(POSTGRES.trim_start_matches('/')).with_file_name(name);
    ensure!(program.is_file(), "there is no {}", program.display());
    let (loader, libraries) = loader(&root)?;
    let mut command = Command::new(loader);
    command.arg("--library-path").arg(libraries).arg(program);
    Ok(command)
}

/// What runs programs with the libraries beside it.
fn loader(root: &Path) -> anyhow::Result<(PathBuf, PathBuf)> {
    for folder in fs::read_dir(root.join("usr/lib"))? {
        let libraries = folder?.path();
        let Ok(files) = fs::read_dir(&libraries) else { continue };
        for file in files {
            let file = file?;
            if file.file_name().to_string_lossy().starts_with("ld-linux") {
                return Ok((file.path(), libraries));
            }
        }
    }
    bail!("there is no loader in {}", root.display())
}

fn ensure_built(cache: &Cache) -> anyhow::Result<PathBuf> {
    ensure!(cfg!(target_os = "linux"), "this is not Linux");
    ensure!(geteuid().is_root(), "only root can use one");
    let name = format!("{SUITE}-{EDITION}");
    let root = cache.folder().join(&name);
    if root.is_dir() {
        return Ok(root);
    }
    for tool in ["apt-get", "dpkg-deb"] {
        ensure!(program::find(tool).is_some(), "this machine is not like Debian: no {tool}");
    }
    // Others that want the root wait here, and then find it built.
    let _lock = cache.lock(&name)?;
    if !root.is_dir() {
        build(cache, &root)?;
    }
    Ok(root)
}

/// Builds the root under another name, so that an interrupted build is never taken for a root.
fn build(cache: &Cache, root: &Path) -> anyhow::Result<()> {
    let unfinished = cache.folder().join(format!("{SUITE}-{EDITION}.unfinished"));
    let tools = cache.folder().join(format!("{SUITE}-{EDITION}.tools"));
    remove(&unfinished)?;
    remove(&tools)?;
    terminal::note(&format!("Building a private Debian root in {}, once …", root.display()));
    let started = Instant::now();

    let outcome = Debootstrap::obtain(&tools)
        .and_then(|debootstrap| debootstrap.run(SUITE, &PACKAGES, &unfinished));
    remove(&tools)?;
    if outcome.is_err() {
        remove(&unfinished)?;
    }
    outcome?;

    for surplus in SURPLUS {
        remove(&unfinished.join(surplus))?;
    }
    fs::rename(&unfinished, root).context("cannot rename the finished root")?;
    terminal::note(&format!("… which took {} s.", started.elapsed().as_secs()));
    Ok(())
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome.with_context(|| format!("cannot remove {}", folder.display())),
    }
}
