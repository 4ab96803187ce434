//! A PostgreSQL that a test may kill.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Context;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, Statement};

use super::{certificates::Certificates, keeper::Keeper};

/// A PostgreSQL, with pgvector, of the test's own. What is committed survives [`PostgresServer::kill`].
#[derive(Debug)]
pub struct PostgresServer {
    keeper: Keeper,
    folder: PathBuf,
    port: u16,
    url: String,
}

impl PostgresServer {
    /// Makes a database cluster and starts its server. It takes a second or two.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(&[]).await
    }

    /// The same with settings such as `max_connections=20`.
    pub async fn start_with(settings: &[&str]) -> anyhow::Result<Self> {
        Self::prepared(settings, |_| Ok(())).await
    }

    /// One that takes encrypted connections and no others, with a certificate for 127.0.0.1 or for another name. Returns
    /// the certificate of the authority to trust, in PEM.
    pub async fn start_with_tls(name: Option<&str>) -> anyhow::Result<(Self, String)> {
        let certificates = name.map_or_else(Certificates::make, Certificates::make_for)?;
        let server = Self::prepared(&["ssl=on"], |data| {
            write(data, "server.crt", &certificates.server)?;
            write(data, "server.key", &certificates.key)?;
            write(data, "pg_hba.conf", "hostssl all all 127.0.0.1/32 scram-sha-256\n")
        });
        Ok((server.await?, certificates.authority))
    }

    async fn prepared(
        settings: &[&str],
        prepare: impl FnOnce(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let settings: Vec<_> = settings.iter().map(|it| (*it).to_owned()).collect();
        let (keeper, folders) = Keeper::prepare("postgres", &settings).await?;
        let folder = folders.into_iter().next().context("no folder")?;
        prepare(&folder.join("data"))?;
        let started = keeper.start(0).await?;
        Ok(Self { keeper, folder, port: started.port, url: started.url })
    }

    /// Makes a replica, which follows this server and lets everybody in who names a role.
    pub async fn replica(&self) -> anyhow::Result<Self> {
        let (keeper, folders) = Keeper::prepare("postgres", &[]).await?;
        let folder = folders.into_iter().next().context("no folder")?;
        let (from, to) = (self.folder.join("data"), folder.join("data"));
        let label = self.back_up(&from, &to).await?;
        write(&to, "backup_label", &label)?;
        write(&to, "standby.signal", "")?;
        write(&to, "pg_hba.conf", "host all all 127.0.0.1/32 trust\n")?;
        let follow = format!("primary_conninfo = '{}'\n", self.url.replace('\'', "''"));
        write(&to, "postgresql.auto.conf", &follow)?;
        let started = keeper.start(0).await?;
        Ok(Self { keeper, folder, port: started.port, url: started.url })
    }

    /// Copies the files of the running server, and returns what a server that begins with the copy has to know.
    #[expect(
        clippy::disallowed_methods,
        reason = "the backup is one session from its begin to its end"
    )]
    async fn back_up(&self, from: &Path, to: &Path) -> anyhow::Result<String> {
        let mut options = ConnectOptions::new(&self.url);
        options.max_connections(1).sqlx_logging(false);
        let session = Database::connect(options).await?;
        session.execute_unprepared("SELECT pg_backup_start('replica', true)").await?;
        fs::remove_dir_all(to)?;
        // What is removed meanwhile is in the log that is written meanwhile.
        Command::new("cp").arg("-a").args([from, to]).stderr(Stdio::null()).status()?;
        for file in ["postmaster.pid", "postmaster.opts"] {
            fs::remove_file(to.join(file))?;
        }
        let stop = Statement::from_string(
            session.get_database_backend(),
            "SELECT labelfile FROM pg_backup_stop(false)",
        );
        let row = session.query_one_raw(stop).await?.context("no label")?;
        let label = row.try_get_by_index(0)?;
        session.close().await?;
        Ok(label)
    }

    /// URL of the empty database `postgres`, as superuser.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its port on this machine, which it keeps.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Stops it in good order: clients are told, transactions are rolled back.
    pub async fn stop_fast(&self) -> anyhow::Result<()> {
        self.keeper.stop(0).await
    }

    /// Ends it and all backends at once (SIGKILL). The next start recovers what was committed.
    pub async fn kill(&self) -> anyhow::Result<()> {
        self.keeper.kill(0).await
    }

    /// Starts it again on the same port with what was committed, after stopping it fast if it runs.
    pub async fn restart(&self) -> anyhow::Result<()> {
        self.keeper.stop(0).await?;
        self.keeper.start(0).await.map(drop)
    }

    /// Makes it and all backends stand still (SIGSTOP): connections stay open, and nothing answers.
    pub async fn pause(&self) -> anyhow::Result<()> {
        self.keeper.pause(0).await
    }

    /// Lets it go on (SIGCONT).
    pub async fn resume(&self) -> anyhow::Result<()> {
        self.keeper.resume(0).await
    }
}

/// Writes a file that belongs to whoever the folder belongs to, and that nobody else can read.
fn write(folder: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let file = folder.join(name);
    fs::write(&file, text)?;
    fs::set_permissions(&file, Permissions::from_mode(0o600))?;
    let owner = fs::metadata(folder)?;
    Ok(chown(&file, Some(owner.uid()), Some(owner.gid()))?)
}
