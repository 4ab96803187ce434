//! The command line: `cargo xtask services …`.

use std::{
    ffi::OsString,
    os::unix::process::ExitStatusExt as _,
    process::{ExitCode, ExitStatus},
    time::Duration,
};

use anyhow::Context as _;
use rustix::process::Signal;

use super::{
    Address, Lifetime, Service, Services,
    cache::Cache,
    environment, keeper,
    process::Process,
    provide,
    run::{self, Run},
    supervisor,
};
use crate::terminal;

/// How long a supervisor may take until all of its service is gone.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// What to do with the services.
#[derive(clap::Subcommand)]
pub(crate) enum Task {
    /// Start what is missing, leave it running, and print the addresses as shell commands.
    ///
    /// `eval "$(cargo xtask services up)"` makes the addresses known to a shell.
    Up,
    /// Stop what `up` left running, and remove its data.
    Down,
    /// Print what runs and where. Fails if something is missing.
    Status,
    /// Run a command with services of its own, whose addresses are in its environment.
    Run {
        /// Also start a Redis cluster of six processes, as `GROOVEBASE_TEST_REDIS_CLUSTER_URL`.
        #[arg(long)]
        cluster: bool,
        /// The command and its arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// Watch over one service. Other tasks start this; it is of no use by hand.
    #[command(hide = true)]
    Supervise,
    /// Keep servers for a test that kills them. Tests start this; it is of no use by hand.
    #[command(hide = true)]
    Keep,
}

impl Task {
    /// Does it, and returns the exit code of this program.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Up => up(),
            Self::Down => down(),
            Self::Status => status(),
            Self::Run { cluster, command } => run_command(cluster, &command),
            Self::Supervise => supervisor::supervise().map(|()| ExitCode::SUCCESS),
            Self::Keep => keeper::keep().map(|()| ExitCode::SUCCESS),
        }
    }
}

fn up() -> anyhow::Result<ExitCode> {
    let cache = Cache::locate()?;
    let _lock = cache.lock("services")?;
    run::clear_abandoned(&cache);

    let mut addresses = Vec::new();
    let mut supervisors = Vec::new();
    for service in Service::LASTING {
        if let Some(address) = running(service, &cache)? {
            addresses.push((service, address));
            continue;
        }
        let provided = provide(service, Lifetime::Lasting, &cache)?;
        addresses.push((service, provided.address));
        supervisors.extend(provided.supervisor);
    }
    // Only now, so that failing to start one service stops the other.
    for supervisor in supervisors {
        supervisor.leave()?;
    }
    for (service, address) in addresses {
        terminal::note(&format!("# {}", address.origin));
        terminal::say(&format!("export {}='{}'", service.variable(), address.url));
    }
    Ok(ExitCode::SUCCESS)
}

fn down() -> anyhow::Result<ExitCode> {
    let cache = Cache::locate()?;
    let _lock = cache.lock("services")?;
    for service in Service::LASTING {
        match run::lasting(&cache, service) {
            Some(run) => {
                stop(&run);
                terminal::say(&format!("{service} is stopped."));
            }
            None => terminal::say(&format!("{service} was not running.")),
        }
    }
    run::clear_abandoned(&cache);
    Ok(ExitCode::SUCCESS)
}

fn status() -> anyhow::Result<ExitCode> {
    let cache = Cache::locate()?;
    let mut code = ExitCode::SUCCESS;
    for service in Service::LASTING {
        match running(service, &cache) {
            Ok(Some(Address { url, origin })) => {
                terminal::say(&format!("{service} answers at {url} ({origin})."));
            }
            Ok(None) => {
                terminal::say(&format!("{service} is not running."));
                code = ExitCode::FAILURE;
            }
            Err(reason) => {
                terminal::say(&format!("{service} is missing: {reason:#}."));
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

fn run_command(cluster: bool, command: &[OsString]) -> anyhow::Result<ExitCode> {
    let (program, arguments) = command.split_first().context("there is no command")?;
    let services = if cluster { Services::scoped_with_cluster() } else { Services::scoped() }?;
    let addresses = services.addresses();
    terminal::note(&format!("# {}", addresses.postgres_origin));
    terminal::note(&format!("# {}", addresses.redis_origin));
    if let Some(cluster) = &addresses.cluster {
        terminal::note(&format!("# {}", cluster.origin));
    }

    let status = services.command(program).args(arguments).status();
    let status = status.with_context(|| format!("cannot run {}", program.display()))?;
    Ok(exit_code(status))
}

/// The address of a service that needs no starting.
fn running(service: Service, cache: &Cache) -> anyhow::Result<Option<Address>> {
    if let Some(address) = environment::address(service)? {
        return Ok(Some(address));
    }
    let Some(run) = run::lasting(cache, service) else { return Ok(None) };
    let lives = run.server.as_ref().is_none_or(Process::is_running);
    let Some(address) = run.address.filter(|_| lives) else {
        // Either the server ended by itself, or the task that started it was killed before it was
        // ready. The supervisor is about to notice.
        run.supervisor.wait(STOP_LIMIT);
        return Ok(None);
    };
    environment::version(service, &address.url)
        .with_context(|| format!("the {service} that `up` started no longer answers"))?;
    Ok(Some(address))
}

/// Asks the supervisor to stop, and waits until all of its service is gone.
fn stop(run: &Run) {
    run.supervisor.signal(Signal::TERM);
    if !run.supervisor.wait(STOP_LIMIT) {
        terminal::note(&format!("Process {} does not react; killing it.", run.supervisor.id()));
        run.supervisor.signal(Signal::KILL);
        run.supervisor.wait(STOP_LIMIT);
    }
}

/// The code of a command, or what shells use for one that was killed.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}
