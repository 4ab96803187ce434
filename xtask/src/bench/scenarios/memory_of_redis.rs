//! How much memory profiles take in Redis.

use crate::bench::{
    artists::profile_path,
    caller::get,
    figures::Figures,
    limits::redis,
    row::{Bound, Promise, Row, Unit},
    scenarios::profile_from_redis::{in_redis, prefix},
    service::Service,
    site::Site,
};

pub(super) const NAME: &str = "memory-redis";

pub(super) fn run(site: &mut Site) -> anyhow::Result<Row> {
    let count = site.extent.artists;
    let (url, prefix) = (site.sqlite(count)?, prefix());
    let server = site.servers()?.redis().to_owned();
    let settings = [
        ("GROOVEBASE_DATABASE_URL", url.as_str()),
        ("GROOVEBASE_REDIS_URL", server.as_str()),
        ("GROOVEBASE_REDIS_PREFIX", prefix.as_str()),
        ("GROOVEBASE_CACHE_MEMORY_BYTES", "0"),
    ];
    let artists = site.artists(count)?;
    let service = Service::start(&site.programs, &settings)?;
    let before = redis::used_megabytes(&server)?;
    let mut caller = service.caller()?;
    let filled = artists.names.iter().try_for_each(|name| {
        let request = get(&profile_path(name), "");
        in_redis(&mut caller, &request).map(drop)
    });
    let after = redis::used_megabytes(&server);
    redis::forget(&server, &prefix)?;
    filled?;
    #[expect(clippy::cast_precision_loss, reason = "nobody has 2^53 artists")]
    let per_10_000 = (after? - before) / count as f64 * 1e4;
    Ok(Row {
        name: NAME,
        what: format!("memory of Redis for 10,000 profiles, from {count} of them"),
        subject: Figures::default(),
        against: "–".to_owned(),
        limit: Figures::default(),
        promises: vec![Promise::new(
            "used",
            Some(per_10_000),
            Bound::AtMost(60.0),
            Unit::Megabytes,
        )],
    })
}
