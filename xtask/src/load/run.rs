//! What both loops have in common: connections that ask, and the report of how it went.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio::{
    runtime::Builder,
    task::{JoinSet, LocalSet},
    time::timeout,
};

use super::{
    answers::{Answers, Latencies},
    connection::Connection,
    mix::{Drawn, Mix},
};

/// How long connections may take to be made, and the last answers to arrive.
const PATIENCE: Duration = Duration::from_secs(5);

/// How it went.
#[derive(Debug, Default)]
pub struct Report {
    /// From the first request to the end of the last one.
    pub took: Duration,
    /// The answers to each kind of request, in the order of the mix.
    pub kinds: Vec<(&'static str, Answers)>,
    /// How often each status was answered.
    pub statuses: BTreeMap<u16, u64>,
    /// The requests that were to be noted, in the order in which they ended.
    pub noted: Vec<Noted>,
    /// How late an open loop let requests go: more than a moment says that the generator itself was too slow.
    pub pacing: Latencies,
    /// Why the first request failed that did.
    pub first_failure: Option<String>,
}

/// How one request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noted {
    /// The number that it was noted by.
    pub number: u64,
    /// When it was sent.
    pub sent: Instant,
    /// When it ended.
    pub ended: Instant,
    /// What was answered, if anything was: without an answer nobody knows what was done.
    pub status: Option<u16>,
}

impl Report {
    /// The answers to every kind.
    #[must_use]
    pub fn all(&self) -> Answers {
        self.kinds.iter().fold(Answers::default(), |mut all, (_, answers)| {
            all.add(answers);
            all
        })
    }
}

/// What connections share, all of them on one thread.
pub(super) struct Run {
    began: Instant,
    mix: RefCell<Mix>,
    report: RefCell<Report>,
    /// What each connection waits for.
    waiting: RefCell<Vec<Option<Asked>>>,
}

#[derive(Clone, Copy)]
struct Asked {
    kind: usize,
    noted: Option<u64>,
    due: Instant,
    sent: Instant,
}

/// One of the connections.
pub(super) struct Asker {
    run: Rc<Run>,
    number: usize,
    connection: Connection,
    request: Vec<u8>,
}

/// Makes connections, has each of them ask in a task of its own beside another task, and waits for all of them until the end
/// that was planned and some time more. What is unanswered then has failed, and so has what `unsent` tells, which was due so
/// long after the beginning.
pub(super) fn run<A, B>(
    address: SocketAddr,
    connections: usize,
    planned: Duration,
    mix: &mut Mix,
    ask: impl Fn(Asker) -> A,
    beside: impl FnOnce(Rc<Run>) -> B,
    unsent: impl Fn() -> Option<Duration>,
) -> anyhow::Result<Report>
where
    A: Future<Output = ()> + 'static,
    B: Future<Output = ()> + 'static,
{
    let runtime = Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let mut opened = Vec::new();
        for _ in 0..connections {
            let mut connection = Connection::to(address);
            timeout(PATIENCE, connection.open()).await.context("no connection in time")??;
            opened.push(connection);
        }
        let run = Rc::new(Run::new(connections, std::mem::take(mix)));
        let mut tasks = JoinSet::new();
        for (number, connection) in opened.into_iter().enumerate() {
            let asker = Asker { run: Rc::clone(&run), number, connection, request: Vec::new() };
            tasks.spawn_local(ask(asker));
        }
        tasks.spawn_local(beside(Rc::clone(&run)));
        let ended = async { while tasks.join_next().await.is_some() {} };
        // Who does not end now is not waited for.
        drop(timeout(planned + PATIENCE, ended).await);
        tasks.shutdown().await;
        while let Some(due) = unsent() {
            run.note_unsent(run.began + due);
        }
        *mix = run.mix.take();
        Ok(run.finish())
    })
}

impl Run {
    fn new(connections: usize, mix: Mix) -> Self {
        let kinds = mix.names().map(|name| (name, Answers::default())).collect();
        Self {
            began: Instant::now(),
            mix: RefCell::new(mix),
            report: RefCell::new(Report { kinds, ..Report::default() }),
            waiting: RefCell::new(vec![None; connections]),
        }
    }

    /// When the first request may be sent.
    pub(super) const fn began(&self) -> Instant {
        self.began
    }

    pub(super) fn note_pacing(&self, late: Duration) {
        self.report.borrow_mut().pacing.record(late);
    }

    /// Counts a request that could not even be sent.
    fn note_unsent(&self, due: Instant) {
        let drawn = self.mix.borrow_mut().draw(&mut Vec::new());
        if let Some(Drawn { kind, noted: _ }) = drawn {
            self.end(Asked { kind, noted: None, due, sent: Instant::now() }, None);
        }
    }

    fn finish(&self) -> Report {
        for asked in self.waiting.take().into_iter().flatten() {
            self.end(asked, None);
        }
        let mut report = self.report.take();
        report.took = self.began.elapsed();
        report
    }

    fn end(&self, asked: Asked, status: Option<u16>) {
        let Asked { kind, noted, due, sent } = asked;
        let ended = Instant::now();
        let report = &mut *self.report.borrow_mut();
        if let Some((_, answers)) = report.kinds.get_mut(kind) {
            answers.record(status, ended.saturating_duration_since(due));
        }
        if let Some(status) = status {
            *report.statuses.entry(status).or_default() += 1;
        }
        if let Some(number) = noted {
            report.noted.push(Noted { number, sent, ended, status });
        }
    }
}

impl Asker {
    pub(super) fn run(&self) -> &Run {
        &self.run
    }

    /// Sends one request of the mix that was due then, and waits for its end.
    pub(super) async fn ask(&mut self, due: Instant) {
        let drawn = self.run.mix.borrow_mut().draw(&mut self.request);
        let Some(Drawn { kind, noted }) = drawn else { return };
        let asked = Asked { kind, noted, due, sent: Instant::now() };
        self.waits_for(Some(asked));
        let answer = self.connection.ask(&self.request).await;
        self.waits_for(None);
        let status = answer.as_ref().ok().copied();
        self.run.end(asked, status);
        if let Err(error) = answer {
            let failure = || error.to_string();
            self.run.report.borrow_mut().first_failure.get_or_insert_with(failure);
            // Whoever is refused a connection would ask as fast as it can.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn waits_for(&self, asked: Option<Asked>) {
        if let Some(place) = self.run.waiting.borrow_mut().get_mut(self.number) {
            *place = asked;
        }
    }
}
