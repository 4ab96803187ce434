//! How often, how much at once, how large and for how long.

use std::{
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use api::{
    limits::{LimitSettings, RateSettings},
    state::StateSettings,
};
use cache::KeyHasher;
use domain::{KeyLimits, KeyText, Quota, Scope};
use tokio::{io::AsyncWriteExt, net::TcpStream, task::yield_now};

use super::{
    ARTISTS,
    access::{SECRET, stored_with, until},
    profile_path, saved,
};
use crate::{
    given::body,
    http::{Answer, Problem, Request},
    service::Service,
};

/// Nothing that is waited for takes that long, on a slow machine either.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Another instance, with limits.
pub(super) async fn limited(service: &Service, limits: LimitSettings) -> anyhow::Result<Service> {
    service.another(StateSettings { limits, ..StateSettings::default() }).await
}

fn per_hour(per_hour: u32) -> LimitSettings {
    let rates = RateSettings { per_hour, ..RateSettings::default() };
    LimitSettings { rates, ..LimitSettings::default() }
}

fn artists() -> Request {
    Request::get(ARTISTS)
}

/// Asks for something that is refused because of how often it was asked.
async fn too_often(service: &Service, request: &Request) -> anyhow::Result<Answer> {
    let answer = service.send(request).await?;
    let problem = Problem::read(answer, 429, "too_many_requests", request)?;
    let seconds: u64 = problem.answer.required("retry-after")?.parse()?;
    ensure!((1..=3_720).contains(&seconds), "{seconds}");
    Ok(problem.answer)
}

/// Each answer says how much is left, and the refusal when there is more.
pub async fn who_asks_too_often_is_told_when_to_come_back(service: &Service) -> anyhow::Result<()> {
    let service = limited(service, per_hour(2)).await?;

    for left in [1, 0] {
        let answer = service.ask(200, artists()).await?;
        ensure!(answer.required("ratelimit-policy")? == "\"hourly\";q=2;w=3600", "{answer:?}");
        let state = answer.required("ratelimit")?;
        ensure!(state.starts_with(&format!("\"hourly\";r={left};t=")), "{state}");
    }
    let refused = too_often(&service, &artists()).await?;
    let another = limited(&service, per_hour(3)).await?;
    // Whatever the answer, it says so, and counts.
    for (left, status, path) in [(2, 404, "/nowhere"), (1, 400, "/api/v1/artists?x=1")] {
        let answer = another.ask(status, Request::get(path)).await?;
        let state = answer.required("ratelimit")?;
        ensure!(state.starts_with(&format!("\"hourly\";r={left};t=")), "{path}: {state}");
    }
    another.stop().await;

    ensure!(refused.required("ratelimit-policy")? == "\"hourly\";q=2;w=3600", "{refused:?}");
    ensure!(refused.required("ratelimit")?.starts_with("\"hourly\";r=0;t="), "{refused:?}");
    too_often(&service, &Request::get("/nowhere")).await?;
    for path in ["/health/live", "/health", "/metrics"] {
        let answer = service.ask(200, Request::get(path)).await?;
        ensure!(answer.header("ratelimit").is_none(), "{answer:?}");
    }
    ensure!(service.limits().refused == 2, "{:?}", service.limits());
    service.stop().await;
    Ok(())
}

async fn key(service: &Service, limits: KeyLimits) -> anyhow::Result<KeyText> {
    stored_with(service, &[Scope::Read], None, limits).await
}

fn keyed(key: &KeyText) -> Request {
    artists().with("x-api-key", key.expose())
}

async fn with_access(service: &Service, limits: LimitSettings) -> anyhow::Result<Service> {
    let access = Some(KeyHasher::new(SECRET)?);
    service.another(StateSettings { access, limits, ..StateSettings::default() }).await
}

/// What is stored with a key goes before what the service is set to.
pub async fn a_key_has_limits_of_its_own(service: &Service) -> anyhow::Result<()> {
    let hourly = |number: u64| -> anyhow::Result<KeyLimits> {
        let requests_per_hour = Some(Quota::try_from(number)?);
        Ok(KeyLimits { requests_per_hour, ..KeyLimits::default() })
    };
    let once = key(service, hourly(1)?).await?;
    let often = key(service, hourly(1_000)?).await?;
    let usual = key(service, KeyLimits::default()).await?;
    let curious = key(service, hourly(1)?).await?;
    let service = with_access(service, per_hour(2)).await?;

    service.ask(200, keyed(&once)).await?;
    too_often(&service, &keyed(&once)).await?;
    for _ in 0..5 {
        service.ask(200, keyed(&often)).await?;
    }
    service.ask(200, keyed(&usual)).await?;
    service.ask(200, keyed(&usual)).await?;
    too_often(&service, &keyed(&usual)).await?;
    // What a key may not do counts as well.
    let beyond = Request::get("/api/v1/keys").with("x-api-key", curious.expose());
    service.ask(403, beyond.clone()).await?;
    too_often(&service, &beyond).await?;
    service.stop().await;
    Ok(())
}

/// Who is behind a proxy is counted by what the proxy says, and nobody else is believed.
pub async fn a_trusted_proxy_tells_addresses_apart(service: &Service) -> anyhow::Result<()> {
    let forwarded = |from: &str| artists().with("x-forwarded-for", from);
    let doubting = limited(service, per_hour(1)).await?;
    let believing = LimitSettings { trusted_proxies: "127.0.0.0/8".parse()?, ..per_hour(1) };
    let believing = limited(service, believing).await?;

    doubting.ask(200, forwarded("192.0.2.1")).await?;
    too_often(&doubting, &forwarded("192.0.2.2")).await?;
    believing.ask(200, forwarded("192.0.2.1")).await?;
    believing.ask(200, forwarded("192.0.2.2")).await?;
    too_often(&believing, &forwarded("203.0.113.9, 192.0.2.2")).await?;
    doubting.stop().await;
    believing.stop().await;
    Ok(())
}

/// An address whose keys are bad has to wait; a good key from there does not.
pub async fn bad_keys_are_told_to_wait_and_good_ones_are_not(
    service: &Service,
) -> anyhow::Result<()> {
    let good = key(service, KeyLimits::default()).await?;
    let rates = RateSettings { failed_per_second: 1, failed_burst: 1, ..RateSettings::default() };
    let limits = LimitSettings { rates, ..LimitSettings::default() };
    let service = with_access(service, limits).await?;

    let first = service.ask(401, artists()).await?;
    until(&service, 429, &artists().with("x-api-key", "nonsense")).await?;

    ensure!(first.header("retry-after").is_none(), "{first:?}");
    service.ask(200, keyed(&good)).await?;
    service.ask(200, Request::get("/health/live")).await?;
    ensure!(0 < service.limits().refused_failed, "{:?}", service.limits());
    service.stop().await;
    Ok(())
}

/// The head of a write, and then nothing: the request is in progress for as long as its body is awaited.
async fn held(service: &Service) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(service.client().address()).await?;
    let head = format!(
        "PUT {} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n",
        profile_path()
    );
    stream.write_all(head.as_bytes()).await?;
    Ok(stream)
}

