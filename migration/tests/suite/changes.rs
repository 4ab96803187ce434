//! Applying and reverting changes.

use std::collections::BTreeSet;

use groovebase_migration::{Consent, MigrationError, Steps};

use super::Store;

/// All that is in the database, but for what extensions brought.
async fn contents(store: &Store) -> Vec<String> {
    let query = store.pick(
        "SELECT name::text FROM (
             SELECT 'pg_class'::regclass AS catalog, oid, relname AS name
             FROM pg_class WHERE relnamespace = quote_ident(current_schema())::regnamespace
             UNION ALL
             SELECT 'pg_proc'::regclass, oid, proname
             FROM pg_proc WHERE pronamespace = quote_ident(current_schema())::regnamespace
             UNION ALL
             SELECT 'pg_type'::regclass, oid, typname
             FROM pg_type WHERE typnamespace = quote_ident(current_schema())::regnamespace
             UNION ALL
             SELECT 'pg_trigger'::regclass, oid, tgname
             FROM pg_trigger WHERE NOT tgisinternal
             UNION ALL
             SELECT 'pg_constraint'::regclass, oid, conname
             FROM pg_constraint WHERE connamespace = quote_ident(current_schema())::regnamespace
         ) AS object
         WHERE NOT EXISTS (
             SELECT FROM pg_depend
             WHERE classid = catalog AND objid = object.oid AND deptype IN ('e', 'i')
         )
         ORDER BY 1",
        "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name",
    );
    store.all(query).await
}

pub(crate) const NAMES: [&str; 13] = [
    "m20261121_000001_create_vector_extension",
    "m20261121_000002_create_trigram_extension",
    "m20261121_000003_create_artists",
    "m20261121_000004_create_style_profiles",
    "m20261121_000005_create_style_embeddings",
    "m20261121_000006_create_research_sources",
    "m20261121_000007_create_generation_history",
    "m20261121_000008_track_versions",
    "m20261121_000009_account_for_generations",
    "m20261121_000010_create_api_keys",
    "m20261121_000011_create_audit_log",
    "m20261121_000012_index_months_of_artists",
    "m20261121_000013_keep_months_that_go_on",
];

pub(crate) async fn applies_reverts_and_applies_again(store: Store) {
    let schema = store.schema().await;

    assert_eq!(schema.up(None).await.unwrap(), NAMES);
    let first = contents(&store).await;
    assert!(first.iter().any(|name| name == "removed_artists"), "{first:?}");
    assert_eq!(schema.up(None).await.unwrap(), [""; 0]);
    assert_eq!(schema.pending().await.unwrap(), [""; 0]);

    let mut reverted = schema.down(Steps::All).await.unwrap();
    reverted.reverse();
    assert_eq!(reverted, NAMES);
    assert_eq!(contents(&store).await, [""; 0]);
    assert_eq!(schema.down(Steps::All).await.unwrap(), [""; 0]);

    assert_eq!(schema.up(None).await.unwrap(), NAMES);
    assert_eq!(contents(&store).await, first);
}

pub(crate) async fn reverts_one_change_at_a_time(store: Store) {
    let schema = store.schema().await;
    let mut before = vec![contents(&store).await];
    for name in NAMES {
        assert_eq!(schema.up(Some(1)).await.unwrap(), [name]);
        before.push(contents(&store).await);
    }

    for name in NAMES.into_iter().rev() {
        assert_eq!(contents(&store).await, before.pop().unwrap());
        assert_eq!(schema.down(Steps::default()).await.unwrap(), [name]);
    }

    // The record of changes stays, without rows.
    let record: i64 = store.one("SELECT count(*) FROM seaql_migrations").await;
    assert_eq!(record, 0);
    assert_eq!(schema.down(Steps::default()).await.unwrap(), [""; 0]);
}

pub(crate) async fn applies_as_many_as_asked(store: Store) {
    let schema = store.schema().await;

    assert_eq!(schema.up(Some(0)).await.unwrap(), [""; 0]);
    assert_eq!(schema.up(Some(3)).await.unwrap(), NAMES[..3]);
    assert_eq!(schema.pending().await.unwrap(), NAMES[3..]);
    assert_eq!(schema.up(Some(100)).await.unwrap(), NAMES[3..]);
    let [.., last_but_one, last] = NAMES;
    assert_eq!(schema.down(Steps::N(2)).await.unwrap(), [last, last_but_one]);

    let status = schema.status().await.unwrap();
    let applied: Vec<bool> = status.iter().map(|status| status.applied).collect();
    let expected: Vec<bool> = (2..NAMES.len()).map(|_| true).chain([false, false]).collect();
    assert_eq!(applied, expected);
    assert!(status.iter().all(|status| status.applied == status.applied_at.is_some()));
    let age = status[0].applied_at.unwrap().elapsed().unwrap();
    assert!(age.as_secs() < 600, "{age:?}");
}

