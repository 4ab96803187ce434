//! Processes that are recognised by more than their number.

use std::{
    fs,
    path::Path,
    process, thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

use super::program::{self, Cancellation};

/// A process, told apart from a later one that was given the same number by when it started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    id: u32,
    /// In the words of the operating system; only good for comparing.
    started: String,
}

impl Process {
    /// This process.
    pub(super) fn current() -> anyhow::Result<Self> {
        Self::find(process::id()).context("this process cannot find itself")
    }

    /// The process that has this number, unless it has ended.
    pub(super) fn find(id: u32) -> Option<Self> {
        let started = if Path::new("/proc/self/stat").exists() {
            started_on_linux(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
        } else {
            started_elsewhere(id)
        }?;
        Some(Self { id, started })
    }

    /// Its number, for people.
    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// Returns whether it is still running. One that only waits to be noticed by its parent is not.
    pub(super) fn is_running(&self) -> bool {
        Self::find(self.id).as_ref() == Some(self)
    }

    /// Sends it a signal if it is still running.
    pub(super) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id).ok().and_then(Pid::from_raw);
        if let Some(id) = id.filter(|_| self.is_running()) {
            // It may have ended just now, which is what a signal is sent for.
            let _ = rustix::process::kill_process(id, signal);
        }
    }

    /// Waits until it has ended, and returns whether it has.
    pub(super) fn wait(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while self.is_running() {
            if deadline <= Instant::now() {
                return false;
            }
            thread::sleep(Duration::from_millis(20));
        }
        true
    }
}

/// Reads the start time, in ticks since the machine started, from `/proc/<id>/stat`.
fn started_on_linux(stat: &str) -> Option<String> {
    // The second field is the name of the program and may hold anything, so reading starts after
    // it: with the third field, the state.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.next()?;
    let started = fields.nth(18)?;
    (!matches!(state, "Z" | "X")).then(|| started.to_owned())
}

fn started_elsewhere(id: u32) -> Option<String> {
    let mut ps = program::bound("ps");
    ps.args(["-o", "stat=,lstart=", "-p", &id.to_string()]);
    let line = program::output(&mut ps, Duration::from_secs(5), &Cancellation::never()).ok()?;
    let (state, started) = line.trim().split_once(' ')?;
    (!state.starts_with('Z')).then(|| started.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn finds_itself_running() -> anyhow::Result<()> {
        assert!(Process::current()?.is_running());
        Ok(())
    }

    #[test]
    fn is_not_fooled_by_a_recycled_number() -> anyhow::Result<()> {
        let current = Process::current()?;

        let earlier = Process { id: current.id, started: "0".to_owned() };

        assert!(!earlier.is_running());
        Ok(())
    }

    #[test]
    fn notices_the_end_of_a_process() -> anyhow::Result<()> {
        let mut child = Command::new("sleep").arg("60").spawn()?;
        let process = Process::find(child.id()).context("the child runs")?;

        process.signal(Signal::KILL);

        // The child is not reaped yet, so this is also about processes that only linger.
        assert!(process.wait(Duration::from_secs(10)));
        child.wait()?;
        Ok(())
    }

    #[test]
    fn reads_past_a_confusing_program_name() {
        let stat = "7 (a) R) b) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0";

        assert_eq!(started_on_linux(stat).as_deref(), Some("4711"));
    }
}
