//! The runs. One at a time, since each keeps the machine busy.

use std::sync::Arc;

use anyhow::ensure;
use groovebase_tests::history::Rule;

use tokio::sync::{Mutex, MutexGuard};

use crate::{
    in_process::InProcess,
    instance::Instance,
    mistaken::{Mistake, Mistaken},
    nemesis::{Fault, InstanceFault, PostgresFault, RedisFault},
    over_http::OverHttp,
    run::{BOUNDS, Run, at_least},
    unsteady::Weather,
    world::World,
};

/// Waits for the runs before this one to end.
pub(crate) async fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

/// Three instances that differ in how much they keep in memory: all, nothing, and too little.
async fn in_this_process(world: &World, seed: u64) -> anyhow::Result<Vec<Arc<InProcess>>> {
    let weather = Weather::new(seed);
    let mut instances = Vec::new();
    for (number, memory_bytes) in [64 << 20, 0, 10_000].into_iter().enumerate() {
        let addresses = &world.link(number)?.addresses;
        instances.push(Arc::new(InProcess::open(addresses, BOUNDS, memory_bytes, &weather).await?));
    }
    Ok(instances)
}

fn asked(instances: &[Arc<InProcess>]) -> Vec<Arc<dyn Instance>> {
    instances.iter().map(|instance| Arc::clone(instance) as Arc<dyn Instance>).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn promises_are_kept_in_quiet() -> anyhow::Result<()> {
    let _turn = turn().await;
    let world = World::start(3).await?;
    let instances = in_this_process(&world, 1).await?;

    let run = Run {
        name: "in this process, quiet",
        seed: 1,
        operations: at_least(100_000)?,
        callers_each: 8,
        faults: Vec::new(),
    };
    run.go(&world, &asked(&instances), &[]).await?;

    for instance in instances {
        instance.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn promises_are_kept_while_servers_and_network_fail() -> anyhow::Result<()> {
    let _turn = turn().await;
    let world = World::start(3).await?;
    let instances = in_this_process(&world, 2).await?;

    let run = Run {
        name: "in this process, with faults",
        seed: 2,
        operations: at_least(100_000)?,
        callers_each: 8,
        faults: Fault::AROUND.to_vec(),
    };
    run.go(&world, &asked(&instances), &[]).await?;

    for instance in instances {
        instance.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn promises_are_kept_by_processes_that_die() -> anyhow::Result<()> {
    let _turn = turn().await;
    let world = World::start(3).await?;
    let mut processes = Vec::new();
    for link in &world.links {
        processes.push(Arc::new(OverHttp::start(&link.addresses, BOUNDS)?));
    }
    let instances: Vec<_> =
        processes.iter().map(|process| Arc::clone(process) as Arc<dyn Instance>).collect();

    let dying = [
        Fault::Instance(InstanceFault::IsKilled),
        Fault::Instance(InstanceFault::IsKilledBetweenCommitAndInvalidation),
    ];
    let faults = dying.into_iter().cycle().take(6).chain([
        Fault::Redis(RedisFault::ForgetsAll),
        Fault::Postgres(PostgresFault::BackendsEnd),
        Fault::Redis(RedisFault::HoldsOldValues),
        Fault::Postgres(PostgresFault::IsCutOff),
        Fault::Postgres(PostgresFault::StandsStill),
        Fault::Redis(RedisFault::IsKilledAndComesBackWithOldValues),
        Fault::Postgres(PostgresFault::Restarts),
    ]);
    let run = Run {
        name: "separate processes, with faults",
        seed: 3,
        operations: at_least(20_000)?,
        callers_each: 6,
        faults: faults.collect(),
    };
    run.go(&world, &instances, &processes).await
}

/// A run of instances with the same mistake, which must break this rule.
async fn is_found(mistake: Mistake, rule: Rule, operations: u64) -> anyhow::Result<()> {
    let _turn = turn().await;
    let world = World::start(2).await?;
    let weather = Weather::new(4);
    let mut instances = Vec::new();
    for link in &world.links {
        instances.push(Mistaken::open(&link.addresses, mistake, &weather).await?);
    }

    let name = format!("a mistake to be found: {mistake:?}");
    let run = Run { name: &name, seed: 4, operations, callers_each: 9, faults: Vec::new() };
    let (report, _) = run.report(&world, &instances, &[]).await?;

    ensure!(report.violations.counts().contains_key(&rule), "not found");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_finds_a_cache_that_keeps_what_comes_late() -> anyhow::Result<()> {
    is_found(Mistake::KeepsWhatComesLate, Rule::OwnWrites, 20_000).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_finds_a_strict_read_that_joins_what_is_under_way() -> anyhow::Result<()> {
    is_found(Mistake::JoinsWhatIsUnderWay, Rule::Strict, 20_000).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_finds_a_cache_that_trusts_its_memory() -> anyhow::Result<()> {
    // What is kept has to become old first.
    is_found(Mistake::TrustsItsMemory, Rule::Staleness, 50_000).await
}
