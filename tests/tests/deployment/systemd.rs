//! The unit of systemd: it waits as long as the service takes to stop, and leaves it little to do harm with.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};

use crate::file;

#[test]
fn the_unit_waits_for_the_end_and_shuts_the_rest_out() -> anyhow::Result<()> {
    let unit = file("docs/systemd/groovebase.service")?;
    let settings: BTreeMap<_, _> = unit
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|it| it.split_once('='))
        .collect();
    let reference = file("docs/generated/configuration.md")?;
    let timeout = reference
        .lines()
        .find_map(|line| line.strip_prefix("| `GROOVEBASE_SHUTDOWN_TIMEOUT_SECONDS` | `"))
        .and_then(|rest| rest.split('`').next())
        .context("the shutdown timeout has a default")?;

    ensure!(timeout.parse::<u32>()? < settings["TimeoutStopSec"].parse()?, "{timeout}");
    for (name, value) in [
        ("ExecStart", "/usr/local/bin/groovebase serve"),
        ("DynamicUser", "yes"),
        ("StateDirectory", "groovebase"),
        ("EnvironmentFile", "/etc/groovebase/groovebase.env"),
        ("Restart", "on-failure"),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("CapabilityBoundingSet", ""),
        ("MemoryDenyWriteExecute", "yes"),
    ] {
        assert_eq!(settings.get(name), Some(&value), "{name}");
    }
    Ok(())
}
