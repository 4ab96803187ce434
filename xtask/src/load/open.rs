//! Requests are due at a fixed rate, whatever the answers do.

use std::{cell::Cell, net::SocketAddr, rc::Rc, time::Duration};

use anyhow::ensure;
use tokio::{sync::Semaphore, task::yield_now, time::sleep};

use super::{
    mix::Mix,
    run::{Asker, Report, Run, run},
};

/// Timers are as coarse as a millisecond. What is due sooner is waited for by looking at the clock, which takes all of a
/// processor.
const COARSE: Duration = Duration::from_millis(2);

/// How many ask whom, how often, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct OpenLoop {
    /// The server.
    pub address: SocketAddr,
    /// How many connections the requests are spread over. While all of them wait for an answer, what is due waits too, and
    /// counts as waiting for the server.
    pub connections: usize,
    /// How many requests are due a second, evenly spread.
    pub per_second: f64,
    /// For how long requests become due.
    pub time: Duration,
}

/// What is due.
struct Schedule {
    per_second: f64,
    total: u64,
    /// One for each request that is due and for which nobody has a connection yet; some more at the end.
    due: Semaphore,
    next: Cell<u64>,
}

/// Asks in an open loop. Latencies count from when a request was due.
///
/// # Errors
///
/// When the rate is no rate or the connections cannot be made; what fails later is in the report.
pub fn open_loop(settings: OpenLoop, mix: &mut Mix) -> anyhow::Result<Report> {
    let OpenLoop { address, connections, per_second, time } = settings;
    ensure!(per_second.is_finite() && 0.0 < per_second, "{per_second} a second is no rate");
    let schedule = Rc::new(Schedule {
        per_second,
        total: whole(per_second * time.as_secs_f64()),
        due: Semaphore::new(0),
        next: Cell::new(0),
    });
    run(
        address,
        connections,
        time,
        mix,
        |asker| ask(asker, Rc::clone(&schedule)),
        |run| pace(run, Rc::clone(&schedule), connections),
        || schedule.take(),
    )
}

/// Sends what is due, one request after the other.
async fn ask(mut asker: Asker, schedule: Rc<Schedule>) {
    while let Ok(permit) = schedule.due.acquire().await {
        permit.forget();
        let Some(due) = schedule.take() else { break };
        let due = asker.run().began() + due;
        asker.ask(due).await;
    }
}

/// Lets requests go as they become due, and then the connections.
async fn pace(run: Rc<Run>, schedule: Rc<Schedule>, connections: usize) {
    let Schedule { per_second, total, due: permits, next: _ } = &*schedule;
    let mut released = 0;
    while released < *total {
        let now = run.began().elapsed();
        let due = (whole(now.as_secs_f64() * per_second) + 1).min(*total);
        if released < due {
            run.note_pacing(now.saturating_sub(schedule.time_of(released)));
            permits.add_permits(usize::try_from(due - released).unwrap_or(usize::MAX));
            released = due;
        }
        let wait = schedule.time_of(released).saturating_sub(run.began().elapsed());
        if COARSE < wait {
            sleep(wait.saturating_sub(COARSE)).await;
        } else {
            yield_now().await;
        }
    }
    permits.add_permits(connections);
}

impl Schedule {
    /// When the next request is due that nobody has sent, if there is one.
    fn take(&self) -> Option<Duration> {
        let number = self.next.get();
        (number < self.total).then(|| {
            self.next.set(number + 1);
            self.time_of(number)
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "nobody waits for 2^53 requests")]
    fn time_of(&self, number: u64) -> Duration {
        Duration::from_secs_f64(number as f64 / self.per_second)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rounded down on purpose, and never negative"
)]
fn whole(number: f64) -> u64 {
    number as u64
}
