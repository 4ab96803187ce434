//! A connection of its own that looks often whether the file has moved on.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{Change, ChangeFollower, RepositoryError, StoreState, Version};
use sea_orm::sqlx::{
    self, AssertSqlSafe, ConnectOptions, Row, SqliteConnection, sqlite::SqliteRow,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

use super::{SINCE, bounds, change};
use crate::{error::Failure, store::Store};

/// A number that differs from the one before when another connection has committed in between, of this process or not:
/// <https://www.sqlite.org/pragma.html#pragma_data_version>.
const DATA_VERSION: &str = "PRAGMA data_version";

/// How long a commit of another process may go unnoticed.
const LOOK_EVERY: Duration = Duration::from_millis(25);

pub(super) async fn since(
    connection: &mut SqliteConnection,
    version: Version,
    limit: u32,
) -> Result<Vec<Change>, Failure> {
    let (after, limit) = bounds(version, limit);
    let rows = sqlx::query(SINCE).bind(after).bind(limit).fetch_all(connection).await?;
    rows.iter().map(read).collect()
}

fn read(row: &SqliteRow) -> Result<Change, Failure> {
    change(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?)
}

/// Follows the feed of a file: own commits are told at once, those of other processes are looked for.
#[derive(Debug)]
pub(super) struct Follower {
    connection: SqliteConnection,
    own_commits: watch::Receiver<()>,
    seen: i64,
    next_look: Instant,
    state: Option<StoreState>,
    /// The state and [`SINCE`], as one question, since each takes a turn of the connection's thread.
    state_and_changes: Arc<str>,
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
            // A statement whose plan may depend on what is bound is prepared again each time that something else is.
            let changes = SINCE.replace("$1", "(SELECT $1)").replace("$2", "(SELECT $2)");
            let state_and_changes = format!("{DATA_VERSION}; {changes}").into();
            let next_look = Instant::now();
            Ok(Self { connection, own_commits, seen, next_look, state: None, state_and_changes })
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
        let (after, limit) = bounds(version, limit);
        let question =
            sqlx::query(AssertSqlSafe(Arc::clone(&self.state_and_changes))).bind(after).bind(limit);
        let rows = question.fetch_all(&mut self.connection).await.map_err(Failure::from)?;
        let (state, changes) = rows.split_first().ok_or_else(nothing)?;
        let state: i64 = state.try_get(0).map_err(Failure::from)?;
        self.state = Some(StoreState(state.to_string().into()));
        Ok(changes.iter().map(read).collect::<Result<_, _>>()?)
    }

    fn state(&self) -> Option<StoreState> {
        self.state.clone()
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

async fn data_version(connection: &mut SqliteConnection) -> Result<i64, Failure> {
    Ok(sqlx::query_scalar(DATA_VERSION).fetch_one(connection).await?)
}

#[derive(Debug, thiserror::Error)]
#[error("the database told nothing of its state")]
struct Nothing;

fn nothing() -> Failure {
    Failure::corrupt(Nothing)
}
