//! What becomes of a request whose time is over.

use std::{num::NonZeroUsize, time::Duration};

use anyhow::ensure;
use api::limits::LimitSettings;
use serde_json::json;

use super::{
    ARTISTS,
    limits::{PATIENCE, in_progress, limited},
    profile_path,
};
use crate::{
    given::body,
    http::{Request, artist},
    service::Service,
};

/// So soon that whoever waits for somebody else is late, and so late that nobody else is.
const SOON: Duration = Duration::from_millis(500);

/// A write that waits for another one goes on after its answer: it keeps its place among the requests in progress, and is
/// done once it gets its turn, with its record in the audit log.
pub async fn a_late_write_is_done(service: &Service) -> anyhow::Result<()> {
    let most_in_progress = NonZeroUsize::MIN.saturating_add(1);
    let limits =
        LimitSettings { longest_deadline: SOON, most_in_progress, ..LimitSettings::default() };
    let hasty = limited(service, limits).await?;
    let writes = [
        Request::put(profile_path(), body::profile()),
        Request::post(ARTISTS, json!({ "name": "Tony Allen" })),
    ];
    let blocker = service.block_writers().await?;

    let mut requests = Vec::new();
    for (before, write) in writes.into_iter().enumerate() {
        ensure!(hasty.limits().in_progress == before, "{:?}", hasty.limits());
        let problem = hasty.refuse(503, "deadline_exceeded", write).await?;
        ensure!(problem.message()?.contains("goes on"), "{problem:?}");
        ensure!(problem.answer.required("retry-after")? == "1", "{problem:?}");
        requests.push(problem.answer.required("x-request-id")?.to_owned());
    }
    ensure!(hasty.limits().late == 2 && hasty.limits().in_progress == 2, "{:?}", hasty.limits());
    hasty.refuse(503, "overloaded", Request::get(ARTISTS)).await?;
    blocker.rollback().await?;
    in_progress(&hasty, 0).await?;

    for path in [profile_path(), artist("Tony Allen", "")] {
        service.ask(200, Request::get(path).with("cache-control", "no-cache")).await?;
    }
    let audit = service.ask(200, Request::get("/api/v1/audit")).await?.json()?;
    let mut told: Vec<_> = audit["records"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|record| Some((record["request_id"].as_str()?, record["action"].as_str()?)))
        .collect();
    told.sort_by_key(|(request, _)| requests.iter().position(|known| known == request));
    let actions = ["profile.saved", "artist.created"];
    let expected: Vec<_> = requests.iter().map(String::as_str).zip(actions).collect();
    ensure!(told == expected, "{told:?}, expected {expected:?}");
    hasty.stop().await;
    Ok(())
}

/// A read has ended when it is answered that it took too long: what it kept is there for others.
pub async fn a_late_read_is_dropped(service: &Service) -> anyhow::Result<()> {
    let limits = LimitSettings {
        longest_deadline: SOON,
        body_timeout: PATIENCE,
        ..LimitSettings::default()
    };
    let hasty = limited(service, limits).await?;
    // A search waits for what it is asked, as long as it may.
    let incomplete = Request::new("POST", "/api/v1/similar")
        .with("transfer-encoding", "chunked")
        .json(b"1\r\n{\r\n".as_slice());

    let problem = hasty.refuse(503, "deadline_exceeded", incomplete).await?;

    ensure!(problem.message()? == "the request took too long; try again", "{problem:?}");
    ensure!(hasty.limits().in_progress == 0, "it goes on: {:?}", hasty.limits());
    ensure!(hasty.limits().late == 1, "{:?}", hasty.limits());
    hasty.stop().await;
    Ok(())
}
