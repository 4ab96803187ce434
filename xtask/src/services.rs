//! PostgreSQL (at least 16) with pgvector, and Redis (at least 7.2), for development and tests.
//!
//! Each service is obtained on its own, the first way that works:
//!
//! 1. an address given in the environment ([`environment`]);
//! 2. a Docker engine and `xtask/compose.yaml` ([`docker`]);
//! 3. programs installed on this machine ([`installed`]);
//! 4. on a Debian-like machine, as root, a private Debian root in the cache folder
//!    ([`private_root`]).
//!
//! Whatever is started is watched by a process of its own ([`supervisor`]), which stops the server
//! and removes its scratch folder once nobody needs it: when the task that asked for it ends, in
//! whichever way, or at `cargo xtask services down`.
//!
//! Tests that kill servers get servers of their own, from the programs found in the third or the
//! fourth way, by a process that obeys the test ([`keeper`]).

mod cache;
mod docker;
mod environment;
mod fleet;
mod installation;
mod installed;
mod keeper;
mod postgres;
mod private_root;
mod process;
mod program;
mod random;
mod redis;
mod run;
mod scratch;
mod server;
mod supervisor;
mod task;
mod way;

use std::{
    env,
    ffi::OsStr,
    fmt,
    path::PathBuf,
    process::Command,
    thread::{self, ScopedJoinHandle},
};

use anyhow::{Context as _, anyhow, bail};
use serde::{Deserialize, Serialize};

pub(crate) use task::Task;

use crate::{terminal, workspace};
use cache::Cache;
use supervisor::{Plan, Supervisor};
use way::Way;

/// Running services that stop when this is dropped, or when this process ends in any other way.
///
/// They are always its own, even if `cargo xtask services up` left others running: a test run
/// must not depend on, or disturb, what a developer does. Only an address given in the environment
/// is shared.
pub(crate) struct Services {
    addresses: Addresses,
    /// This program, which also keeps servers for tests that kill them.
    keeper: PathBuf,
    /// Held for their effect when dropped.
    _supervisors: Vec<Supervisor>,
}

/// Where the services answer, and what they are.
pub(crate) struct Addresses {
    /// URL of the database `postgres`, as superuser.
    pub(crate) postgres: String,
    /// For people, such as "PostgreSQL 17.6, pgvector 0.8.0, from a private Debian root".
    pub(crate) postgres_origin: String,
    /// URL of database 0.
    pub(crate) redis: String,
    /// For people, such as "Redis 8.0.2, installed on this machine".
    pub(crate) redis_origin: String,
    /// A Redis cluster, if one was asked for.
    pub(crate) cluster: Option<Address>,
}

/// A command that runs one of PostgreSQL's client programs: this machine's, or that of the private Debian root, with the
/// libraries of the root but out here.
pub(crate) fn postgres_program(name: &str) -> anyhow::Result<Command> {
    if let Some(program) = program::find(name) {
        return Ok(Command::new(program));
    }
    if let Ok(installation) = installed::find(Service::Postgres) {
        let program = installation.server().with_file_name(name);
        if program.is_file() {
            return Ok(Command::new(program));
        }
    }
    private_root::program(name, &Cache::locate()?)
        .with_context(|| format!("PostgreSQL's program {name} is needed"))
}

impl Services {
    /// Provides PostgreSQL and Redis until the returned guard is dropped.
    pub(crate) fn scoped() -> anyhow::Result<Self> {
        Self::start(false, Lifetime::Scoped)
    }

    /// Provides a Redis cluster as well.
    pub(crate) fn scoped_with_cluster() -> anyhow::Result<Self> {
        Self::start(true, Lifetime::Scoped)
    }

    /// Provides servers that cost what they cost users.
    pub(crate) fn measured() -> anyhow::Result<Self> {
        Self::start(false, Lifetime::Measured)
    }

