//! Processes that are recognised by more than their number.

use std::{
    fs, iter,
    path::Path,
    process, thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
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
        State::of(id).map(|state| Self { id, started: state.started })
    }

    /// The processes that this one started and that still run.
    pub(super) fn children(&self) -> Vec<Self> {
        all()
            .into_iter()
            .filter_map(|id| Some((id, State::of(id)?)))
            .filter(|(_, state)| state.parent == self.id)
            .map(|(id, state)| Self { id, started: state.started })
            .collect()
    }

    /// Its number, for people.
    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// Returns whether it is still running. One that only waits to be noticed by its parent is not.
    pub(super) fn is_running(&self) -> bool {
        Self::find(self.id).as_ref() == Some(self)
    }

    /// Stops it and its children where they are, and returns all of them.
    ///
    /// It stands still before the children are looked for, so that none is started meanwhile.
    pub(super) fn freeze(&self, limit: Duration) -> anyhow::Result<Vec<Self>> {
        self.signal(Signal::STOP);
        let deadline = Instant::now() + limit;
        while State::of(self.id).is_some_and(|state| state.started == self.started && !state.stands)
        {
            ensure!(Instant::now() < deadline, "process {} does not stand still", self.id);
            thread::sleep(Duration::from_millis(1));
        }
        let family: Vec<_> = iter::once(self.clone()).chain(self.children()).collect();
        for process in &family {
            process.signal(Signal::STOP);
        }
        Ok(family)
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

/// What the operating system tells of a process that has not ended.
struct State {
    /// It was told to stand still, and does.
    stands: bool,
    /// The number of the process that started it, or that took its place.
    parent: u32,
    started: String,
}

impl State {
    fn of(id: u32) -> Option<Self> {
        if has_proc() {
            Self::read(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
        } else {
            Self::ask(id)
        }
    }

    /// Reads `/proc/<id>/stat`, which gives the start in ticks since the machine started.
    fn read(stat: &str) -> Option<Self> {
        // The second field is the name of the program and may hold anything, so reading starts
        // after it: with the third field, the state.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace();
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        let started = fields.nth(17)?.to_owned();
        (!matches!(state, "Z" | "X")).then_some(Self { stands: state == "T", parent, started })
    }

    fn ask(id: u32) -> Option<Self> {
        let line = ps(&["-o", "stat=,ppid=,lstart=", "-p", &id.to_string()])?;
        let (state, rest) = line.trim().split_once(' ')?;
        let (parent, started) = rest.trim().split_once(' ')?;
        let (stands, parent) = (state.starts_with('T'), parent.parse().ok()?);
        (!state.starts_with('Z')).then(|| Self {
            stands,
            parent,
            started: started.trim().to_owned(),
        })
    }
}

/// The numbers of all processes.
fn all() -> Vec<u32> {
    if !has_proc() {
        let list = ps(&["-A", "-o", "pid="]).unwrap_or_default();
        return list.split_whitespace().filter_map(|id| id.parse().ok()).collect();
    }
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

fn has_proc() -> bool {
    Path::new("/proc/self/stat").exists()
}

fn ps(arguments: &[&str]) -> Option<String> {
    let mut ps = program::bound("ps");
    ps.args(arguments);
    program::output(&mut ps, Duration::from_secs(5), &Cancellation::never()).ok()
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

        let state = State::read(stat);

        assert_eq!(state.map(|state| (state.parent, state.started)), Some((1, "4711".to_owned())));
    }

    #[test]
    fn stands_still_with_its_children_until_told_to_go_on() -> anyhow::Result<()> {
        let mut shell = Command::new("sh").args(["-c", "sleep 60 & wait"]).spawn()?;
        let process = Process::find(shell.id()).context("the shell runs")?;
        let deadline = Instant::now() + Duration::from_secs(10);
        while process.children().is_empty() {
            assert!(Instant::now() < deadline, "the shell starts nothing");
            thread::sleep(Duration::from_millis(1));
        }

        let family = process.freeze(Duration::from_secs(10))?;

        assert_eq!(family.len(), 2);
        assert!(State::of(shell.id()).is_some_and(|state| state.stands));
        for process in &family {
            process.signal(Signal::KILL);
        }
        shell.wait()?;
        assert!(family.iter().all(|process| process.wait(Duration::from_secs(10))));
        Ok(())
    }
}
