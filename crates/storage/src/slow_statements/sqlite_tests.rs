//! Slow statements of an embedded file, whose log is read.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use domain::SystemClock;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tracing::subscriber::DefaultGuard;

use crate::{
    PoolLimits, connect,
    error::Failure,
    query_statistics::{Operation, Table},
    store::Store,
};

/// Counts to a number that nobody shall see in the log.
const COUNT: &str = "INSERT INTO counted
    SELECT (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) SELECT count(*) FROM n)";
const NUMBER: i64 = 654_321;

/// What is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn begin() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn lines(&self, message: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains(message)).map(str::to_owned).collect()
    }

    async fn line(&self, message: &str) -> String {
        let look = async {
            loop {
                if let Some(line) = self.lines(message).pop() {
                    return line;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), look).await.expect(message)
    }
}

async fn store(slow_statement: Option<Duration>) -> Store {
    let limits = PoolLimits { kept: 1, most: 1, slow_statement, ..PoolLimits::default() };
    let store = connect("sqlite::memory:", &limits, Arc::new(SystemClock)).await.unwrap();
    store.database().execute_unprepared("CREATE TABLE counted (number)").await.unwrap();
    store
}

/// Counts in a transaction, as part of an operation.
async fn count(store: &Store) {
    let work = async {
        let transaction = store.begin().await?;
        let values = [NUMBER.into()];
        let statement = Statement::from_sql_and_values(DbBackend::Sqlite, COUNT, values);
        transaction.execute_raw(statement).await?;
        Ok::<_, Failure>(transaction.commit().await?)
    };
    store.once(Operation::Count, Table::GenerationHistory, work).await.unwrap();
}

async fn counted(store: &Store) -> i64 {
    let statement = Statement::from_string(DbBackend::Sqlite, "SELECT count(*) AS n FROM counted");
    let row = store.database().query_one_raw(statement).await.unwrap().unwrap();
    row.try_get("", "n").unwrap()
}

#[tokio::test]
async fn are_told_each_time_and_planned_once_and_never_run_again() {
    let (log, _guard) = Log::begin();
    let store = store(Some(Duration::from_millis(1))).await;

    count(&store).await;
    let plan = log.line("Plan of a slow statement").await;
    count(&store).await;

    let told = log.lines("Slow statement");
    assert_eq!(told.len(), 2, "{told:?}");
    for part in [
        r#"operation="count""#,
        r#"table="generation_history""#,
        "INSERT INTO counted SELECT",
        "$1",
    ] {
        assert!(told[0].contains(part), "{part} is not in {told:?}");
    }
    assert!(plan.contains("RECURSIVE STEP") && plan.contains("INSERT INTO counted"), "{plan}");
    assert_eq!(log.lines("Plan of a slow statement").len(), 1);
    assert_eq!(counted(&store).await, 2);
    assert!(log.lines(&NUMBER.to_string()).is_empty(), "{told:?}");
}

#[tokio::test]
async fn several_statements_are_not_explained() {
    let (log, _guard) = Log::begin();
    let store = store(Some(Duration::ZERO)).await;

    let twice = "SELECT 1; INSERT INTO counted VALUES (7)";
    store.watch(twice, async { Ok::<_, Failure>(()) }).await.unwrap();

    let line = log.line("A slow statement has no plan to show").await;
    assert!(line.contains("several statements"), "{line}");
    assert_eq!(counted(&store).await, 0);
}

#[tokio::test]
async fn what_cannot_be_explained_is_told_without_fuss() {
    let (log, _guard) = Log::begin();
    let store = store(Some(Duration::ZERO)).await;

    let unknown = "SELECT * FROM nowhere";
    store.watch(unknown, async { Ok::<_, Failure>(()) }).await.unwrap();

    let line = log.line("A slow statement has no plan to show").await;
    assert!(line.contains("nowhere") && line.contains("INFO"), "{line}");
}

#[tokio::test]
async fn are_nobody_s_business_when_that_is_off() {
    let (log, _guard) = Log::begin();
    let store = store(None).await;

    count(&store).await;

    assert!(log.lines("low statement").is_empty());
}