    fn start(with_cluster: bool, lifetime: Lifetime) -> anyhow::Result<Self> {
        let keeper = env::current_exe().context("this program cannot find itself")?;
        let cache = Cache::locate()?;
        run::clear_abandoned(&cache);

        // At once, since each takes a second or more.
        let (postgres, redis, cluster) = thread::scope(|scope| {
            let cache = &cache;
            let start = |service| scope.spawn(move || provide(service, lifetime, cache));
            let cluster = with_cluster.then(|| start(Service::RedisCluster));
            let (postgres, redis) = (start(Service::Postgres), start(Service::Redis));
            let cluster = cluster.map(started).transpose()?;
            anyhow::Ok((started(postgres)?, started(redis)?, cluster))
        })?;

        let supervisors = [postgres.supervisor, redis.supervisor];
        let mut supervisors: Vec<_> = supervisors.into_iter().flatten().collect();
        let cluster = cluster.map(|Provided { address, supervisor }| {
            supervisors.extend(supervisor);
            address
        });
        let addresses = Addresses {
            postgres: postgres.address.url,
            postgres_origin: postgres.address.origin,
            redis: redis.address.url,
            redis_origin: redis.address.origin,
            cluster,
        };
        Ok(Self { addresses, keeper, _supervisors: supervisors })
    }

    /// Where the services answer.
    pub(crate) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// A command that finds the addresses in its environment, and a program that keeps servers for
    /// it. It does not outlive the calling thread, where the machine can see to that.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = program::bound(program);
        workspace::forget_this_package(&mut command);
        command.env("GROOVEBASE_TEST_SERVERS", &self.keeper);
        command.env(Service::Postgres.variable(), &self.addresses.postgres);
        command.env(Service::Redis.variable(), &self.addresses.redis);
        if let Some(cluster) = &self.addresses.cluster {
            command.env(Service::RedisCluster.variable(), &cluster.url);
        }
        command
    }
}

fn started(starting: ScopedJoinHandle<'_, anyhow::Result<Provided>>) -> anyhow::Result<Provided> {
    starting.join().map_err(|_| anyhow!("starting a service panicked"))?
}

/// One of the services that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Service {
    Postgres,
    Redis,
    /// Three masters and three replicas.
    RedisCluster,
}

impl Service {
    /// What `cargo xtask services up` leaves running: what the service is developed with.
    const LASTING: [Self; 2] = [Self::Postgres, Self::Redis];

    /// Its name in `compose.yaml`, in file names and in what is printed.
    fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::RedisCluster => "redis-cluster",
        }
    }

    /// The environment variable that names its address.
    fn variable(self) -> &'static str {
        match self {
            Self::Postgres => "GROOVEBASE_TEST_POSTGRES_URL",
            Self::Redis => "GROOVEBASE_TEST_REDIS_URL",
            Self::RedisCluster => "GROOVEBASE_TEST_REDIS_CLUSTER_URL",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Postgres => "PostgreSQL",
            Self::Redis => "Redis",
            Self::RedisCluster => "Redis Cluster",
        })
    }
}

/// How long a service is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Lifetime {
    /// As long as the process that asked for it. Its data need not survive a crash of the machine.
    Scoped,
    /// The same, but its data is kept as that of users is, because what that costs is measured.
    Measured,
    /// Until `cargo xtask services down`.
    Lasting,
}

/// Where one service answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Address {
    /// Its URL, as superuser.
    pub(crate) url: String,
    /// What it is and where it comes from, for people.
    pub(crate) origin: String,
}

/// A service that answers, and who watches it if we started it.
struct Provided {
    address: Address,
    supervisor: Option<Supervisor>,
}

/// Obtains a service the first way that works.
fn provide(service: Service, lifetime: Lifetime, cache: &Cache) -> anyhow::Result<Provided> {
    if let Some(address) = environment::address(service)? {
        return Ok(Provided { address, supervisor: None });
    }
    let mut refusals = vec![format!("the environment: {} is not set", service.variable())];
    for way in Way::ALL {
        let source = match way.source(service, cache) {
            Ok(source) => source,
            Err(reason) => {
                refusals.push(format!("{way}: {reason:#}"));
                continue;
            }
        };
        let plan = Plan::new(service, lifetime, way, source, cache)?;
        match Supervisor::start(&plan) {
            Ok(supervisor) => {
                let address = supervisor.address().clone();
                return Ok(Provided { address, supervisor: Some(supervisor) });
            }
            Err(reason) => {
                // It should have worked, so the next way must not hide that it did not.
                terminal::note(&format!("{service} did not start from {way}: {reason:#}"));
                refusals.push(format!("{way}: {reason:#}"));
            }
        }
    }
    bail!("{service} cannot be had in any way:\n- {}", refusals.join("\n- "))
}
