//! A profile that includes every write acknowledged before, by whichever instance.

use crate::bench::{
    artists::profile_path,
    caller::get,
    load::{Asked, in_turns},
    row::{Bound, Promise, Row},
    service::Service,
    site::Site,
};

pub(super) const NAME: &str = "strict-read";

pub(super) fn run(site: &mut Site) -> anyhow::Result<Row> {
    let (count, pace) = (site.extent.artists, site.extent.pace);
    let url = site.sqlite(count)?;
    let service = Service::start(&site.programs, &[("GROOVEBASE_DATABASE_URL", &url)])?;
    let artists = site.artists(count)?;
    let name = artists.some(1).next().unwrap_or_default();
    let path = profile_path(name);
    let strict = get(&path, "cache-control: no-cache\r\n");

    let pairs = in_turns(
        pace,
        &mut Asked::one_of(service.address(), 200, vec![strict]),
        &mut Asked::one_of(service.address(), 200, vec![get(&path, "")]),
    )?;
    Ok(Row {
        name: NAME,
        what: "profile, strict read, hot, SQLite".to_owned(),
        subject: pairs.subject(),
        against: "default read of the same service".to_owned(),
        limit: pairs.limit(),
        promises: vec![Promise::of_limit("rate", &pairs, |it| it.rate, Bound::AtLeast(0.5))],
    })
}
