//! The months of the history: making them, dropping them, and what they keep.

use std::time::Duration;

use groovebase_migration::Steps;
use sea_orm_migration::sea_orm::{
    ConnectionTrait, SqlxPostgresConnector, TransactionTrait, sqlx::postgres::PgPoolOptions,
};
use tokio::time::{sleep, timeout};
use url::Url;

use crate::{
    fixture::{Database, connect, with_database, with_schema_of_its_own, with_store},
    suite::{Store, insert},
};

/// A session may be set to anything: half a day ahead of UTC and with summer time, and dates that are
/// written day first.
const ODD: &str = "SET timezone = 'Pacific/Auckland'; SET datestyle = 'SQL, DMY'";

/// The names of partitions and the times they are for, in UTC.
async fn partitions(store: &Store) -> Vec<String> {
    store
        .all(
            "SELECT part.relname || ' ' || pg_get_expr(part.relpartbound, part.oid)
             FROM pg_inherits JOIN pg_class AS part ON part.oid = inhrelid
             WHERE inhparent = 'generation_history'::regclass AND part.relkind = 'r'
             ORDER BY part.relname",
        )
        .await
}

async fn ensure(store: &Store, time: &str) -> bool {
    store.one(&format!("SELECT ensure_generation_partition('{time}')")).await
}

async fn lock(store: &Store, time: &str) -> bool {
    store.one(&format!("SELECT lock_generation_partition('{time}')")).await
}

async fn drop(store: &Store, time: &str) -> bool {
    store.one(&format!("SELECT drop_generation_partition('{time}')")).await
}

/// A generation and its identity.
async fn record(store: &Store, number: u32, time: &str) {
    let mut row = store.row("generation_history", number);
    row.retain(|(column, _)| *column != "created_at");
    row.push(("created_at", format!("'{time}'")));
    store.run(&insert("generation_history", &row)).await;
    let identity = [("id", store.id(number)), ("created_at", format!("'{time}'"))];
    store.run(&insert("generation_ids", &identity)).await;
}

/// One more connection, and what is said on it first.
async fn session(database: &Database, settings: &str) -> Store {
    let options = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
    let pool = options.connect(database.url.as_str()).await.unwrap();
    let db = SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
    db.execute_unprepared(settings).await.unwrap();
    Store { db, url: database.url.to_string() }
}

#[tokio::test]
async fn there_are_partitions_for_what_was_and_for_the_months_ahead() {
    with_database(|database| async move {
        let old = database.admin.schema().await;
        old.up(Some(8)).await.unwrap();
        old.close().await.unwrap();
        for (number, time) in [
            "0001-01-01 00:00:00Z",
            "0999-12-31 23:59:59.999999Z",
            "2024-02-29 23:59:59.999999Z",
            "2024-03-01 00:00:00Z",
            "9999-12-31 23:59:59.999999Z",
        ]
        .into_iter()
        .enumerate()
        {
            let sql = format!(
                "INSERT INTO generation_history
                     (id, provider_used, generation_time_ms, created_at)
                 VALUES ('{number:032x}', 'local', 1, '{time}')"
            );
            database.admin.run(&sql).await;
        }

        let store = database.admin.clone().migrated().await;

        let ahead: Vec<String> = store
            .all(
                "SELECT 'generation_history_' || to_char(
                     date_trunc('month', now() AT TIME ZONE 'UTC') + ahead * interval '1 month',
                     '\"y\"YYYY\"m\"MM'
                 )
                 FROM generate_series(0, 3) AS ahead",
            )
            .await;
        let mut expected: Vec<String> =
            ["y0001m01", "y0999m12", "y2024m02", "y2024m03", "y9999m12"]
                .map(|month| format!("generation_history_{month}"))
                .into();
        expected.splice(4..4, ahead);
        let names: Vec<String> = store
            .all(
                "SELECT relname::text FROM pg_class WHERE relispartition AND relkind = 'r'
                 ORDER BY relname",
            )
            .await;
        assert_eq!(names, expected);
        let strayed: i64 = store
            .one(
                "SELECT count(*) FROM generation_history WHERE tableoid::regclass::text
                     <> 'generation_history_' || to_char(created_at AT TIME ZONE 'UTC', '\"y\"YYYY\"m\"MM')",
            )
            .await;
        assert_eq!(strayed, 0);
    })
    .await;
}

