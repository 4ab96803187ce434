//! The pool: how many connections there are, and what happens when the server ends them.

use std::time::Duration;

use anyhow::{Context, ensure};
use domain::{Expected, Limit, Search};
use groovebase_tests::{
    account,
    fixture::{self, Fixture, Postgres},
    given,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement};
use storage::PoolLimits;

const TERMINATE_ALL: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
     WHERE datname = current_database() AND pid <> pg_backend_pid()";

#[tokio::test(flavor = "multi_thread")]
async fn work_survives_connections_that_the_server_ended() -> anyhow::Result<()> {
    let fixture = Postgres::open().await?;
    let store = fixture::store_with(fixture.url(), &PoolLimits::default()).await?;
    let new = given::profile("J Dilla", "late")?;
    store.style_profiles().save(&new, Expected::Any, &given::author()).await?;

    for _ in 0..3 {
        // All connections were in use just now, so none is pinged before the first attempt.
        let reads = (0..30).map(|_| {
            let profiles = store.style_profiles();
            let key = new.artist.key().clone();
            tokio::spawn(async move { profiles.find(&key).await })
        });
        for read in reads.collect::<Vec<_>>() {
            ensure!(read.await??.is_some());
        }
        fixture.by_hand(TERMINATE_ALL).await?;

        ensure!(store.style_profiles().find(new.artist.key()).await?.is_some());
        store.style_profiles().save(&new, Expected::Any, &given::author()).await?;
        ensure!(
            store
                .generations()
                .record(vec![given::generation("openai")?], &given::author())
                .await?
                .len()
                == 1
        );
    }

    ensure!(account::totals(&store).await?.generations == 3);
    store.close().await;
    fixture.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_connections_are_kept_and_thirty_opened_at_most() -> anyhow::Result<()> {
    let fixture = Postgres::open().await?;
    let store = fixture::store_with(fixture.url(), &PoolLimits::default()).await?;
    let new = given::profile("J Dilla", "late")?;
    store.style_profiles().save(&new, Expected::Any, &given::author()).await?;

    let reads: Vec<_> = (0..200)
        .map(|_| {
            let profiles = store.style_profiles();
            let key = new.artist.key().clone();
            tokio::spawn(async move { profiles.find(&key).await })
        })
        .collect();
    for read in reads {
        ensure!(read.await??.is_some());
    }
    let busy = store.pool_use();
    let kept = tokio::time::timeout(Duration::from_secs(20), async {
        while store.pool_use().idle < 10 {
            tokio::task::yield_now().await;
        }
    });

    ensure!(busy.most == 30 && busy.active + busy.idle <= 30, "{busy:?}");
    ensure!(kept.await.is_ok(), "{:?}", store.pool_use());
    store.close().await;
    fixture.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn warming_up_reads_through_every_connection_that_is_kept() -> anyhow::Result<()> {
    let fixture = Postgres::open().await?;
    let limits = PoolLimits { kept: 3, ..PoolLimits::default() };
    let store = fixture::store_with(fixture.url(), &limits).await?;

    store.warm_up().await;

    ensure!(store.pool_use().reading == 3, "{:?}", store.pool_use());
    let counted = "DO $$ BEGIN ASSERT 6 = (SELECT count(*) FROM pg_stat_activity \
         WHERE datname = current_database() AND state = 'idle' AND query LIKE '%style_embeddings%'); END $$";
    fixture.by_hand(counted).await?;
    store.close().await;
    fixture.close().await
}

#[tokio::test]
async fn warming_up_near_reads_through_every_connection_of_the_runtime() -> anyhow::Result<()> {
    let fixture = Postgres::open().await?;
    let limits = PoolLimits { kept: 0, ..PoolLimits::default() };
    let store = fixture::store_with(fixture.url(), &limits).await?;

    store.warm_up_near().await;

    ensure!(store.pool_use().near == 2, "{:?}", store.pool_use());
    let counted = "DO $$ BEGIN ASSERT 2 = (SELECT count(*) FROM pg_stat_activity \
         WHERE datname = current_database() AND state = 'idle' AND query LIKE '%style_embeddings%'); END $$";
    fixture.by_hand(counted).await?;
    store.close().await;
    fixture.close().await
}

/// Waits until so many connections near readers are open.
async fn until_near(store: &storage::Store, count: u32) -> anyhow::Result<()> {
    let open = async {
        while store.pool_use().near < count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), open).await.context("no connection was opened")
}

/// Reads through connections of its own, with those that serve another runtime at the same time left alone.
#[test]
fn each_thread_reads_through_connections_of_its_own() -> anyhow::Result<()> {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (first, second) = (runtime()?, runtime()?);
    first.block_on(async {
        let fixture = Postgres::open().await?;
        let limits = PoolLimits { kept: 0, ..PoolLimits::default() };
        let store = fixture::store_with(fixture.url(), &limits).await?;
        let new = given::profile("J Dilla", "late")?;
        store.style_profiles().save(&new, Expected::Any, &given::author()).await?;
        ensure!(store.pool_use().near == 0, "{:?}", store.pool_use());

        let (profiles, key) = (store.style_profiles(), new.artist.key().clone());
        let found = profiles.find(&key).await?;
        ensure!(found.is_some());
        until_near(&store, 1).await?;
        // The first runtime goes on meanwhile, since it drives the connections of the pool.
        let elsewhere = tokio::task::spawn_blocking({
            let store = store.clone();
            move || {
                second.block_on(async {
                    let found = profiles.find(&key).await?;
                    until_near(&store, 2).await?;
                    anyhow::Ok(found)
                })
            }
        });
        ensure!(elsewhere.await?? == found);
        // They went with their runtime.
        ensure!(store.pool_use().near == 1, "{:?}", store.pool_use());

        let many = futures::future::join_all(
            (0..20).map(|_| async { store.style_profiles().find(new.artist.key()).await }),
        );
        for read in many.await {
            ensure!(read? == found);
        }
        fixture.by_hand(TERMINATE_ALL).await?;
        ensure!(store.style_profiles().find(new.artist.key()).await? == found);

        store.close().await;
        ensure!(store.style_profiles().find(new.artist.key()).await.is_err(), "it is closed");
        fixture.close().await
    })
}

/// How many sessions wait for a lock.
async fn waiting(connection: &DatabaseTransaction) -> anyhow::Result<i64> {
    let count = "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database \
         WHERE NOT granted AND datname = current_database()";
    let statement = Statement::from_string(connection.get_database_backend(), count);
    let row = connection.query_one_raw(statement).await?.context("no row")?;
    Ok(row.try_get_by_index(0)?)
}

/// However many searches there are, and however long each takes.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_searches_leaves_connections_to_others() -> anyhow::Result<()> {
    let fixture = Postgres::open().await?;
    let limits = PoolLimits { kept: 0, most: 8, ..PoolLimits::default() };
    let store = fixture::store_with(fixture.url(), &limits).await?;
    let new = given::profile("J Dilla", "late")?;
    store.style_profiles().save(&new, Expected::Any, &given::author()).await?;
    let writer = fixture.block_writers().await?;
    writer.execute_unprepared("LOCK TABLE style_embeddings").await?;

    let similar = store.similar_artists();
    let search = Search::around(given::embedding(1)?, Limit::LARGEST);
    let batch = tokio::spawn(async move { similar.nearest_many(&vec![search; 20]).await });
    let others = async {
        while waiting(&writer).await? < 2 {
            tokio::task::yield_now().await;
        }
        // Each of these would wait behind a batch that takes what it can.
        for _ in 0..20 {
            ensure!(store.artists().find(new.artist.key()).await?.is_some());
        }
        Ok(())
    };
    tokio::time::timeout(Duration::from_secs(20), others).await??;

    ensure!(waiting(&writer).await? == 2);
    writer.rollback().await?;
    ensure!(batch.await??.len() == 20);
    store.close().await;
    fixture.close().await
}
