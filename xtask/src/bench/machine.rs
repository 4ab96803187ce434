//! What the machine is, for whoever reads the figures.

use std::{fs, num::NonZeroUsize, thread};

use serde::Serialize;

/// What it was measured on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Machine {
    /// The name of its processor.
    pub(crate) processor: String,
    /// How many cores this process may use.
    pub(crate) cores: NonZeroUsize,
    /// How much memory there is, in millions of bytes.
    pub(crate) memory_megabytes: u64,
    /// The kernel and its release.
    pub(crate) system: String,
}

impl Machine {
    /// This one, as far as it tells.
    pub(crate) fn this() -> anyhow::Result<Self> {
        let told = |file| fs::read_to_string(file).unwrap_or_default();
        Ok(Self {
            processor: value(&told("/proc/cpuinfo"), "model name")
                .unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: cores()?,
            memory_megabytes: value(&told("/proc/meminfo"), "MemTotal")
                .and_then(|it| it.split(' ').next()?.parse::<u64>().ok())
                .map_or(0, |kibibytes| kibibytes * 1_024 / 1_000_000),
            system: format!(
                "{} {}",
                std::env::consts::OS,
                told("/proc/sys/kernel/osrelease").trim()
            ),
        })
    }
}

/// How many cores this process may use, and the service and its limits with it.
pub(crate) fn cores() -> anyhow::Result<NonZeroUsize> {
    Ok(thread::available_parallelism()?)
}

/// What follows a name and a colon.
fn value(lines: &str, name: &str) -> Option<String> {
    let named = lines.lines().filter_map(|line| line.split_once(':'));
    named.into_iter().find(|(it, _)| it.trim() == name).map(|(_, value)| value.trim().to_owned())
}
