//! A profile that is in memory.

use crate::bench::{
    artists::profile_path,
    caller::get,
    limits::ConstantBody,
    load::{Asked, in_turns},
    row::{Bound, Promise, Row},
    service::Service,
    site::Site,
};

pub(super) const NAME: &str = "profile-hit";

pub(super) fn run(site: &mut Site) -> anyhow::Result<Row> {
    let (count, pace) = (site.extent.artists, site.extent.pace);
    let url = site.sqlite(count)?;
    let service = Service::start(&site.programs, &[("GROOVEBASE_DATABASE_URL", &url)])?;
    let artists = site.artists(count)?;
    // One profile, so that the constant answer has its size.
    let name = artists.some(1).next().unwrap_or_default();
    let request = get(&profile_path(name), "");
    let body = service.caller()?.expect(200, &request)?.body;
    let constant = ConstantBody::start(&site.programs, 200, &body)?;

    let pairs = in_turns(
        pace,
        &mut Asked::one_of(service.address(), 200, vec![request.clone()]),
        &mut Asked::one_of(constant.address(), 200, vec![request]),
    )?;
    Ok(Row {
        name: NAME,
        what: format!("profile, in-process hit, {} bytes", body.len()),
        subject: pairs.subject(),
        against: "constant body of that size".to_owned(),
        limit: pairs.limit(),
        promises: vec![
            Promise::of_limit("rate", &pairs, |it| it.rate, Bound::AtLeast(0.8)),
            Promise::of_limit("p99", &pairs, |it| it.p99_ms, Bound::AtMost(2.0)),
        ],
    })
}
