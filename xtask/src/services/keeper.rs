//! A process that keeps servers for one test, which tells it when to kill, stop and start them.
//!
//! The test starts `xtask services keep`, writes one order a line to its standard input and reads
//! one reply a line from its standard output: `{"Ok": …}` or `{"Err": "why not"}`. When the input
//! closes the test has ended, even if it was killed, and all of the servers go.
//!
//! | order | what comes of it | reply |
//! | --- | --- | --- |
//! | `{"prepare": {"kind": "redis", "settings": ["maxmemory 10mb"]}}` | servers that do not run yet | `{"folders": […]}` |
//! | `{"start": 0}` | the first server answers, on the port it had before | `{"port": 10001, "url": "…"}` |
//! | `"form"` | the servers are a cluster | `{"url": "…"}` |
//! | `{"stop": 0}` | it has ended in good order, if it ran | `null` |
//! | `{"kill": 0}` | it and its children have ended at once, if it ran | `null` |
//! | `{"pause": 0}` | it and its children stand still | `null` |
//! | `{"resume": 0}` | they go on | `null` |

use std::{
    io::{self, Write as _},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    cache::Cache,
    fleet::{Fleet, Kind, Member},
    program::Cancellation,
    run, way,
};

/// How often to look whether the keeper was told to end by a signal.
const WATCH_INTERVAL: Duration = Duration::from_millis(50);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Order {
    Prepare { kind: Kind, settings: Vec<String> },
    Start(usize),
    Form,
    Stop(usize),
    Kill(usize),
    Pause(usize),
    Resume(usize),
}

/// Does the keeper's work: the hidden task `cargo xtask services keep`.
pub(super) fn keep() -> anyhow::Result<()> {
    // So that what stops a test, such as Ctrl-C, does not stop this before it has tidied up. A
    // process that leads its group already is not reached by that either.
    let _ = rustix::process::setsid();
    let cancellation = Cancellation::on_signals().context("cannot receive signals")?;
    let cache = Cache::locate()?;
    run::clear_abandoned(&cache);

    let (sender, orders) = mpsc::channel();
    let ended = cancellation.clone();
    thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
        // What is under way is no longer wanted either.
        ended.request();
    });

    let mut keeper = Keeper { cache, fleet: None };
    while !cancellation.is_requested() {
        match orders.recv_timeout(WATCH_INTERVAL) {
            Ok(line) => {
                let outcome = keeper.obey(&line, &cancellation);
                let reply: Result<Value, String> = outcome.map_err(|error| format!("{error:#}"));
                // A test that has ended meanwhile does not hear it, and has closed the input too.
                drop(writeln!(io::stdout(), "{}", serde_json::to_string(&reply)?));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Ok(())
}

struct Keeper {
    cache: Cache,
    fleet: Option<Fleet>,
}

impl Keeper {
    fn obey(&mut self, line: &str, cancellation: &Cancellation) -> anyhow::Result<Value> {
        match serde_json::from_str(line).context("the order is not understood")? {
            Order::Prepare { kind, settings } => {
                ensure!(self.fleet.is_none(), "there are servers already");
                let installation = way::programs(kind.service(), &self.cache)?;
                let fleet =
                    Fleet::prepare(kind, &settings, &installation, &self.cache, cancellation)?;
                let folders: Vec<_> = fleet.members.iter().map(Member::folder).collect();
                let reply = json!({ "folders": folders });
                self.fleet = Some(fleet);
                return Ok(reply);
            }
            Order::Start(index) => {
                let server = self.member(index)?.start(cancellation)?;
                return Ok(json!({ "port": server.port, "url": server.url }));
            }
            Order::Form => {
                let fleet = self.fleet.as_ref().context("nothing is prepared")?;
                return Ok(json!({ "url": fleet.form(cancellation)? }));
            }
            Order::Stop(index) => self.member(index)?.stop()?,
            Order::Kill(index) => self.member(index)?.kill()?,
            Order::Pause(index) => self.member(index)?.pause()?,
            Order::Resume(index) => self.member(index)?.resume(),
        }
        Ok(Value::Null)
    }

    fn member(&mut self, index: usize) -> anyhow::Result<&mut Member> {
        let fleet = self.fleet.as_mut().context("nothing is prepared")?;
        fleet.members.get_mut(index).context("there is no such server")
    }
}
