//! Starting a server on a free port, and stopping it.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream, ToSocketAddrs as _},
    ops::Range,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use rustix::process::Signal;
use url::Url;

use super::{process::Process, program::Cancellation, random, scratch::Scratch};

/// How long a server may take until it answers.
pub(super) const START_LIMIT: Duration = Duration::from_mins(1);

/// How long to wait before asking again.
pub(super) const PROBE_INTERVAL: Duration = Duration::from_millis(50);

/// How long a server may take to stop in good order.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// Where servers listen: below the ports that systems hand out by themselves, so that no client
/// of another process sits on a server's port while the server is down.
const PORTS: Range<u16> = 10_000..16_000;

/// How many ports to try. Between finding a free port and using it another process may take it.
const PORT_ATTEMPTS: usize = 5;

/// What a starting server said.
pub(super) enum Answer {
    /// It works, and is of this version, in words.
    Ready { version: String },
    /// It does not work yet, which may change.
    NotYet { reason: String },
}

/// A server program that is all set to run.
pub(super) trait Program {
    /// The command that runs it in the foreground, listening on this machine only.
    fn command(&self, port: u16) -> Command;

    /// Its URL, as superuser.
    fn url(&self, port: u16) -> String;

    /// Asks it whether it works. An error means that it never will.
    fn probe(&self, port: u16, cancellation: &Cancellation) -> anyhow::Result<Answer>;

    /// The signal that makes it close all connections and stop.
    fn stop_signal(&self) -> Signal;
}

/// A running server, a child of this process.
pub(super) struct Server {
    child: Child,
    stop_signal: Signal,
    /// The port it listens on.
    pub(super) port: u16,
    /// Where it answers, as superuser.
    pub(super) url: String,
    /// What it is, in words.
    pub(super) version: String,
}

impl Server {
    /// Starts the program on a free port and waits until it answers.
    ///
    /// `record` is told of every process that is started, before it is waited for.
    pub(super) fn start(
        program: &dyn Program,
        scratch: &Scratch,
        cancellation: &Cancellation,
        mut record: impl FnMut(Option<Process>) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        for _ in 0..PORT_ATTEMPTS {
            let port = free_port()?;
            if let Some(server) = Self::start_at(port, program, scratch, cancellation, &mut record)?
            {
                return Ok(server);
            }
        }
        bail!("{PORT_ATTEMPTS} ports in a row were taken by others")
    }

    /// The same on this port. Returns `None` if another process has it.
    pub(super) fn start_at(
        port: u16,
        program: &dyn Program,
        scratch: &Scratch,
        cancellation: &Cancellation,
        mut record: impl FnMut(Option<Process>) -> anyhow::Result<()>,
    ) -> anyhow::Result<Option<Self>> {
        let log = scratch.new_log()?;
        let mut command = program.command(port);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut child = command.spawn().context("cannot run the server")?;

        let readiness = record(Process::find(child.id()))
            .and_then(|()| wait_until_ready(program, port, &mut child, cancellation));
        match readiness {
            Ok(Some(version)) => {
                let (url, stop_signal) = (program.url(port), program.stop_signal());
                Ok(Some(Self { child, stop_signal, port, url, version }))
            }
            Ok(None) if scratch.log_tail().contains("Address already in use") => Ok(None),
            Ok(None) => bail!("the server ended at once\n{}", scratch.log_tail()),
            Err(error) => {
                stop(&mut child, program.stop_signal())?;
                bail!("{error:#}\n{}", scratch.log_tail());
            }
        }
    }

    /// Stops the server and its children where they are, and returns all of these processes.
    pub(super) fn freeze(&self) -> anyhow::Result<Vec<Process>> {
        let process = Process::find(self.child.id()).context("the server has ended")?;
        process.freeze(STOP_LIMIT)
    }

    /// Ends the server and its children at once, as a failing machine would, and waits until all
    /// are gone: a child that lingers would write to files that the next server has opened.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        let family = if self.has_ended() { Vec::new() } else { self.freeze()? };
        for process in &family {
            process.signal(Signal::KILL);
        }
        self.child.wait()?;
        ensure!(
            family.iter().all(|process| process.wait(STOP_LIMIT)),
            "a killed server does not end"
        );
        Ok(())
    }

    /// Returns whether the server ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        // Only a process that is not ours cannot be asked, and this one is.
        matches!(self.child.try_wait(), Ok(Some(_)) | Err(_))
    }

    /// Stops the server, by force if it takes too long, and waits until it is gone.
    pub(super) fn stop(&mut self) -> anyhow::Result<()> {
        stop(&mut self.child, self.stop_signal)
    }
}

/// Connects to the host that a URL names.
pub(super) fn connect(url: &Url, default_port: u16, limit: Duration) -> anyhow::Result<TcpStream> {
    let host = url.host_str().filter(|host| !host.is_empty()).context("the URL names no host")?;
    let port = url.port().unwrap_or(default_port);
    // An address of version 6 stands in brackets in a URL, and nowhere else.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut failure = anyhow::anyhow!("{host} has no address");
    for address in (host, port).to_socket_addrs().with_context(|| format!("who is {host}?"))? {
        match TcpStream::connect_timeout(&address, limit) {
            Ok(stream) => {
                stream.set_read_timeout(Some(limit))?;
                stream.set_write_timeout(Some(limit))?;
                return Ok(stream);
            }
            Err(error) => failure = error.into(),
        }
    }
    Err(failure.context(format!("cannot connect to {host}:{port}")))
}

/// Returns the version once the program answers, or `None` if it ended instead.
fn wait_until_ready(
    program: &dyn Program,
    port: u16,
    child: &mut Child,
    cancellation: &Cancellation,
) -> anyhow::Result<Option<String>> {
    let deadline = Instant::now() + START_LIMIT;
    loop {
        let answer = program.probe(port, cancellation)?;
        // Asked after the probe, which another server may have answered that has the port.
        if child.try_wait()?.is_some() {
            return Ok(None);
        }
        match answer {
            Answer::Ready { version } => return Ok(Some(version)),
            Answer::NotYet { reason } if deadline <= Instant::now() => {
                bail!("no answer within {} s: {reason}", START_LIMIT.as_secs())
            }
            Answer::NotYet { reason: _ } => cancellation.sleep(PROBE_INTERVAL)?,
        }
    }
}

fn stop(child: &mut Child, signal: Signal) -> anyhow::Result<()> {
    if let Some(process) = Process::find(child.id()) {
        process.signal(signal);
    }
    let deadline = Instant::now() + STOP_LIMIT;
    while child.try_wait()?.is_none() {
        if deadline <= Instant::now() {
            child.kill()?;
            child.wait()?;
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// A port that is free, and whose companion is.
fn free_port() -> anyhow::Result<u16> {
    let span = u32::from(PORTS.end - PORTS.start);
    for _ in 0..PORTS.len() {
        let random = u32::from_str_radix(&random::hex::<3>()?, 16)? % span;
        let port = PORTS.start + u16::try_from(random)?;
        let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if free(port) && free(companion(port)) {
            return Ok(port);
        }
    }
    bail!("no port from {} to {} is free", PORTS.start, PORTS.end)
}

/// The second port of a server that needs two.
pub(super) fn companion(port: u16) -> u16 {
    // What Redis itself adds for the talk between the nodes of a cluster.
    port + 10_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_is_none_that_the_system_hands_out() -> anyhow::Result<()> {
        for _ in 0..100 {
            let port = free_port()?;

            assert!(PORTS.contains(&port) && companion(port) < 32_768, "{port}");
        }
        Ok(())
    }
}
