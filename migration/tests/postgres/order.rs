//! Versions under concurrency, savepoints and what else only PostgreSQL has.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sea_orm_migration::sea_orm::{
    ConnectionTrait, DatabaseTransaction, TransactionTrait,
    sqlx::postgres::{PgListener, PgPoolCopyExt, PgPoolOptions},
};

use tokio::time::timeout;

use crate::{
    fixture::{connect, with_database, with_store},
    suite::{Store, insert},
};

async fn given(store: Store) -> Store {
    let store = store.migrated().await;
    for number in [1, 2] {
        for table in ["artists", "style_profiles", "style_embeddings"] {
            store.insert(table, number).await;
        }
    }
    store
}

async fn run(transaction: &DatabaseTransaction, sql: &str) {
    transaction.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_versions_is_the_order_of_commits() {
    const WRITERS: u32 = 16;
    const ROUNDS: u32 = 30;

    with_database(|database| async move {
        let store = database.admin.clone().migrated().await;
        for number in 0..WRITERS {
            store.insert("artists", number).await;
        }
        let done = Arc::new(AtomicBool::new(false));

        let observer = tokio::spawn({
            let (db, done) = (connect(&database.url).await, Arc::clone(&done));
            let store = Store { url: store.url.clone(), db };
            async move {
                let (mut seen, mut last, mut rounds) = (BTreeSet::new(), 0, 0);
                loop {
                    let finished = done.load(Ordering::SeqCst);
                    let versions: Vec<i64> = store
                        .all(
                            "SELECT version FROM artists
                             UNION ALL SELECT version FROM removed_artists",
                        )
                        .await;
                    for version in &versions {
                        if seen.insert(*version) {
                            assert!(last < *version, "{version} appeared after {last}");
                        }
                    }
                    last = seen.last().copied().unwrap_or(0);
                    rounds += 1;
                    if finished {
                        return (seen.len(), rounds);
                    }
                }
            }
        });

        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let url = database.url.clone();
                tokio::spawn(async move {
                    let store = Store { db: connect(&url).await, url: url.into() };
                    let id = store.id(writer);
                    for round in 0..ROUNDS {
                        let transaction = store.db.begin().await.unwrap();
                        let change = match (writer + round) % 5 {
                            0 => format!("UPDATE artists SET sources_count = 1 WHERE id = {id}"),
                            1 => insert("style_profiles", &store.row("style_profiles", writer)),
                            2 => format!(
                                "UPDATE artists SET name_key = 'k{round}' || name WHERE id = {id}"
                            ),
                            3 => format!("DELETE FROM style_profiles WHERE artist_id = {id}"),
                            _ => format!(
                                "DELETE FROM artists WHERE id = {id}; {}",
                                insert("artists", &store.row("artists", writer))
                            ),
                        };
                        // Some wait before and some after they take a version.
                        let pause =
                            format!("SELECT pg_sleep({}::float8 / 1000)", (writer * 7 + round) % 4);
                        if round % 2 == 0 {
                            run(&transaction, &format!("{pause}; {change}")).await;
                        } else {
                            run(&transaction, &format!("{change}; {pause}")).await;
                        }
                        transaction.commit().await.unwrap();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        done.store(true, Ordering::SeqCst);

        let (versions, rounds) = observer.await.unwrap();
        assert!(200 < versions, "{versions} versions in {rounds} rounds");
        assert!(50 < rounds, "{rounds} rounds");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn single_statements_do_not_deadlock() {
    with_database(|database| async move {
        let store = given(database.admin.clone()).await;
        let writers: Vec<_> = (0..12_u32)
            .map(|writer| {
                let url = database.url.clone();
                tokio::spawn(async move {
                    let store = Store { db: connect(&url).await, url: url.into() };
                    for round in 0..60 {
                        let id = store.id((writer + round) % 2 + 1);
                        let sql = match (writer * 5 + round) % 4 {
                            0 => format!("UPDATE artists SET sources_count = 1 WHERE id = {id}"),
                            1 => format!("UPDATE style_profiles SET swing_percent = 1 WHERE artist_id = {id}"),
                            2 => "UPDATE style_embeddings SET embedding = embedding".to_owned(),
                            // Several, in an order that would be trouble, but the lock comes first.
                            _ => format!(
                                "BEGIN; SELECT lock_store_version();
                                 INSERT INTO generation_history (id, artist_id, provider_used, generation_time_ms, created_at)
                                 VALUES (gen_random_uuid(), {id}, 'local', 1, now());
                                 UPDATE style_profiles SET swing_percent = 2 WHERE artist_id <> {id};
                                 UPDATE artists SET sources_count = 2; COMMIT"
                            ),
                        };
                        store.run(&sql).await;
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }

        let deadlocks: i64 = store
            .one("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
            .await;
        assert_eq!(deadlocks, 0);
    })
    .await;
}

#[tokio::test]
async fn one_transaction_takes_one_version_for_an_artist() {
    with_store(|store| async move {
        let store = given(store).await;
        let last: i64 = store.one("SELECT last_value FROM store_version").await;

        let transaction = store.db.begin().await.unwrap();
        for table in ["artists", "style_profiles", "style_embeddings"] {
            run(&transaction, &insert(table, &store.row(table, 3))).await;
        }
        run(&transaction, "UPDATE style_profiles SET swing_percent = 1 WHERE artist_id = (SELECT id FROM artists WHERE name = 'Artist 3')").await;
        transaction.commit().await.unwrap();

        assert_eq!(store.version(3).await, last + 1);
        assert_eq!(store.one::<i64>("SELECT last_value FROM store_version").await, last + 1);

        // All artists at once, by way of both children.
        store
            .run(
                "BEGIN; UPDATE style_profiles SET swing_percent = 2;
                 UPDATE style_embeddings SET embedding = embedding; COMMIT",
            )
            .await;
        assert_eq!(store.one::<i64>("SELECT last_value FROM store_version").await, last + 4);
    })
    .await;
}

/// The case the comparison with `xmin` could get wrong: whose write of the artist is it?
#[tokio::test]
async fn savepoints_and_row_locks_hide_no_change() {
    with_store(|store| async move {
        let store = given(store).await;
        let (one, two) = (store.id(1), store.id(2));
        let artist = format!("UPDATE artists SET sources_count = 1 WHERE id = {one}");
        let profile = format!("UPDATE style_profiles SET swing_percent = swing_percent + 1 WHERE artist_id = {one}");
        let other = format!("UPDATE artists SET sources_count = 1 WHERE id = {two}");

        for sql in [
            // The artist's write is undone, the profile's is not.
            format!("SAVEPOINT a; {artist}; ROLLBACK TO a; {profile}"),
            // Written under a savepoint.
            format!("SAVEPOINT a; {artist}; RELEASE a; {profile}"),
            format!("{artist}; SAVEPOINT a; {profile}; RELEASE a"),
            format!("{artist}; SAVEPOINT a; {profile}; ROLLBACK TO a"),
            format!("SAVEPOINT a; {profile}; RELEASE a"),
            format!("SAVEPOINT a; {profile}; SAVEPOINT b; {artist}; ROLLBACK TO b; {profile}"),
            format!("{profile}; SAVEPOINT a; {profile}; ROLLBACK TO a; {profile}"),
            // Locked, by this transaction, in each strength.
            format!("SELECT FROM artists WHERE id = {one} FOR KEY SHARE; {profile}"),
            format!("SELECT FROM artists WHERE id = {one} FOR SHARE; {profile}"),
            format!("SELECT FROM artists WHERE id = {one} FOR NO KEY UPDATE; {profile}"),
            format!("SELECT FROM artists WHERE id = {one} FOR UPDATE; {profile}"),
            // Another artist was written, and the row moved along a chain of updates on its page.
            format!("{other}; {profile}"),
            format!("{artist}; {artist}; {profile}"),
        ] {
            let last = store.last_version().await;
            store.run(&format!("BEGIN; {sql}; COMMIT")).await;
            assert!(last < store.version(1).await, "{sql}");
        }

        // What was undone altogether moves nothing.
        let before = store.version(1).await;
        store.run(&format!("BEGIN; SAVEPOINT a; {profile}; ROLLBACK TO a; COMMIT")).await;
        store.run(&format!("BEGIN; {profile}; ROLLBACK")).await;
        assert_eq!(store.version(1).await, before);

        // An exception block is a savepoint.
        let last = store.last_version().await;
        store
            .run(&format!(
                "DO $$ BEGIN
                     BEGIN {artist}; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN END;
                     {profile};
                 END $$"
            ))
            .await;
        assert!(last < store.version(1).await);
    })
    .await;
}

/// Two transactions write one artist; the second waits for the first and then sees its row.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_waited_is_newer_than_the_one_it_waited_for() {
    with_database(|database| async move {
        let store = given(database.admin.clone()).await;
        let second = Store { db: connect(&database.url).await, url: store.url.clone() };
        let first = store.db.begin().await.unwrap();
        run(&first, "UPDATE artists SET sources_count = 5").await;

        let waiting = tokio::spawn(async move {
            second.run("UPDATE style_profiles SET swing_percent = 3").await;
        });
        let blocked = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let blocks = async {
            while store.one::<i64>(blocked).await == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(10), blocks).await.expect("the second waits");
        first.commit().await.unwrap();
        let between = store.last_version().await;
        waiting.await.unwrap();

        assert!(between < store.version(1).await + 2);
        let versions: Vec<i64> = store.all("SELECT version FROM artists ORDER BY version").await;
        assert_eq!(versions.len(), 2);
        let taken: i64 = store.one("SELECT last_value FROM store_version").await;
        assert_eq!(versions, [taken - 1, taken]);
    })
    .await;
}

#[tokio::test]
async fn truncating_counts() {
    with_store(|store| async move {
        let store = given(store).await;
        store.insert("artists", 3).await;

        for table in ["style_profiles", "style_embeddings"] {
            let (last, third) = (store.last_version().await, store.version(3).await);
            store.run(&format!("TRUNCATE {table}")).await;
            assert!(last < store.version(1).await);
            assert!(last < store.version(2).await);
            assert_ne!(store.version(1).await, store.version(2).await);
            assert_eq!(store.version(3).await, third, "artist 3 had no row in {table}");
        }

        store.insert("style_profiles", 1).await;
        let last = store.last_version().await;
        store.run("TRUNCATE artists CASCADE").await;
        let removed: Vec<String> =
            store.all("SELECT name_key FROM removed_artists ORDER BY name_key").await;
        assert_eq!(removed, ["artist 1", "artist 2", "artist 3"]);
        let sql = format!("SELECT DISTINCT version FROM removed_artists WHERE version > {last}");
        assert_eq!(store.all::<i64>(&sql).await.len(), 3);
        let left: i64 = store.one("SELECT count(*) FROM style_profiles").await;
        assert_eq!(left, 0);
    })
    .await;
}

#[tokio::test]
async fn copying_and_merging_count() {
    with_store(|store| async move {
        let store = given(store).await;

        let last = store.last_version().await;
        store
            .run(
                "MERGE INTO style_profiles AS old USING artists AS new ON old.artist_id = new.id
                 WHEN MATCHED AND new.name = 'Artist 1' THEN UPDATE SET swing_percent = 9
                 WHEN MATCHED THEN DELETE",
            )
            .await;
        assert!(last < store.version(1).await);
        assert!(last < store.version(2).await);

        let pool = store.db.get_postgres_connection_pool();
        let mut copy =
            pool.copy_in_raw("COPY artists (id, name, name_key, name_search, version, created_at, last_updated) FROM STDIN").await.unwrap();
        for number in 10..20 {
            let line = format!("{number:032x}\tn{number}\tk{number}\ts{number}\t7\tnow\tnow\n");
            copy.send(line.into_bytes()).await.unwrap();
        }
        let last = store.last_version().await;
        assert_eq!(copy.finish().await.unwrap(), 10);
        assert!(last < store.version(10).await);
        assert_eq!(store.version(19).await, store.version(10).await + 9);
    })
    .await;
}

#[tokio::test]
async fn an_edit_under_another_search_path_counts() {
    with_store(|store| async move {
        let store = given(store).await;
        for sql in [
            "UPDATE public.style_profiles SET swing_percent = 4",
            "UPDATE public.artists SET name_key = 'other ' || name_key",
            "TRUNCATE public.style_embeddings",
            "DELETE FROM public.artists",
        ] {
            let last = store.last_version().await;
            store.run(&format!("BEGIN; SET LOCAL search_path = pg_catalog; {sql}; COMMIT")).await;
            assert!(last < store.last_version().await, "{sql}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_change_wakes_listeners_once() {
    with_database(|database| async move {
        let store = given(database.admin.clone()).await;
        let pool =
            PgPoolOptions::new().max_connections(1).connect(database.url.as_str()).await.unwrap();
        let mut listener = PgListener::connect_with(&pool).await.unwrap();
        listener.listen("groovebase_changes").await.unwrap();

        for sql in [
            "UPDATE artists SET sources_count = 3",
            "UPDATE style_profiles SET swing_percent = 3",
            "DELETE FROM style_embeddings",
            "DELETE FROM artists",
        ] {
            store.run(sql).await;
            let woken =
                timeout(Duration::from_secs(10), listener.recv()).await.expect(sql).unwrap();
            assert_eq!(woken.payload(), "");
        }

        store.run("UPDATE research_sources SET url = NULL").await;
        let silence = timeout(Duration::from_millis(100), listener.recv()).await;
        assert!(silence.is_err(), "{silence:?}");
    })
    .await;
}
