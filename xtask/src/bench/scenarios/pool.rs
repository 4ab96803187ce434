//! A hundred callers at once who all have to be answered from PostgreSQL.
//!
//! Nobody tells how long a request waited for its connection, but that is part of how long its answer took. So a slowest
//! answer within the bound proves that no request waited longer; a slower one proves nothing, and the promise is not met.

use anyhow::ensure;

use crate::bench::{
    artists::profile_path,
    caller::get,
    figures::Figures,
    load::{Asked, Pace},
    row::{Bound, Promise, Row, Unit},
    servers::sql,
    service::Service,
    site::Site,
};

pub(super) const NAME: &str = "pool";

const CALLERS: usize = 100;

pub(super) fn run(site: &mut Site) -> anyhow::Result<Row> {
    let count = site.extent.artists;
    let url = site.postgres(count)?;
    let pace = Pace { connections: CALLERS, ..site.extent.pace };
    let settings = [
        ("GROOVEBASE_DATABASE_URL", url.as_str()),
        ("GROOVEBASE_CACHE_MEMORY_BYTES", "0"),
        ("GROOVEBASE_CACHE_WARM_PROFILES", "0"),
    ];
    let service = Service::start(&site.programs, &settings)?;
    let request = |name: &str| get(&profile_path(name), "");
    // So many that hardly two ask for one at the same time, who would share its answer.
    let requests = site.artists(count)?.names.iter().map(|name| request(name)).collect();
    let began = sql(&url, "SELECT clock_timestamp()")?;
    let mut asked = Asked::one_of(service.address(), 200, requests);
    let turns = (0..pace.turns).map(|_| asked.closed(pace)).collect::<anyhow::Result<Vec<_>>>()?;
    let figures = Figures::median(&turns);

    let opened = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
                  AND backend_start >= ";
    let opened: f64 = sql(&url, &format!("{opened} '{began}'"))?.parse()?;
    let answers: f64 = turns.iter().filter_map(|it| it.rate).sum::<f64>() * pace.time.as_secs_f64();
    ensure!(0.0 < answers, "nothing was answered");
    let slowest = turns.iter().filter_map(|it| it.max_ms).fold(0.0, f64::max);
    Ok(Row {
        name: NAME,
        what: format!(
            "profile from PostgreSQL (caches off), {CALLERS} callers, latencies at full load"
        ),
        subject: figures,
        against: "–".to_owned(),
        limit: Figures::default(),
        promises: vec![
            Promise::new("slowest answer", Some(slowest), Bound::AtMost(50.0), Unit::Milliseconds),
            Promise::new(
                "on connections that were open",
                Some(100.0 * (1.0 - opened / answers)),
                Bound::AtLeast(95.0),
                Unit::Percent,
            ),
        ],
    })
}
