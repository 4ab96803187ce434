//! A service that is started while its database is not there, or will never let it in.

use std::process::Command;

use anyhow::ensure;
use groovebase_tests::{
    fault::PostgresServer,
    given::body,
    http::{Answer, Request, artist},
    program::{Program, Serving, run},
};
use migration::Schema;

fn command(program: &Program, url: &str) -> Command {
    let mut command = program.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("GROOVEBASE_DATABASE_URL", url);
    command
}

async fn migrated() -> anyhow::Result<PostgresServer> {
    let server = PostgresServer::start().await?;
    let schema = Schema::connect(server.url()).await?;
    schema.up(None).await?;
    schema.close().await?;
    Ok(server)
}

async fn ask(serving: &Serving, status: u16, request: Request) -> anyhow::Result<Answer> {
    let answer = serving.client().send(&request).await?;
    ensure!(answer.status == status, "{request}: expected {status}, got {answer:?}");
    Ok(answer)
}

fn put() -> Request {
    Request::put(artist("J Dilla", "/profile"), body::profile())
}

/// What is answered while there is no database: that the process is alive, and that nothing else works yet.
async fn ensure_waiting(serving: &Serving) -> anyhow::Result<()> {
    ask(serving, 200, Request::get("/health/live")).await?;
    for path in ["/health", "/health/ready"] {
        let told = ask(serving, 503, Request::get(path)).await?;
        ensure!(told.at("/status")? == "unavailable", "{told:?}");
    }
    let refused = ask(serving, 503, put()).await?;
    ensure!(refused.at("/error")? == "database_unavailable", "{refused:?}");
    ensure!(refused.required("retry-after")? == "1", "{refused:?}");
    ensure!(!refused.required("x-request-id")?.is_empty(), "{refused:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_is_waited_for() -> anyhow::Result<()> {
    let server = migrated().await?;
    server.stop_fast().await?;
    let program = Program::new()?;

    let mut serving = Serving::start_without_database(command(&program, server.url()))?;
    ensure_waiting(&serving).await?;
    server.restart().await?;
    let there = serving.logged("Listening on http://")?;

    ensure!(there["address"] == serving.address().to_string(), "{there}");
    // What a strict read was answered from, the catalog is complete as of.
    ask(&serving, 201, put()).await?;
    let strict = Request::get(artist("J Dilla", "")).with("cache-control", "no-cache");
    ask(&serving, 200, strict).await?;
    ask(&serving, 200, Request::get("/health/ready")).await?;
    serving.terminate()?;
    let log = serving.ended()?;
    let told: Vec<_> =
        log.iter().filter(|line| line.contains("Waiting for the database")).collect();
    ensure!(told.len() == 1 && told[0].contains("the database cannot be reached"), "{log:#?}");
    ensure!(log.iter().any(|line| line.contains("The database answers")), "{log:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_no_connection_left_is_waited_for() -> anyhow::Result<()> {
    let settings =
        ["max_connections=20", "superuser_reserved_connections=0", "reserved_connections=0"];
    let server = PostgresServer::start_with(&settings).await?;
    let schema = Schema::connect(server.url()).await?;
    schema.up(None).await?;
    let mut taken = Vec::new();
    while let Ok(schema) = Schema::connect(server.url()).await {
        taken.push(schema);
    }
    let program = Program::new()?;

    let mut command = command(&program, server.url());
    command.env("GROOVEBASE_DATABASE_POOL_KEPT", "1");
    let mut serving = Serving::start_without_database(command)?;
    ensure_waiting(&serving).await?;
    for schema in taken {
        schema.close().await?;
    }

    serving.logged("Listening on http://")?;
    ask(&serving, 201, put()).await?;
    schema.close().await.map_err(Into::into)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_is_waited_for() -> anyhow::Result<()> {
    let server = migrated().await?;
    server.pause().await?;
    let program = Program::new()?;

    let mut serving = Serving::start_without_database(command(&program, server.url()))?;
    ensure_waiting(&serving).await?;
    server.resume().await?;

    serving.logged("Listening on http://")?;
    ask(&serving, 201, put()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_can_be_told_to_stop() -> anyhow::Result<()> {
    let server = migrated().await?;
    server.stop_fast().await?;
    let program = Program::new()?;
    let serving = Serving::start_without_database(command(&program, server.url()))?;

    serving.terminate()?;

    let log = serving.ended()?;
    ensure!(log.last().is_some_and(|line| line.contains("Stopped before")), "{log:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waiting_cannot_cure_is_told_at_once() -> anyhow::Result<()> {
    let server = PostgresServer::start().await?;
    let program = Program::new()?;
    let port = server.port();
    for (url, told) in [
        (
            format!("postgres://postgres:hunter2@127.0.0.1:{port}/postgres"),
            "password authentication",
        ),
        (
            server.url().replace("/postgres", "/nowhere").replace("//nowhere", "//postgres"),
            "does not exist",
        ),
        (server.url().to_owned(), "lacks"),
        (format!("{}?sslmode=require", server.url()), "TLS"),
    ] {
        let ended = run(command(&program, &url), "")?;

        ensure!(ended.code == Some(1) && ended.errors.contains(told), "{told}: {ended:?}");
        ensure!(!ended.errors.contains("Waiting for"), "{ended:?}");
        ensure!(!ended.errors.contains("hunter2"), "{ended:?}");
    }
    Ok(())
}
