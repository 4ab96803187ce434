//! Building an index beside everything else, and what is left when that does not come to its end.

use std::time::Duration;

use anyhow::{Context, ensure};
use domain::{Engine, Expected, Limit, Search, SearchMode};
use groovebase_tests::{
    fixture::{Fixture, Postgres},
    program::PATIENCE,
};
use migration::{Schema, Steps};
use sea_orm::{ConnectionTrait, DatabaseTransaction, TransactionTrait};
use storage::{
    Store, StoredVectorIndex, VectorIndexError, VectorIndexKind, VectorIndexParameters,
    VectorIndexStatus,
};
use tokio::task::JoinHandle;

use super::{Crowd, by_hand, names, profile, read};

async fn build(store: &Store, kind: VectorIndexKind) -> Result<(), VectorIndexError> {
    store.vector_index().build(kind, &mut |_| ()).await
}

async fn in_use(store: &Store) -> anyhow::Result<Option<StoredVectorIndex>> {
    Ok(store.vector_index().status().await?.in_use)
}

/// A transaction that a build has to wait for.
async fn writer(fixture: &Postgres) -> anyhow::Result<DatabaseTransaction> {
    let transaction = by_hand(fixture).await?.begin().await?;
    transaction.execute_unprepared("LOCK TABLE style_embeddings IN ROW EXCLUSIVE MODE").await?;
    Ok(transaction)
}

/// A build that goes on until somebody ends the transaction.
async fn waiting_build(
    fixture: &Postgres,
    kind: VectorIndexKind,
) -> anyhow::Result<(DatabaseTransaction, JoinHandle<Result<(), VectorIndexError>>)> {
    let transaction = writer(fixture).await?;
    let store = fixture.store().clone();
    let building = tokio::spawn(async move { build(&store, kind).await });
    until(fixture.store(), |status| {
        status.building.as_ref().is_some_and(|build| build.phase.starts_with("waiting for writers"))
    })
    .await?;
    Ok((transaction, building))
}

