//! A connection of its own that listens.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{Change, ChangeFollower, RepositoryError, StoreState, Version};
use futures::FutureExt;
use sea_orm::sqlx::{
    self, Acquire, AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions, PgRow},
};
use tokio::{
    runtime::{self, Runtime},
    time::timeout,
};

use super::{SINCE, bounds, change};
use crate::{error::Failure, store::Store};

/// What the triggers notify.
const CHANNEL: &str = "groovebase_changes";

/// How long the server, or the way to it, may take for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

pub(super) async fn since(
    connection: &mut PgConnection,
    version: Version,
    limit: u32,
) -> Result<Vec<Change>, Failure> {
    let (after, limit) = bounds(version, limit);
    let rows = sqlx::query(SINCE).bind(after).bind(limit).fetch_all(connection).await?;
    rows.iter().map(read).collect()
}

fn read(row: &PgRow) -> Result<Change, Failure> {
    change(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?)
}

/// Follows the feed of a server.
#[derive(Debug)]
pub(super) struct Follower {
    /// Nothing once an answer failed or was not waited for: nobody knows where in the protocol the connection is.
    line: Option<Line>,
    answer_within: Duration,
}

impl Follower {
    pub(super) async fn open(store: &Store) -> Result<Self, Failure> {
        let limits = store.limits();
        let answer_within = limits.statement_timeout.min(ANSWER_WITHIN);
        let server = store.database().get_postgres_connection_pool().connect_options();
        // A later setting goes before an earlier one.
        let server = server
            .as_ref()
            .clone()
            .application_name("groovebase")
            .options([("statement_timeout", answer_within.as_millis())]);
        let line = timeout(limits.acquire_timeout, Line::open(server)).await;
        let line = line.map_err(Failure::unavailable)??;
        store.note_connection(Ok(()));
        Ok(Self { line: Some(line), answer_within })
    }
}

#[async_trait]
impl ChangeFollower for Follower {
    async fn since(
        &mut self,
        version: Version,
        limit: u32,
    ) -> Result<Vec<Change>, RepositoryError> {
        let mut line = self.line.take().ok_or_else(lost)?;
        let changes = timeout(self.answer_within, line.since(version, limit))
            .await
            .map_err(Failure::unavailable)??;
        self.line = Some(line);
        Ok(changes)
    }

    fn state(&self) -> Option<StoreState> {
        self.line.as_ref()?.state.clone()
    }

    async fn hint(&mut self) -> Result<(), RepositoryError> {
        let line = self.line.as_mut().ok_or_else(lost)?;
        let heard = line.hint().await;
        if heard.is_err() {
            self.line = None;
        }
        Ok(heard?)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the connection to the change feed was lost")]
struct Lost;

fn lost() -> Failure {
    Failure::unavailable(Lost)
}

/// One connection, never made again: whoever follows shall know that notifications were missed.
#[derive(Debug)]
struct Line {
    listener: Option<PgListener>,
    /// [`SINCE`], after the snapshot that it is read in: which transactions it sees. Two that are the same see the same.
    state_and_changes: Arc<str>,
    state: Option<StoreState>,
    /// Where the listener's last task goes to die, see [`Line::drop`].
    never_run: Option<Runtime>,
}

impl Line {
    async fn open(server: PgConnectOptions) -> Result<Self, Failure> {
        // A pool tries again until its time is up and then tells only that; one connection tells what is wrong.
        server.connect().await?.close().await?;
        // The driver listens on connections of a pool only.
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .connect_lazy_with(server);
        let mut listener = PgListener::connect_with(&pool).await?;
        // Or it would connect again before it tells that it was cut off.
        listener.eager_reconnect(false);
        listener.ignore_pool_close_event(true);

        // Nothing is waited for while it has no owner: dropped elsewhere than in `Line::drop` it panics.
        let never_run =
            runtime::Builder::new_current_thread().build().map_err(Failure::unavailable)?;
        let state_and_changes = format!(
            "SELECT changes.*, (SELECT pg_current_snapshot()::text) AS state
             FROM (VALUES (0)) AS one LEFT JOIN ({SINCE}) AS changes ON true ORDER BY changes.version"
        )
        .into();
        let listener = Some(listener);
        let mut line =
            Self { listener, state_and_changes, state: None, never_run: Some(never_run) };
        line.listener()?.listen(CHANNEL).await?;
        Ok(line)
    }

    fn listener(&mut self) -> Result<&mut PgListener, Failure> {
        self.listener.as_mut().ok_or_else(lost)
    }

    async fn since(&mut self, version: Version, limit: u32) -> Result<Vec<Change>, Failure> {
        let (after, limit) = bounds(version, limit);
        let listener = self.listener.as_mut().ok_or_else(lost)?;
        let question =
            sqlx::query(AssertSqlSafe(Arc::clone(&self.state_and_changes))).bind(after).bind(limit);
        let rows = question.fetch_all(listener.acquire().await?).await?;
        let mut state = None;
        let mut changes = Vec::new();
        for row in &rows {
            if state.is_none() {
                state = Some(StoreState(row.try_get::<&str, _>("state")?.into()));
            }
            // One row without a version tells the state alone.
            if row.try_get::<Option<i64>, _>(0)?.is_some() {
                changes.push(read(row)?);
            }
        }
        self.state = state;
        Ok(changes)
    }

    async fn hint(&mut self) -> Result<(), Failure> {
        let listener = self.listener()?;
        listener.try_recv().await?.ok_or_else(lost)?;
        // One hint stands for all that have arrived.
        while let Some(more) = listener.try_recv().now_or_never() {
            more?.ok_or_else(lost)?;
        }
        Ok(())
    }
}

impl Drop for Line {
    /// Closes the socket. Left to itself the listener would say goodbye in a task, which waits for an answer as long as
    /// the system believes in the connection. In a runtime that never runs, that task ends with the runtime, and takes
    /// the connection with it.
    fn drop(&mut self) {
        let Some(never_run) = self.never_run.take() else { return };
        {
            let _entered = never_run.enter();
            self.listener = None;
        }
        never_run.shutdown_background();
    }
}
