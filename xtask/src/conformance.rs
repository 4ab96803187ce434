//! Whether the service does what its OpenAPI document says, asked by somebody who knows only the document.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;

use crate::{terminal, workspace};

/// Pinned, because with another release the same seed asks other questions.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// What is held against the document.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,response_headers_conformance,unsupported_method";

/// How long the service may take to start.
const PATIENCE: Duration = Duration::from_mins(1);

/// Ask a running service everything that its OpenAPI document allows and forbids, with schemathesis. Needs Python 3.10
/// or later, and the Python package index the first time.
#[derive(clap::Args)]
pub(crate) struct Task {
    /// What the questions depend on; the same seed asks the same ones.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many questions are made up for an operation at most.
    #[arg(long, default_value_t = 50)]
    examples: u32,
    /// How many seconds a round may take; there are two, without access and with it.
    #[arg(long, default_value_t = 300)]
    seconds: u32,
}

impl Task {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        workspace::run(workspace::cargo(["build", "--package", "groovebase-api"]))?;
        let asker = asker()?;

        let open = Service::start("off")?;
        terminal::note("Access is off:");
        let without_access = self.ask(&asker, &open, None)?;
        open.stop()?;
        let closed = Service::start("on")?;
        let key = closed.admin_key()?;
        terminal::note("Access is on, with the key of an admin:");
        let with_access = self.ask(&asker, &closed, Some(&key))?;
        closed.stop()?;

        Ok(if without_access && with_access { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Whether every answer was as documented.
    fn ask(&self, asker: &Path, service: &Service, key: Option<&str>) -> anyhow::Result<bool> {
        let Self { seed, examples, seconds } = self;
        let mut command = Command::new(asker);
        command.arg("run").arg(format!("http://{}/openapi.json", service.address));
        command.args(["--checks", CHECKS, "--continue-on-failure", "--no-color"]);
        command.args(["--generation-database", "none", "--warnings", "off"]);
        command.args(["--seed", &seed.to_string(), "--max-examples", &examples.to_string()]);
        command.args(["--max-time", &seconds.to_string()]);
        if let Some(key) = key {
            command.args(["--header", &format!("Authorization: Bearer {key}")]);
        }
        let status = command.current_dir(service.folder.path()).status();
        Ok(status.context("cannot run schemathesis")?.success())
    }
}

/// Schemathesis, installed in an environment of its own in the target folder.
fn asker() -> anyhow::Result<PathBuf> {
    let folder = built("conformance")?;
    let program = folder.join("bin").join("schemathesis");
    let pip = folder.join("bin").join("pip");
    if !program.is_file() {
        done(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    }
    done(Command::new(pip).args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        SCHEMATHESIS,
    ]))?;
    Ok(program)
}

/// What is built, or made, beside this program.
fn built(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find the target folder")?;
    Ok(own.with_file_name(name))
}

fn done(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("cannot run {name}"))?;
    workspace::succeeded(&name, status)
}

/// The service on a free port, with an embedded store of its own.
struct Service {
    child: Child,
    folder: TempDir,
    address: String,
}

impl Service {
    fn start(access: &str) -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix("groovebase-conformance-")?;
        let log = folder.path().join("log");
        let mut child = groovebase(&folder)?
            .args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json", "--access", access])
            .stderr(File::create(&log)?)
            .spawn()
            .context("cannot start the service")?;
        match listening(&mut child, &log) {
            Ok(address) => Ok(Self { child, folder, address }),
            Err(error) => {
                drop(child.kill());
                drop(child.wait());
                Err(error)
            }
        }
    }

    fn admin_key(&self) -> anyhow::Result<String> {
        let made = groovebase(&self.folder)?
            .args(["keys", "create", "--name", "conformance", "--scope", "admin"])
            .stderr(Stdio::inherit())
            .output()?;
        ensure!(made.status.success(), "groovebase keys: {}", made.status);
        Ok(String::from_utf8(made.stdout)?.trim().to_owned())
    }

    /// Ends the service, which must still be there.
    fn stop(mut self) -> anyhow::Result<()> {
        let ended = self.child.try_wait()?;
        ensure!(ended.is_none(), "the service ended by itself: {ended:?}");
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The program, in a folder of its own and without the settings of whoever runs this.
fn groovebase(folder: &TempDir) -> anyhow::Result<Command> {
    let mut command = Command::new(built("groovebase")?);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GROOVEBASE_") {
            command.env_remove(name);
        }
    }
    command.current_dir(folder.path()).stdin(Stdio::null());
    Ok(command)
}

/// Waits until the log says where the service listens.
fn listening(child: &mut Child, log: &Path) -> anyhow::Result<String> {
    let began = Instant::now();
    loop {
        let written = fs::read_to_string(log)?;
        let lines = written.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let told = lines
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .find(|line| text(line, "message").is_some_and(|it| it.starts_with("Listening")));
        if let Some(line) = told {
            return Ok(text(&line, "address").context("no address in the log")?.to_owned());
        }
        if let Some(status) = child.try_wait()? {
            bail!("the service ended with {status}:\n{written}");
        }
        ensure!(began.elapsed() < PATIENCE, "the service does not start:\n{written}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn text<'line>(line: &'line serde_json::Value, member: &str) -> Option<&'line str> {
    line.get(member)?.as_str()
}
