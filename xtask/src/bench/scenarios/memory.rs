//! How much memory the service takes once everything that it keeps is there.

use crate::bench::{
    artists::{profile_path, similar_path},
    caller::get,
    figures::Figures,
    row::{Bound, Promise, Row, Unit},
    service::Service,
    site::Site,
};

pub(super) const NAME: &str = "memory";

/// How many profiles are read before: as many as a start would fetch.
const PROFILES: usize = 5_000;

pub(super) fn run(site: &mut Site) -> anyhow::Result<Row> {
    let count = site.extent.many;
    let url = site.sqlite(count)?;
    let service = Service::start(&site.programs, &[("GROOVEBASE_DATABASE_URL", &url)])?;
    let artists = site.artists(count)?;
    let name = artists.some(1).next().unwrap_or_default();
    service.until_indexed(&get(&similar_path(name), ""))?;
    let mut caller = service.caller()?;
    for name in artists.some(PROFILES) {
        caller.expect(200, &get(&profile_path(name), ""))?;
    }
    let resident = service.resident_megabytes()?;
    Ok(Row {
        name: NAME,
        what: format!("memory, {count} artists with embeddings, {PROFILES} profiles read at most"),
        subject: Figures::default(),
        against: "–".to_owned(),
        limit: Figures::default(),
        promises: vec![Promise::new(
            "resident",
            Some(resident),
            Bound::AtMost(450.0),
            Unit::Megabytes,
        )],
    })
}
