//! What PostgreSQL can do by itself: `pgbench` with the statement that the service sends, prepared as there.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

use crate::{
    bench::{figures::Figures, programs::output},
    services::postgres_program,
};

/// Statements that so many clients send again and again.
pub(crate) struct Pgbench {
    url: String,
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
    clients: usize,
    /// What each session begins with.
    options: String,
}

impl Pgbench {
    /// Statements in which `:name` stands for a variable.
    pub(crate) fn of(
        url: &str,
        statements: &str,
        variables: &[(&'static str, &str)],
        clients: usize,
    ) -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix("groovebase-pgbench-")?;
        fs::write(folder.path().join("script.sql"), statements)?;
        let variables = variables.iter().map(|&(name, value)| (name, value.to_owned())).collect();
        Ok(Self { url: url.to_owned(), folder, variables, clients, options: String::new() })
    }

    /// The same in sessions with settings of their own.
    pub(crate) fn with_settings(self, settings: &[(&str, &str)]) -> Self {
        let options: Vec<_> =
            settings.iter().map(|(name, value)| format!("-c {name}={value}")).collect();
        Self { options: options.join(" "), ..self }
    }

    /// Sends them for a while, at least a second.
    pub(crate) fn measure(&self, time: Duration) -> anyhow::Result<Figures> {
        let log = TempDir::new_in(self.folder.path())?;
        let mut pgbench = postgres_program("pgbench")?;
        pgbench.env("PGOPTIONS", &self.options);
        pgbench.args(["--no-vacuum", "--protocol=prepared", "--log"]);
        pgbench.arg(format!("--log-prefix={}", log.path().join("log").display()));
        pgbench.arg(format!("--client={}", self.clients));
        pgbench.arg(format!("--jobs={}", self.clients.min(2)));
        pgbench.arg(format!("--time={}", time.as_secs().max(1)));
        for (name, value) in &self.variables {
            pgbench.arg(format!("--define={name}={value}"));
        }
        pgbench.arg("--file").arg(self.folder.path().join("script.sql")).arg(&self.url);
        let told = output(&mut pgbench)?;
        let rate = told.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next());
        let rate: f64 = rate.context("pgbench tells no rate")?.parse()?;
        Ok(Figures { rate: Some(rate), ..Figures::of_times(times(log.path())?) })
    }
}

/// How many milliseconds each transaction took.
fn times(folder: &Path) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::new();
    for file in fs::read_dir(folder)? {
        let lines = fs::read_to_string(file?.path())?;
        // The client, the number of the transaction, and how many microseconds it took.
        let took = lines.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<f64>().ok());
        times.extend(took.map(|micros| micros / 1e3));
    }
    ensure!(!times.is_empty(), "pgbench did nothing");
    Ok(times)
}