/// Waits until so many requests are in progress.
pub(super) async fn in_progress(service: &Service, number: usize) -> anyhow::Result<()> {
    let began = Instant::now();
    while service.limits().in_progress != number {
        ensure!(began.elapsed() < PATIENCE, "never {number}: {:?}", service.limits());
        yield_now().await;
    }
    Ok(())
}

/// Beyond the bound a request is sent away at once, and let in again when there is room.
pub async fn what_is_too_much_at_once_is_sent_away(service: &Service) -> anyhow::Result<()> {
    let most_in_progress = NonZeroUsize::new(2).context("two")?;
    let body_timeout = PATIENCE;
    let longest_deadline = PATIENCE;
    let service = limited(
        service,
        LimitSettings {
            most_in_progress,
            body_timeout,
            longest_deadline,
            ..LimitSettings::default()
        },
    )
    .await?;
    let (first, second) = (held(&service).await?, held(&service).await?);
    in_progress(&service, 2).await?;

    for request in [artists(), Request::put(profile_path(), body::profile())] {
        let problem = service.refuse(503, "overloaded", request).await?;
        ensure!(problem.answer.required("retry-after")? == "1", "{problem:?}");
    }
    for path in ["/health/live", "/health", "/metrics"] {
        service.ask(200, Request::get(path)).await?;
    }
    drop((first, second));
    in_progress(&service, 0).await?;

    service.ask(200, artists()).await?;
    saved(&service, "J Dilla", body::profile()).await?;
    ensure!(service.limits().shed == 2, "{:?}", service.limits());
    service.stop().await;
    Ok(())
}

/// A body that does not arrive is given up, and nothing is written.
pub async fn a_body_that_takes_too_long(service: &Service) -> anyhow::Result<()> {
    let limits =
        LimitSettings { body_timeout: Duration::from_millis(50), ..LimitSettings::default() };
    let service = limited(service, limits).await?;
    let incomplete = Request::new("PUT", profile_path())
        .with("transfer-encoding", "chunked")
        .json(b"1\r\n{\r\n".as_slice());

    let problem = service.refuse(408, "body_too_slow", incomplete).await?;

    ensure!(problem.message()? == "a body arrives within 50 ms", "{problem:?}");
    in_progress(&service, 0).await?;
    service.stop().await;
    Ok(())
}

/// A route that does not answer in time is answered without it.
pub async fn a_route_that_takes_too_long(service: &Service) -> anyhow::Result<()> {
    let limits =
        LimitSettings { longest_deadline: Duration::from_millis(50), ..LimitSettings::default() };
    let service = limited(service, limits).await?;
    let incomplete = Request::new("PUT", profile_path())
        .with("transfer-encoding", "chunked")
        .json(b"1\r\n{\r\n".as_slice());

    let problem = service.refuse(503, "deadline_exceeded", incomplete).await?;

    ensure!(problem.answer.required("retry-after")? == "1", "{problem:?}");
    ensure!(service.limits().late == 1, "{:?}", service.limits());
    in_progress(&service, 0).await?;
    service.stop().await;
    Ok(())
}

/// What does not fit is refused whatever it asks for.
pub async fn urls_and_heads_that_are_too_large(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile()).await?;
    let many = |number: usize| format!("{ARTISTS}?{}", vec!["a=1"; number].join("&"));

    service
        .refuse(
            414,
            "url_too_long",
            Request::get(format!("{ARTISTS}?limit=1{}", "0".repeat(16_384))),
        )
        .await?;
    service.refuse(414, "url_too_long", Request::get(many(5_000))).await?;
    service.refuse(400, "invalid_parameter", Request::get(many(101))).await?;
    let before = service.contents().await?;
    // Such a head is refused by the HTTP parser, before there is a request.
    let bomb = (0..200).fold(artists(), |request, _| request.with("x-bomb", "1"));
    let large = artists().with("x-bomb", "1".repeat(200_000));
    for (request, status) in [(Request::get(many(100_000)), 431), (large, 431), (bomb, 431)] {
        let answer = service.client().send(&request).await?;
        ensure!(answer.status == status, "{status}: {answer:?}");
    }
    ensure!(service.contents().await? == before);
    service.ask(200, artists()).await?;
    Ok(())
}