#[tokio::test]
async fn a_partition_is_a_month_in_utc_whatever_the_session_is_set_to() {
    with_database(|database| async move {
        database.admin.clone().migrated().await;
        let (odd, utc) =
            (session(&database, ODD).await, session(&database, "SET timezone = 'UTC'").await);
        let before = partitions(&utc).await;

        for (time, made) in [
            // In the session's time it is the first of March.
            ("2023-02-28 23:59:59.999999+00", true),
            ("2023-03-01 12:59:59.999999+13", false),
            // Winter and summer time, and the turn of a year.
            ("2023-04-01 00:00:00+00", true),
            ("2023-09-30 23:59:59.999999+00", true),
            ("2023-12-31 23:59:59.999999+00", true),
            ("2024-01-01 00:00:00+00", true),
        ] {
            assert_eq!(ensure(&odd, time).await, made, "{time}");
        }

        let month = |name: &str, from: &str, to: &str| {
            format!(
                "generation_history_{name} \
                 FOR VALUES FROM ('{from} 00:00:00+00') TO ('{to} 00:00:00+00')"
            )
        };
        let mut expected = vec![
            month("y2023m02", "2023-02-01", "2023-03-01"),
            month("y2023m04", "2023-04-01", "2023-05-01"),
            month("y2023m09", "2023-09-01", "2023-10-01"),
            month("y2023m12", "2023-12-01", "2024-01-01"),
            month("y2024m01", "2024-01-01", "2024-02-01"),
        ];
        expected.extend(before);
        assert_eq!(partitions(&utc).await, expected);
        // The session keeps its settings.
        let settings = "SELECT current_setting('timezone') || ' ' || current_setting('datestyle')";
        assert_eq!(odd.one::<String>(settings).await, "Pacific/Auckland SQL, DMY");

        assert!(drop(&odd, "2023-02-28 23:59:59.999999+00").await);
        assert!(!drop(&odd, "2023-03-01 00:00:00+00").await);
        expected.remove(0);
        assert_eq!(partitions(&utc).await, expected);
    })
    .await;
}

#[tokio::test]
async fn a_month_is_made_once_and_dropped_once() {
    with_store(|store| async move {
        let store = store.migrated().await;
        let before = partitions(&store).await;

        assert!(ensure(&store, "2020-02-29 12:00Z").await);
        assert!(!ensure(&store, "2020-02-01 00:00Z").await);
        assert_eq!(partitions(&store).await.len(), before.len() + 1);
        // It is like its table, and nothing of how it was made is left.
        let constraints = "SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint
                           WHERE conrelid = 'TABLE'::regclass AND contype = 'c' ORDER BY 1";
        let part: Vec<String> =
            store.all(&constraints.replace("TABLE", "generation_history_y2020m02")).await;
        let whole: Vec<String> =
            store.all(&constraints.replace("TABLE", "generation_history")).await;
        assert_eq!(part, whole);
        let indexes = "SELECT count(*) FROM pg_index JOIN pg_inherits ON inhrelid = indexrelid
                       WHERE indrelid = 'generation_history_y2020m02'::regclass";
        assert_eq!(store.one::<i64>(indexes).await, 2);

        assert!(drop(&store, "2020-02-15 12:00Z").await);
        assert!(!drop(&store, "2020-02-15 12:00Z").await);
        assert_eq!(partitions(&store).await, before);
        assert!(ensure(&store, "2020-02-15 12:00Z").await);
        // A migration's way back takes them all along.
        assert!(store.try_run("SELECT ensure_generation_partition(NULL)").await.is_ok());
        let schema = store.schema().await;
        schema.down(Steps::All).await.unwrap();
        let left: i64 = store
            .one("SELECT count(*) FROM pg_class WHERE relname LIKE 'generation\\_%\\_y%'")
            .await;
        assert_eq!(left, 0);
    })
    .await;
}

#[tokio::test]
async fn a_generation_needs_the_partition_of_its_month() {
    with_store(|store| async move {
        let store = store.migrated().await;
        let insert = "INSERT INTO generation_history
                          (id, provider_used, generation_time_ms, created_at)
                      VALUES (gen_random_uuid(), 'local', 1, '2019-06-30 23:59:59.999999Z')";

        for neighbour in ["2019-05-31 23:59:59Z", "2019-07-01 00:00:00Z"] {
            ensure(&store, neighbour).await;
            let error = store.try_run(insert).await.unwrap_err().to_string();
            assert!(error.contains("no partition of relation"), "{error}");
        }

        assert!(ensure(&store, "2019-06-01 00:00:00Z").await);
        assert_eq!(store.run(insert).await, 1);
        let part: i64 = store.one("SELECT count(*) FROM generation_history_y2019m06").await;
        assert_eq!(part, 1);
    })
    .await;
}