/// Looks at the index until it is as it shall become.
async fn until(
    store: &Store,
    is_there: impl Fn(&VectorIndexStatus) -> bool,
) -> anyhow::Result<VectorIndexStatus> {
    let look = async {
        loop {
            let status = store.vector_index().status().await?;
            if is_there(&status) {
                return anyhow::Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, look).await.context("waited in vain")?
}

#[tokio::test(flavor = "multi_thread")]
async fn one_kind_takes_the_place_of_the_other() -> anyhow::Result<()> {
    let fixture = Postgres::open().await?;
    let store = fixture.store();
    let first = store.vector_index().status().await?;
    let made_by_the_schema = first.in_use.context("made by the schema")?;
    ensure!(made_by_the_schema.name == "idx_embedding_ivfflat" && !made_by_the_schema.outgrown);
    ensure!(made_by_the_schema.parameters == VectorIndexParameters::IvfFlat { lists: 100 });
    Crowd::new(300)?.load(store).await?;

    for (kind, name, parameters) in [
        (
            VectorIndexKind::Hnsw,
            "idx_embedding_hnsw",
            VectorIndexParameters::Hnsw { m: 16, ef_construction: 64 },
        ),
        (
            VectorIndexKind::IvfFlat,
            "idx_embedding_ivfflat",
            VectorIndexParameters::IvfFlat { lists: 10 },
        ),
        (
            VectorIndexKind::IvfFlat,
            "idx_embedding_ivfflat",
            VectorIndexParameters::IvfFlat { lists: 10 },
        ),
    ] {
        build(store, kind).await?;
        let status = store.vector_index().status().await?;
        let index = status.in_use.context("just built")?;
        ensure!(index.name == name && index.parameters == parameters, "{index:?}");
        ensure!(index.valid && !index.outgrown && 0 < index.size_bytes, "{index:?}");
        ensure!(index.rows_when_built == Some(300) && status.rows == 300, "{index:?}");
        ensure!(status.others.is_empty() && status.building.is_none(), "{:?}", status.others);
    }

    ensure!(store.vector_index().remove().await? == 1);
    ensure!(in_use(store).await?.is_none() && store.vector_index().remove().await? == 0);
    fixture.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_outgrows_the_index_builds_it_anew() -> anyhow::Result<()> {
    let fixture = Postgres::open().await?;
    let store = fixture.store();
    let rows_when_built =
        async || anyhow::Ok(in_use(store).await?.and_then(|index| index.rows_when_built));

    // The first is over none, and 600 are not more than twice 300.
    for (count, expected) in [(300, 300), (600, 300), (601, 601)] {
        Crowd::new(count)?.load(store).await?;
        ensure!(
            rows_when_built().await? == Some(expected),
            "{count}: {:?}",
            rows_when_built().await?
        );
    }
    ensure!(in_use(store).await?.is_some_and(|index| !index.outgrown));

    // A graph grows with its rows, and nothing stays nothing.
    build(store, VectorIndexKind::Hnsw).await?;
    Crowd::new(1_300)?.load(store).await?;
    ensure!(rows_when_built().await? == Some(601));
    store.vector_index().remove().await?;
    Crowd::new(1_400)?.load(store).await?;
    ensure!(in_use(store).await?.is_none());
    let planned: f32 =
        read(&fixture, "SELECT reltuples FROM pg_class WHERE oid = 'style_embeddings'::regclass")
            .await?;
    ensure!((planned - 1_400.0).abs() < 1.0, "the planner believes in {planned} rows");
    fixture.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_build_at_a_time() -> anyhow::Result<()> {
    let fixture = Postgres::open().await?;
    Crowd::new(200)?.load(fixture.store()).await?;
    let other = fixture.another_store().await?;
    let (transaction, building) = waiting_build(&fixture, VectorIndexKind::Hnsw).await?;

    let meanwhile = async {
        for refused in [
            build(&other, VectorIndexKind::IvfFlat).await,
            other.vector_index().remove().await.map(|_| ()),
        ] {
            ensure!(matches!(refused, Err(VectorIndexError::Busy)), "{refused:?}");
        }
        // Which is no reason for an import to fail, or to wait.
        anyhow::Ok(other.bulk_load().finish().await?)
    };
    tokio::time::timeout(PATIENCE, meanwhile).await.context("somebody waits")??;

    transaction.commit().await?;
    building.await??;
    ensure!(in_use(&other).await?.is_some_and(|index| index.name == "idx_embedding_hnsw"));
    build(&other, VectorIndexKind::IvfFlat).await?;
    other.close().await;
    fixture.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_build_leaves_what_was_in_use() -> anyhow::Result<()> {
    let fixture = Postgres::open().await?;
    let store = fixture.store();
    let crowd = Crowd::new(400)?;
    crowd.load(store).await?;
    let before = in_use(store).await?;
    let (transaction, building) = waiting_build(&fixture, VectorIndexKind::Hnsw).await?;

    building.abort();
    let left = until(store, |status| status.building.is_none()).await?;
    ensure!(left.in_use == before, "{:?}", left.in_use);
    let names: Vec<_> =
        left.others.iter().map(|index| (index.name.as_str(), index.valid)).collect();
    ensure!(names == [("idx_embedding_building", false)], "{names:?}");
    let search = crowd.search(3, Engine::Approximate)?;
    ensure!(store.similar_artists().nearest(&search).await?.neighbours.len() == 10);

    transaction.commit().await?;
    build(store, VectorIndexKind::Hnsw).await?;
    let status = store.vector_index().status().await?;
    ensure!(status.in_use.is_some_and(|index| index.name == "idx_embedding_hnsw"));
    ensure!(status.others.is_empty(), "{:?}", status.others);
    fixture.close().await
}

/// Makes an index as a person at a prompt would.
async fn make_by_hand(fixture: &Postgres, name: &str, kind: VectorIndexKind) -> anyhow::Result<()> {
    let kind = kind.as_str();
    fixture
        .by_hand(&format!(
            "CREATE INDEX \"{name}\" ON style_embeddings USING {kind} (embedding vector_cosine_ops)"
        ))
        .await
}

/// A build that ended between any two of its steps.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_left_over_is_removed() -> anyhow::Result<()> {
    let fixture = Postgres::open().await?;
    let store = fixture.store();
    Crowd::new(300)?.load(store).await?;
    for name in ["idx_embedding_building", "idx_embedding_replaced"] {
        make_by_hand(&fixture, name, VectorIndexKind::Hnsw).await?;
    }
    let status = store.vector_index().status().await?;
    ensure!(status.in_use.is_some_and(|index| index.name == "idx_embedding_ivfflat"));
    ensure!(status.others.len() == 2);

    build(store, VectorIndexKind::IvfFlat).await?;

    let status = store.vector_index().status().await?;
    ensure!(status.others.is_empty(), "{:?}", status.others);
    ensure!(status.in_use.is_some_and(|index| index.rows_when_built == Some(300)));
    fixture.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_made_by_hand_is_left_alone() -> anyhow::Result<()> {
    let fixture = Postgres::open().await?;
    let store = fixture.store();
    ensure!(store.vector_index().remove().await? == 1);
    make_by_hand(&fixture, "Somebody's", VectorIndexKind::IvfFlat).await?;
    let by_hand = in_use(store).await?.context("made by hand")?;
    ensure!(by_hand.made_by_hand && by_hand.name == "Somebody's", "{by_hand:?}");

    // An import finds it outgrown, and does nothing about it.
    Crowd::new(300)?.load(store).await?;
    let outgrown = store.vector_index().status().await?;
    ensure!(outgrown.others.is_empty(), "{outgrown:?}");
    ensure!(outgrown.in_use.is_some_and(|index| index.made_by_hand && index.outgrown));

    for kind in VectorIndexKind::ALL {
        build(store, kind).await?;
        let built = store.vector_index().status().await?;
        ensure!(built.in_use.is_some_and(|index| !index.made_by_hand && !index.outgrown));
        let others: Vec<_> = built.others.iter().map(|index| index.name.as_str()).collect();
        ensure!(others == ["Somebody's"], "{others:?}");
    }
    ensure!(store.vector_index().remove().await? == 1);
    ensure!(in_use(store).await?.is_some_and(|index| index.name == "Somebody's"));
    fixture.close().await
}

/// One that was left over beside it may have been outgrown for long.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_index_in_use_is_built_anew() -> anyhow::Result<()> {
    let fixture = Postgres::open().await?;
    let store = fixture.store();
    Crowd::new(300)?.load(store).await?;
    build(store, VectorIndexKind::Hnsw).await?;
    make_by_hand(&fixture, "idx_embedding_ivfflat", VectorIndexKind::IvfFlat).await?;
    let before = store.vector_index().status().await?;
    ensure!(before.others.iter().all(|index| index.outgrown) && before.others.len() == 1);

    store.bulk_load().finish().await?;

    ensure!(store.vector_index().status().await? == before);
    fixture.close().await
}

/// What is written while an index is built is in it.
#[tokio::test(flavor = "multi_thread")]
async fn writes_go_on_during_a_build_and_are_found() -> anyhow::Result<()> {
    for kind in VectorIndexKind::ALL {
        let fixture = Postgres::open().await?;
        let store = fixture.store();
        Crowd::new(500)?.load(store).await?;
        let (transaction, building) = waiting_build(&fixture, kind).await?;

        let late = Crowd::around_centres(20, 7, 5.0)?;
        for (number, embedding) in late.0.iter().filter_map(|one| one.embedding.clone()).enumerate()
        {
            let new = profile(90_000 + number as u64, embedding)?;
            store
                .style_profiles()
                .save(&new, Expected::Any, &domain::Author::at_the_command_line())
                .await?;
        }
        ensure!(!building.is_finished());
        transaction.commit().await?;
        building.await??;

        for number in 0..20 {
            let search = Search {
                limit: Limit::new(1)?,
                engine: Engine::Approximate,
                ..Search::around(late.embedding(number)?.clone(), Limit::LARGEST)
            };
            let found = store.similar_artists().nearest(&search).await?;
            let name = format!("Artist {}", 90_000 + number);
            ensure!(names(&found) == [name.as_str()], "{kind:?}: {found:?}");
            ensure!(found.exactness.mode == SearchMode::Approximate);
        }
        fixture.close().await?;
    }
    Ok(())
}

/// A server that refuses to build with parallel workers, for this reason.
async fn without_workers(condition: &str) -> anyhow::Result<Postgres> {
    let fixture = Postgres::open().await?;
    Crowd::new(200)?.load(fixture.store()).await?;
    fixture
        .by_hand(&format!(
            "CREATE FUNCTION no_room() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF current_setting('max_parallel_maintenance_workers') <> '0' THEN \
              RAISE EXCEPTION 'no workers' USING ERRCODE = '{condition}'; \
             END IF; END $$; \
             CREATE EVENT TRIGGER no_room ON ddl_command_start WHEN TAG IN ('CREATE INDEX') \
             EXECUTE FUNCTION no_room()"
        ))
        .await?;
    Ok(fixture)
}

/// As on a container with little shared memory, or when others have taken every process.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_room_for_workers_builds_alone() -> anyhow::Result<()> {
    for lacking in ["disk_full", "out_of_memory", "too_many_connections", "insufficient_resources"]
    {
        let fixture = without_workers(lacking).await?;

        let built = build(fixture.store(), VectorIndexKind::Hnsw).await;

        ensure!(built.is_ok(), "{lacking}: {built:?}");
        let index = in_use(fixture.store()).await?.context("just built")?;
        ensure!(index.name == "idx_embedding_hnsw" && index.rows_when_built == Some(200));
        fixture.close().await?;
    }
    Ok(())
}

/// Trying again would not help, and what was in use stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_for_another_reason_is_asked_once() -> anyhow::Result<()> {
    let fixture = without_workers("insufficient_privilege").await?;
    let before = in_use(fixture.store()).await?;

    let refused = build(fixture.store(), VectorIndexKind::Hnsw).await;

    ensure!(matches!(refused, Err(VectorIndexError::Repository(_))), "{refused:?}");
    ensure!(in_use(fixture.store()).await? == before);
    fixture.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_can_be_reverted_whatever_the_index() -> anyhow::Result<()> {
    let fixture = Postgres::open().await?;
    let schema = Schema::connect(fixture.url()).await?;
    for kind in [Some(VectorIndexKind::Hnsw), Some(VectorIndexKind::IvfFlat), None] {
        match kind {
            Some(kind) => build(fixture.store(), kind).await?,
            None => ensure!(fixture.store().vector_index().remove().await? == 1),
        }
        let reverted = schema.down(Steps::N(100)).await?.len();
        ensure!(schema.up(None).await?.len() == reverted && 8 <= reverted);
        ensure!(
            in_use(fixture.store()).await?.is_some_and(|index| index.rows_when_built.is_none())
        );
    }
    schema.close().await?;
    fixture.close().await
}
