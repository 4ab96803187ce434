//! Freshness: which writes an answer includes, and what it says about itself.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use api::state::StateSettings;
use cache::Bounds;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{ARTISTS, GENERATIONS, profile_path, saved};
use crate::{
    given::body,
    http::{Answer, Problem, Request, artist},
    program::PATIENCE,
    service::Service,
};

/// Often enough that whoever looks too early is caught.
const ROUNDS: u32 = 20;

/// How long to wait before looking again.
const MOMENT: Duration = Duration::from_millis(2);

fn strict(request: Request) -> Request {
    request.with("cache-control", "no-cache")
}

fn described(text: &str) -> anyhow::Result<Value> {
    body::changed(body::profile_with_embedding(1)?, "/text_description", json!(text))
}

/// Checks where an answer came from, and that it is no older than it may be.
fn ensure_fresh(answer: &Answer, tier: &str) -> anyhow::Result<()> {
    ensure!(answer.required("x-cache")? == tier, "expected {tier}: {answer:?}");
    ensure!(answer.required("age")?.parse::<u64>()? <= 1, "{answer:?}");
    ensure!(answer.header("warning").is_none(), "{answer:?}");
    Ok(())
}

/// Checks that an answer says that it may be out of date, and since when.
fn ensure_stale(answer: &Answer, tier: &str) -> anyhow::Result<()> {
    ensure!(answer.required("x-cache")? == tier, "expected {tier}: {answer:?}");
    ensure!(answer.required("warning")?.starts_with("110 "), "{answer:?}");
    ensure!(1 <= answer.required("age")?.parse::<u64>()?, "{answer:?}");
    Ok(())
}

/// The database, then memory; the catalog of what does not exist.
pub async fn says_which_tier_answered(service: &Service) -> anyhow::Result<()> {
    let other = service.another(StateSettings::default()).await?;
    saved(&other, "J Dilla", described("Late")?).await?;
    other.ask(201, Request::post(ARTISTS, json!({"name": "Tony Allen"}))).await?;

    let first = service.ask(200, strict(Request::get(profile_path()))).await?;
    ensure_fresh(&first, "database")?;
    let with_embedding = format!("{}?include=embedding", profile_path());
    for request in [
        Request::get(profile_path()),
        Request::new("HEAD", profile_path()),
        Request::get(with_embedding),
        strict(Request::get(profile_path())),
    ] {
        ensure_fresh(&service.ask(200, request).await?, "memory")?;
    }
    ensure_fresh(&service.ask(200, Request::get(artist("J Dilla", ""))).await?, "database")?;
    ensure_fresh(&service.ask(200, Request::get(artist("j  dilla", ""))).await?, "memory")?;
    for name in ["Nobody", "Tony Allen"] {
        for request in [
            Request::get(artist(name, "/profile")),
            strict(Request::get(artist(name, "/profile"))),
            Request::new("HEAD", artist(name, "/profile")),
        ] {
            ensure_fresh(&service.ask(404, request).await?, "catalog")?;
        }
    }
    ensure_fresh(&service.ask(404, Request::get(artist("Nobody", ""))).await?, "catalog")?;

    service.ask(200, Request::put(profile_path(), described("Later")?)).await?;
    ensure_fresh(&service.ask(200, Request::get(profile_path())).await?, "memory")?;
    other.stop().await;
    Ok(())
}

/// How many different steps there are.
const STEPS: u32 = 8;

/// What one instance does, one after the other, to the artist that another one reads.
async fn write(writer: &Service, step: u32) -> anyhow::Result<Expected> {
    let text = format!("As of step {step}");
    let put = async |status| -> anyhow::Result<Expected> {
        let stored = writer.ask(status, Request::put(profile_path(), described(&text)?)).await?;
        let version = Some(stored.at("/version")?);
        Ok(Expected { profile: version.clone(), artist: version })
    };
    match step % STEPS {
        0 => {
            let made = writer.ask(201, Request::post(ARTISTS, json!({"name": "J Dilla"}))).await?;
            Ok(Expected { profile: None, artist: Some(made.at("/version")?) })
        }
        2 => put(200).await,
        3 => {
            writer.ask(204, Request::delete(profile_path())).await?;
            // Only a read tells the version; whether the artist is there is enough.
            Ok(Expected { profile: None, artist: Some(Value::Null) })
        }
        // The artist, the profile after one was removed, and both.
        1 | 4 | 6 => put(201).await,
        _ => {
            writer.ask(204, Request::delete(artist("J Dilla", ""))).await?;
            Ok(Expected { profile: None, artist: None })
        }
    }
}

/// The versions that a reader finds; null for whichever.
#[derive(Debug, PartialEq)]
struct Expected {
    profile: Option<Value>,
    artist: Option<Value>,
}

