//! `groovebase index`: what it says, and how it ends.

use anyhow::{Context, ensure};
use groovebase_tests::{
    fixture::{Fixture, Postgres},
    program::{Ended, Program, end_of, until},
};
use rustix::process::{Pid, Signal, kill_process};
use sea_orm::{ConnectionTrait, TransactionTrait};

use super::{Crowd, by_hand};

fn index(
    program: &Program,
    fixture: &Postgres,
    code: i32,
    words: &[&str],
) -> anyhow::Result<Ended> {
    let arguments = [&["--database-url", fixture.url(), "index"], words].concat();
    program.expect(code, &arguments)
}

#[tokio::test(flavor = "multi_thread")]
async fn shows_builds_and_removes() -> anyhow::Result<()> {
    let (program, fixture) = (Program::new()?, Postgres::open().await?);
    Crowd::new(1_500)?.load(fixture.store()).await?;

    let status = index(&program, &fixture, 0, &["status"])?.output;
    ensure!(
        status.starts_with("in use    idx_embedding_ivfflat, ivfflat (lists = 10)\n"),
        "{status}"
    );
    ensure!(
        status.contains("\nrows      1,500, 1,500 when it was built\noutgrown  no\n"),
        "{status}"
    );
    let built = index(&program, &fixture, 0, &["use", "hnsw"])?.output;
    ensure!(built.starts_with("built in "), "{built}");
    ensure!(built.contains("idx_embedding_hnsw, hnsw (m = 16, ef_construction = 64)"), "{built}");
    let again = index(&program, &fixture, 0, &["use", "hnsw"])?.output;
    ensure!(again.starts_with("hnsw is in use already"), "{again}");
    let rebuilt = index(&program, &fixture, 0, &["rebuild"])?.output;
    ensure!(rebuilt.starts_with("built in ") && rebuilt.contains("hnsw"), "{rebuilt}");

    let removed = index(&program, &fixture, 0, &["use", "none"])?.output;
    ensure!(removed == "removed; every search compares every embedding\n", "{removed}");
    let status = index(&program, &fixture, 0, &["status"])?.output;
    ensure!(status == "in use    none: a search compares all 1,500 embeddings\n", "{status}");
    let nothing = index(&program, &fixture, 1, &["rebuild"])?.errors;
    ensure!(nothing.contains("groovebase index use hnsw"), "{nothing}");
    index(&program, &fixture, 2, &["use", "graph"])?;
    fixture.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn says_what_was_made_by_hand() -> anyhow::Result<()> {
    let (program, fixture) = (Program::new()?, Postgres::open().await?);
    Crowd::new(100)?.load(fixture.store()).await?;
    fixture
        .by_hand("CREATE INDEX own ON style_embeddings USING hnsw (embedding vector_cosine_ops)")
        .await?;

    let status = index(&program, &fixture, 0, &["status"])?.output;
    ensure!(
        status.starts_with("in use    idx_embedding_ivfflat, ivfflat (lists = 10)\n"),
        "{status}"
    );
    ensure!(status.contains("another   own, hnsw, made by hand; "), "{status}");
    let settled = index(&program, &fixture, 0, &["use", "ivfflat"])?.output;
    ensure!(settled.starts_with("ivfflat is in use already"), "{settled}");
    let removed = index(&program, &fixture, 0, &["use", "none"])?.output;
    ensure!(removed.starts_with("own was made by hand and stays in use"), "{removed}");
    let status = index(&program, &fixture, 0, &["status"])?.output;
    ensure!(
        status.starts_with("in use    own, hnsw (m = 16, ef_construction = 64), made by hand; "),
        "{status}"
    );
    let refused = index(&program, &fixture, 1, &["rebuild"])?.errors;
    ensure!(refused.contains("own was made by hand and is left alone"), "{refused}");
    let built = index(&program, &fixture, 0, &["use", "hnsw"])?.output;
    ensure!(built.contains("in use    idx_embedding_hnsw, hnsw"), "{built}");
    fixture.close().await
}

#[test]
fn there_is_nothing_to_manage_on_sqlite() -> anyhow::Result<()> {
    let program = Program::new()?;

    for words in [&["status"][..], &["rebuild"], &["use", "hnsw"], &["use", "none"]] {
        let refused = program.expect(1, &[&["index"], words].concat())?;
        ensure!(refused.errors.contains("SQLite has no vector index"), "{refused:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_outgrows_the_index_says_so() -> anyhow::Result<()> {
    let (program, fixture) = (Program::new()?, Postgres::open().await?);
    Crowd::new(100)?.load(fixture.store()).await?;
    let other = Postgres::open().await?;
    Crowd::new(201)?.load(other.store()).await?;
    program.expect(0, &["--database-url", other.url(), "export", "all.jsonl"])?;

    let imported = program.expect(0, &["--database-url", fixture.url(), "import", "all.jsonl"])?;

    ensure!(imported.errors.contains("has been outgrown and is built anew"), "{imported:?}");
    let status = index(&program, &fixture, 0, &["status"])?.output;
    ensure!(status.contains("rows      201, 201 when it was built"), "{status}");
    let again = program.expect(0, &["--database-url", fixture.url(), "import", "all.jsonl"])?;
    ensure!(!again.errors.contains("outgrown"), "{again:?}");
    other.close().await?;
    fixture.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn can_be_interrupted() -> anyhow::Result<()> {
    let (program, fixture) = (Program::new()?, Postgres::open().await?);
    Crowd::new(100)?.load(fixture.store()).await?;
    let writer = by_hand(&fixture).await?.begin().await?;
    writer.execute_unprepared("LOCK TABLE style_embeddings IN ROW EXCLUSIVE MODE").await?;
    let mut command = program.command(&["--database-url", fixture.url(), "index", "use", "hnsw"]);
    let mut building = command.spawn()?;
    let shown = until("the build is shown", || {
        let status = index(&program, &fixture, 0, &["status"])?.output;
        Ok(status.contains("\nbuilding  ").then_some(status))
    })?;
    ensure!(shown.contains("another   idx_embedding_building, hnsw, not finished"), "{shown}");

    let process = i32::try_from(building.id()).ok().and_then(Pid::from_raw).context("a process")?;
    kill_process(process, Signal::INT)?;

    ensure!(end_of(&mut building)?.code() == Some(130));
    let left = until("the server gives up", || {
        let status = index(&program, &fixture, 0, &["status"])?.output;
        Ok((!status.contains("building  ")).then_some(status))
    })?;
    ensure!(left.contains("in use    idx_embedding_ivfflat"), "{left}");
    ensure!(left.contains("hnsw, never finished; the next build removes it"), "{left}");
    writer.commit().await?;
    fixture.close().await
}
