//! Similar artists, asked again while no embedding has changed.

use anyhow::ensure;

use crate::bench::{
    artists::similar_path,
    caller::get,
    limits::ConstantBody,
    load::{Asked, in_turns},
    row::{Bound, Promise, Row},
    service::Service,
    site::Site,
};

pub(super) const NAME: &str = "similar-kept";

pub(super) fn run(site: &mut Site) -> anyhow::Result<Row> {
    let (count, pace) = (site.extent.artists, site.extent.pace);
    let url = site.sqlite(count)?;
    let service = Service::start(&site.programs, &[("GROOVEBASE_DATABASE_URL", &url)])?;
    let artists = site.artists(count)?;
    let name = artists.some(1).next().unwrap_or_default();
    let request = get(&similar_path(name), "");
    service.until_indexed(&request)?;
    let mut caller = service.caller()?;
    // The first answer that is kept.
    caller.expect(200, &request)?;
    let answer = caller.expect(200, &request)?;
    let tier = answer.header("x-cache");
    ensure!(tier == Some("memory"), "the answer comes from {tier:?}");
    let constant = ConstantBody::start(&site.programs, 200, &answer.body)?;

    let pairs = in_turns(
        pace,
        &mut Asked::one_of(service.address(), 200, vec![request.clone()]),
        &mut Asked::one_of(constant.address(), 200, vec![request]),
    )?;
    Ok(Row {
        name: NAME,
        what: format!("similar, kept answer, limit 10, {} bytes", answer.body.len()),
        subject: pairs.subject(),
        against: "constant body of that size".to_owned(),
        limit: pairs.limit(),
        promises: vec![
            Promise::of_limit("rate", &pairs, |it| it.rate, Bound::AtLeast(0.8)),
            Promise::of_limit("p99", &pairs, |it| it.p99_ms, Bound::AtMost(2.0)),
        ],
    })
}
