//! A profile that has to be read from PostgreSQL, by one caller who waits for it.

use anyhow::ensure;
use domain::ArtistName;

use crate::bench::{
    artists::profile_path,
    caller::get,
    limits::Pgbench,
    load::{Asked, Pace, beside},
    row::{Bound, Promise, Row, Unit},
    service::Service,
    site::Site,
};

pub(super) const NAME: &str = "profile-from-postgres";

/// As the storage reads it. The embedding is sent as its bytes, since the service does not ask for text either.
const STATEMENT: &str = "SELECT a.*, p.*, e.artist_id, vector_send(e.embedding) FROM artists a \
                         LEFT JOIN style_profiles p ON p.artist_id = a.id \
                         LEFT JOIN style_embeddings e ON e.artist_id = a.id WHERE a.name_key = :key;";

pub(super) fn run(site: &mut Site) -> anyhow::Result<Row> {
    let count = site.extent.artists;
    let url = site.postgres(count)?;
    let pace = Pace { connections: 1, ..site.extent.pace };
    let settings = [
        ("GROOVEBASE_DATABASE_URL", url.as_str()),
        ("GROOVEBASE_CACHE_MEMORY_BYTES", "0"),
        ("GROOVEBASE_CACHE_WARM_PROFILES", "0"),
    ];
    let service = Service::start(&site.programs, &settings)?;
    let artists = site.artists(count)?;
    let name = artists.some(1).next().unwrap_or_default();
    let request = get(&profile_path(name), "");
    let answer = service.caller()?.expect(200, &request)?;
    let tier = answer.header("x-cache");
    ensure!(tier == Some("database"), "the profile comes from {tier:?}");
    let key = ArtistName::try_from(name)?.key().to_string();
    let bare = Pgbench::of(&url, STATEMENT, &[("key", &key)], pace.connections)?;

    let mut asked = Asked::one_of(service.address(), 200, vec![request]);
    let pairs = beside(pace, &mut asked, || bare.measure(pace.time))?;
    Ok(Row {
        name: NAME,
        what: "profile from PostgreSQL (caches off), one caller".to_owned(),
        subject: pairs.subject(),
        against: "pgbench, the same join, one client".to_owned(),
        limit: pairs.limit(),
        promises: vec![
            Promise::of_limit("p50", &pairs, |it| it.p50_ms, Bound::AtMost(2.5)),
            Promise::new("p50", pairs.subject().p50_ms, Bound::AtMost(1.5), Unit::Milliseconds),
        ],
    })
}
