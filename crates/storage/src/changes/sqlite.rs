//! A connection of its own that looks often whether the file has moved on.

use std::time::Duration;

use async_trait::async_trait;
use domain::{Change, ChangeFollower, RepositoryError, Version};
use sea_orm::sqlx::{self, ConnectOptions, Row, SqliteConnection};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

use super::{SINCE, bounds, change};
use crate::{error::Failure, store::Store};

/// How long a commit of another process may go unnoticed.
const LOOK_EVERY: Duration = Duration::from_millis(25);

pub(super) async fn since(
    connection: &mut SqliteConnection,
    version: Version,
    limit: u32,
) -> Result<Vec<Change>, Failure> {
    let (after, limit) = bounds(version, limit);
    let rows = sqlx::query(SINCE).bind(after).bind(limit).fetch_all(connection).await?;
    rows.iter()
        .map(|row| change(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?))
        .collect()
}

/// Follows the feed of a file: own commits are told at once, those of other processes are looked for.
#[derive(Debug)]
pub(super) struct Follower {
    connection: SqliteConnection,
    own_commits: watch::Receiver<()>,
    seen: i64,
    next_look: Instant,
}

impl Follower {
    pub(super) async fn open(store: &Store) -> Result<Self, Failure> {
        let own_commits = store.commits();
        let file = store.database().get_sqlite_connection_pool().connect_options();
        // The file is there, or something is wrong.
        let file = file.as_ref().clone().create_if_missing(false);
        let opening = async {
            let mut connection = file.connect().await?;
            let seen = data_version(&mut connection).await?;
            Ok(Self { connection, own_commits, seen, next_look: Instant::now() })
        };
        timeout(store.limits().acquire_timeout, opening).await.map_err(Failure::unavailable)?
    }

    async fn look(&mut self) -> Result<bool, Failure> {
        let found = data_version(&mut self.connection).await?;
        let moved = found != self.seen;
        // After the only await: what is dropped before has seen nothing.
        self.seen = found;
        self.next_look = Instant::now() + LOOK_EVERY;
        Ok(moved)
    }
}

#[async_trait]
impl ChangeFollower for Follower {
    async fn since(
        &mut self,
        version: Version,
        limit: u32,
    ) -> Result<Vec<Change>, RepositoryError> {
        Ok(since(&mut self.connection, version, limit).await?)
    }

    async fn hint(&mut self) -> Result<(), RepositoryError> {
        loop {
            let told = tokio::select! {
                told = self.own_commits.changed() => {
                    told.map_err(Failure::unavailable)?;
                    true
                }
                () = sleep_until(self.next_look) => false,
            };
            // Also when told, so that the same commit is not found a second time.
            let moved = self.look().await?;
            if told || moved {
                return Ok(());
            }
        }
    }
}

/// A number that differs from the one before when another connection has committed in between, of this process or not:
/// <https://www.sqlite.org/pragma.html#pragma_data_version>.
async fn data_version(connection: &mut SqliteConnection) -> Result<i64, Failure> {
    Ok(sqlx::query_scalar("PRAGMA data_version").fetch_one(connection).await?)
}
