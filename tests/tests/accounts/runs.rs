//! The runs. One at a time, since each keeps the machine busy.

use anyhow::{Context, ensure};
use groovebase_tests::fixture;
use tokio::sync::{Mutex, MutexGuard};

use crate::{
    run::{Run, rounds},
    violation::Rule,
    world::{Database, World},
};

/// Waits for the runs before this one to end.
async fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_and_every_sum_is_right_on_sqlite() -> anyhow::Result<()> {
    let _turn = turn().await;
    let world = World::start(Database::Sqlite).await?;

    let name = "SQLite, an instance that dies";
    Run { name, seed: 1, writers: 64, rounds: rounds(12)?, posts: 100 }.go(&world).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_and_every_sum_is_right_on_postgres() -> anyhow::Result<()> {
    let _turn = turn().await;
    let world = World::start(Database::Postgres).await?;

    let name = "PostgreSQL, two instances that die, and so does the server";
    Run { name, seed: 2, writers: 64, rounds: rounds(2)?, posts: 100 }.go(&world).await
}

/// A run on a database that does something wrong behind the back of the service, which must break these rules.
async fn is_found(sabotage: &str, rules: &[Rule]) -> anyhow::Result<()> {
    let _turn = turn().await;
    let world = World::start(Database::Sqlite).await?;
    fixture::by_hand(&world.url, sabotage).await.with_context(|| sabotage.to_owned())?;

    let name = format!("a mistake to be found: {sabotage}");
    let run = Run { name: &name, seed: 3, writers: 16, rounds: 0, posts: 300 };
    let report = run.report(&world).await?;

    for rule in rules {
        ensure!(report.violations.include(*rule), "{rule:?} is not found to be broken");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_finds_a_database_that_loses_entries() -> anyhow::Result<()> {
    let sabotage = "CREATE TRIGGER sabotage AFTER INSERT ON generation_history \
        WHEN random() % 40 = 0 BEGIN DELETE FROM generation_history WHERE id = NEW.id; END";
    let rules =
        [Rule::NothingIsLost, Rule::ArraysAreWhole, Rule::SumsAreExact, Rule::SumsAreVerified];
    is_found(sabotage, &rules).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_finds_a_database_that_keeps_entries_twice() -> anyhow::Result<()> {
    let sabotage = "CREATE TRIGGER sabotage AFTER INSERT ON generation_history \
        WHEN random() % 40 = 0 BEGIN INSERT INTO generation_history \
            (id, artist_id, provider_used, generation_time_ms, user_params, created_at) \
        VALUES (randomblob(16), NEW.artist_id, NEW.provider_used, NEW.generation_time_ms, \
            NEW.user_params, NEW.created_at); END";
    is_found(sabotage, &[Rule::NothingCountsTwice, Rule::SumsAreExact]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_finds_a_database_that_changes_entries() -> anyhow::Result<()> {
    let sabotage = "CREATE TRIGGER sabotage AFTER INSERT ON generation_history \
        WHEN random() % 40 = 0 BEGIN \
        UPDATE generation_history SET created_at = created_at + 1 WHERE id = NEW.id; END";
    is_found(sabotage, &[Rule::NothingIsAltered]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_finds_sums_that_miss_entries() -> anyhow::Result<()> {
    let sabotage = "CREATE TRIGGER sabotage AFTER INSERT ON generation_rollup_pending \
        WHEN random() % 40 = 0 BEGIN \
        DELETE FROM generation_rollup_pending WHERE id = NEW.id; END";
    is_found(sabotage, &[Rule::SumsKeepUp, Rule::SumsAreExact, Rule::SumsAreVerified]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_finds_sums_of_what_nobody_sent() -> anyhow::Result<()> {
    let sabotage = "CREATE TRIGGER sabotage AFTER INSERT ON generation_rollup_pending BEGIN \
        UPDATE generation_rollup_pending SET cost_dollars = cost_dollars + 1000000 \
        WHERE id = NEW.id; END";
    is_found(sabotage, &[Rule::SumsAreEarned, Rule::SumsAreExact, Rule::SumsAreVerified]).await
}
