//! Encrypted connections: every one of the program's, and with whoever has a certificate that is trusted.

use std::{fs, process::Command};

use anyhow::{Context, ensure};
use groovebase_tests::{
    fault::PostgresServer,
    given::body,
    http::{Request, artist},
    program::{Program, Serving, run},
};

/// The program, whose folder holds the authority's certificate.
struct Installation {
    program: Program,
    url: String,
}

impl Installation {
    fn new(server: &PostgresServer, authority: &str) -> anyhow::Result<Self> {
        let program = Program::new()?;
        fs::write(program.file("a & b.crt"), authority)?;
        Ok(Self { program, url: server.url().to_owned() })
    }

    fn command(&self, arguments: &[&str], settings: &[(&str, &str)]) -> Command {
        let mut command = self.program.command(arguments);
        command.env("GROOVEBASE_DATABASE_URL", &self.url).envs(settings.iter().copied());
        command
    }

    fn expect(
        &self,
        code: i32,
        arguments: &[&str],
        settings: &[(&str, &str)],
    ) -> anyhow::Result<String> {
        let ended = run(self.command(arguments, settings), "")?;
        ensure!(ended.code == Some(code), "{arguments:?} {settings:?}: {ended:?}");
        Ok(ended.errors)
    }
}

const CA: (&str, &str) = ("GROOVEBASE_DATABASE_CA_FILE", "a & b.crt");

/// The server takes no other connections, so whatever works was encrypted.
#[tokio::test(flavor = "multi_thread")]
async fn every_connection_is_encrypted_and_verified() -> anyhow::Result<()> {
    let (server, authority) = PostgresServer::start_with_tls(None).await?;
    let installation = Installation::new(&server, &authority)?;
    installation.expect(0, &["migrate", "up"], &[CA])?;

    let listen = ["serve", "--listen", "127.0.0.1:0"];
    let serving = Serving::start(installation.command(&listen, &[CA]))?;
    let path = artist("J Dilla", "/profile");
    for (status, request) in [
        (201, Request::put(&path, body::profile())),
        (200, Request::get(&path).with("cache-control", "no-cache")),
        (200, Request::get("/api/v1/stats")),
        (200, Request::get("/health")),
    ] {
        let answer = serving.client().send(&request).await?;
        ensure!(answer.status == status, "{request}: {answer:?}");
    }
    installation.expect(0, &["export", "all.jsonl"], &[CA])?;
    installation.expect(0, &["import", "all.jsonl"], &[CA])?;
    installation.expect(0, &["index", "use", "hnsw"], &[CA])?;
    installation.expect(0, &["stats", "verify"], &[CA])?;
    serving.terminate()?;
    let log = serving.ended()?;
    ensure!(!log.iter().any(|line| line.contains("not encrypted")), "{log:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_trusted_is_refused_with_the_reason() -> anyhow::Result<()> {
    const TLS: &str = "GROOVEBASE_DATABASE_TLS";

    let (server, authority) = PostgresServer::start_with_tls(Some("db.example")).await?;
    let (_, another) = PostgresServer::start_with_tls(None).await?;
    let installation = Installation::new(&server, &authority)?;
    fs::write(installation.program.file("another.crt"), another)?;
    let another = ("GROOVEBASE_DATABASE_CA_FILE", "another.crt");
    installation.expect(0, &["migrate", "up"], &[CA, (TLS, "verify-ca")])?;
    installation.expect(0, &["migrate", "status"], &[(TLS, "require")])?;
    installation.expect(0, &["migrate", "status"], &[(TLS, "prefer")])?;

    for (settings, told) in [
        (vec![CA], "not valid for name"),
        (vec![another], "invalid peer certificate"),
        (vec![another, (TLS, "verify-ca")], "invalid peer certificate"),
        (vec![(TLS, "verify-full")], "invalid peer certificate"),
        (vec![(TLS, "disable")], "no encryption"),
    ] {
        for arguments in [&["migrate", "status"][..], &["serve", "--listen", "127.0.0.1:0"]] {
            let errors = installation.expect(1, arguments, &settings)?;

            ensure!(errors.contains(told), "{settings:?}: expected {told}, got {errors}");
            ensure!(!errors.contains("Waiting for"), "{errors}");
        }
    }
    Ok(())
}

#[test]
fn settings_of_tls_that_cannot_be_used_stop_the_start() -> anyhow::Result<()> {
    const URL: &str = "GROOVEBASE_DATABASE_URL";
    const TLS: &str = "GROOVEBASE_DATABASE_TLS";
    const FILE: &str = "GROOVEBASE_DATABASE_CA_FILE";

    let program = Program::new()?;
    fs::write(program.file("ca.crt"), "-----BEGIN CERTIFICATE-----\n")?;
    fs::write(program.file("empty.crt"), "")?;
    let (postgres, taken) = ("postgres://host/db", "postgres://host/db?ssl-mode=prefer");
    for (settings, told) in [
        (
            vec![(TLS, "require")],
            "GROOVEBASE_DATABASE_TLS in the environment is invalid: an SQLite file",
        ),
        (
            vec![(FILE, "ca.crt")],
            "GROOVEBASE_DATABASE_CA_FILE in the environment is invalid: an SQLite file",
        ),
        (
            vec![(URL, postgres), (TLS, "on")],
            "must be one of disable, prefer, require, verify-ca, verify-full",
        ),
        (vec![(URL, taken), (TLS, "require")], "the URL of the database says ssl-mode already"),
        (vec![(URL, postgres), (FILE, "no.crt")], "cannot read no.crt"),
        (vec![(URL, postgres), (FILE, "empty.crt")], "empty.crt holds no certificate"),
        (
            vec![(URL, postgres), (FILE, "ca.crt"), (TLS, "require")],
            "verify-ca and verify-full only",
        ),
    ] {
        let mut command = program.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.envs(settings.iter().copied());

        let ended = run(command, "")?;

        ensure!(ended.code == Some(2) && ended.errors.contains(told), "{settings:?}: {ended:?}");
    }
    Ok(())
}

/// A name is not known to be this machine's, and an address of it is.
#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_the_machine_in_plain_text_is_warned_of() -> anyhow::Result<()> {
    let server = PostgresServer::start().await?;
    let program = Program::new()?;
    let serve = |url: &str| -> anyhow::Result<Vec<String>> {
        let mut migrate = program.command(&["migrate", "up"]);
        migrate.env("GROOVEBASE_DATABASE_URL", url);
        ensure!(run(migrate, "")?.code == Some(0));
        let mut command = program.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.env("GROOVEBASE_DATABASE_URL", url);
        let serving = Serving::start(command)?;
        serving.terminate()?;
        serving.ended()
    };

    let near = serve(server.url())?;
    let far = serve(&server.url().replace("127.0.0.1", "127.1"))?;

    let warned = |log: &[String]| log.iter().filter(|line| line.contains("not encrypted")).count();
    ensure!(warned(&near) == 0, "{near:#?}");
    ensure!(warned(&far) == 1, "{far:#?}");
    far.last().context("a log").map(drop)
}
