//! A process per service that watches the server, and leaves nothing behind when it is done.
//!
//! The task that needs a service starts a supervisor, as a hidden task of this same program, and
//! keeps the other end of its standard input. When that end closes the task has ended, even if it
//! was killed, and the supervisor stops the server. It is in a session of its own, so that what
//! stops a task, such as Ctrl-C, does not stop it before it has tidied up. Should the supervisor
//! itself be killed, the server is killed with it, and the next task clears away its files.

use std::{
    env,
    fs::OpenOptions,
    io::{self, BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use serde::{Deserialize, Serialize};

use super::{
    Address, Lifetime, Service,
    cache::Cache,
    docker::{Container, Project},
    fleet::{Fleet, Kind},
    installation::Installation,
    postgres::{Durability, Postgres},
    process::Process,
    program::Cancellation,
    random,
    redis::{Redis, Role},
    run::Run,
    scratch::Scratch,
    server::Server,
    way::Way,
};

/// The order to go on after the task that gave it.
const STAY: &str = "stay";

/// How often to look whether the server still runs, and is still wanted.
const WATCH_INTERVAL: Duration = Duration::from_millis(50);

/// All that a supervisor needs to know: its first line of input.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    name: String,
    service: Service,
    lifetime: Lifetime,
    way: Way,
    source: Source,
    cache: Cache,
}

/// What a service is started from.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Source {
    Container(Container),
    Programs(Installation),
}

/// What a supervisor says once: where the service answers, or why it does not.
type Reply = Result<Address, String>;

impl Plan {
    pub(super) fn new(
        service: Service,
        lifetime: Lifetime,
        way: Way,
        source: Source,
        cache: &Cache,
    ) -> anyhow::Result<Self> {
        let name = format!("groovebase-{}-{}", service.name(), random::hex::<6>()?);
        Ok(Self { name, service, lifetime, way, source, cache: cache.clone() })
    }
}

/// A supervisor whose service answers. Dropping this stops the service.
pub(super) struct Supervisor {
    process: Child,
    /// Closed to make it stop; `None` when it stays.
    orders: Option<ChildStdin>,
    address: Address,
}

