//! What is measured and who measures, built as it is released.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use anyhow::Context as _;

use crate::workspace;

/// What tells this program that it is built as it is released, beside everything that it starts.
pub(crate) const BUILT: &str = "--built";

/// The programs of a run.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Those beside this program.
    pub(crate) fn beside_this_one() -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("this program cannot find itself")?;
        let folder = own.parent().context("this program is in no folder")?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// The service as a user starts it, in this folder and without the settings of whoever measures.
    pub(crate) fn groovebase(&self, folder: &Path, settings: &[(&str, &str)]) -> Command {
        let mut command = Command::new(self.folder.join("groovebase"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GROOVEBASE_") {
                command.env_remove(name);
            }
        }
        command.envs(settings.iter().copied()).current_dir(folder).stdin(Stdio::null());
        command
    }

    /// The server that answers the same to everybody.
    pub(crate) fn constant_body(&self) -> Command {
        Command::new(self.folder.join("examples").join("constant_body"))
    }
}

/// Builds everything as it is released, and measures with that: a generator of load that was built for debugging would
/// measure itself.
pub(crate) fn released() -> anyhow::Result<ExitCode> {
    workspace::run(workspace::cargo([
        "build",
        "--release",
        "--package=groovebase-api",
        "--package=xtask",
        "--bin=groovebase",
        "--bin=xtask",
        "--example=constant_body",
    ]))?;
    let own = std::env::current_exe().context("this program cannot find itself")?;
    let target = own.parent().and_then(Path::parent).context("there is no target folder")?;
    let mut arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    arguments.push(BUILT.into());
    let status = Command::new(target.join("release").join("xtask"))
        .args(arguments)
        .status()
        .context("cannot run what was built")?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Runs a program to its end, and returns what it wrote. A failure tells what it complained of, but not its arguments,
/// which may hold a password.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = match command.stdin(Stdio::null()).output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            anyhow::bail!("there is no {name} on the PATH")
        }
        output => output.with_context(|| format!("cannot run {name}"))?,
    };
    let complaint = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{name}: {}: {}", output.status, complaint.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