pub(crate) async fn says_what_is_pending_without_writing(store: Store) {
    let schema = store.schema().await;

    assert_eq!(schema.pending().await.unwrap(), NAMES);
    assert!(schema.status().await.unwrap().iter().all(|status| !status.applied));
    assert_eq!(contents(&store).await, [""; 0]);
}

pub(crate) async fn refuses_a_database_newer_than_itself(store: Store) {
    let store = store.migrated().await;
    store.run("INSERT INTO seaql_migrations VALUES ('m20990101_000001_future', 0)").await;
    let before = contents(&store).await;
    let schema = store.schema().await;

    let refusals = [
        schema.up(None).await.unwrap_err(),
        schema.down(Steps::All).await.unwrap_err(),
        schema.status().await.unwrap_err(),
        schema.pending().await.unwrap_err(),
    ];

    for error in refusals {
        let MigrationError::UnknownApplied(name) = &error else { panic!("{error:?}") };
        assert_eq!(name, "m20990101_000001_future");
    }
    assert_eq!(contents(&store).await, before);
}

pub(crate) async fn changes_nothing_when_a_change_fails(store: Store) {
    // In the way of the last change but two.
    store.run("CREATE TABLE generation_history (id integer)").await;
    let before = contents(&store).await;
    let schema = store.schema().await;

    let error = schema.up(None).await.unwrap_err();

    assert!(matches!(error, MigrationError::Database(_)), "{error:?}");
    assert_eq!(contents(&store).await, before);

    // The connection is as good as new.
    store.run("DROP TABLE generation_history").await;
    assert_eq!(schema.up(None).await.unwrap(), NAMES);
}

pub(crate) async fn concurrent_runs_apply_each_change_once(store: Store) {
    let runs: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let schema = store.schema().await;
                schema.up(None).await.unwrap()
            })
        })
        .collect();
    let mut applied = Vec::new();
    for run in runs {
        applied.push(run.await.unwrap());
    }
    applied.sort();
    assert_eq!(applied.pop().unwrap(), NAMES);
    assert!(applied.iter().all(Vec::is_empty), "{applied:?}");

    let runs: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.schema().await.down(Steps::N(1)).await.unwrap() })
        })
        .collect();
    let mut reverted = BTreeSet::new();
    for run in runs {
        let names = run.await.unwrap();
        assert_eq!(names.len(), 1);
        assert!(reverted.insert(names[0].clone()), "{names:?} was reverted twice");
    }
    assert_eq!(reverted.len(), 8);
}

pub(crate) async fn fresh_fills_an_empty_database(store: Store) {
    let schema = store.schema().await;
    assert_eq!(schema.fresh(Consent::EmptyOnly).await.unwrap(), NAMES);

    for _ in NAMES {
        schema.down(Steps::N(1)).await.unwrap();
    }

    // Only the record of changes is there, and says nothing.
    assert_eq!(schema.fresh(Consent::EmptyOnly).await.unwrap(), NAMES);
}

pub(crate) async fn fresh_refuses_a_database_with_tables(store: Store) {
    store.run("CREATE TABLE zebras (id integer)").await;
    store.run("CREATE VIEW apes AS SELECT 1 AS id").await;
    let before = contents(&store).await;
    let schema = store.schema().await;

    let error = schema.fresh(Consent::EmptyOnly).await.unwrap_err();

    let MigrationError::NotEmpty { tables } = &error else { panic!("{error:?}") };
    assert_eq!(tables, &["apes", "zebras"]);
    assert_eq!(error.to_string(), "database is not empty, it has the tables apes, zebras");
    assert_eq!(contents(&store).await, before);

    store.run("DROP VIEW apes").await;
    store.run("DROP TABLE zebras").await;
    schema.up(Some(3)).await.unwrap();
    let error = schema.fresh(Consent::EmptyOnly).await.unwrap_err();
    let MigrationError::NotEmpty { tables } = &error else { panic!("{error:?}") };
    assert_eq!(tables, &["artists", "seaql_migrations"]);
}

