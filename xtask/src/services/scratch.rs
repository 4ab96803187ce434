//! The folder that holds all a server writes, and that goes when the server goes.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, chown},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::program;

/// A folder that is known to a server by another name if the server lives in a root of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Scratch {
    inside: PathBuf,
    outside: PathBuf,
    owner: Option<u32>,
}

impl Scratch {
    /// Names the folder, by how the server sees it; nothing is created.
    pub(super) fn new(root: &Path, inside: PathBuf, owner: Option<u32>) -> Self {
        let outside = match inside.strip_prefix("/") {
            Ok(relative) => root.join(relative),
            Err(_) => inside.clone(),
        };
        Self { inside, outside, owner }
    }

    /// Creates the folder, which must not exist, for the server's user alone.
    pub(super) fn create(&self) -> anyhow::Result<()> {
        DirBuilder::new()
            .mode(0o700)
            .create(&self.outside)
            .and_then(|()| chown(&self.outside, self.owner, self.owner))
            .with_context(|| format!("cannot create {}", self.outside.display()))
    }

    /// A path in the folder, as the server sees it.
    pub(super) fn inside(&self, name: &str) -> PathBuf {
        self.inside.join(name)
    }

    /// The folder, as this machine sees it.
    pub(super) fn outside(&self) -> &Path {
        &self.outside
    }

    /// Writes a file that the server's user alone can read.
    pub(super) fn write(&self, name: &str, content: &str) -> anyhow::Result<()> {
        let path = self.outside.join(name);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(content.as_bytes()))
            .and_then(|()| chown(&path, self.owner, self.owner))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Opens the server's log anew.
    pub(super) fn new_log(&self) -> anyhow::Result<File> {
        File::create(self.log()).context("cannot create the server's log")
    }

    /// The last lines of the server's log.
    pub(super) fn log_tail(&self) -> String {
        // Without a log there is nothing to show, and a graver error to report.
        program::tail(&fs::read_to_string(self.log()).unwrap_or_default())
    }

    /// Removes the folder and all it holds, if it exists.
    pub(super) fn remove(&self) -> anyhow::Result<()> {
        const ATTEMPTS: usize = 50;

        let mut outcome = remove(&self.outside);
        for _ in 1..ATTEMPTS {
            if outcome.is_ok() {
                break;
            }
            // The processes of a killed PostgreSQL write until they notice, moments later.
            thread::sleep(Duration::from_millis(100));
            outcome = remove(&self.outside);
        }
        outcome.with_context(|| format!("cannot remove {}", self.outside.display()))
    }

    fn log(&self) -> PathBuf {
        self.outside.join("server.log")
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_gone_with_all_it_holds() -> anyhow::Result<()> {
        let parent = tempfile::tempdir()?;
        let scratch = Scratch::new(parent.path(), PathBuf::from("/scratch"), None);
        scratch.create()?;
        scratch.write("password", "secret")?;
        assert!(parent.path().join("scratch/password").is_file());

        scratch.remove()?;
        scratch.remove().context("removing nothing succeeds")?;

        assert!(!parent.path().join("scratch").exists());
        Ok(())
    }
}
