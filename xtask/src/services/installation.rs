//! Where a server's programs are, and how they are run from there.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

use super::{program, scratch::Scratch};

/// The user and the group `nobody`, whom servers run as when we are root: PostgreSQL refuses root.
const NOBODY: u32 = 65534;

/// The programs of a server, on this machine or in a root folder of their own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Installation {
    /// The folder that the programs see as `/`, unless it is that of this machine.
    root: Option<PathBuf>,
    /// The server's program, as seen from inside the root.
    server: PathBuf,
    /// What stands before every command, to run it inside the root, as an ordinary user, and tied
    /// to the life of who runs it.
    wrapper: Vec<String>,
    /// Who has to own the servers' files, if not the user we are.
    owner: Option<u32>,
}

impl Installation {
    /// Programs of this machine.
    pub(super) fn on_this_machine(server: PathBuf) -> anyhow::Result<Self> {
        let mut wrapper = Vec::new();
        if geteuid().is_root() {
            let setpriv =
                program::death_bond().context("there is no setpriv to leave root with")?;
            wrapper.extend(own_ipc()?);
            wrapper.extend(as_nobody(&setpriv)?);
        } else if let Some(setpriv) = program::death_bond() {
            wrapper.extend([word(&setpriv)?, "--pdeathsig".into(), "KILL".into()]);
        }
        Ok(Self { root: None, server, wrapper, owner: geteuid().is_root().then_some(NOBODY) })
    }

    /// Programs inside a root folder, which only root can change into.
    pub(super) fn inside(root: PathBuf, server: PathBuf) -> anyhow::Result<Self> {
        let chroot = program::find("chroot").context("there is no chroot on the PATH")?;
        let mut wrapper = own_ipc()?;
        wrapper.extend([word(&chroot)?, word(&root)?]);
        wrapper.extend(as_nobody(Path::new("/usr/bin/setpriv"))?);
        Ok(Self { root: Some(root), server, wrapper, owner: Some(NOBODY) })
    }

    /// The server's program, as seen from inside the root.
    pub(super) fn server(&self) -> &Path {
        &self.server
    }

    /// A command that runs a program of this installation.
    ///
    /// Nothing of our environment reaches it: variables such as `PGDATA` would change what it does.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut words = self.wrapper.iter();
        let mut command = match words.next() {
            Some(first) => {
                let mut command = Command::new(first);
                command.args(words).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C.UTF-8");
        // Always readable, unlike the folder a task happens to be started in.
        command.env("TZ", "UTC").current_dir("/");
        command
    }

    /// A scratch folder that the programs can see and write to. It is not created yet.
    pub(super) fn scratch(&self, name: &str) -> Scratch {
        match &self.root {
            Some(root) => Scratch::new(root, Path::new("/srv").join(name), self.owner),
            None => Scratch::new(Path::new("/"), env::temp_dir().join(name), self.owner),
        }
    }
}

/// Shared memory and semaphores of a killed PostgreSQL outlive it. In a namespace of its own they
/// do not.
fn own_ipc() -> anyhow::Result<Vec<String>> {
    Ok(
        match program::find("unshare").filter(|_| program::succeeds("unshare", &["--ipc", "true"]))
        {
            Some(unshare) => vec![word(&unshare)?, "--ipc".into()],
            None => Vec::new(),
        },
    )
}

/// The bond to the parent comes last, since becoming another user dissolves it.
fn as_nobody(setpriv: &Path) -> anyhow::Result<Vec<String>> {
    Ok(vec![
        word(setpriv)?,
        format!("--reuid={NOBODY}"),
        format!("--regid={NOBODY}"),
        "--clear-groups".into(),
        "--pdeathsig".into(),
        "KILL".into(),
    ])
}

fn word(path: &Path) -> anyhow::Result<String> {
    let word = path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
    Ok(word.to_owned())
}
