//! The processors of the machine: who has which, and how much of them the host takes away.

use std::{fs, io};

use anyhow::Context;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Which processors whom belong to.
pub(crate) struct Processors {
    serving: CpuSet,
    asking: CpuSet,
}

impl Processors {
    /// The last one for whoever asks and the others for all that serves; `None` when there is only one.
    pub(crate) fn apart() -> anyhow::Result<Option<Self>> {
        let (mut serving, mut asking) = (sched_getaffinity(None)?, CpuSet::new());
        let last = (0..CpuSet::MAX_CPU).rev().find(|&processor| serving.is_set(processor));
        let last = last.context("a processor")?;
        serving.unset(last);
        asking.set(last);
        Ok((serving.count() != 0).then_some(Self { serving, asking }))
    }

    /// How many are for all that serves.
    pub(crate) fn serving(&self) -> u32 {
        self.serving.count()
    }

    /// Moves this thread to those for all that serves; the threads and processes that it starts begin there.
    pub(crate) fn serve(&self) -> io::Result<()> {
        Ok(sched_setaffinity(None, &self.serving)?)
    }

    /// Moves this thread to that of whoever asks.
    pub(crate) fn ask(&self) -> io::Result<()> {
        Ok(sched_setaffinity(None, &self.asking)?)
    }
}

/// How long the processors have been there and how long of that the host took them away, in the kernel's ticks.
pub(crate) struct Ticks {
    all: u64,
    stolen: u64,
}

impl Ticks {
    /// Until now, since the machine started.
    pub(crate) fn until_now() -> anyhow::Result<Self> {
        let stat = fs::read_to_string("/proc/stat")?;
        let fields =
            stat.lines().next().and_then(|line| line.strip_prefix("cpu ")).context("cpu")?;
        // User, nice, system, idle, waiting for disks, interrupts of two kinds, stolen; what follows is part of these.
        let fields: Vec<u64> = fields.split_whitespace().take(8).flat_map(str::parse).collect();
        let stolen = fields.get(7).copied().context("stolen")?;
        Ok(Self { all: fields.iter().sum(), stolen })
    }

    /// The share of the time since then that the host took.
    pub(crate) fn stolen_since(&self) -> anyhow::Result<f64> {
        let now = Self::until_now()?;
        Ok((now.stolen - self.stolen) as f64 / (now.all - self.all).max(1) as f64)
    }
}
