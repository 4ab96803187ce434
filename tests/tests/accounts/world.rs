//! A database, and the instances on it.

use std::sync::Arc;

use anyhow::{Context, ensure};
use fastrand::Rng;
use groovebase_tests::{
    fault::{PostgresServer, Proxy},
    program::{PATIENCE, Program},
};
use migration::Schema;
use sea_orm::sqlx::{self, Connection, PgConnection};
use tokio::time::{Instant, sleep};

use crate::instance::Instance;

/// Where the account lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    /// A file, with one instance.
    Sqlite,
    /// A server of the test's own, with two instances that reach it over networks of their own.
    Postgres,
}

/// A database, and the instances on it.
pub(crate) struct World {
    pub(crate) postgres: Option<Postgres>,
    pub(crate) instances: Vec<Arc<Instance>>,
    /// Runs commands on the same database, which it always reaches.
    pub(crate) commands: Arc<Program>,
    /// Where the database is, without any network between.
    pub(crate) url: String,
}

/// A server that may be killed, and the way to it of each instance.
pub(crate) struct Postgres {
    pub(crate) server: PostgresServer,
    pub(crate) networks: Vec<Proxy>,
}

impl World {
    /// Starts everything.
    pub(crate) async fn start(database: Database) -> anyhow::Result<Self> {
        let commands = Program::new()?;
        let (postgres, url, urls) = match database {
            Database::Sqlite => {
                let file = commands.file("groovebase.db");
                let url = format!("sqlite://{}", file.to_str().context("temporary folder")?);
                (None, url.clone(), vec![url])
            }
            Database::Postgres => {
                let server = PostgresServer::start().await?;
                let schema = Schema::connect(server.url()).await?;
                schema.up(None).await?;
                schema.close().await?;
                let (mut networks, mut urls) = (Vec::new(), Vec::new());
                for _ in 0..2 {
                    let (network, url) = Proxy::before(server.url()).await?;
                    networks.push(network);
                    urls.push(url);
                }
                let url = server.url().to_owned();
                (Some(Postgres { server, networks }), url, urls)
            }
        };
        std::fs::write(commands.file(".env"), format!("GROOVEBASE_DATABASE_URL='{url}'\n"))?;
        let start = move || urls.iter().map(|url| Ok(Arc::new(Instance::start(url)?))).collect();
        let instances: anyhow::Result<_> = tokio::task::spawn_blocking(start).await?;
        Ok(Self { postgres, instances: instances?, commands: Arc::new(commands), url })
    }

    /// Kills every instance, and starts them again when nothing is under way in the database any more.
    pub(crate) async fn restart(&self) -> anyhow::Result<()> {
        for instance in &self.instances {
            instance.kill()?;
        }
        if let Some(postgres) = &self.postgres {
            postgres.is_left_alone().await?;
        }
        for instance in &self.instances {
            restart(instance).await?;
        }
        Ok(())
    }

    /// Stops every instance in good order.
    pub(crate) async fn stop(&self) -> anyhow::Result<()> {
        for instance in &self.instances {
            let instance = Arc::clone(instance);
            tokio::task::spawn_blocking(move || instance.stop()).await??;
        }
        Ok(())
    }
}

impl Postgres {
    /// Ends about half of the backends that clients have, whatever they are doing. Returns how many.
    pub(crate) async fn end_backends(&self, random: &mut Rng) -> anyhow::Result<u64> {
        let mut connection = PgConnection::connect(self.server.url()).await?;
        let backends: Vec<i32> = sqlx::query_scalar(
            "SELECT pid FROM pg_stat_activity \
             WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY pid",
        )
        .fetch_all(&mut connection)
        .await?;
        let doomed: Vec<i32> = backends.into_iter().filter(|_| random.bool()).collect();
        let ended: i64 = sqlx::query_scalar(
            "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM unnest($1::int[]) AS pid",
        )
        .bind(doomed)
        .fetch_one(&mut connection)
        .await?;
        connection.close().await?;
        Ok(ended.unsigned_abs())
    }

    /// Waits until no client is connected.
    async fn is_left_alone(&self) -> anyhow::Result<()> {
        let mut connection = PgConnection::connect(self.server.url()).await?;
        let began = Instant::now();
        loop {
            let others: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM pg_stat_activity \
                 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
            )
            .fetch_one(&mut connection)
            .await?;
            if others == 0 {
                return Ok(connection.close().await?);
            }
            ensure!(began.elapsed() < PATIENCE, "{others} backends have a client for ever");
            sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

/// Kills an instance and starts it again.
pub(crate) async fn restart(instance: &Arc<Instance>) -> anyhow::Result<()> {
    let instance = Arc::clone(instance);
    tokio::task::spawn_blocking(move || instance.restart()).await?
}
