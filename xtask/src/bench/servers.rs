//! PostgreSQL and Redis, and databases that are there for as long as they are measured.

use anyhow::Context as _;
use url::Url;

use super::programs::output;
use crate::{
    services::{Services, postgres_program},
    terminal,
};

/// Running servers, and what was made in them, which is gone when this is dropped.
pub(crate) struct Servers {
    services: Services,
    databases: Vec<String>,
}

impl Servers {
    pub(crate) fn start() -> anyhow::Result<Self> {
        Ok(Self { services: Services::measured()?, databases: Vec::new() })
    }

    /// What they are, for people.
    pub(crate) fn origins(&self) -> [&str; 2] {
        let addresses = self.services.addresses();
        [&addresses.postgres_origin, &addresses.redis_origin]
    }

    /// The URL of Redis.
    pub(crate) fn redis(&self) -> &str {
        &self.services.addresses().redis
    }

    /// Takes a database away before the end.
    pub(crate) fn remove(&mut self, url: &str) -> anyhow::Result<()> {
        let url = Url::parse(url).context("the URL of a database is none")?;
        let name = url.path().trim_start_matches('/').to_owned();
        sql(&self.services.addresses().postgres, &dropped(&name))?;
        self.databases.retain(|it| *it != name);
        Ok(())
    }

    /// A new database without anything in it.
    pub(crate) fn database(&mut self, name: &str) -> anyhow::Result<String> {
        let admin = &self.services.addresses().postgres;
        let name = format!("groovebase_bench_{}_{name}", std::process::id());
        sql(admin, &format!("CREATE DATABASE {name}"))?;
        let mut url = Url::parse(admin).context("the URL of PostgreSQL is none")?;
        url.set_path(&name);
        self.databases.push(name);
        Ok(url.into())
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for name in &self.databases {
            if let Err(error) = sql(&self.services.addresses().postgres, &dropped(name)) {
                terminal::note(&format!("The database {name} is left behind: {error:#}"));
            }
        }
    }
}

fn dropped(database: &str) -> String {
    format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)")
}

/// Runs statements and returns what they answer, columns with bars between them.
pub(crate) fn sql(url: &str, statements: &str) -> anyhow::Result<String> {
    let mut psql = postgres_program("psql")?;
    psql.args(["--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--no-align"]);
    psql.args(["--set=ON_ERROR_STOP=1", "--command", statements]).arg(url);
    Ok(output(&mut psql)?.trim().to_owned())
}
