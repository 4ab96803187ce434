//! Servers that are made to be killed, stopped and started again.

use std::path::Path;

use anyhow::{Context as _, ensure};
use rustix::process::Signal;
use serde::Deserialize;

use super::{
    Lifetime, Service,
    cache::Cache,
    installation::Installation,
    postgres::{Durability, Postgres},
    process::Process,
    program::Cancellation,
    random,
    redis::{Redis, Role, cluster},
    run::Run,
    scratch::Scratch,
    server::{Program, Server},
};
use crate::terminal;

/// What the servers of a fleet are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Postgres,
    Redis,
    /// A Redis that speaks TLS as well, on the companion of its port.
    RedisTls,
    RedisCluster,
}

impl Kind {
    /// What has to be installed for it.
    pub(super) fn service(self) -> Service {
        match self {
            Self::Postgres => Service::Postgres,
            Self::Redis | Self::RedisTls => Service::Redis,
            Self::RedisCluster => Service::RedisCluster,
        }
    }

    fn size(self) -> usize {
        match self {
            Self::Postgres | Self::Redis | Self::RedisTls => 1,
            Self::RedisCluster => cluster::NODES,
        }
    }
}

/// One server, or the nodes of a cluster. All is gone when this is dropped.
pub(super) struct Fleet {
    pub(super) members: Vec<Member>,
    password: String,
}

impl Fleet {
    /// Prepares servers of a kind without starting them. The settings are lines of Redis'
    /// configuration, or of PostgreSQL's such as `max_connections=20`.
    pub(super) fn prepare(
        kind: Kind,
        settings: &[String],
        installation: &Installation,
        cache: &Cache,
        cancellation: &Cancellation,
    ) -> anyhow::Result<Self> {
        let password = random::hex::<16>()?;
        let mut members = Vec::new();
        for _ in 0..kind.size() {
            let scratch = Member::scratch(kind, installation, cache)?;
            members.push(scratch.prepare(kind, settings, installation, &password, cancellation)?);
        }
        Ok(Self { members, password })
    }

    /// Makes a cluster of the running servers, and returns its URL.
    pub(super) fn form(&self, cancellation: &Cancellation) -> anyhow::Result<String> {
        let running: Vec<_> = self.members.iter().filter_map(|it| it.server.as_ref()).collect();
        let urls: Vec<_> = running.iter().map(|server| server.url.clone()).collect();
        cluster::form(&urls, cancellation)?;

        let hosts: Vec<_> =
            running.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect();
        Ok(format!("redis+cluster://default:{}@{}", self.password, hosts.join(",")))
    }
}

/// A folder in which a server is about to be prepared. It is gone when this is dropped.
struct Prepared {
    run: Run,
    scratch: Scratch,
    cache: Cache,
}

/// One server of a fleet. It keeps its port and its files while it is down.
pub(super) struct Member {
    prepared: Prepared,
    program: Box<dyn Program>,
    server: Option<Server>,
    port: Option<u16>,
}

impl Member {
    fn scratch(kind: Kind, installation: &Installation, cache: &Cache) -> anyhow::Result<Prepared> {
        let service = kind.service();
        let name = format!("groovebase-{}-{}", service.name(), random::hex::<6>()?);
        let scratch = installation.scratch(&name);
        let run = Run {
            name,
            service,
            lifetime: Lifetime::Scoped,
            supervisor: Process::current()?,
            server: None,
            frozen: Vec::new(),
            scratch: Some(scratch.clone()),
            project: None,
            address: None,
        };
        // Recorded before it exists, so that there is no moment in which it would be forgotten.
        run.save(cache)?;
        let prepared = Prepared { run, scratch, cache: cache.clone() };
        prepared.scratch.create()?;
        Ok(prepared)
    }

    /// Where its files are, as this machine sees them.
    pub(super) fn folder(&self) -> &Path {
        self.prepared.scratch.outside()
    }

    /// Starts it, on the port it had before if there was one, and waits until it answers.
    pub(super) fn start(&mut self, cancellation: &Cancellation) -> anyhow::Result<&Server> {
        let runs = self.server.as_mut().is_some_and(|server| !server.has_ended());
        ensure!(!runs, "it runs already");
        let Prepared { run, scratch, cache } = &mut self.prepared;
        let mut record = |server| {
            run.server = server;
            run.save(cache)
        };
        let program = self.program.as_ref();
        let server = match self.port {
            None => Server::start(program, scratch, cancellation, &mut record)?,
            Some(port) => Server::start_at(port, program, scratch, cancellation, &mut record)?
                .with_context(|| format!("port {port} was taken by another process"))?,
        };
        self.port = Some(server.port);
        Ok(self.server.insert(server))
    }

    /// Stops it in good order, if it runs.
    pub(super) fn stop(&mut self) -> anyhow::Result<()> {
        self.server.take().map_or(Ok(()), |mut server| server.stop())
    }

    /// Ends it and all its processes at once, if it runs.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        self.server.take().map_or(Ok(()), |mut server| server.kill())
    }

    /// Makes it stand still, with all its processes.
    pub(super) fn pause(&mut self) -> anyhow::Result<()> {
        let Prepared { run, scratch: _, cache } = &mut self.prepared;
        run.frozen = self.server.as_ref().context("it does not run")?.freeze()?;
        run.save(cache)
    }

    /// Lets it go on.
    pub(super) fn resume(&mut self) {
        for process in self.prepared.run.frozen.drain(..) {
            process.signal(Signal::CONT);
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Err(reason) = self.kill() {
            terminal::note(&format!("A server cannot be killed: {reason:#}"));
        }
    }
}

impl Prepared {
    fn prepare(
        self,
        kind: Kind,
        settings: &[String],
        installation: &Installation,
        password: &str,
        cancellation: &Cancellation,
    ) -> anyhow::Result<Member> {
        let redis =
            |role| Redis::prepare(installation, &self.scratch, password.to_owned(), role, settings);
        let program: Box<dyn Program> = match kind {
            Kind::Postgres => {
                let (password, durability) = (password.to_owned(), Durability::Processes);
                let postgres = Postgres::prepare(
                    installation,
                    &self.scratch,
                    password,
                    durability,
                    cancellation,
                )?;
                Box::new(postgres.with(settings.to_owned()))
            }
            Kind::Redis => Box::new(redis(Role::Alone)?),
            Kind::RedisTls => Box::new(redis(Role::Tls)?),
            Kind::RedisCluster => Box::new(redis(Role::Node)?),
        };
        Ok(Member { prepared: self, program, server: None, port: None })
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if let Err(reason) = self.run.clear_away(&self.cache) {
            terminal::note(&format!("A server cannot be cleared away: {reason:#}"));
        }
    }
}
