//! Statements that took long are told in the log, with the plan that the database has for them.
//!
//! A line tells each of them at once. Its plan follows in a line of its own: it is asked for in the background, for one
//! statement at a time, and for the same one at most once a minute, so that a database that has too much to do is not
//! given more. `EXPLAIN` plans and never runs what it explains.

mod plan;

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, sync::Semaphore};

pub(crate) use plan::Planner;

use crate::query_statistics::{Operation, Table};

/// How long nobody asks again for the plan of the same statement.
const PLAN_KEPT: Duration = Duration::from_mins(1);

/// How many statements' plans are remembered to have been asked for. Statements are the program's own and few, but some
/// have as many forms as they have values.
const MOST_REMEMBERED: usize = 1_000;

/// So much of a statement is told: some name thousands of values.
const MOST_CHARS: usize = 4_000;

tokio::task_local! {
    /// What the statements of a task are part of. The hook of the ORM tells a statement, and not who sent it.
    static UNDER_WAY: (Operation, Table);
}

/// Runs the statements of an operation.
pub(crate) fn under_way<Work: Future>(
    operation: Operation,
    table: Table,
    work: Work,
) -> impl Future<Output = Work::Output> {
    UNDER_WAY.scope((operation, table), work)
}

/// Who looks out for slow statements of a store.
pub(crate) struct SlowStatements {
    threshold: Duration,
    planner: Planner,
    turn: Arc<Semaphore>,
    asked: Mutex<HashMap<u64, Instant>>,
    runtime: Option<Handle>,
}

impl SlowStatements {
    pub(crate) fn new(threshold: Duration, planner: Planner) -> Self {
        Self {
            threshold,
            planner,
            turn: Arc::new(Semaphore::new(1)),
            asked: Mutex::default(),
            runtime: Handle::try_current().ok(),
        }
    }

    /// Takes note of a statement that has ended.
    pub(crate) fn ended(&self, sql: &str, took: Duration, failed: bool) {
        if took < self.threshold {
            return;
        }
        let (operation, table) = UNDER_WAY
            .try_with(|&it| it)
            .map_or(("", ""), |(operation, table)| (operation.as_str(), table.as_str()));
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let statement = told(sql);
        tracing::warn!(operation, table, duration_ms, failed, statement, "Slow statement");
        self.explain(sql, statement);
    }

    /// Asks for the plan in the background, unless somebody does already or has just done so.
    fn explain(&self, sql: &str, statement: String) {
        let Ok(turn) = Arc::clone(&self.turn).try_acquire_owned() else { return };
        let Some(runtime) = &self.runtime else { return };
        if !self.is_new(sql) {
            return;
        }
        let (planner, sql) = (self.planner.clone(), sql.to_owned());
        runtime.spawn(async move {
            match planner.plan(&sql).await {
                Ok(plan) => tracing::warn!(statement, plan, "Plan of a slow statement"),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::info!(error, statement, "A slow statement has no plan to show");
                }
            }
            drop(turn);
        });
    }

    /// Whether nobody has asked for the plan of this statement for a while.
    fn is_new(&self, sql: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        sql.hash(&mut hasher);
        let (key, now) = (hasher.finish(), Instant::now());
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|_, &mut at| now.duration_since(at) < PLAN_KEPT);
        if asked.contains_key(&key) || MOST_REMEMBERED <= asked.len() {
            return false;
        }
        asked.insert(key, now);
        true
    }
}

/// A statement on one line. Its values are not in it: they are sent beside it.
fn told(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len().min(MOST_CHARS));
    for word in sql.split_whitespace() {
        if MOST_CHARS < text.len() + word.len() {
            text.push('…');
            break;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}

#[cfg(test)]
#[cfg(feature = "sqlite")]
mod sqlite_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_told_on_one_line_of_bounded_length() {
        assert_eq!(told("\n    SELECT 1,\n     2"), "SELECT 1, 2");
        let long = format!("SELECT {}", "$1, ".repeat(5_000));
        let told = told(&long);
        assert!(told.len() <= MOST_CHARS + 3 && told.ends_with('…'), "{}", told.len());
    }
}
