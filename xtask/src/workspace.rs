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
    forget_this_package(&mut command);
    command.current_dir(root()).args(arguments);
    command
}

/// Keeps from a command what cargo told this program about its own package: build scripts that watch these variables
/// would run again, and much would be built again.
pub(crate) fn forget_this_package(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let told = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        });
        if told {
            command.env_remove(name);
        }
    }
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