#[tokio::test]
async fn years_without_a_name_have_no_partition() {
    with_store(|store| async move {
        let store = store.migrated().await;
        for time in ["0001-12-31 23:59:59.999999Z BC", "10000-01-01Z", "infinity", "-infinity"] {
            let sql = format!("SELECT ensure_generation_partition('{time}')");
            let error = store.try_run(&sql).await.unwrap_err().to_string();
            assert!(error.contains("no partition for the year"), "{time}: {error}");
        }

        // 2024 BC is another year than 2024.
        assert!(ensure(&store, "2024-05-05Z").await);
        assert!(!drop(&store, "2024-05-05Z BC").await);
        assert!(!drop(&store, "infinity").await);
        for time in ["2024-05-05Z BC", "infinity", "-infinity", "10000-01-01Z"] {
            assert!(!lock(&store, time).await, "{time}");
        }
        assert!(drop(&store, "2024-05-05Z").await);
    })
    .await;
}

#[tokio::test]
async fn an_identity_is_used_once_and_goes_with_its_month() {
    with_store(|store| async move {
        let store = store.migrated().await;
        ensure(&store, "2021-01-01Z").await;
        ensure(&store, "2021-02-01Z").await;
        record(&store, 1, "2021-01-31 23:59:59.999999Z").await;
        record(&store, 2, "2021-02-01 00:00:00Z").await;

        let again = format!("INSERT INTO generation_ids VALUES ({}, now())", store.id(1));
        let error = store.try_run(&again).await.unwrap_err().to_string();
        assert!(error.contains("pk_generation_ids"), "{error}");

        assert!(drop(&store, "2021-01-15Z").await);
        let left: Vec<String> = store
            .all(
                "SELECT right(id::text, 1) FROM generation_ids
                 UNION ALL SELECT right(id::text, 1) FROM generation_history",
            )
            .await;
        assert_eq!(left, ["2", "2"]);
        store.run(&again).await;
    })
    .await;
}

/// Each in a transaction that sees everything else as of its beginning, where the session's default
/// is so.
async fn race(url: String, function: &'static str) {
    let url: Url = url.parse().unwrap();
    for round in 0..10 {
        let calls: Vec<_> = (0..4)
            .map(|_| {
                let url = url.clone();
                tokio::spawn(async move {
                    let store = Store { db: connect(&url).await, url: url.into() };
                    let time = format!("{}-07-07Z", 2000 + round);
                    store.one::<bool>(&format!("SELECT {function}('{time}')")).await
                })
            })
            .collect();
        let mut made = 0;
        for call in calls {
            made += u32::from(call.await.unwrap());
        }
        assert_eq!(made, 1, "{function}, round {round}");
    }
}

