//! A record of what is running, so that it can be found, stopped and cleared away.

use std::{fs, io::Write as _, path::PathBuf, time::Duration};

use anyhow::Context as _;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::{
    Address, Lifetime, Service, cache::Cache, docker::Project, process::Process, scratch::Scratch,
};
use crate::terminal;

/// One service that was started, from before it is until all of it is gone.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Run {
    /// Names the record, and whatever belongs to this run.
    pub(super) name: String,
    pub(super) service: Service,
    pub(super) lifetime: Lifetime,
    /// Who watches it. If that process is gone the run is abandoned.
    pub(super) supervisor: Process,
    /// The server, if it is a process of ours.
    pub(super) server: Option<Process>,
    /// Processes of the server that were told to stand still, which would outlive it.
    #[serde(default)]
    pub(super) frozen: Vec<Process>,
    pub(super) scratch: Option<Scratch>,
    /// What Docker runs, if the server is a container.
    pub(super) project: Option<Project>,
    /// Where it answers, as soon as it does.
    pub(super) address: Option<Address>,
}

impl Run {
    /// Writes the record, which holds passwords, for this user alone.
    pub(super) fn save(&self, cache: &Cache) -> anyhow::Result<()> {
        let path = self.path(cache);
        // A temporary file is private, and renaming it keeps others from reading half a record.
        let mut file = NamedTempFile::new_in(cache.runs())
            .with_context(|| format!("cannot write to {}", cache.runs().display()))?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.persist(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(())
    }

    /// Removes all that belongs to the run, and at last the record of it.
    pub(super) fn clear_away(&self, cache: &Cache) -> anyhow::Result<()> {
        let processes = self.server.iter().chain(&self.frozen);
        for process in processes.clone() {
            process.signal(Signal::KILL);
        }
        for process in processes {
            process.wait(Duration::from_secs(5));
        }
        if let Some(project) = &self.project {
            project.remove()?;
        }
        if let Some(scratch) = &self.scratch {
            scratch.remove()?;
        }
        match fs::remove_file(self.path(cache)) {
            // Somebody else that found the run abandoned was faster.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            outcome => outcome.context("cannot remove the record of a run"),
        }
    }

    fn path(&self, cache: &Cache) -> PathBuf {
        cache.runs().join(&self.name).with_extension("json")
    }
}

/// The service that `cargo xtask services up` left running, if any.
pub(super) fn lasting(cache: &Cache, service: Service) -> Option<Run> {
    all(cache).into_iter().find(|run| {
        run.lifetime == Lifetime::Lasting && run.service == service && run.supervisor.is_running()
    })
}

/// Clears away what killed supervisors left behind.
pub(super) fn clear_abandoned(cache: &Cache) {
    for run in all(cache) {
        if run.supervisor.is_running() {
            continue;
        }
        if let Err(reason) = run.clear_away(cache) {
            let service = run.service;
            terminal::note(&format!("An abandoned {service} cannot be cleared away: {reason:#}"));
        }
    }
}

fn all(cache: &Cache) -> Vec<Run> {
    let Ok(entries) = fs::read_dir(cache.runs()) else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        // A record that vanished is of a run that ended just now, and one that cannot be
        // understood is of another version of this program.
        .filter_map(|path| serde_json::from_slice(&fs::read(path).ok()?).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn run(name: &str, supervisor: Process) -> Run {
        Run {
            name: name.to_owned(),
            service: Service::Redis,
            lifetime: Lifetime::Lasting,
            supervisor,
            server: None,
            frozen: Vec::new(),
            scratch: None,
            project: None,
            address: None,
        }
    }

    #[test]
    fn finds_a_service_that_is_watched() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let cache = Cache::at(folder.path().to_owned())?;
        run("redis-1", Process::current()?).save(&cache)?;

        clear_abandoned(&cache);

        assert!(lasting(&cache, Service::Postgres).is_none());
        assert_eq!(lasting(&cache, Service::Redis).context("is running")?.name, "redis-1");
        Ok(())
    }

    #[test]
    fn clears_away_what_nobody_watches() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let cache = Cache::at(folder.path().join("cache"))?;
        let mut supervisor = Command::new("sleep").arg("60").spawn()?;
        let mut server = Command::new("sleep").arg("60").spawn()?;
        let scratch = Scratch::new(folder.path(), PathBuf::from("/scratch"), None);
        scratch.create()?;
        let mut run = run("redis-1", Process::find(supervisor.id()).context("it runs")?);
        run.server = Process::find(server.id());
        run.scratch = Some(scratch);
        run.save(&cache)?;

        supervisor.kill()?;
        supervisor.wait()?;
        clear_abandoned(&cache);

        assert!(!server.wait()?.success());
        assert!(!folder.path().join("scratch").exists());
        assert!(all(&cache).is_empty());
        Ok(())
    }
}
