//! Similar artists, found by comparing everybody in memory.

use anyhow::ensure;

use crate::bench::{
    artists::similar_path,
    caller::get,
    figures::Figures,
    limits::Memory,
    load::{Asked, beside},
    machine,
    row::{Bound, Promise, Row},
    service::Service,
    site::Site,
};

pub(super) const NAME: &str = "similar-scanned";
pub(super) const NAME_OF_MANY: &str = "similar-scanned-many";

/// How many artists are asked for, in turn.
const TARGETS: usize = 500;

/// A scan reads a code of one byte for each number of an embedding.
const CODE_BYTES: usize = 384;

pub(super) fn run(site: &mut Site) -> anyhow::Result<Row> {
    measured(site, NAME, site.extent.artists)
}

pub(super) fn run_many(site: &mut Site) -> anyhow::Result<Row> {
    measured(site, NAME_OF_MANY, site.extent.many)
}

fn measured(site: &mut Site, name: &'static str, count: usize) -> anyhow::Result<Row> {
    let (url, pace) = (site.sqlite(count)?, site.extent.pace);
    let settings =
        [("GROOVEBASE_DATABASE_URL", url.as_str()), ("GROOVEBASE_SIMILARITY_ANSWERS", "0")];
    let service = Service::start(&site.programs, &settings)?;
    let artists = site.artists(count)?;
    let similar = |name: &str| get(&similar_path(name), "");
    let requests: Vec<_> = artists.some(TARGETS).map(similar).collect();
    service.until_indexed(requests.first().map_or(&[][..], Vec::as_slice))?;

    #[expect(clippy::cast_precision_loss, reason = "no machine has 2^53 cores")]
    let cores = machine::cores()?.get() as f64;
    let memory = Memory::of(count * CODE_BYTES);
    let mut asked = Asked::one_of(service.address(), 200, requests);
    let pairs = beside(pace, &mut asked, || {
        let scan_ms = memory.scan_ms()?;
        ensure!(0.0 < scan_ms, "reading so little memory takes no time");
        Ok(Figures { p50_ms: Some(scan_ms), ..Figures::of_rate(cores * 1e3 / scan_ms) })
    })?;
    Ok(Row {
        name,
        what: format!(
            "similar, compared in memory, {count} artists, limit 10, latencies at full load"
        ),
        subject: pairs.subject(),
        against: "cores / time to read the codes once".to_owned(),
        limit: pairs.limit(),
        promises: vec![Promise::of_limit("rate", &pairs, |it| it.rate, Bound::AtLeast(0.6))],
    })
}
