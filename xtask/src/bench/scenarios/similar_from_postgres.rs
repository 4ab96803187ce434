//! Similar artists as PostgreSQL's own index of embeddings finds them, for one caller who waits.

use anyhow::ensure;
use serde_json::Value;

use crate::bench::{
    artists::similar_path,
    caller::get,
    limits::Pgbench,
    load::{Asked, Pace, beside},
    row::Row,
    servers::sql,
    service::Service,
    site::Site,
};

pub(super) const NAME: &str = "similar-from-postgres";

/// How many artists are asked for, in turn.
const TARGETS: usize = 500;

/// The same index, followed as far as the service has it followed, so that both miss as many; and as many rows as the
/// service asks it for.
const SETTINGS: [(&str, &str); 2] = [("hnsw.ef_search", "56"), ("enable_seqscan", "off")];
const STATEMENT: &str = "SELECT artist_id FROM style_embeddings ORDER BY embedding <=> (SELECT embedding \
                         FROM style_embeddings JOIN bench_targets USING (artist_id) WHERE n = :n) LIMIT 27;";

pub(super) fn run(site: &mut Site) -> anyhow::Result<Row> {
    let count = site.extent.many;
    let url = site.postgres(count)?;
    let settings = [("GROOVEBASE_DATABASE_URL", url.as_str())];
    site.groovebase(&url, &["index", "use", "hnsw"])?;
    sql(
        &url,
        &format!(
            "DROP TABLE IF EXISTS bench_targets; \
             CREATE TABLE bench_targets (n bigint PRIMARY KEY, artist_id uuid NOT NULL); \
             INSERT INTO bench_targets SELECT row_number() OVER (), artist_id \
             FROM style_embeddings ORDER BY artist_id LIMIT {TARGETS}"
        ),
    )?;
    let pace = Pace { connections: 1, ..site.extent.pace };
    let service = Service::start(&site.programs, &settings)?;
    let artists = site.artists(count)?;
    let approximate = |name: &str| format!("{}&engine=approximate", similar_path(name));
    let name = artists.some(1).next().unwrap_or_default();
    let answer = service.caller()?.expect(200, &get(&approximate(name), ""))?;
    let answer: Value = serde_json::from_slice(&answer.body)?;
    let mode = answer.pointer("/exactness/mode").and_then(Value::as_str);
    ensure!(mode == Some("approximate"), "the index was not asked: {mode:?}");
    let script = format!("\\set n random(1, {TARGETS})\n{STATEMENT}");
    let bare = Pgbench::of(&url, &script, &[], pace.connections)?.with_settings(&SETTINGS);

    let requests = artists.some(TARGETS).map(|name| get(&approximate(name), "")).collect();
    let mut asked = Asked::one_of(service.address(), 200, requests);
    bare.measure(pace.time)?;
    let pairs = beside(pace, &mut asked, || bare.measure(pace.time))?;
    Ok(Row {
        name: NAME,
        what: format!("similar, by the index of PostgreSQL, {count} artists, limit 10, one caller"),
        subject: pairs.subject(),
        against: "pgbench, the same index at the same recall, one client".to_owned(),
        limit: pairs.limit(),
        promises: Vec::new(),
    })
}