impl Expected {
    /// Whether a reader finds exactly that.
    async fn is_found(
        &self,
        reader: &Service,
        ask: impl Fn(Request) -> Request,
    ) -> anyhow::Result<bool> {
        let profile = reader.send(&ask(Request::get(profile_path()))).await?;
        let found = reader.send(&ask(Request::get(artist("J Dilla", "")))).await?;
        let is = |answer: &Answer, expected: &Option<Value>| match expected {
            None => Ok(answer.status == 404),
            Some(Value::Null) => Ok(answer.status == 200),
            Some(version) => anyhow::Ok(answer.status == 200 && answer.at("/version")? == *version),
        };
        let code = if self.artist.is_none() { "artist_not_found" } else { "profile_not_found" };
        let right_code = profile.status == 200 || profile.at("/error")? == code;
        Ok(is(&profile, &self.profile)? && is(&found, &self.artist)? && right_code)
    }
}

/// Made, saved, replaced, without profile, removed, made again: each is seen as soon as it is acknowledged.
pub async fn strict_reads_see_what_another_instance_wrote(service: &Service) -> anyhow::Result<()> {
    let other = service.another(StateSettings::default()).await?;

    for step in 0..STEPS * ROUNDS {
        let expected = write(&other, step).await?;
        ensure!(
            expected.is_found(service, strict).await?,
            "step {step}: {expected:?} is not found"
        );
    }

    other.stop().await;
    Ok(())
}

/// A read that begins a second after the write has it, whichever instance is asked; most have it long before.
pub async fn default_reads_see_it_in_time(service: &Service) -> anyhow::Result<()> {
    let other = service.another(StateSettings::default()).await?;
    let bound = Bounds::default().max_staleness;

    for step in 0..2 * STEPS {
        let expected = write(&other, step).await?;
        let written = Instant::now();
        loop {
            let late = bound < written.elapsed();
            if expected.is_found(service, |request| request).await? {
                break;
            }
            ensure!(!late, "step {step}: {expected:?} is not found after {bound:?}");
            sleep(MOMENT).await;
        }
    }

    other.stop().await;
    Ok(())
}

/// Whatever this instance acknowledged, its next answer has it.
pub async fn own_writes_are_seen_at_once(service: &Service) -> anyhow::Result<()> {
    for step in 0..STEPS * ROUNDS {
        let expected = write(service, step).await?;
        ensure!(
            expected.is_found(service, |request| request).await?,
            "step {step}: {expected:?} is not found"
        );
    }
    Ok(())
}

/// 304 says where it was known and how recently, and is as fresh as was asked for.
pub async fn whoever_has_it_already_is_told_so(service: &Service) -> anyhow::Result<()> {
    let other = service.another(StateSettings::default()).await?;
    let made = saved(service, "J Dilla", described("Late")?).await?;
    let tag = made.required("etag")?;
    // The first one waits for the catalog.
    service.ask(200, strict(Request::get(profile_path()))).await?;
    let get = |tag: &str| Request::get(profile_path()).with("if-none-match", tag);

    for request in [get(tag), strict(get(tag))] {
        let unchanged = service.ask(304, request).await?;
        ensure_fresh(&unchanged, "memory")?;
        ensure!(unchanged.required("etag")? == tag, "{unchanged:?}");
    }
    let with_embedding = format!("{}?include=embedding", profile_path());
    let shown = service.ask(200, Request::get(&with_embedding)).await?;
    let known = Request::get(with_embedding).with("if-none-match", shown.required("etag")?);
    ensure_fresh(&service.ask(304, known).await?, "memory")?;

    let mut tag = tag.to_owned();
    for round in 0..ROUNDS {
        let text = format!("Later, round {round}");
        let replaced = other.ask(200, Request::put(profile_path(), described(&text)?)).await?;
        let changed = service.ask(200, strict(get(&tag))).await?;
        ensure_fresh(&changed, "database")?;
        replaced.required("etag")?.clone_into(&mut tag);
        ensure!(changed.required("etag")? == tag, "{changed:?}");
        ensure!(changed.at("/text_description")? == json!(text), "{changed:?}");
    }
    other.stop().await;
    Ok(())
}

