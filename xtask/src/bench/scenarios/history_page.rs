//! A page of the history of the artist who was asked for most, by one caller who waits for it.

use crate::bench::{
    artists::in_path,
    caller::get,
    limits::Pgbench,
    load::{Asked, Pace, beside},
    row::{Bound, Promise, Row},
    servers::sql,
    service::Service,
    site::Site,
};

pub(super) const NAME: &str = "history-page";

/// As the storage reads a page. It counts the history with another statement, which is not held against it here.
const STATEMENT: &str = "SELECT g.*, a.* FROM generation_history g LEFT JOIN artists a ON a.id = g.artist_id \
                         WHERE g.artist_id = (SELECT CAST(:artist AS uuid)) \
                         ORDER BY g.created_at DESC, g.id DESC LIMIT (SELECT 101);";

pub(super) fn run(site: &mut Site) -> anyhow::Result<Row> {
    let recorded = site.postgres_history()?;
    let pace = Pace { connections: 1, ..site.extent.pace };
    let service = Service::start(&site.programs, &[("GROOVEBASE_DATABASE_URL", &recorded.url)])?;
    let path = format!("/api/v1/artists/{}/history?limit=100", in_path(&recorded.busiest));
    let request = get(&path, "");
    let body = service.caller()?.expect(200, &request)?.body;
    let artist =
        format!("SELECT id FROM artists WHERE name = '{}'", recorded.busiest.replace('\'', "''"));
    let artist = sql(&recorded.url, &artist)?;
    let bare = Pgbench::of(&recorded.url, STATEMENT, &[("artist", &artist)], pace.connections)?;

    let mut asked = Asked::one_of(service.address(), 200, vec![request]);
    let pairs = beside(pace, &mut asked, || bare.measure(pace.time))?;
    Ok(Row {
        name: NAME,
        what: format!("history, page of 100, {} bytes, PostgreSQL, one caller", body.len()),
        subject: pairs.subject(),
        against: "pgbench, the same page, one client".to_owned(),
        limit: pairs.limit(),
        promises: vec![Promise::of_limit("p50", &pairs, |it| it.p50_ms, Bound::AtMost(2.0))],
    })
}
