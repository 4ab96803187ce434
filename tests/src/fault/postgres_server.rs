//! A PostgreSQL that a test may kill.

use super::keeper::Keeper;

/// A PostgreSQL, with pgvector, of the test's own. What is committed survives [`PostgresServer::kill`].
#[derive(Debug)]
pub struct PostgresServer {
    keeper: Keeper,
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
        let settings: Vec<_> = settings.iter().map(|it| (*it).to_owned()).collect();
        let (keeper, _) = Keeper::prepare("postgres", &settings).await?;
        let started = keeper.start(0).await?;
        Ok(Self { keeper, port: started.port, url: started.url })
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
