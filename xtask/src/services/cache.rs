//! The folder, outside the source tree, that holds the private Debian root and a record of what
//! runs.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

/// `$XDG_CACHE_HOME/groovebase`, or `~/.cache/groovebase`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Finds the folder and creates it if need be.
    pub(super) fn locate() -> anyhow::Result<Self> {
        let caches = match env::var_os("XDG_CACHE_HOME").filter(|caches| !caches.is_empty()) {
            Some(caches) => PathBuf::from(caches),
            None => env::home_dir().context("this user has no home folder")?.join(".cache"),
        };
        // The specification of the variable says to ignore a relative path, which would depend on
        // where a task was started; refusing it is clearer.
        ensure!(caches.is_absolute(), "XDG_CACHE_HOME is not an absolute path");
        Self::at(caches.join("groovebase"))
    }

    /// Uses the given folder and creates it if need be.
    pub(super) fn at(folder: PathBuf) -> anyhow::Result<Self> {
        let cache = Self { folder };
        fs::create_dir_all(cache.runs())
            .with_context(|| format!("cannot create {}", cache.folder.display()))?;
        Ok(cache)
    }

    /// The folder itself.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where records of running services are kept.
    pub(super) fn runs(&self) -> PathBuf {
        self.folder.join("runs")
    }

    /// Where supervisors, which have no terminal, write what goes wrong unexpectedly.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("supervisors.log")
    }

    /// Waits until no other process holds the lock of this name; it is held until the file is
    /// dropped, and let go by the system if this process ends.
    pub(super) fn lock(&self, name: &str) -> anyhow::Result<File> {
        let path = self.folder.join(name).with_extension("lock");
        File::create(&path)
            .and_then(|file| file.lock().map(|()| file))
            .with_context(|| format!("cannot lock {}", path.display()))
    }
}
