//! Nothing is left of a server when the test's process ends, in whichever way.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpStream},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, ensure};
use groovebase_tests::{
    fault::{PostgresServer, RedisServer},
    program::until,
};

/// Tells the test below that it is the process to be killed.
const VICTIM: &str = "GROOVEBASE_TEST_VICTIM";

fn is_away(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err()
}

fn victim() -> anyhow::Result<(Child, Vec<u16>)> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--exact", "left_behind::servers_end_with_a_process_that_is_killed", "--nocapture"])
        .env(VICTIM, "yes")
        .stdout(Stdio::piped())
        .spawn()?;
    let output = BufReader::new(child.stdout.take().context("the output is piped")?);
    let ports = output
        .lines()
        .map_while(Result::ok)
        .find_map(|line| Some(line.split_once("ports: ")?.1.to_owned()))
        .context("the victim starts no servers")?;
    Ok((child, ports.split(' ').map(str::parse).collect::<Result<_, _>>()?))
}

#[tokio::test]
async fn servers_end_with_a_process_that_is_killed() -> anyhow::Result<()> {
    if std::env::var_os(VICTIM).is_some() {
        let redis = RedisServer::start().await?;
        let postgres = PostgresServer::start().await?;
        postgres.pause().await?;
        writeln!(std::io::stdout(), "ports: {} {}", redis.port(), postgres.port())?;
        return std::future::pending().await;
    }
    let (mut child, ports) = victim()?;
    ensure!(ports.len() == 2, "{ports:?}");
    for port in &ports {
        ensure!(!is_away(*port), "it runs");
    }

    child.kill()?;
    child.wait()?;

    for port in ports {
        until("the server is gone", || Ok(is_away(port).then_some(())))?;
    }
    Ok(())
}

#[tokio::test]
async fn a_dropped_server_is_gone_at_once() -> anyhow::Result<()> {
    let server = RedisServer::start().await?;
    let port = server.port();

    drop(server);

    ensure!(is_away(port));
    Ok(())
}
