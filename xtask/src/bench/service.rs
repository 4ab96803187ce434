//! The service as a user starts it.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::Path,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;

use super::{
    caller::{Caller, get},
    programs::Programs,
};

/// How long the service may take to start, with everything it loads.
const PATIENCE: Duration = Duration::from_mins(2);

/// How long to wait before looking again: half of it is how much too late the service is found ready.
const MOMENT: Duration = Duration::from_millis(2);

/// A running service, with its log in a folder of its own. It is ended when this is dropped.
pub(crate) struct Service {
    child: Child,
    address: SocketAddr,
    /// From its start as a process until it said that it is ready.
    pub(crate) started_in: Duration,
    _folder: TempDir,
}

impl Service {
    /// Starts it with these settings, and waits until it is ready.
    pub(crate) fn start(programs: &Programs, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix("groovebase-bench-")?;
        let log = folder.path().join("log");
        let began = Instant::now();
        let child = programs
            .groovebase(folder.path(), settings)
            .args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json"])
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()
            .context("cannot start the service")?;
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut service = Self { child, address, started_in: Duration::ZERO, _folder: folder };
        service.address = service.until(began, || Ok(listening(&log)))?;
        let address = service.address;
        service.until(began, || is_ready(address))?;
        service.started_in = began.elapsed();
        Ok(service)
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// A connection to it.
    pub(crate) fn caller(&self) -> anyhow::Result<Caller> {
        Caller::of(self.address)
    }

    /// Waits until a search is answered from the index in memory, which is loaded while the service is ready already.
    pub(crate) fn until_indexed(&self, search: &[u8]) -> anyhow::Result<()> {
        let (mut caller, began) = (self.caller()?, Instant::now());
        while caller.expect(200, search)?.header("x-cache") == Some("database") {
            ensure!(began.elapsed() < PATIENCE, "searches are not answered from memory");
            thread::sleep(MOMENT);
        }
        Ok(())
    }

    /// How much of the machine's memory it takes now, in millions of bytes.
    pub(crate) fn resident_megabytes(&self) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next()).context("VmRSS")?;
        Ok(kibibytes.parse::<f64>()? * 1_024.0 / 1e6)
    }

    fn until<T>(
        &mut self,
        began: Instant,
        mut look: impl FnMut() -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        loop {
            if let Some(found) = look()? {
                return Ok(found);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the service ended with {status}");
            }
            ensure!(began.elapsed() < PATIENCE, "the service does not start");
            thread::sleep(MOMENT);
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It has ended, or is not needed any more.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Where the log says that it listens.
fn listening(log: &Path) -> Option<SocketAddr> {
    let written = fs::read_to_string(log).ok()?;
    let lines = written.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    lines.filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()).find_map(|line| {
        let is_it = line.get("message")?.as_str()?.starts_with("Listening");
        line.get("address").filter(|_| is_it)?.as_str()?.parse().ok()
    })
}

fn is_ready(address: SocketAddr) -> anyhow::Result<Option<()>> {
    let answer = Caller::of(address)?.ask(&get("/health/ready", ""))?;
    Ok((answer.status == 200).then_some(()))
}
