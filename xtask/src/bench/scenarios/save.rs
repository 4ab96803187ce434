//! Saving profiles that are durable when it is acknowledged, many at a time.

use std::fmt::Write as _;

use anyhow::{Context as _, ensure};
use serde_json::{Map, Value};
use xtask::load::Mix;

use crate::bench::{
    artists::profile_path,
    caller::send,
    limits::Pgbench,
    load::{Asked, Pace, beside},
    row::{Bound, Promise, Row},
    servers::sql,
    service::Service,
    site::Site,
};

pub(super) const NAME: &str = "save";

const WRITERS: usize = 16;

/// How many profiles are saved again and again.
pub(super) const PROFILES: usize = 500;

/// Two tables and what they cannot do without.
const TABLES: &str = "
    CREATE TABLE bench_artists (id uuid PRIMARY KEY, name_key text NOT NULL UNIQUE, last_updated timestamptz NOT NULL);
    CREATE TABLE bench_profiles (artist_id uuid PRIMARY KEY REFERENCES bench_artists, text_description text NOT NULL,
      quantitative_params jsonb NOT NULL, updated_at timestamptz NOT NULL);";

pub(super) fn run(site: &mut Site) -> anyhow::Result<Row> {
    let count = site.extent.artists;
    let url = site.postgres(count)?;
    let durable = sql(&url, "SHOW fsync")? == "on" && sql(&url, "SHOW synchronous_commit")? == "on";
    ensure!(
        durable,
        "this PostgreSQL does not keep what it acknowledges (fsync or synchronous_commit is off)"
    );
    let pace = Pace { connections: WRITERS, ..site.extent.pace };
    let service = Service::start(&site.programs, &[("GROOVEBASE_DATABASE_URL", &url)])?;
    let artists = site.artists(count)?;
    let profiles = artists.profiles(PROFILES)?;
    let (_, profile) = profiles.first().context("an artist")?;
    sql(&url, &format!("DROP TABLE IF EXISTS bench_profiles, bench_artists; {TABLES}"))?;
    let bare = Pgbench::of(&url, &upsert(&profile.clone().into()), &[], WRITERS)?;

    let mut asked = saves(&service, profiles)?;
    let pairs = beside(pace, &mut asked, || bare.measure(pace.time))?;
    Ok(Row {
        name: NAME,
        what: format!(
            "save a profile, durable, {WRITERS} writers, PostgreSQL, latencies at full load"
        ),
        subject: pairs.subject(),
        against: format!("pgbench, a bare upsert of two tables, {WRITERS} clients"),
        limit: pairs.limit(),
        promises: vec![Promise::of_limit("rate", &pairs, |it| it.rate, Bound::AtLeast(0.35))],
    })
}

/// Saves profiles again and again, never what is stored already.
pub(super) fn saves(
    service: &Service,
    profiles: Vec<(&str, Map<String, Value>)>,
) -> anyhow::Result<Asked> {
    let mut saved = 0_u64;
    let mut bodies = Vec::new();
    for (name, mut profile) in profiles {
        let path = profile_path(name);
        let text = profile.remove("text_description");
        let text = text.as_ref().and_then(Value::as_str).context("a text")?.to_owned();
        let rest = Value::Object(profile).to_string();
        bodies.push((path, text, rest.trim_start_matches('{').to_owned()));
    }
    let mix = Mix::seeded(1).with("save", 1, move |chance, into| {
        saved += 1;
        let (path, text, rest) = chance.choice(&bodies)?;
        let text = Value::String(format!("{text} {saved}"));
        into.extend_from_slice(&send(
            "PUT",
            path,
            &format!("{{\"text_description\":{text},{rest}"),
        ));
        None
    });
    Ok(Asked::mixed(service.address(), 200, mix))
}

/// A statement that saves a text and parameters of that size for one of as many artists.
fn upsert(profile: &Value) -> String {
    let quoted = |member: &str| match profile.get(member) {
        // A colon would begin a variable.
        Some(Value::String(text)) => text.replace('\'', "''").replace(':', " "),
        Some(_) | None => String::new(),
    };
    let mut statement = format!("\\set artist random(1, {PROFILES})\n");
    let text = quoted("text_description").replace(['\n', '\\'], " ");
    // Nobody reads a failure to write into a string, since there is none.
    let _ = writeln!(
        statement,
        "WITH artist AS (INSERT INTO bench_artists VALUES (gen_random_uuid(), 'artist ' || CAST(:artist AS text), now()) \
         ON CONFLICT (name_key) DO UPDATE SET last_updated = now() RETURNING id) \
         INSERT INTO bench_profiles SELECT id, '{text}', jsonb_build_object('tempo_min', 80, 'tempo_max', 130, \
         'tempo_avg', 100.5, 'swing_percent', 57.5, 'ghost_note_prob', 0.3, 'syncopation_level', 0.4, \
         'velocity_mean', 88.5, 'velocity_std', 12.25), now() FROM artist \
         ON CONFLICT (artist_id) DO UPDATE SET text_description = EXCLUDED.text_description, \
         quantitative_params = EXCLUDED.quantitative_params, updated_at = EXCLUDED.updated_at;"
    );
    statement
}
