//! One run: writers, readers, everything that goes wrong, and the end.

use std::{collections::VecDeque, fmt, io::Write as _, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use fastrand::Rng;
use tokio::{task::JoinSet, time::Instant};

use crate::{
    artists::Casting,
    auditor,
    books::{Books, lock},
    closing::{self, Closed},
    instance::Complaints,
    ledger::{Ledger, Told},
    nemesis::{Fault, Nemesis, Struck},
    reader::Reader,
    violation::Violations,
    world::World,
    writer::Writer,
};

/// What happens in a run.
pub(crate) struct Run<'a> {
    pub(crate) name: &'a str,
    pub(crate) seed: u64,
    pub(crate) writers: u64,
    /// How often everything goes wrong.
    pub(crate) rounds: u64,
    /// It goes on until so many posts were acknowledged after that.
    pub(crate) posts: u64,
}

/// What came of a run.
pub(crate) struct Report {
    name: String,
    seed: u64,
    took: Duration,
    books: Arc<Books>,
    struck: Struck,
    closed: Closed,
    complaints: Complaints,
    pub(crate) violations: Violations,
}

/// What whoever runs the tests asks for instead.
#[expect(clippy::disallowed_methods, reason = "the one place where the tests read it")]
fn asked(name: &str) -> anyhow::Result<Option<u64>> {
    let asked = std::env::var(format!("GROOVEBASE_TEST_ACCOUNT_{name}")).ok();
    asked.map(|text| text.parse().with_context(|| format!("{name} {text:?}"))).transpose()
}

/// How many rounds a run has: so many, or as many as whoever runs the tests asks for.
pub(crate) fn rounds(usual: u64) -> anyhow::Result<u64> {
    Ok(asked("ROUNDS")?.unwrap_or(usual))
}

impl Run<'_> {
    /// Runs, and fails if a promise was broken.
    pub(crate) async fn go(self, world: &World) -> anyhow::Result<()> {
        let report = self.report(world).await?;
        ensure!(
            report.violations.0.is_empty(),
            "{}, seed {}:\n{}",
            report.name,
            report.seed,
            report.violations
        );
        Ok(())
    }

    /// Runs and prints the report.
    pub(crate) async fn report(mut self, world: &World) -> anyhow::Result<Report> {
        self.seed = asked("SEED")?.unwrap_or(self.seed);
        let (name, seed) = (self.name, self.seed);
        let report = self.happen(world).await.with_context(|| format!("{name}, seed {seed}"))?;
        // What goes through the macros is shown for failed tests only.
        write!(std::io::stdout().lock(), "\n{report}")?;
        Ok(report)
    }

    async fn happen(self, world: &World) -> anyhow::Result<Report> {
        let Self { name, seed, writers, rounds, posts } = self;
        let mut random = Rng::with_seed(seed);
        let began = Instant::now();
        let books = Arc::new(Books::default());
        let (instances, fork) = (|| world.instances.clone(), |random: &mut Rng| random.fork());

        let mut casting = Casting {
            books: Arc::clone(&books),
            instances: instances(),
            random: fork(&mut random),
            next: 1,
        };
        casting.open().await?;
        let mut others = JoinSet::new();
        others.spawn(casting.go_on());
        others.spawn(auditor::audit(Arc::clone(&books), Arc::clone(&world.commands)));
        for _ in 0..2 {
            let (books, random) = (Arc::clone(&books), fork(&mut random));
            others.spawn(Reader { books, instances: instances(), random }.read());
        }
        let mut writing = JoinSet::new();
        for _ in 0..writers {
            let (books, random) = (Arc::clone(&books), fork(&mut random));
            let acknowledged = VecDeque::new();
            writing.spawn(Writer { books, instances: instances(), random, acknowledged }.write());
        }

        let mut nemesis = Nemesis { world, books: &books, random, struck: Struck::default() };
        'rounds: for round in 0..rounds {
            for fault in Fault::of_round(round, world, &mut nemesis.random) {
                if !books.violations().is_empty() {
                    break 'rounds;
                }
                nemesis.strike(fault).await?;
            }
        }
        books.advance(posts).await;
        books.finish();
        let struck = nemesis.struck;
        let told = ended(writing).await?.into_iter().flatten().collect::<Vec<Told>>();
        ended(others).await?;

        let ledger = Ledger { told, removed: lock(&books.removed).clone() };
        let closed = closing::close(world, &books, &ledger).await?;
        let mut complaints = Complaints::new();
        for (what, count) in world.instances.iter().flat_map(|it| it.complaints()) {
            *complaints.entry(what).or_default() += count;
        }
        let violations = Violations(books.violations());
        let (name, took) = (name.to_owned(), began.elapsed());
        Ok(Report { name, seed, took, books, struck, closed, complaints, violations })
    }
}

/// What all of them came to.
async fn ended<T: 'static>(tasks: JoinSet<anyhow::Result<T>>) -> anyhow::Result<Vec<T>> {
    tasks.join_all().await.into_iter().collect()
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, seed, took, books, struck, closed, complaints, violations } = self;
        let counts = &books.counts;
        let Struck { kills, cuts, backends, server_kills } = struck;
        writeln!(formatter, "== {name}: seed {seed}, {took:.1?}")?;
        writeln!(
            formatter,
            "{} posts, {} acknowledged, {} refused, {} given up; {} entries stored",
            counts.posts, counts.acknowledged, counts.refused, counts.given_up, closed.stored
        )?;
        writeln!(
            formatter,
            "{} repeated though acknowledged; {} sent again without an answer, {} of them recorded before",
            counts.repeated, counts.retried, counts.done_before
        )?;
        writeln!(
            formatter,
            "{kills} instances killed, {cuts} networks cut, {backends} backends ended, \
             {server_kills} servers killed, {} artists removed",
            counts.artists_removed
        )?;
        writeln!(
            formatter,
            "{} answers of statistics, {} audits beside ({} without an answer), drift {} at the end",
            counts.readings, counts.audits, counts.audits_without_answer, closed.drift
        )?;
        for (what, count) in complaints {
            writeln!(formatter, "{count:>9} {what}")?;
        }
        write!(formatter, "{violations}")
    }
}
