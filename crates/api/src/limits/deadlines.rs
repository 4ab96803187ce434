//! How long each route may take, in one table. What takes longer is answered without it, before its caller loses patience.

use std::{panic::AssertUnwindSafe, time::Duration};

use actix_web::{
    Error,
    body::{BoxBody, MessageBody},
    dev::{ResourceDef, ServiceRequest, ServiceResponse},
    http::Method,
    middleware::Next,
    rt, web,
};
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
    const fn goes_on(self) -> bool {
        match self {
            Self::Write | Self::Bulk => true,
            Self::Read | Self::Search | Self::Sums => false,
        }
    }
}

/// Every route, by the method and template that the table of needs has.
pub const DEADLINES: [(Method, &str, Deadline); 31] = [
    (Method::GET, "/api/v1/artists", Deadline::Read),
    (Method::POST, "/api/v1/artists", Deadline::Write),
    (Method::GET, "/api/v1/artists/{artist}", Deadline::Read),
    (Method::DELETE, "/api/v1/artists/{artist}", Deadline::Write),
    (Method::GET, "/api/v1/artists/{artist}/profile", Deadline::Read),
    (Method::PUT, "/api/v1/artists/{artist}/profile", Deadline::Write),
    (Method::DELETE, "/api/v1/artists/{artist}/profile", Deadline::Write),
    (Method::GET, "/api/v1/artists/{artist}/sources", Deadline::Read),
    (Method::POST, "/api/v1/artists/{artist}/sources", Deadline::Write),
    (Method::GET, "/api/v1/artists/{artist}/history", Deadline::Sums),
    (Method::GET, "/api/v1/similar/{artist}", Deadline::Search),
    (Method::POST, "/api/v1/similar", Deadline::Search),
    (Method::POST, "/api/v1/similar/batch", Deadline::Sums),
    (Method::POST, "/api/v1/generations", Deadline::Bulk),
    (Method::GET, "/api/v1/generations/{id}", Deadline::Read),
    (Method::GET, "/api/v1/stats", Deadline::Sums),
    (Method::GET, "/api/v1/stats/series", Deadline::Sums),
    (Method::GET, "/api/v1/keys", Deadline::Read),
    (Method::POST, "/api/v1/keys", Deadline::Write),
    (Method::GET, "/api/v1/keys/{id}", Deadline::Read),
    (Method::DELETE, "/api/v1/keys/{id}", Deadline::Write),
    (Method::POST, "/api/v1/keys/{id}/rotate", Deadline::Write),
    (Method::GET, "/api/v1/audit", Deadline::Read),
    (Method::GET, "/health", Deadline::Read),
    (Method::GET, "/health/live", Deadline::Read),
    (Method::GET, "/health/ready", Deadline::Read),
    (Method::GET, "/metrics", Deadline::Read),
    (Method::GET, "/openapi.json", Deadline::Read),
    (Method::GET, "/docs", Deadline::Read),
    (Method::GET, "/docs/", Deadline::Read),
    (Method::GET, "/docs/{_:.*}", Deadline::Read),
];

/// The table, ready to look requests up in.
pub(crate) struct Deadlines(Vec<(Method, ResourceDef, &'static str, &'static str, Deadline)>);

impl Default for Deadlines {
    fn default() -> Self {
        let routes = DEADLINES.into_iter().map(|(method, path, deadline)| {
            let beginning = path.split('{').next().unwrap_or(path);
            (method, ResourceDef::new(path), beginning, path, deadline)
        });
        Self(routes.collect())
    }
}

impl Deadlines {
    /// What no route takes is refused at once, so any deadline does. Of several routes that a path fits the first counts.
    fn of(&self, method: &Method, path: &str) -> (&'static str, Deadline) {
        self.0
            .iter()
            .find(|(known, template, beginning, _, _)| {
                known == method && path.starts_with(beginning) && template.is_match(path)
            })
            .map_or(("none", Deadline::Read), |(_, _, _, route, deadline)| (*route, *deadline))
    }
}

/// Answers in time, with the route's answer or without it.
///
/// A read is dropped when its time is over; a statement of it that runs on ends by itself or by the database's own limit. A
/// write goes on to its end, so that it is done or not done but never half done, and keeps its place among the requests in
/// progress until then.
pub(crate) async fn keep(
    state: web::Data<State>,
    deadlines: web::Data<Deadlines>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let (route, deadline) = deadlines.of(request.method(), request.match_info().as_str());
    let most = deadline.time().min(state.limits().longest_deadline);
    let mut answering = Box::pin(next.call(request));
    if let Ok(answer) = timeout(most, &mut answering).await {
        return Ok(answer?.map_into_boxed_body());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::NEEDS;

    #[test]
    fn every_route_has_a_deadline_that_is_shorter_than_the_patience_of_clients() {
        let routes: Vec<_> = NEEDS.into_iter().map(|(method, path, _)| (method, path)).collect();
        let known: Vec<_> = DEADLINES.into_iter().map(|(method, path, _)| (method, path)).collect();

        assert_eq!(routes, known);
        for (_, path, deadline) in DEADLINES {
            assert!(deadline.time() < Duration::from_secs(30), "{path}");
        }
    }

    #[test]
    fn writes_go_on_and_reads_do_not() {
        for (method, path, deadline) in DEADLINES {
            let is_search = path.starts_with("/api/v1/similar");
            assert_eq!(deadline.goes_on(), method != Method::GET && !is_search, "{method} {path}");
        }
    }

    #[test]
    fn finds_the_deadline_of_a_request() {
        let deadlines = Deadlines::default();
        let of = |method: &Method, path: &str| deadlines.of(method, path).1;

        assert_eq!(of(&Method::GET, "/api/v1/artists/x"), Deadline::Read);
        assert_eq!(of(&Method::POST, "/api/v1/similar/batch"), Deadline::Sums);
        assert_eq!(of(&Method::GET, "/api/v1/stats/series"), Deadline::Sums);
        assert_eq!(of(&Method::GET, "/nowhere"), Deadline::Read);
    }
}
