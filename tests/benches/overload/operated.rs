//! The program as an operator runs it.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Stdio},
    time::Duration,
};

use anyhow::Context;
use groovebase_tests::program::{Program, end_of, until};
use rustix::process::{Pid, Signal, kill_process};

/// A running service; killed when dropped before its end.
pub(crate) struct Operated {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
    _program: Program,
}

impl Operated {
    /// Starts the service.
    pub(crate) fn start(program: Program, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let log = program.file("service.log");
        let mut command = program.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.envs(settings.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?);
        let child = command.spawn()?;
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut operated = Self { child, address, log, _program: program };
        operated.address = until("the service listens", || Ok(operated.listening()))?;
        Ok(operated)
    }

    fn listening(&self) -> Option<SocketAddr> {
        let log = fs::read_to_string(&self.log).ok()?;
        let (_, address) = log.split_once("Listening on http://")?;
        address
            .split(|it: char| it != '.' && it != ':' && !it.is_ascii_digit())
            .next()?
            .parse()
            .ok()
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How much of the machine's memory the process takes now, in bytes.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kilobytes: u64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB"))
            .context("VmRSS")?
            .trim()
            .parse()?;
        Ok(kilobytes * 1_024)
    }

    /// How long the process has computed so far.
    pub(crate) fn computed(&self) -> anyhow::Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(") ").context("fields")?;
        let fields: Vec<u64> = fields.split(' ').skip(11).take(2).flat_map(str::parse).collect();
        // Programs are told hundredths of a second, whatever the kernel counts in.
        Ok(Duration::from_millis(10 * fields.iter().sum::<u64>()))
    }

    /// Ends it as an operator would, which must be a good end.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let status = end_of(&mut self.child)?;
        let log = || fs::read_to_string(&self.log).unwrap_or_default();
        anyhow::ensure!(status.success(), "ended with {status}: {}", log());
        Ok(())
    }
}

impl Drop for Operated {
    fn drop(&mut self) {
        // It has ended, or is not needed any more.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
