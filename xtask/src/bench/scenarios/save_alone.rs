//! Saving profiles that are durable when it is acknowledged, one after the other, with nobody to share a commit with.

use crate::bench::{
    limits::Disk,
    load::{Pace, beside},
    row::Row,
    service::Service,
    site::Site,
};

use super::save::{PROFILES, saves};

pub(super) const NAME: &str = "save-alone";

pub(super) fn run(site: &mut Site) -> anyhow::Result<Row> {
    let count = site.extent.artists;
    let url = site.sqlite(count)?;
    let pace = Pace { connections: 1, ..site.extent.pace };
    let service = Service::start(&site.programs, &[("GROOVEBASE_DATABASE_URL", &url)])?;
    let disk = Disk::beside(&url)?;
    let mut asked = saves(&service, site.artists(count)?.profiles(PROFILES)?)?;
    let pairs = beside(pace, &mut asked, || disk.measure(pace.time))?;
    Ok(Row {
        name: NAME,
        what: "save a profile, durable, one writer, SQLite".to_owned(),
        subject: pairs.subject(),
        against: "one page of 4 KiB written behind a file and flushed to the same disk".to_owned(),
        limit: pairs.limit(),
        promises: Vec::new(),
    })
}
