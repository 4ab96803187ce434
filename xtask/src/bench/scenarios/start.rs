//! From the start of the process until it says that it is ready.

use crate::bench::{
    figures::{Figures, millis},
    row::{Bound, Promise, Row, Unit},
    service::Service,
    site::Site,
};

pub(super) const NAME: &str = "start-sqlite";
pub(super) const NAME_ON_POSTGRES: &str = "start-postgres";

/// How often it is started.
const STARTS: usize = 5;

pub(super) fn run(site: &mut Site) -> anyhow::Result<Row> {
    let url = site.sqlite(site.extent.many)?;
    measured(site, NAME, "SQLite", &url, 1_000.0)
}

pub(super) fn run_on_postgres(site: &mut Site) -> anyhow::Result<Row> {
    let url = site.postgres(site.extent.many)?;
    measured(site, NAME_ON_POSTGRES, "PostgreSQL", &url, 2_000.0)
}

fn measured(
    site: &Site,
    name: &'static str,
    database: &str,
    url: &str,
    most_ms: f64,
) -> anyhow::Result<Row> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let service = Service::start(&site.programs, &[("GROOVEBASE_DATABASE_URL", url)])?;
        times.push(millis(service.started_in));
    }
    let subject = Figures::of_times(times);
    Ok(Row {
        name,
        what: format!("start to ready, {} artists, {database}", site.extent.many),
        subject: Figures { p50_ms: subject.p50_ms, ..Figures::default() },
        against: "–".to_owned(),
        limit: Figures::default(),
        promises: vec![Promise::new(
            "p50",
            subject.p50_ms,
            Bound::AtMost(most_ms),
            Unit::Milliseconds,
        )],
    })
}