impl Supervisor {
    /// Starts a supervisor and waits until its service answers.
    pub(super) fn start(plan: &Plan) -> anyhow::Result<Self> {
        let path = plan.cache.log();
        let log = OpenOptions::new().create(true).append(true).open(&path);
        let program = env::current_exe().context("this program cannot find itself")?;
        let mut process = Command::new(program)
            .args(["services", "supervise"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.with_context(|| format!("cannot write to {}", path.display()))?)
            .current_dir("/")
            .spawn()
            .context("cannot run the supervisor")?;
        let mut orders = process.stdin.take().context("the supervisor takes no orders")?;
        let replies = process.stdout.take().context("the supervisor gives no reply")?;

        let reply = give(&mut orders, &serde_json::to_string(plan)?)
            .and_then(|()| read_reply(replies))
            .with_context(|| format!("the supervisor failed; see {}", path.display()));
        match reply.and_then(|reply| reply.map_err(|reason| anyhow!(reason))) {
            Ok(address) => Ok(Self { process, orders: Some(orders), address }),
            Err(failure) => {
                drop(orders);
                process.wait()?;
                Err(failure)
            }
        }
    }

    /// Where the service answers.
    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Lets the supervisor, and the service, outlive this process.
    pub(super) fn leave(mut self) -> anyhow::Result<()> {
        if let Some(mut orders) = self.orders.take() {
            give(&mut orders, STAY).context("the supervisor is gone")?;
        }
        Ok(())
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        if let Some(orders) = self.orders.take() {
            drop(orders);
            // If it cannot be waited for it has ended already.
            drop(self.process.wait());
        }
    }
}

/// Does the supervisor's work: the hidden task `cargo xtask services supervise`.
pub(super) fn supervise() -> anyhow::Result<()> {
    // Before anything is started that must not be left behind. It only fails for the leader of a
    // group, which a process that was just started is not.
    rustix::process::setsid().context("cannot leave the session")?;
    let cancellation = Cancellation::on_signals().context("cannot receive signals")?;

    let mut orders = BufReader::new(io::stdin()).lines();
    let plan = orders.next().context("there is no plan")??;
    let plan: Plan = serde_json::from_str(&plan).context("the plan is not understood")?;
    let closed = cancellation.clone();
    thread::spawn(move || {
        if !orders.next().is_some_and(|order| order.is_ok_and(|order| order == STAY)) {
            closed.request();
        }
    });

    let mut run = Run {
        name: plan.name.clone(),
        service: plan.service,
        lifetime: plan.lifetime,
        supervisor: Process::current()?,
        server: None,
        frozen: Vec::new(),
        scratch: None,
        project: None,
        address: None,
    };
    let outcome = serve(&plan, &mut run, &cancellation);
    run.clear_away(&plan.cache)?;
    match outcome {
        Err(error) if run.address.is_none() => reply(&Err(format!("{error:#}"))),
        // Nobody listens any more, so it has to be read in the log.
        Err(error) => return Err(error.context(plan.name)),
        Ok(()) => {}
    }
    Ok(())
}

/// Starts the service, says so, waits until it is no longer wanted and stops it.
fn serve(plan: &Plan, run: &mut Run, cancellation: &Cancellation) -> anyhow::Result<()> {
    let address = |url: String, version: &str| {
        let origin = format!("{version}, from {}", plan.way);
        Address { url, origin }
    };
    match &plan.source {
        Source::Container(container) => {
            let project = Project::new(container.clone(), plan.name.clone());
            run.project = Some(project.clone());
            run.save(&plan.cache)?;
            let (url, version) = project.start(cancellation)?;
            announce(address(url, &version), plan, run)?;
            while !cancellation.is_requested() {
                thread::sleep(WATCH_INTERVAL);
            }
        }
        Source::Programs(installation) if plan.service == Service::RedisCluster => {
            run.save(&plan.cache)?;
            let kind = Kind::RedisCluster;
            let mut fleet = Fleet::prepare(kind, &[], installation, &plan.cache, cancellation)?;
            let mut version = String::new();
            for node in &mut fleet.members {
                version.clone_from(&node.start(cancellation)?.version);
            }
            let nodes = fleet.members.len();
            let url = fleet.form(cancellation)?;
            announce(address(url, &format!("{version}, a cluster of {nodes}")), plan, run)?;
            while !cancellation.is_requested() {
                thread::sleep(WATCH_INTERVAL);
            }
        }
        Source::Programs(installation) => {
            let mut server = start(installation, plan, run, cancellation)?;
            announce(address(server.url.clone(), &server.version), plan, run)?;
            while !cancellation.is_requested() {
                if server.has_ended() {
                    let log = run.scratch.as_ref().map(Scratch::log_tail).unwrap_or_default();
                    bail!("{} ended by itself\n{log}", plan.service);
                }
                thread::sleep(WATCH_INTERVAL);
            }
            server.stop()?;
        }
    }
    Ok(())
}

fn start(
    installation: &Installation,
    plan: &Plan,
    run: &mut Run,
    cancellation: &Cancellation,
) -> anyhow::Result<Server> {
    let scratch = installation.scratch(&plan.name);
    // Recorded before it exists, so that there is no moment in which it would be forgotten.
    run.scratch = Some(scratch.clone());
    run.save(&plan.cache)?;
    scratch.create()?;

    let password = random::hex::<16>()?;
    let mut record = |server| {
        run.server = server;
        run.save(&plan.cache)
    };
    match plan.service {
        Service::Postgres => {
            let durability = match plan.lifetime {
                Lifetime::Scoped => Durability::None,
                Lifetime::Measured | Lifetime::Lasting => Durability::Full,
            };
            let postgres =
                Postgres::prepare(installation, &scratch, password, durability, cancellation)?;
            Server::start(&postgres, &scratch, cancellation, &mut record)
        }
        Service::Redis | Service::RedisCluster => {
            let redis = Redis::prepare(installation, &scratch, password, Role::Alone, &[])?;
            Server::start(&redis, &scratch, cancellation, &mut record)
        }
    }
}

/// Records where the service answers, and then tells the task that waits for it.
fn announce(address: Address, plan: &Plan, run: &mut Run) -> anyhow::Result<()> {
    run.address = Some(address.clone());
    run.save(&plan.cache)?;
    reply(&Ok(address));
    Ok(())
}

fn reply(reply: &Reply) {
    // A task that has ended meanwhile does not hear it, and has closed the input as well.
    if let Ok(line) = serde_json::to_string(reply) {
        drop(writeln!(io::stdout(), "{line}"));
    }
}

fn read_reply(replies: impl io::Read) -> anyhow::Result<Reply> {
    let mut line = String::new();
    BufReader::new(replies).read_line(&mut line)?;
    serde_json::from_str(&line).context("it ended without a reply")
}

fn give(orders: &mut ChildStdin, order: &str) -> anyhow::Result<()> {
    Ok(writeln!(orders, "{order}")?)
}
