//! What scenarios share: programs, services, and databases that are filled when somebody first needs them.

use std::{
    collections::BTreeMap,
    fs, io,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use domain::{Clock as _, SystemClock};
use storage::PoolLimits;
use tempfile::TempDir;
use time::OffsetDateTime;
use xtask::synthetic_history::{History, Settings, SyntheticHistory, load};

use super::{
    artists::Artists,
    extent::Extent,
    load::Pace,
    programs::{Programs, output},
    servers::{Servers, sql},
};

/// Where scenarios take place. Everything is gone when this is dropped.
pub(crate) struct Site {
    pub(crate) extent: Extent,
    pub(crate) programs: Programs,
    folder: TempDir,
    artists: BTreeMap<usize, Artists>,
    sqlite: BTreeMap<usize, String>,
    sqlite_history: Option<Recorded>,
    postgres: BTreeMap<usize, String>,
    postgres_history: Option<Recorded>,
    servers: Option<Servers>,
}

/// A database with a history of generations.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) url: String,
    /// The name of the artist who was asked for most.
    pub(crate) busiest: String,
}

impl Site {
    pub(crate) fn new(extent: Extent) -> anyhow::Result<Self> {
        Ok(Self {
            extent,
            programs: Programs::beside_this_one()?,
            folder: TempDir::with_prefix("groovebase-bench-")?,
            artists: BTreeMap::new(),
            sqlite: BTreeMap::new(),
            sqlite_history: None,
            postgres: BTreeMap::new(),
            postgres_history: None,
            servers: None,
        })
    }

    /// What the figures depend on, for whoever reads them.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let Extent { from, artists, many, generations, long_turns, pace } = &self.extent;
        let Pace { turns, time, connections } = pace;
        let origin = if from.is_some() { "from a file" } else { "made up" };
        let mut remarks = vec![
            format!(
                "{artists} artists, {many} where size matters, {origin}; {generations} generations"
            ),
            format!(
                "{turns} pairs of turns ({long_turns} of what takes long), loops of {:.1} s, {connections} connections where a row says nothing else",
                time.as_secs_f64()
            ),
        ];
        if let Some(servers) = &self.servers {
            remarks.extend(servers.origins().map(str::to_owned));
        }
        remarks
    }

    /// PostgreSQL and Redis.
    pub(crate) fn servers(&mut self) -> anyhow::Result<&mut Servers> {
        let servers = match self.servers.take() {
            Some(servers) => servers,
            None => Servers::start()?,
        };
        Ok(self.servers.insert(servers))
    }

    /// So many artists.
    pub(crate) fn artists(&mut self, count: usize) -> anyhow::Result<Artists> {
        if let Some(artists) = self.artists.get(&count) {
            return Ok(artists.clone());
        }
        let artists = Artists::write(count, self.extent.from.as_deref(), self.folder.path())?;
        self.artists.insert(count, artists.clone());
        Ok(artists)
    }

    /// An embedded database with so many artists.
    pub(crate) fn sqlite(&mut self, count: usize) -> anyhow::Result<String> {
        if let Some(url) = self.sqlite.get(&count) {
            return Ok(url.clone());
        }
        let url = self.empty_sqlite(&format!("artists_{count}"))?;
        let artists = self.artists(count)?;
        self.import(&url, &artists)?;
        self.sqlite.insert(count, url.clone());
        Ok(url)
    }

    /// An embedded database with a history.
    pub(crate) fn sqlite_history(&mut self) -> anyhow::Result<Recorded> {
        if let Some(recorded) = &self.sqlite_history {
            return Ok(recorded.clone());
        }
        let url = self.empty_sqlite("history")?;
        let recorded = self.recorded(url)?;
        Ok(self.sqlite_history.insert(recorded).clone())
    }

    /// A database in PostgreSQL with so many artists.
    pub(crate) fn postgres(&mut self, count: usize) -> anyhow::Result<String> {
        if let Some(url) = self.postgres.get(&count) {
            return Ok(url.clone());
        }
        let url = self.empty_postgres(&format!("artists_{count}"))?;
        let artists = self.artists(count)?;
        self.import(&url, &artists)?;
        sql(&url, "VACUUM ANALYZE")?;
        self.postgres.insert(count, url.clone());
        Ok(url)
    }

    /// A database in PostgreSQL with a history.
    pub(crate) fn postgres_history(&mut self) -> anyhow::Result<Recorded> {
        if let Some(recorded) = &self.postgres_history {
            return Ok(recorded.clone());
        }
        let url = self.empty_postgres("history")?;
        let recorded = self.recorded(url)?;
        sql(&recorded.url, "VACUUM ANALYZE")?;
        Ok(self.postgres_history.insert(recorded).clone())
    }

    /// A new database with the schema of today.
    pub(crate) fn empty_postgres(&mut self, name: &str) -> anyhow::Result<String> {
        let url = self.servers()?.database(name)?;
        self.migrate(&url)?;
        Ok(url)
    }

    /// A new database file with the schema of today, in place of one with the same name.
    pub(crate) fn empty_sqlite(&self, name: &str) -> anyhow::Result<String> {
        let file = self.folder.path().join(format!("{name}.db"));
        for left in ["db", "db-wal", "db-shm"] {
            match fs::remove_file(file.with_extension(left)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                Ok(()) | Err(_) => {}
            }
        }
        let url =
            format!("sqlite://{}", file.to_str().context("the temporary folder's name is UTF-8")?);
        self.migrate(&url)?;
        Ok(url)
    }

    fn migrate(&self, url: &str) -> anyhow::Result<()> {
        self.groovebase(url, &["migrate", "up"])
    }

    /// Imports artists as a user does, and returns how long that took.
    pub(crate) fn import(&self, url: &str, artists: &Artists) -> anyhow::Result<Duration> {
        let file = artists.file.to_str().context("the temporary folder's name is UTF-8")?;
        let began = Instant::now();
        self.groovebase(url, &["import", file])?;
        Ok(began.elapsed())
    }

    /// Runs the program on a database, as an operator does, to its end.
    pub(crate) fn groovebase(&self, url: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let settings = [("GROOVEBASE_DATABASE_URL", url)];
        output(self.programs.groovebase(self.folder.path(), &settings).args(arguments)).map(drop)
    }

    /// Records a history in a database with an up-to-date schema.
    fn recorded(&self, url: String) -> anyhow::Result<Recorded> {
        let history = SyntheticHistory::new(Settings {
            rows: self.extent.generations,
            artists: 100,
            months: 12,
            until: OffsetDateTime::from(SystemClock.now()).date(),
            seed: 1,
        })?;
        let runtime = tokio::runtime::Runtime::new().context("cannot start a runtime")?;
        runtime.block_on(async {
            let store =
                storage::connect(&url, &PoolLimits::default(), Arc::new(SystemClock)).await?;
            let loaded = load(&store, &history, History::MustBeEmpty, |_| {}).await;
            store.close().await;
            loaded
        })?;
        let busiest = history.artists().first().context("an artist")?.as_str().to_owned();
        Ok(Recorded { url, busiest })
    }
}
