//! The end of a run: what everybody was told, held against what is there.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use domain::{Generation, GenerationDetails, Limit, TimeRange};
use groovebase_tests::{
    fixture,
    http::{self, Answer, Request},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    auditor::{self, Audit},
    books::{Books, LONGEST_WAIT, lock},
    instance::{Instance, is_a_panic},
    ledger::Ledger,
    tally::Tally,
    violation::{Rule, Violation},
    world::World,
};

/// One sum more than there is, as a mistake of somebody who edits by hand.
const DAMAGE: &str = "UPDATE generation_rollups SET tokens_used = tokens_used + 1 \
    WHERE width = 1 AND starts_at = (SELECT min(starts_at) FROM generation_rollups WHERE width = 1)";

/// How many entries are asked for over HTTP, each by itself.
const ASKED_FOR: usize = 40;

/// What was found at the end.
#[derive(Debug)]
pub(crate) struct Closed {
    pub(crate) stored: usize,
    /// How many sums differed from what is stored, by `stats verify`.
    pub(crate) drift: u64,
}

/// Restarts everything, and checks everything.
pub(crate) async fn close(world: &World, books: &Books, ledger: &Ledger) -> anyhow::Result<Closed> {
    world.restart().await?;
    let stored = stored(&world.url).await?;
    books.broken(ledger.check(&stored));
    books.broken(sums(world, books, &stored).await?);
    books.broken(entries(world, &stored).await?);

    let drift = drift(world).await?;
    if drift == 0 {
        books.broken(repair(world).await?);
        books.broken(sums(world, books, &stored).await?);
    } else {
        books.broken([Rule::SumsAreVerified.broken(format!("{drift} sums differ at the end"))]);
    }
    world.stop().await?;
    for instance in &world.instances {
        let panics = instance.complaints().into_keys().filter(|it| is_a_panic(it));
        books.broken(panics.map(|panic| Rule::ServiceBehaves.broken(panic)));
    }
    Ok(Closed { stored: stored.len(), drift })
}

/// Every entry there is.
async fn stored(url: &str) -> anyhow::Result<Vec<Generation>> {
    let store = fixture::store_at(url).await?;
    let generations = store.generations();
    let (mut stored, mut cursor) = (Vec::new(), None);
    loop {
        let page = generations.page(TimeRange::ALL, cursor, Limit::LARGEST).await?;
        stored.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    store.close().await;
    Ok(stored)
}

/// Whether every instance says what the entries say.
async fn sums(
    world: &World,
    books: &Books,
    stored: &[Generation],
) -> anyhow::Result<Vec<Violation>> {
    let tally = Tally::of(stored.iter().map(|generation| &generation.details));
    let mut violations = Vec::new();
    let lost = books.acknowledged().excess_over(&tally);
    if !lost.is_empty() {
        violations.push(Rule::NothingIsLost.broken(format!("acknowledged, not there: {lost:?}")));
    }
    let times = times(stored.iter().map(|it| &it.details))?;
    let artists = lock(&books.artists).clone();
    for instance in &world.instances {
        // The one is made of sums, the other of entries.
        for (target, off) in [("/api/v1/stats", 1.0 / 64.0), ("/api/v1/stats?exact=true", 0.0)] {
            let answer = answered(instance, Request::get(target)).await?;
            let mut differences = Tally::told(&answer)?.differences(&tally);
            let body = answer.json()?;
            for (name, time) in &times {
                let told = body.get(name).and_then(Value::as_f64);
                if told.is_none_or(|told| off * time < (told - time).abs()) {
                    differences.push(format!("{name} is {told:?} instead of {time}"));
                }
            }
            violations.extend(inexact(target, &differences));
        }
        for artist in &artists {
            let own = stored.iter().filter(|it| it.artist.as_ref() == Some(artist));
            let target = format!("/api/v1/stats?artist={}", http::encoded(artist.as_str()));
            let answer = answered(instance, Request::get(&target)).await?;
            let differences =
                Tally::told(&answer)?.differences(&Tally::of(own.map(|it| &it.details)));
            violations.extend(inexact(&target, &differences));
        }
    }
    Ok(violations)
}

fn inexact(target: &str, differences: &[String]) -> Option<Violation> {
    (!differences.is_empty())
        .then(|| Rule::SumsAreExact.broken(format!("{target}: {differences:?}")))
}

/// The mean and the percentiles of times, as statistics have them.
fn times<'a>(
    all: impl Iterator<Item = &'a GenerationDetails>,
) -> anyhow::Result<Vec<(&'static str, f64)>> {
    let mut times: Vec<u32> = all.map(|details| details.generation_time_ms).collect();
    times.sort_unstable();
    // The nearest rank: the first that so many of a hundred do not exceed.
    let percentile = |percent: usize| {
        let rank = (times.len() * percent).div_ceil(100);
        times.get(rank - 1).copied().map(f64::from)
    };
    ensure!(!times.is_empty(), "nothing is stored at all");
    let sum: u64 = times.iter().copied().map(u64::from).sum();
    #[expect(clippy::cast_precision_loss, reason = "as the service does it")]
    let mean = sum as f64 / times.len() as f64;
    Ok(vec![
        ("avg_generation_time_ms", mean),
        ("p50_generation_time_ms", percentile(50).context("some")?),
        ("p95_generation_time_ms", percentile(95).context("some")?),
        ("p99_generation_time_ms", percentile(99).context("some")?),
    ])
}