pub(crate) async fn fresh_drops_everything_on_consent(store: Store) {
    let store = store.migrated().await;
    let ours = contents(&store).await;
    for number in 1..4 {
        for table in ["artists", "style_profiles", "style_embeddings", "generation_history"] {
            store.insert(table, number).await;
        }
    }
    let others = store.pick(
        r#"CREATE TABLE "Odd ""name" (id uuid REFERENCES artists (id));
           CREATE TYPE mood AS ENUM ('happy');
           CREATE TYPE pair AS (one mood, two integer);
           CREATE DOMAIN small AS integer CHECK (value < 10);
           CREATE FUNCTION twice(small, mood) RETURNS integer LANGUAGE sql AS 'SELECT 2 * $1';
           CREATE PROCEDURE nothing() LANGUAGE sql AS 'SELECT 1';
           CREATE AGGREGATE total(integer) (SFUNC = int4pl, STYPE = integer);
           CREATE VIEW moods AS SELECT 'happy'::mood AS mood, twice(1, 'happy');
           CREATE MATERIALIZED VIEW names AS SELECT name FROM artists;
           CREATE SEQUENCE ticket;
           CREATE TABLE numbered (id serial PRIMARY KEY, mood mood);"#,
        r#"CREATE TABLE "Odd ""name" (id BLOB REFERENCES artists (id));
           CREATE TABLE numbered (id INTEGER PRIMARY KEY AUTOINCREMENT);
           INSERT INTO numbered VALUES (NULL);
           CREATE VIEW names AS SELECT name FROM artists;
           CREATE VIRTUAL TABLE words USING fts5 (word);
           INSERT INTO words VALUES ('groove');
           CREATE TRIGGER loud AFTER DELETE ON artists
               BEGIN SELECT raise(ABORT, 'no'); END;"#,
    );
    store.run(others).await;
    store.run(&format!(r#"INSERT INTO "Odd ""name" VALUES ({})"#, store.id(1))).await;
    store.run("INSERT INTO seaql_migrations VALUES ('m20990101_000001_future', 0)").await;
    let last = store.last_version().await;
    let schema = store.schema().await;

    assert_eq!(schema.fresh(Consent::DropEverything).await.unwrap(), NAMES);

    assert_eq!(contents(&store).await, ours);
    let artists: i64 = store.one("SELECT count(*) FROM artists").await;
    assert_eq!(artists, 0);
    store.insert("artists", 1).await;
    assert!(last < store.version(1).await);
}

pub(crate) async fn never_repeats_versions_after_a_way_back(store: Store) {
    let store = store.migrated().await;
    store.insert("artists", 1).await;
    store.insert("artists", 2).await;
    store.run(&format!("DELETE FROM artists WHERE id = {}", store.id(2))).await;
    let last = store.last_version().await;
    let schema = store.schema().await;

    // Down to what there was before versions were tracked.
    for _ in 7..NAMES.len() {
        schema.down(Steps::N(1)).await.unwrap();
    }
    let name = format!("UPDATE artists SET name = 'Untracked' WHERE id = {}", store.id(1));
    store.run(&name).await;
    schema.up(None).await.unwrap();

    let version = store.version(1).await;
    assert!(last < version);
    store.insert("artists", 3).await;
    assert!(version < store.version(3).await);
}

pub(crate) async fn describes_its_tables(store: Store) {
    let schema = store.schema().await;
    assert_eq!(schema.describe().await.unwrap(), "");
    schema.up(None).await.unwrap();

    let description = schema.describe().await.unwrap();

    let headings: Vec<&str> =
        description.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let tables = [
        "artists",
        "generation_artist_pending",
        "generation_artist_rollups",
        "generation_history",
        "generation_rollups",
        "removed_artists",
        "research_sources",
        "style_embeddings",
        "style_profiles",
    ];
    assert!(tables.iter().all(|table| headings.contains(table)), "{headings:?}");
    assert!(!headings.contains(&"seaql_migrations"));
    // Which partitions there are depends on the date.
    assert!(!headings.iter().any(|it| it.starts_with("generation_history_")), "{headings:?}");
    for part in [
        "uq_artists_name_key",
        "idx_artists_version",
        "idx_generation_artist_rollups_month",
        "trg_style_profiles_deleted",
    ] {
        assert!(description.contains(part), "{part}: {description}");
    }
}
