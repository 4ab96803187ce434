//! Running other programs to their end.

use std::{
    env,
    ffi::OsStr,
    fs::File,
    io::{self, Read as _, Seek as _},
    iter,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

/// How many lines of a log an error shows.
const TAIL_LINES: usize = 15;

/// Says that what is under way is no longer wanted.
#[derive(Debug, Clone, Default)]
pub(super) struct Cancellation(Arc<AtomicBool>);

impl Cancellation {
    /// One that is never requested.
    pub(super) fn never() -> Self {
        Self::default()
    }

    /// One that is requested by the signals that ask a process to end, instead of ending it.
    pub(super) fn on_signals() -> io::Result<Self> {
        let cancellation = Self::default();
        for signal in [
            signal_hook::consts::SIGTERM,
            signal_hook::consts::SIGINT,
            signal_hook::consts::SIGHUP,
            signal_hook::consts::SIGQUIT,
        ] {
            signal_hook::flag::register(signal, Arc::clone(&cancellation.0))?;
        }
        Ok(cancellation)
    }

    pub(super) fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Sleeps, or fails if this is requested.
    pub(super) fn sleep(&self, duration: Duration) -> anyhow::Result<()> {
        if self.is_requested() {
            bail!("no longer wanted");
        }
        thread::sleep(duration);
        Ok(())
    }
}

/// Finds a program on the `PATH`.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// Returns whether the program, which is expected to do nothing, runs and succeeds.
pub(super) fn succeeds(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A command that is killed when the calling thread ends in whichever way, where the machine can
/// do that.
pub(super) fn bound(program: impl AsRef<OsStr>) -> Command {
    match death_bond() {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL"]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// Finds a `setpriv` that can tie a process to the life of its parent.
pub(super) fn death_bond() -> Option<PathBuf> {
    find("setpriv").filter(|_| succeeds("setpriv", &["--pdeathsig", "KILL", "true"]))
}

/// Runs a command and returns its standard output.
///
/// A command that fails, takes too long or is no longer wanted is an error; it does not run any
/// more when this returns.
pub(super) fn output(
    command: &mut Command,
    limit: Duration,
    cancellation: &Cancellation,
) -> anyhow::Result<String> {
    let name = display(command);
    // Files rather than pipes, because a pipe that nobody reads stops its writer.
    let mut stdout = tempfile::tempfile().context("cannot create a temporary file")?;
    let mut stderr = tempfile::tempfile().context("cannot create a temporary file")?;
    command.stdin(Stdio::null()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    let mut child = command.spawn().with_context(|| format!("cannot run {name}"))?;

    let deadline = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        let late = deadline <= Instant::now();
        if late || cancellation.is_requested() {
            child.kill()?;
            child.wait()?;
            let reason = if late { "took too long" } else { "is no longer wanted" };
            bail!("{name} {reason}\n{}", tail(&written(&mut stderr)?));
        }
        thread::sleep(Duration::from_millis(10));
    };

    let stdout = written(&mut stdout)?;
    if !status.success() {
        let stderr = written(&mut stderr)?;
        bail!("{name} failed ({status})\n{}", tail(&format!("{stdout}\n{stderr}")));
    }
    Ok(stdout)
}

/// Returns the last lines of a log, indented to stand below an error.
pub(super) fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let skipped = lines.len().saturating_sub(TAIL_LINES);
    let shown: Vec<_> = lines.iter().skip(skipped).map(|line| format!("    {line}")).collect();
    shown.join("\n")
}

/// Writes a command for people, without what ties it to the life of this process.
fn display(command: &Command) -> String {
    let words = iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    let own = words.rsplit(|word| word == "KILL").next().unwrap_or_default();
    own.join(" ")
}

fn written(file: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    #[test]
    fn returns_what_a_command_prints() -> anyhow::Result<()> {
        let printed = output(Command::new("echo").arg("hello"), LIMIT, &Cancellation::never())?;

        assert_eq!(printed, "hello\n");
        Ok(())
    }

    #[test]
    fn says_what_a_failed_command_printed() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such thing >&2; exit 3"]);

        let failure = output(&mut command, LIMIT, &Cancellation::never()).unwrap_err();

        assert!(failure.to_string().contains("no such thing"), "{failure}");
    }

    #[test]
    fn ends_a_command_that_is_no_longer_wanted() {
        let cancellation = Cancellation::never();
        cancellation.request();

        let failure = output(Command::new("sleep").arg("60"), LIMIT, &cancellation).unwrap_err();

        assert!(failure.to_string().contains("no longer wanted"), "{failure}");
    }

    #[test]
    fn shows_only_the_end_of_a_log() {
        let lines: Vec<_> = (1..=100).map(|line: u8| line.to_string()).collect();

        let shown = tail(&lines.join("\n"));

        assert_eq!(shown.lines().count(), TAIL_LINES);
        assert!(shown.ends_with("    100"));
    }
}