/// A write that allows several versions is held against the one that is stored now, whoever stored it.
pub async fn a_choice_of_versions_is_checked_strictly(service: &Service) -> anyhow::Result<()> {
    let other = service.another(StateSettings::default()).await?;
    let mut known = saved(service, "J Dilla", described("Late")?).await?;

    for round in 0..ROUNDS {
        let text = format!("Later, round {round}");
        let elsewhere = Request::put(profile_path(), described(&text)?);
        let put =
            |tags: String| Request::put(profile_path(), body::profile()).with("if-match", tags);

        let newer = other.ask(200, elsewhere.clone()).await?;
        let tags = format!("{}, {}", known.required("etag")?, newer.required("etag")?);
        known = service.ask(200, put(tags)).await?;
        let newest = other.ask(200, elsewhere).await?;
        let tags = format!("{}, {}", newer.required("etag")?, known.required("etag")?);
        let refused = service.ask(412, put(tags)).await?;
        ensure!(refused.at("/current_version")? == newest.at("/version")?, "{refused:?}");
    }

    other.stop().await;
    Ok(())
}

/// A client that was told by one instance that an artist is there can go on at another one.
pub async fn who_was_just_made_elsewhere_can_be_written_about(
    service: &Service,
) -> anyhow::Result<()> {
    let other = service.another(StateSettings::default()).await?;

    for round in 0..ROUNDS {
        let name = format!("Artist {round}");
        other.ask(201, Request::post(ARTISTS, json!({"name": name}))).await?;
        let requests = [
            (201, Request::post(artist(&name, "/sources"), body::source("https://example.org"))),
            (200, Request::get(artist(&name, "/history"))),
            (200, Request::get(artist(&name, "/sources"))),
            (201, Request::post(GENERATIONS, body::generation_of(&name)?)),
        ];
        // Each is the first one in its turn: the one after it profits from what was learned.
        let index = usize::try_from(round)? % requests.len();
        let (status, request) = requests.into_iter().nth(index).context("within")?;
        service.ask(status, request).await?;
    }

    other.stop().await;
    Ok(())
}

/// What was said about an artist that is gone is refused, not lost.
pub async fn who_was_just_removed_elsewhere_cannot(service: &Service) -> anyhow::Result<()> {
    let other = service.another(StateSettings::default()).await?;

    for round in 0..ROUNDS {
        let name = format!("Artist {round}");
        service.ask(201, Request::post(ARTISTS, json!({"name": name}))).await?;
        service.ask(200, Request::get(artist(&name, ""))).await?;
        other.ask(204, Request::delete(artist(&name, ""))).await?;
        let source = Request::post(artist(&name, "/sources"), body::source("https://example.org"));
        let generation = Request::post(GENERATIONS, body::generation_of(&name)?);
        for request in [source, generation] {
            service.refuse(404, "artist_not_found", request).await?;
        }
    }

    other.stop().await;
    Ok(())
}

/// Whoever edits at a prompt is an instance like any other.
pub async fn edits_by_hand_are_seen(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", described("Late")?).await?;
    service.ask(200, Request::get(artist("J Dilla", ""))).await?;
    let ask = async |status, path: String| service.ask(status, strict(Request::get(path))).await;

    service.by_hand("UPDATE style_profiles SET text_description = 'By hand'").await?;
    let profile = ask(200, profile_path()).await?;
    ensure!(profile.at("/text_description")? == "By hand", "{profile:?}");

    service.by_hand("UPDATE artists SET confidence_score = 0.25").await?;
    let found = ask(200, artist("J Dilla", "")).await?;
    ensure!(found.at("/confidence_score")? == 0.25, "{found:?}");

    service.by_hand("DELETE FROM style_embeddings").await?;
    let profile = ask(200, format!("{}?include=embedding", profile_path())).await?;
    ensure!(profile.at("/embedding")?.is_null(), "{profile:?}");

    service.by_hand("DELETE FROM style_profiles").await?;
    let problem = ask(404, profile_path()).await?;
    ensure!(problem.at("/error")? == "profile_not_found", "{problem:?}");

    service.by_hand("DELETE FROM artists").await?;
    let problem = ask(404, artist("J Dilla", "")).await?;
    ensure!(problem.at("/error")? == "artist_not_found", "{problem:?}");
    Ok(())
}

/// A service of whose two artists one is cached, and which has lost its database.
async fn cut_off(service: &Service, bounds: Bounds) -> anyhow::Result<Service> {
    saved(service, "J Dilla", described("Late")?).await?;
    saved(service, "Tony Allen", described("Rolling")?).await?;
    let settings = StateSettings { bounds, ..StateSettings::default() };
    let alone = service.another(settings).await?;
    alone.ask(200, strict(Request::get(profile_path()))).await?;
    alone.ask(200, Request::get(artist("J Dilla", ""))).await?;
    alone.lose_database().await;
    Ok(alone)
}

/// Asks until there is an answer that says that it may be out of date.
async fn first_stale(service: &Service, request: &Request) -> anyhow::Result<Answer> {
    let began = Instant::now();
    loop {
        let answer = service.send(request).await?;
        if answer.header("warning").is_some() {
            return Ok(answer);
        }
        ensure!(answer.status == 200 && began.elapsed() < PATIENCE, "{answer:?}");
        sleep(MOMENT).await;
    }
}