/// Whether entries are shown as they are stored.
async fn entries(world: &World, stored: &[Generation]) -> anyhow::Result<Vec<Violation>> {
    let mut violations = Vec::new();
    let some = stored.iter().step_by(stored.len().div_ceil(ASKED_FOR).max(1));
    for (generation, instance) in some.zip(world.instances.iter().cycle()) {
        let request = Request::get(format!("/api/v1/generations/{}", generation.id));
        let body = answered(instance, request).await?.json()?;
        let is_shown = |name: &str, value: Value| body.get(name) == Some(&value);
        let Generation { id, artist, created_at, details } = generation;
        let is_right = is_shown("id", json!(id.to_string()))
            && is_shown("artist", json!(artist.as_ref().map(ToString::to_string)))
            && is_shown("created_at", json!(created_at.to_string()))
            && is_shown("user_params", json!(details.user_params.members()))
            && is_shown("tokens_used", json!(details.tokens.used));
        if !is_right {
            violations
                .push(Rule::NothingIsAltered.broken(format!("{generation:?} is shown as {body}")));
        }
    }
    Ok(violations)
}

/// Whether damage is found and repaired.
async fn repair(world: &World) -> anyhow::Result<Vec<Violation>> {
    let mut violations = Vec::new();
    fixture::by_hand(&world.url, DAMAGE).await?;
    if drift(world).await? == 0 {
        violations.push(Rule::SumsAreVerified.broken("damage is not found"));
    }
    auditor::rebuild(&world.commands).await?;
    let drift = drift(world).await?;
    if drift != 0 {
        violations.push(Rule::SumsAreVerified.broken(format!("{drift} sums are not repaired")));
    }
    Ok(violations)
}

async fn drift(world: &World) -> anyhow::Result<u64> {
    match auditor::verify(&world.commands).await? {
        Audit::Drift(different) => Ok(different),
        Audit::NoAnswer(why) => anyhow::bail!("nothing fails any more, and yet: {why}"),
    }
}

/// Asks until there is an answer: after a restart an instance may need a moment.
async fn answered(instance: &Arc<Instance>, request: Request) -> anyhow::Result<Answer> {
    let began = Instant::now();
    loop {
        let answer = instance.ask(&request).await;
        match answer {
            Ok(answer) if answer.status == 200 => return Ok(answer),
            _ if began.elapsed() < LONGEST_WAIT => {}
            answer => return answer.with_context(|| format!("{request} is never answered")),
        }
        sleep(Duration::from_millis(20)).await;
    }
}
