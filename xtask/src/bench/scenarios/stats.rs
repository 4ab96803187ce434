//! Statistics, of a history to which nothing was added and of one that grows between questions.

use serde_json::json;

use crate::bench::{
    caller::{get, send},
    figures::{Figures, millis},
    limits::ConstantBody,
    load::{Asked, in_turns},
    row::{Bound, Promise, Row, Unit},
    service::Service,
    site::Site,
};

pub(super) const NAME: &str = "stats";

/// How often it is asked after something was recorded.
const CHANGES: usize = 200;

pub(super) fn run(site: &mut Site) -> anyhow::Result<Row> {
    let (recorded, pace) = (site.sqlite_history()?, site.extent.pace);
    let service = Service::start(&site.programs, &[("GROOVEBASE_DATABASE_URL", &recorded.url)])?;
    let request = get("/api/v1/stats", "");
    let body = service.caller()?.expect(200, &request)?.body;
    let constant = ConstantBody::start(&site.programs, 200, &body)?;

    let pairs = in_turns(
        pace,
        &mut Asked::one_of(service.address(), 200, vec![request.clone()]),
        &mut Asked::one_of(constant.address(), 200, vec![request.clone()]),
    )?;
    let changed = changed(&service, &request, &recorded.busiest)?;
    Ok(Row {
        name: NAME,
        what: format!("stats, {} generations, SQLite", site.extent.generations),
        subject: pairs.subject(),
        against: "constant body of that size".to_owned(),
        limit: pairs.limit(),
        promises: vec![
            Promise::of_limit("rate, unchanged", &pairs, |it| it.rate, Bound::AtLeast(0.7)),
            Promise::new("p50, changed", changed.p50_ms, Bound::AtMost(5.0), Unit::Milliseconds),
        ],
    })
}

/// How long the question takes when something was recorded just before.
fn changed(service: &Service, request: &[u8], artist: &str) -> anyhow::Result<Figures> {
    let mut caller = service.caller()?;
    let generation = json!({
        "artist": artist, "provider_used": "bench", "generation_time_ms": 2_100, "tokens_used": 1_500,
        "cost_usd": 0.0125, "user_params": {"bars": 4},
    });
    let record = send("POST", "/api/v1/generations", &generation.to_string());
    let mut times = Vec::new();
    for _ in 0..CHANGES {
        caller.expect(201, &record)?;
        times.push(millis(caller.expect(200, request)?.took));
    }
    Ok(Figures::of_times(times))
}
