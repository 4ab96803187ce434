//! A Redis that a test may kill.

use std::{fs, path::PathBuf};

use anyhow::{Context, anyhow, ensure};
use url::Url;

use super::{
    certificates::Certificates,
    keeper::Keeper,
    redis::{self, AsyncConnectionConfig, Value},
};
use crate::program::PATIENCE;

/// What Redis keeps when told to save, and reads when it starts.
const DUMP: &str = "dump.rdb";

/// What a Redis adds to its port to speak TLS.
const TLS_OFFSET: u16 = 10_000;

/// The password of users that a test asks for. In a URL it has to be written in another way.
const PASSWORD: &str = "a:b@c/d%";

/// How a Redis is set up before it starts.
#[derive(Debug, Clone, Default)]
pub struct RedisSetup {
    settings: Vec<String>,
    user: Option<String>,
    tls: bool,
}

impl RedisSetup {
    /// With a line of configuration, such as `maxmemory 10mb`.
    #[must_use]
    pub fn setting(mut self, line: &str) -> Self {
        self.settings.push(line.to_owned());
        self
    }

    /// With a user that the URL names, and what it may do, such as `~groovebase:* +@all -@admin`.
    #[must_use]
    pub fn user(mut self, name: &str, rules: &str) -> Self {
        self.settings.push(format!("user {name} on >{PASSWORD} {rules}"));
        self.user = Some(name.to_owned());
        self
    }

    /// With TLS at the URL's port, by a certificate of an authority that nobody but the test trusts.
    #[must_use]
    pub const fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Starts the server and waits until it answers.
    pub async fn start(self) -> anyhow::Result<RedisServer> {
        let Self { mut settings, user, tls } = self;
        if tls {
            let lines =
                ["tls-cert-file server.crt", "tls-key-file server.key", "tls-ca-cert-file ca.crt"];
            settings.extend(lines.map(str::to_owned));
        }
        let kind = if tls { "redis_tls" } else { "redis" };
        let (keeper, folders) = Keeper::prepare(kind, &settings).await?;
        let folder = folders.into_iter().next().context("no folder")?;
        let mut authority = None;
        if tls {
            let certificates = Certificates::make()?;
            fs::write(folder.join("server.crt"), certificates.server)?;
            fs::write(folder.join("server.key"), certificates.key)?;
            fs::write(folder.join("ca.crt"), &certificates.authority)?;
            authority = Some(certificates.authority);
        }
        let started = keeper.start(0).await?;

        let mut url = Url::parse(&started.url)?;
        if let Some(user) = &user {
            url.set_username(user).map_err(|()| anyhow!("no user name"))?;
            url.set_password(Some(PASSWORD)).map_err(|()| anyhow!("no password"))?;
        }
        let mut url = String::from(url);
        let mut port = started.port;
        if tls {
            port += TLS_OFFSET;
            url = url.replacen("redis:", "rediss:", 1).replacen(
                &format!(":{}/", started.port),
                &format!(":{port}/"),
                1,
            );
        }
        Ok(RedisServer { keeper, folder, administration: started.url, url, port, authority })
    }
}

/// A Redis of the test's own, with a password. Nothing is kept over a restart but a [`Snapshot`].
#[derive(Debug)]
pub struct RedisServer {
    keeper: Keeper,
    folder: PathBuf,
    administration: String,
    url: String,
    port: u16,
    authority: Option<String>,
}

/// All that a Redis held at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot(Vec<u8>);

impl RedisServer {
    /// Starts a plain server and waits until it answers.
    pub async fn start() -> anyhow::Result<Self> {
        Self::setup().start().await
    }

    /// Begins to set one up.
    #[must_use]
    pub fn setup() -> RedisSetup {
        RedisSetup::default()
    }

    /// Its URL with a password: `redis://…`, or `rediss://…` with TLS.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The port of [`RedisServer::url`] on this machine, which it keeps.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of the authority to trust, in PEM, with TLS.
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    /// Runs a command, as the superuser and on a connection of its own, and returns the answer.
    pub async fn run(&self, words: &[&str]) -> anyhow::Result<Value> {
        run_at(&self.administration, words).await
    }

    /// Ends it at once (SIGKILL). Its port refuses connections.
    pub async fn kill(&self) -> anyhow::Result<()> {
        self.keeper.kill(0).await
    }

    /// Stops it in good order, without saving anything.
    pub async fn stop(&self) -> anyhow::Result<()> {
        self.keeper.stop(0).await
    }

    /// Starts it again on the same port with empty memory, after killing it if it runs.
    pub async fn restart(&self) -> anyhow::Result<()> {
        self.keeper.kill(0).await?;
        self.forget_dump()?;
        self.keeper.start(0).await.map(drop)
    }

    /// Keeps what it holds now.
    pub async fn save_snapshot(&self) -> anyhow::Result<Snapshot> {
        let saved = self.run(&["SAVE"]).await?;
        ensure!(saved == Value::Okay, "{saved:?}");
        let snapshot = Snapshot(fs::read(self.folder.join(DUMP))?);
        self.forget_dump()?;
        Ok(snapshot)
    }

    /// Starts it again on the same port with what it held then, after killing it if it runs.
    pub async fn restart_from(&self, snapshot: &Snapshot) -> anyhow::Result<()> {
        self.keeper.kill(0).await?;
        fs::write(self.folder.join(DUMP), &snapshot.0)?;
        self.keeper.start(0).await.map(drop)
    }

    /// Makes it stand still (SIGSTOP): connections stay open and are made, and nothing answers.
    pub async fn pause(&self) -> anyhow::Result<()> {
        self.keeper.pause(0).await
    }

    /// Lets it go on (SIGCONT). What was sent meanwhile is carried out.
    pub async fn resume(&self) -> anyhow::Result<()> {
        self.keeper.resume(0).await
    }

    fn forget_dump(&self) -> anyhow::Result<()> {
        match fs::remove_file(self.folder.join(DUMP)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            outcome => outcome.context("cannot remove a snapshot"),
        }
    }
}

/// Runs a command on a connection of its own.
pub(super) async fn run_at(url: &str, words: &[&str]) -> anyhow::Result<Value> {
    let client = redis::Client::open(url)?;
    let patient = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    let mut connection = client.get_multiplexed_async_connection_with_config(&patient).await?;
    let mut command = redis::Cmd::new();
    for word in words {
        command.arg(word);
    }
    command.query_async(&mut connection).await.with_context(|| words.join(" "))
}
