//! The process that keeps a test's servers: `xtask services keep`, which says what the orders are.

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, anyhow, bail};
use serde_json::{Value, json};

/// Servers that obey. They are gone when this is dropped.
#[derive(Debug, Clone)]
pub(super) struct Keeper(Arc<Mutex<Process>>);

/// Where a started server listens.
#[derive(Debug, Clone)]
pub(super) struct Started {
    /// Its port on this machine.
    pub(super) port: u16,
    /// Its URL, as superuser.
    pub(super) url: String,
}

impl Keeper {
    /// Prepares servers of this kind without starting them. Returns where each has its files as well.
    pub(super) async fn prepare(
        kind: &str,
        settings: &[String],
    ) -> anyhow::Result<(Self, Vec<PathBuf>)> {
        let keeper = Self(Arc::new(Mutex::new(Process::start()?)));
        let order = json!({ "prepare": { "kind": kind, "settings": settings } });
        let reply = keeper.order(order).await?;
        let folders = reply.get("folders").and_then(Value::as_array).context("no folders")?;
        let folders = folders.iter().filter_map(Value::as_str).map(PathBuf::from).collect();
        Ok((keeper, folders))
    }

    /// Starts a server, on the port it had before if there was one, and waits until it answers.
    pub(super) async fn start(&self, index: usize) -> anyhow::Result<Started> {
        let reply = self.order(json!({ "start": index })).await?;
        let port = reply.get("port").and_then(Value::as_u64).context("no port")?;
        Ok(Started { port: u16::try_from(port)?, url: url_in(&reply)? })
    }

    /// Makes a cluster of the servers, and returns its URL.
    pub(super) async fn form(&self) -> anyhow::Result<String> {
        url_in(&self.order(json!("form")).await?)
    }

    /// Stops a server in good order, if it runs.
    pub(super) async fn stop(&self, index: usize) -> anyhow::Result<()> {
        self.order(json!({ "stop": index })).await.map(drop)
    }

    /// Ends a server and its children at once, if it runs.
    pub(super) async fn kill(&self, index: usize) -> anyhow::Result<()> {
        self.order(json!({ "kill": index })).await.map(drop)
    }

    /// Makes a server and its children stand still.
    pub(super) async fn pause(&self, index: usize) -> anyhow::Result<()> {
        self.order(json!({ "pause": index })).await.map(drop)
    }

    /// Lets a server go on.
    pub(super) async fn resume(&self, index: usize) -> anyhow::Result<()> {
        self.order(json!({ "resume": index })).await.map(drop)
    }

    async fn order(&self, order: Value) -> anyhow::Result<Value> {
        let process = Arc::clone(&self.0);
        // Not on a thread of the runtime: a reply takes as long as a server takes to start.
        let obeyed = tokio::task::spawn_blocking(move || {
            let mut process = process.lock().unwrap_or_else(PoisonError::into_inner);
            process.order(&order).with_context(|| format!("{order}"))
        });
        obeyed.await?
    }
}

fn url_in(reply: &Value) -> anyhow::Result<String> {
    Ok(reply.get("url").and_then(Value::as_str).context("no url")?.to_owned())
}

#[derive(Debug)]
struct Process {
    child: Child,
    /// Closed to end it; `None` while it ends.
    orders: Option<ChildStdin>,
    replies: BufReader<ChildStdout>,
}

impl Process {
    fn start() -> anyhow::Result<Self> {
        let program = std::env::var_os("GROOVEBASE_TEST_SERVERS").context(
            "GROOVEBASE_TEST_SERVERS is not set; run the tests with `cargo xtask test`, or with \
             `cargo xtask services run -- cargo test …`",
        )?;
        let mut child = Command::new(&program)
            .args(["services", "keep"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        let orders = child.stdin.take();
        let replies = BufReader::new(child.stdout.take().context("the output is piped")?);
        Ok(Self { child, orders, replies })
    }

    fn order(&mut self, order: &Value) -> anyhow::Result<Value> {
        let mut reply = String::new();
        writeln!(self.orders.as_mut().context("it ends")?, "{order}")?;
        self.replies.read_line(&mut reply)?;
        match serde_json::from_str(&reply).context("the keeper has ended")? {
            Value::Object(mut reply) => match (reply.remove("Ok"), reply.remove("Err")) {
                (Some(done), None) => Ok(done),
                (None, Some(reason)) => Err(anyhow!("{}", reason.as_str().unwrap_or_default())),
                _ => bail!("the keeper's reply is not understood"),
            },
            _ => bail!("the keeper's reply is not understood"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.orders = None;
        // If it cannot be waited for it has ended already.
        drop(self.child.wait());
    }
}
