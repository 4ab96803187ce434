//! A profile that the caller has already.

use anyhow::Context as _;

use crate::bench::{
    artists::profile_path,
    caller::get,
    limits::ConstantBody,
    load::{Asked, in_turns},
    row::{Bound, Promise, Row},
    service::Service,
    site::Site,
};

pub(super) const NAME: &str = "profile-unchanged";

pub(super) fn run(site: &mut Site) -> anyhow::Result<Row> {
    let (count, pace) = (site.extent.artists, site.extent.pace);
    let url = site.sqlite(count)?;
    let service = Service::start(&site.programs, &[("GROOVEBASE_DATABASE_URL", &url)])?;
    let artists = site.artists(count)?;
    let name = artists.some(1).next().unwrap_or_default();
    let path = profile_path(name);
    let answer = service.caller()?.expect(200, &get(&path, ""))?;
    let etag = answer.header("etag").context("a profile without an ETag")?;
    let request = get(&path, &format!("if-none-match: {etag}\r\n"));
    let constant = ConstantBody::start(&site.programs, 304, b"")?;

    let pairs = in_turns(
        pace,
        &mut Asked::one_of(service.address(), 304, vec![request.clone()]),
        &mut Asked::one_of(constant.address(), 304, vec![request]),
    )?;
    Ok(Row {
        name: NAME,
        what: "profile, 304 by ETag".to_owned(),
        subject: pairs.subject(),
        against: "constant 304".to_owned(),
        limit: pairs.limit(),
        promises: vec![Promise::of_limit("rate", &pairs, |it| it.rate, Bound::AtLeast(0.9))],
    })
}
