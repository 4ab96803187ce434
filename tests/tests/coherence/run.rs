//! One run: callers, faults, the end, and what the checker makes of it.

use std::{
    collections::BTreeMap,
    io::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use cache::Bounds;
use fastrand::Rng;
use groovebase_tests::{
    history::{Event, History, Mode, Operation, Promises, Report, Settled, Stopwatch, check},
    program::PATIENCE,
};
use tokio::time::sleep;

use crate::{
    by_hand::ByHand,
    callers::{Callers, KEYS, Told},
    instance::Instance,
    nemesis::{Fault, Nemesis},
    over_http::OverHttp,
    world::World,
};

/// Tight ones, so that both are reached.
pub(crate) const BOUNDS: Bounds =
    Bounds { max_staleness: Duration::from_secs(1), max_stale_if_error: Duration::from_secs(3) };

/// What happens in a run.
pub(crate) struct Run<'a> {
    pub(crate) name: &'a str,
    pub(crate) seed: u64,
    /// It goes on for at least so many operations, and until every fault has happened.
    pub(crate) operations: u64,
    pub(crate) callers_each: u16,
    pub(crate) faults: Vec<Fault>,
}

/// How many operations a run has at least: so many, or as many as whoever runs the tests asks for.
#[expect(clippy::disallowed_methods, reason = "the one place where the tests read it")]
pub(crate) fn at_least(operations: u64) -> anyhow::Result<u64> {
    match std::env::var("GROOVEBASE_TEST_HISTORY_OPERATIONS") {
        Ok(asked) => {
            let asked: u64 = asked.parse().context("GROOVEBASE_TEST_HISTORY_OPERATIONS")?;
            Ok(asked.max(operations))
        }
        Err(_) => Ok(operations),
    }
}

impl Run<'_> {
    /// Runs, prints the report, and fails if a promise was broken.
    pub(crate) async fn go(
        self,
        world: &World,
        instances: &[Arc<dyn Instance>],
        processes: &[Arc<OverHttp>],
    ) -> anyhow::Result<()> {
        let quiet = self.faults.is_empty();
        let (report, failures) = self.report(world, instances, processes).await?;
        ensure!(report.is_clean(), "{}", report.violations);
        ensure!(!quiet || failures.is_empty(), "nothing was wrong, and yet: {failures:?}");
        Ok(())
    }

    /// Runs and prints the report. Tells as well why operations failed, and how often.
    pub(crate) async fn report(
        self,
        world: &World,
        instances: &[Arc<dyn Instance>],
        processes: &[Arc<OverHttp>],
    ) -> anyhow::Result<(Report, BTreeMap<String, u64>)> {
        let Self { name, seed, operations, callers_each, faults } = self;
        let quiet = faults.is_empty();
        let watch = Stopwatch::start();
        let began = Instant::now();
        let mut callers = Callers::new(watch);
        for (number, instance) in (0..).zip(instances) {
            callers.ask(instance, number, callers_each, seed);
        }
        let by_hand: Arc<dyn Instance> = Arc::new(ByHand::at(world.postgres.url()));
        callers.ask(&by_hand, u16::try_from(instances.len())?, 2, seed);

        let mut nemesis = Nemesis::new(world, processes, Rng::with_seed(seed));
        let mut struck = 0;
        while struck < faults.len() || callers.done() < operations {
            match faults.get(struck % faults.len().max(1)) {
                Some(fault) => nemesis.strike(*fault).await?,
                None => sleep(Duration::from_millis(50)).await,
            }
            struck += usize::from(!quiet);
        }

        let Told { operations, failures } = callers.finish().await;
        let took = began.elapsed();
        let (settled, unsettled) = match settled(world, instances, watch).await {
            Ok(settled) => (settled, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let ledger = world.ledger.entries().await?;
        let committed = ledger.len();
        let history = History { operations, settled, ledger: Some(ledger) };
        let promises = Promises {
            max_staleness: BOUNDS.max_staleness,
            max_stale_if_error: BOUNDS.max_stale_if_error,
            saves_may_repeat: true,
        };
        let report = check(&history, &promises);

        tell(&format!(
            "\n== {name}: seed {seed}, {} instances, {callers_each} callers each, {struck} faults, {took:.1?}\n\
             {committed} versions committed, {report}\n",
            instances.len()
        ))?;
        for (why, count) in &failures {
            tell(&format!("{count:>9} failed: {why}\n"))?;
        }
        match unsettled {
            Some(error) => Err(error),
            None => Ok((report, failures)),
        }
    }
}

/// What every key holds when nothing happens any more.
async fn settled(
    world: &World,
    instances: &[Arc<dyn Instance>],
    watch: Stopwatch,
) -> anyhow::Result<Vec<Settled>> {
    world.ledger.rest().await?;
    let mut settled = Vec::new();
    for key in 0..KEYS {
        settled.push(settle(world, instances, key, watch).await?);
    }
    Ok(settled)
}

/// What a key holds at the end, by the database and by everybody.
async fn settle(
    world: &World,
    instances: &[Arc<dyn Instance>],
    key: u16,
    watch: Stopwatch,
) -> anyhow::Result<Settled> {
    let (asked, stored, answered) = world.ledger.state(key, watch).await?;
    let mut reads = Vec::new();
    for (number, instance) in (0..).zip(instances) {
        // The strict one first: from then on the instance knows.
        for mode in [Mode::Strict, Mode::Default] {
            reads.push(answered_read(instance, number, key, mode, watch).await?);
        }
    }
    Ok(Settled { key, asked, answered, stored, reads })
}

/// Reads until there is an answer: after a fault an instance may need a moment.
async fn answered_read(
    instance: &Arc<dyn Instance>,
    number: u16,
    key: u16,
    mode: Mode,
    watch: Stopwatch,
) -> anyhow::Result<Operation> {
    let began = Instant::now();
    loop {
        let invoked = watch.now();
        let answers = instance.read(&[key], mode).await;
        let responded = watch.now();
        match answers {
            Ok(answers) => {
                let answer = *answers.first().context("an answer")?;
                let event = Event::Read { mode, responded, answer };
                return Ok(Operation { instance: number, key, invoked, event });
            }
            Err(error) if began.elapsed() < PATIENCE => drop(error),
            Err(error) => bail!("instance {number} never answers again: {error:#}"),
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// Prints, whether the test passes or not.
fn tell(text: &str) -> anyhow::Result<()> {
    // What goes through the macros is shown for failed tests only.
    let mut output = std::io::stdout().lock();
    output.write_all(text.as_bytes())?;
    Ok(output.flush()?)
}
