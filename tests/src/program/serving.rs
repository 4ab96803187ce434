//! A running service.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Instant,
};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{PATIENCE, end_of};
use crate::http::Client;

/// A running service; killed when dropped before its end.
#[derive(Debug)]
pub struct Serving {
    child: Child,
    address: SocketAddr,
    lines: Receiver<String>,
    log: Vec<String>,
}

impl Serving {
    /// Starts a command that serves, and waits until it says where.
    pub fn start(command: Command) -> anyhow::Result<Self> {
        Self::start_until(command, "Listening on http://")
    }

    /// Starts a command that finds no database to serve from, and waits until it says where it tells its health.
    pub fn start_without_database(command: Command) -> anyhow::Result<Self> {
        Self::start_until(command, "Opening the database; http://")
    }

    fn start_until(mut command: Command, told: &str) -> anyhow::Result<Self> {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let errors = BufReader::new(child.stderr.take().context("piped")?);
        let (sender, lines) = channel();
        thread::spawn(move || {
            // Nobody listening is no failure.
            errors.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut serving = Self { child, address, lines, log: Vec::new() };
        let line = serving.logged(told)?;
        serving.address = line.get("address").and_then(Value::as_str).context("where")?.parse()?;
        Ok(serving)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process, as the operating system knows it.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// A client of it.
    #[must_use]
    pub const fn client(&self) -> Client {
        Client::of(self.address)
    }

    /// Waits for a line of the log whose message begins so.
    pub fn logged(&mut self, message: &str) -> anyhow::Result<Value> {
        let began = Instant::now();
        loop {
            match self.lines.recv_timeout(PATIENCE.saturating_sub(began.elapsed())) {
                Ok(line) => {
                    self.log.push(line.clone());
                    let line: Value = serde_json::from_str(&line).with_context(|| line)?;
                    let told = line.get("message").and_then(Value::as_str).unwrap_or_default();
                    if told.starts_with(message) {
                        return Ok(line);
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    bail!("no {message:?} in the log: {:#?}", self.log);
                }
            }
        }
    }

    /// Asks the process to end.
    pub fn terminate(&self) -> anyhow::Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), Signal::TERM)?)
    }

    /// Waits for the end, which must be a good one, and returns the whole log.
    pub fn ended(mut self) -> anyhow::Result<Vec<String>> {
        let status = end_of(&mut self.child)?;
        let log = self.whole_log();
        ensure!(status.success(), "ended with {status}: {log:#?}");
        Ok(log)
    }

    /// Ends the process at once (SIGKILL), in the middle of whatever it does, and returns the whole log, of which the last
    /// line may be half a line. One that has ended by itself is an error.
    pub fn killed(mut self) -> anyhow::Result<Vec<String>> {
        self.child.kill()?;
        let status = self.child.wait()?;
        let log = self.whole_log();
        ensure!(status.code().is_none(), "ended by itself with {status}: {log:#?}");
        Ok(log)
    }

    /// The log of a process that has ended.
    fn whole_log(&mut self) -> Vec<String> {
        let mut log = std::mem::take(&mut self.log);
        log.extend(self.lines.iter());
        log
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It has ended, or is not needed any more.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
