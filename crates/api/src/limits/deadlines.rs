//! How long a route may take. What takes longer is answered without it, before its caller loses patience.

use std::{panic::AssertUnwindSafe, time::Duration};

use actix_web::{Error, body::MessageBody, dev::ServiceResponse, rt};
use futures::FutureExt;
use tokio::time::timeout;
use tracing::Instrument;

use crate::{
    problem::{Code, Problem},
    state::State,
};

/// How long a route may take. All are shorter than the 30 s that clients commonly wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// What is in memory or one lookup away: 5 s.
    Read,
    /// A search, which may compare everything: 10 s.
    Search,
    /// Sums over a long history, and many searches at once: 20 s.
    Sums,
    /// A write, its body included, which may wait for its turn: 15 s.
    Write,
    /// A write of up to a thousand entries: 25 s.
    Bulk,
}

impl Deadline {
    /// The time.
    #[must_use]
    pub const fn time(self) -> Duration {
        Duration::from_secs(match self {
            Self::Read => 5,
            Self::Search => 10,
            Self::Sums => 20,
            Self::Write => 15,
            Self::Bulk => 25,
        })
    }

    /// Whether what was begun goes on when nobody waits for it any more, so that nothing is half done.
    pub(crate) const fn goes_on(self) -> bool {
        match self {
            Self::Write | Self::Bulk => true,
            Self::Read | Self::Search | Self::Sums => false,
        }
    }
}

/// Answers in time, with the route's answer or without it.
///
/// A read is dropped when its time is over; a statement of it that runs on ends by itself or by the database's own limit. A
/// write goes on to its end, so that it is done or not done but never half done, and keeps its place among the requests in
/// progress until then.
pub(crate) async fn within<B: MessageBody + 'static>(
    state: &State,
    route: &'static str,
    deadline: Deadline,
    answering: impl Future<Output = Result<ServiceResponse<B>, Error>> + 'static,
) -> Result<ServiceResponse<B>, Error> {
    let most = deadline.time().min(state.limits().longest_deadline);
    let mut answering = Box::pin(answering);
    if let Ok(answer) = timeout(most, &mut answering).await {
        return answer;
    }
    state.limits().note_late();
    let deadline_ms = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
    tracing::warn!(route, deadline_ms, "A request took longer than its route may");
    let detail = if deadline.goes_on() {
        let rest = AssertUnwindSafe(answering).catch_unwind().map(move |ended| {
            if ended.is_err() {
                tracing::error!(route, "A write that nobody waited for panicked");
            }
        });
        drop(rt::spawn(rest.in_current_span()));
        "the request took too long and goes on without an answer; ask whether it was done before trying again"
    } else {
        "the request took too long; try again"
    };
    Err(Problem::new(Code::DeadlineExceeded, detail).into())
}
