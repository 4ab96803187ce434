//! A profile that is not in memory, but in Redis.

use anyhow::ensure;
use domain::ArtistName;

use crate::bench::{
    artists::profile_path,
    caller::{Caller, get},
    limits::{ConstantBody, redis},
    load::{Asked, Pace},
    pairs::{Pair, Pairs},
    row::{Bound, Promise, Row},
    service::Service,
    site::Site,
};

pub(super) const NAME: &str = "profile-from-redis";

/// How many profiles are asked for, so that few ask for one at the same time, who would share its answer.
const PROFILES: usize = 500;

/// How often a profile may be asked for before Redis has it.
const TRIES: usize = 50;

pub(super) fn run(site: &mut Site) -> anyhow::Result<Row> {
    let (count, pace) = (site.extent.artists, site.extent.pace);
    let url = site.sqlite(count)?;
    let server = site.servers()?.redis().to_owned();
    let prefix = prefix();
    let settings = [
        ("GROOVEBASE_DATABASE_URL", url.as_str()),
        ("GROOVEBASE_REDIS_URL", server.as_str()),
        ("GROOVEBASE_REDIS_PREFIX", prefix.as_str()),
        ("GROOVEBASE_CACHE_MEMORY_BYTES", "0"),
    ];
    let service = Service::start(&site.programs, &settings)?;
    let (mut requests, mut keys) = (Vec::new(), Vec::new());
    for name in site.artists(count)?.some(PROFILES) {
        requests.push(get(&profile_path(name), ""));
        keys.push(format!("{prefix}:profile:{}", ArtistName::try_from(name)?.key()));
    }
    let row = measured(site, &service, requests, &server, &keys, pace);
    redis::forget(&server, &prefix)?;
    row
}

/// What the keys of this run begin with.
pub(super) fn prefix() -> String {
    format!("groovebase-bench-{}", std::process::id())
}

fn measured(
    site: &Site,
    service: &Service,
    requests: Vec<Vec<u8>>,
    server: &str,
    keys: &[String],
    pace: Pace,
) -> anyhow::Result<Row> {
    let mut caller = service.caller()?;
    let mut body = Vec::new();
    for request in &requests {
        body = in_redis(&mut caller, request)?;
    }
    let constant = ConstantBody::start(&site.programs, 200, &body)?;
    let mut subject = Asked::one_of(service.address(), 200, requests.clone());
    let mut http = Asked::one_of(constant.address(), 200, requests);
    subject.warm(pace)?;

    let pairs = Pairs::taken(pace.turns, || {
        let subject = subject.closed(pace)?;
        let gets = redis::gets(server, keys.to_vec(), pace.connections, pace.time)?;
        let constant = http.closed(pace)?;
        let limit = if gets.rate < constant.rate { gets } else { constant };
        Ok(Pair { subject, limit })
    })?;
    Ok(Row {
        name: NAME,
        what: "profile from Redis (memory off), latencies at full load".to_owned(),
        subject: pairs.subject(),
        against: "the lower of raw GETs and a constant body".to_owned(),
        limit: pairs.limit(),
        promises: vec![Promise::of_limit("rate", &pairs, |it| it.rate, Bound::AtLeast(0.5))],
    })
}

/// Asks until Redis answers, and returns the body.
pub(super) fn in_redis(caller: &mut Caller, request: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut tier = None;
    for _ in 0..TRIES {
        let answer = caller.expect(200, request)?;
        tier = answer.header("x-cache").map(str::to_owned);
        if tier.as_deref() == Some("redis") {
            return Ok(answer.body);
        }
    }
    ensure!(tier.as_deref() == Some("redis"), "profiles come from {tier:?} and not from Redis");
    Ok(Vec::new())
}