/// What is known is told, with a warning; what is not known, or has to be certain, is refused.
pub async fn the_last_good_answer_outlives_the_database(service: &Service) -> anyhow::Result<()> {
    let alone = cut_off(service, Bounds::default()).await?;

    let stale = first_stale(&alone, &Request::get(profile_path())).await?;
    ensure_stale(&stale, "memory")?;
    ensure!(stale.at("/text_description")? == "Late", "{stale:?}");
    let known = Request::get(profile_path()).with("if-none-match", stale.required("etag")?);
    ensure_stale(&alone.ask(304, known).await?, "memory")?;
    let with_embedding = Request::get(format!("{}?include=embedding", profile_path()));
    let with_embedding = alone.ask(200, with_embedding).await?;
    ensure_stale(&with_embedding, "memory")?;
    ensure!(with_embedding.at("/embedding")?.is_array(), "{with_embedding:?}");
    ensure_stale(&alone.ask(200, Request::new("HEAD", profile_path())).await?, "memory")?;
    ensure_stale(&alone.ask(200, Request::get(artist("J Dilla", ""))).await?, "memory")?;
    for rest in ["", "/profile"] {
        let unknown = alone.ask(404, Request::get(artist("Nobody", rest))).await?;
        ensure_stale(&unknown, "catalog")?;
        ensure!(unknown.at("/error")? == "artist_not_found", "{unknown:?}");
    }

    let source = body::source("https://example.org");
    for request in [
        strict(Request::get(profile_path())),
        strict(Request::get(artist("J Dilla", ""))),
        strict(Request::get(artist("Nobody", "/profile"))),
        Request::get(artist("Tony Allen", "/profile")),
        Request::get(ARTISTS),
        Request::put(profile_path(), described("Later")?),
        Request::put(profile_path(), described("Later")?).with("if-match", "\"1\", \"2\""),
        Request::delete(profile_path()),
        Request::post(ARTISTS, json!({"name": "Somebody"})),
        Request::delete(artist("J Dilla", "")),
        Request::post(artist("J Dilla", "/sources"), source),
        Request::post(GENERATIONS, body::generation_of("J Dilla")?),
    ] {
        let answer = alone.send(&request).await?;
        let problem = Problem::read(answer, 503, "database_unavailable", &request)?;
        ensure!(problem.answer.required("retry-after")?.parse::<u32>().is_ok());
    }
    let still = alone.ask(200, Request::get(profile_path())).await?;
    ensure!(still.text()? == stale.text()?, "{still:?}");
    ensure_stale(&still, "memory")?;
    alone.stop().await;
    Ok(())
}

/// Asks until there is no answer any more. Until then each is as good as `good` says, and none comes to a question that
/// is asked later than the bound.
async fn ensure_ends(
    service: &Service,
    bound: Duration,
    good: impl Fn(&Answer) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let lost = Instant::now();
    loop {
        let late = bound < lost.elapsed();
        let answer = service.send(&Request::get(profile_path())).await?;
        if answer.status == 503 {
            break;
        }
        ensure!(answer.status == 200 && !late, "after {:?}: {answer:?}", lost.elapsed());
        good(&answer)?;
        sleep(MOMENT).await;
    }
    for (path, code) in [(profile_path(), 503), (artist("Nobody", "/profile"), 503)] {
        service.ask(code, Request::get(path)).await?;
    }
    Ok(())
}

/// Once the catalog is too old to rely on there is no answer.
pub async fn nothing_stale_where_that_is_off(service: &Service) -> anyhow::Result<()> {
    let bounds = Bounds { max_stale_if_error: Duration::ZERO, ..Bounds::default() };
    let alone = cut_off(service, bounds).await?;

    ensure_ends(&alone, bounds.max_staleness, |answer| ensure_fresh(answer, "memory")).await?;

    alone.stop().await;
    Ok(())
}

/// Neither before nor after it is stale.
pub async fn no_answer_is_older_than_the_bound(service: &Service) -> anyhow::Result<()> {
    let bounds = Bounds {
        max_staleness: Duration::from_millis(100),
        max_stale_if_error: Duration::from_millis(2_500),
    };
    let alone = cut_off(service, bounds).await?;
    let warned = std::cell::Cell::new(false);

    ensure_ends(&alone, bounds.max_stale_if_error, |answer| {
        warned.set(warned.get() || answer.header("warning").is_some());
        ensure!(answer.required("age")?.parse::<u64>()? <= 2, "{answer:?}");
        Ok(())
    })
    .await?;

    ensure!(warned.get(), "none was stale");
    alone.stop().await;
    Ok(())
}
