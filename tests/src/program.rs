//! The `groovebase` binary as a process: built first, in a working folder of its own, ended in any case.

mod serving;

use std::{
    fs::File,
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

pub use serving::Serving;

/// Nothing that is waited for takes that long, on a slow machine either.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait before looking again.
const MOMENT: Duration = Duration::from_millis(10);

/// The binary, in a folder where its database, its `.env` and everything else is its own.
#[derive(Debug)]
pub struct Program {
    binary: &'static Path,
    folder: TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub errors: String,
}

impl Program {
    /// Builds the binary and makes the folder.
    pub fn new() -> anyhow::Result<Self> {
        static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();

        Self::of(&BINARY, &[])
    }

    /// The same with the binary as it is released, for whoever measures it.
    pub fn released() -> anyhow::Result<Self> {
        static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();

        Self::of(&BINARY, &["--release"])
    }

    /// The same with a binary that is there already.
    pub fn at(binary: PathBuf) -> anyhow::Result<Self> {
        Ok(Self { binary: binary.leak(), folder: TempDir::with_prefix("groovebase-program-")? })
    }

    fn of(
        binary: &'static OnceLock<Result<PathBuf, String>>,
        profile: &[&str],
    ) -> anyhow::Result<Self> {
        match binary.get_or_init(|| built(profile).map_err(|error| format!("{error:#}"))) {
            Ok(binary) => Ok(Self { binary, folder: TempDir::with_prefix("groovebase-program-")? }),
            Err(error) => bail!("cannot build the binary: {error}"),
        }
    }

    /// A file of the folder.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command that does not see the settings of whoever runs the tests.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.binary);
        command.args(arguments).current_dir(self.folder.path());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GROOVEBASE_") {
                command.env_remove(name);
            }
        }
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> anyhow::Result<Ended> {
        run(self.command(arguments), "").with_context(|| format!("{arguments:?}"))
    }

    /// Runs a command that must end with this exit code.
    pub fn expect(&self, code: i32, arguments: &[&str]) -> anyhow::Result<Ended> {
        let ended = self.run(arguments)?;
        ensure!(ended.code == Some(code), "{arguments:?}: expected {code}, got {ended:?}");
        Ok(ended)
    }

    /// Starts the service on a free port and waits until it answers.
    pub fn serve(&self) -> anyhow::Result<Serving> {
        Serving::start(self.command(&["serve", "--listen", "127.0.0.1:0"]))
    }
}

/// Runs a command to its end with this input.
pub fn run(mut command: Command, input: &str) -> anyhow::Result<Ended> {
    // Files instead of pipes: nobody has to read while the command runs.
    let (mut given, mut output, mut errors) =
        (tempfile::tempfile()?, tempfile::tempfile()?, tempfile::tempfile()?);
    given.write_all(input.as_bytes())?;
    given.rewind()?;
    command.stdin(given).stdout(output.try_clone()?).stderr(errors.try_clone()?);

    let status = end_of(&mut command.spawn()?)?;
    Ok(Ended { code: status.code(), output: text(&mut output)?, errors: text(&mut errors)? })
}

/// Waits until a process ends; one that does not is killed.
pub fn end_of(child: &mut Child) -> anyhow::Result<ExitStatus> {
    let status = until("the process ends", || Ok(child.try_wait()?));
    if status.is_err() {
        child.kill()?;
        child.wait()?;
    }
    status
}

/// Looks until something is there.
pub fn until<T>(
    what: &str,
    mut look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        ensure!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::sleep(MOMENT);
    }
}

fn text(file: &mut File) -> anyhow::Result<String> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// Builds the binary as it is now, and returns where it is.
///
/// Cargo tells a test about the binaries of its own package only, so it is asked. Both packages are named so that
/// dependencies get the features, and are found built, that they were built with for the tests.
fn built(profile: &[&str]) -> anyhow::Result<PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--message-format=json"])
        .args(["--package=groovebase-tests", "--package=groovebase-api", "--bin=groovebase"])
        .args(profile)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    // What Cargo says about this package would make build scripts believe that something changed.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_"]
            .iter()
            .any(|it| text.starts_with(it))
        {
            cargo.env_remove(name);
        }
    }
    let built = cargo.output()?;
    ensure!(built.status.success(), "cargo build ended with {}", built.status);
    str::from_utf8(&built.stdout)?
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)))
        .next_back()
        .context("cargo built no executable")
}