#[tokio::test]
async fn a_month_that_has_not_ended_is_not_dropped() {
    with_store(|store| async move {
        let store = store.migrated().await;
        for time in ["now()", "now() + interval '1 month'", "now() + interval '100 years'"] {
            store.run(&format!("SELECT ensure_generation_partition({time})")).await;
            let before = partitions(&store).await;
            let refused = store.try_run(&format!("SELECT drop_generation_partition({time})")).await;
            let error = refused.unwrap_err().to_string();
            assert!(error.contains("has not ended"), "{time}: {error}");
            assert_eq!(partitions(&store).await, before, "{time}");
        }
        let last = "date_trunc('month', now(), 'UTC') - interval '1 microsecond'";
        store.run(&format!("SELECT ensure_generation_partition({last})")).await;
        assert!(store.one::<bool>(&format!("SELECT drop_generation_partition({last})")).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_at_once_one_makes_a_month_and_one_drops_it() {
    with_store(|store| async move {
        let store = store.migrated().await;
        race(store.url.clone(), "ensure_generation_partition").await;
        race(store.url.clone(), "drop_generation_partition").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_at_once_one_makes_a_month_under_a_stricter_isolation() {
    with_schema_of_its_own(|store| async move {
        let store = store.migrated().await;
        race(store.url.clone(), "ensure_generation_partition").await;
        race(store.url.clone(), "drop_generation_partition").await;
    })
    .await;
}

/// The second has looked, and waits for the first, which has made the month and not committed.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_waited_for_a_month_finds_it_made() {
    with_database(|database| async move {
        let store = database.admin.clone().migrated().await;
        let call = "SELECT ensure_generation_partition('2001-01-01Z')";
        let first = session(&database, "").await.db.begin().await.unwrap();
        first.execute_unprepared(call).await.unwrap();

        let second = session(&database, "").await;
        let waiting = tokio::spawn(async move {
            let sql = format!("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1; {call}; COMMIT");
            second.run(&sql).await;
            second.one::<bool>(call).await
        });
        let blocked = "SELECT count(*) FROM pg_locks WHERE locktype = 'relation' AND NOT granted
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let blocks = async {
            while store.one::<i64>(blocked).await == 0 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(10), blocks).await.expect("the second waits");
        first.commit().await.unwrap();

        assert!(!waiting.await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn making_a_month_waits_for_nobody() {
    with_database(|database| async move {
        let store = database.admin.clone().migrated().await;
        let busy = session(&database, "").await.db.begin().await.unwrap();
        busy.execute_unprepared("SELECT count(*) FROM generation_history").await.unwrap();
        let row = insert("generation_history", &store.row("generation_history", 1));
        busy.execute_unprepared(&row).await.unwrap();

        let sql = "SET lock_timeout = '1s'; SELECT ensure_generation_partition('2001-01-01Z')";
        store.run(sql).await;

        // Nor does anybody wait for it.
        let making = session(&database, "").await.db.begin().await.unwrap();
        making
            .execute_unprepared("SELECT ensure_generation_partition('2002-01-01Z')")
            .await
            .unwrap();
        let row = insert("generation_history", &store.row("generation_history", 2));
        busy.execute_unprepared(&format!("SET LOCAL lock_timeout = '1s'; {row}")).await.unwrap();
        busy.commit().await.unwrap();
        making.commit().await.unwrap();
        assert_eq!(store.one::<i64>("SELECT count(*) FROM generation_history").await, 2);
    })
    .await;
}

/// Whoever sums up a month must not miss what is added meanwhile.
#[tokio::test]
async fn a_locked_month_is_read_and_not_added_to() {
    with_database(|database| async move {
        let store = database.admin.clone().migrated().await;
        assert!(!lock(&store, "2001-01-01Z").await);
        for time in ["2001-01-01Z", "2001-02-01Z"] {
            ensure(&store, time).await;
        }
        let impatient = session(&database, "SET lock_timeout = '100ms'").await;
        let add = |number: u32, time: &str| {
            format!(
                "INSERT INTO generation_history (id, provider_used, generation_time_ms, created_at)
                 VALUES ('{number:032x}', 'local', 1, '{time}')"
            )
        };

        let summing = session(&database, ODD).await.db.begin().await.unwrap();
        // In the session's time it is the first of February.
        let call = "SELECT lock_generation_partition('2001-01-31 23:59:59.999999+00')";
        summing.execute_unprepared(call).await.unwrap();

        let first = "2001-01-01 00:00:00Z";
        let error = impatient.try_run(&add(1, first)).await.unwrap_err().to_string();
        assert!(error.contains("lock timeout"), "{error}");
        impatient.run(&add(2, "2001-02-01 00:00:00Z")).await;
        assert_eq!(impatient.one::<i64>("SELECT count(*) FROM generation_history").await, 1);
        summing.commit().await.unwrap();
        impatient.run(&add(1, first)).await;
    })
    .await;
}

#[tokio::test]
async fn only_who_was_told_so_makes_locks_and_drops_months() {
    with_database(|database| async move {
        let admin = database.admin.clone().migrated().await;
        let role = &database.role;
        let calls = [
            "SELECT public.ensure_generation_partition('2001-01-01Z')",
            "SELECT public.lock_generation_partition('2001-01-01Z')",
            "SELECT public.drop_generation_partition('2001-01-01Z')",
        ];
        let store = database.role("-csearch_path=pg_catalog").await;
        for call in calls {
            let error = store.try_run(call).await.unwrap_err().to_string();
            assert!(error.contains("permission denied for function"), "{error}");
        }

        let grant = format!(
            "GRANT EXECUTE ON FUNCTION ensure_generation_partition, lock_generation_partition,
                 drop_generation_partition TO {role}"
        );
        admin.run(&grant).await;

        // What the caller puts in the way is not found.
        store
            .run(
                "CREATE TEMPORARY TABLE generation_history_y2001m01 (id integer);
                 CREATE TEMPORARY TABLE generation_history (id integer);
                 CREATE TEMPORARY TABLE generation_ids (id integer);",
            )
            .await;
        for call in calls {
            assert!(store.one::<bool>(call).await, "{call}");
        }
    })
    .await;
}

#[tokio::test]
async fn pending_cells_are_cleaned_up_often() {
    with_store(|store| async move {
        let store = store.migrated().await;
        let options: Vec<String> = store
            .all(
                "SELECT array_to_string(reloptions, ', ') FROM pg_class
                 WHERE relname IN ('generation_rollup_pending', 'generation_artist_pending')",
            )
            .await;
        let often = "autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=5000, \
                     autovacuum_vacuum_cost_delay=0";
        assert_eq!(options, [often; 2]);
        let without: Vec<String> = store
            .all(
                "SELECT relname::text FROM pg_class
                 WHERE relname ~ '^(retired_)?generation' AND relkind IN ('r', 'p')
                   AND NOT relispartition AND obj_description(oid, 'pg_class') IS NULL",
            )
            .await;
        assert_eq!(without, [""; 0]);
    })
    .await;
}
