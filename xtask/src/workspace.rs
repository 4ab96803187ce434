//! The checkout that this program belongs to, and its cargo.

use std::{
    path::Path,
    process::{Command, ExitStatus},
};

use anyhow::{Context as _, bail};

use crate::terminal;

/// The folder of the workspace.
pub(crate) fn root() -> &'static Path {
    let member = Path::new(env!("CARGO_MANIFEST_DIR"));
    member.parent().unwrap_or(member)
}

/// The cargo that built this program, so that toolchains are not mixed.
pub(crate) const CARGO: &str = env!("CARGO");

/// Cargo, in the workspace.
pub(crate) fn cargo<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(CARGO);
    command.current_dir(root()).args(arguments);
    command
}

/// Runs a command that must succeed, saying which.
pub(crate) fn run(mut command: Command) -> anyhow::Result<()> {
    let arguments = command.get_args().map(|argument| argument.to_string_lossy());
    let line = std::iter::once("cargo".into()).chain(arguments).collect::<Vec<_>>().join(" ");
    terminal::note(&format!("$ {line}"));
    let status = command.status().with_context(|| format!("cannot run {line}"))?;
    succeeded(&line, status)
}

/// An error unless the command succeeded.
pub(crate) fn succeeded(line: &str, status: ExitStatus) -> anyhow::Result<()> {
    if status.success() {
        return Ok(());
    }
    bail!("{line}: {status}")
}
