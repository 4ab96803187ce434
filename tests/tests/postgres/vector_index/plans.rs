//! Searches in an index: their plans, and what comes of them.

use std::{collections::HashSet, time::Duration};

use anyhow::ensure;
use domain::{Engine, Limit, RepositoryError, ResearchStatus, Search, SearchFilter, SearchMode};
use groovebase_tests::fixture::{self, Fixture, Postgres};
use serde_json::Value;
use storage::VectorIndexKind;

use super::{Crowd, indexed, names, numbered, read};

/// The names of the indexes that a plan reads, and the tables that it reads as a whole.
fn reads(plan: &Value) -> Vec<String> {
    match plan {
        Value::Array(parts) => parts.iter().flat_map(reads).collect(),
        Value::Object(node) => {
            let mut found: Vec<String> = node.values().flat_map(reads).collect();
            let text = |member: &str| node.get(member).and_then(Value::as_str).unwrap_or_default();
            match text("Node Type") {
                "Seq Scan" => found.push(format!("all of {}", text("Relation Name"))),
                _ if node.contains_key("Order By") => found.push(text("Index Name").to_owned()),
                _ => {}
            }
            found
        }
        _ => Vec::new(),
    }
}

const fn name_of(kind: VectorIndexKind) -> &'static str {
    match kind {
        VectorIndexKind::IvfFlat => "idx_embedding_ivfflat",
        VectorIndexKind::Hnsw => "idx_embedding_hnsw",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_have_the_plan_of_the_index() -> anyhow::Result<()> {
    for kind in VectorIndexKind::ALL {
        let (fixture, crowd) = indexed(2_000, kind).await?;
        let index = fixture.store().vector_index();
        let filter = SearchFilter {
            statuses: vec![ResearchStatus::Cached, ResearchStatus::Pending],
            ..numbered(100, 1_500)?
        };

        for filter in [SearchFilter::EVERYBODY, filter] {
            let search = Search { filter, ..crowd.search(7, Engine::Approximate)? };
            let by_index = index.plan(&search).await?;
            let exact = index.plan(&Search { engine: Engine::Exact, ..search.clone() }).await?;

            ensure!(reads(&by_index) == [name_of(kind)], "{kind:?}: {by_index:#}");
            ensure!(!exact.to_string().contains(name_of(kind)), "{exact:#}");
        }
        fixture.close().await?;
    }
    Ok(())
}

/// From the sixth execution on the server may take a plan that knows no values.
#[tokio::test(flavor = "multi_thread")]
async fn every_execution_reads_the_index() -> anyhow::Result<()> {
    for kind in VectorIndexKind::ALL {
        let (fixture, crowd) = indexed(2_000, kind).await?;
        let one_connection = storage::PoolLimits { kept: 1, most: 1, ..Default::default() };
        let store = fixture::store_with(fixture.url(), &one_connection).await?;

        for filter in [SearchFilter::EVERYBODY, numbered(0, 1_900)?] {
            for number in 0..12 {
                let search =
                    Search { filter: filter.clone(), ..crowd.search(number, Engine::Approximate)? };
                let found = store.similar_artists().nearest(&search).await?;
                ensure!(
                    found.exactness.mode == SearchMode::Approximate && found.neighbours.len() == 10
                );
            }
        }

        // A connection that ends has told what it did.
        store.close().await;
        let scans =
            "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname LIKE 'idx_embedding_%'";
        let counted = tokio::time::timeout(Duration::from_secs(20), async {
            while read::<i64>(&fixture, scans).await? < 24 {
                tokio::task::yield_now().await;
            }
            anyhow::Ok(())
        });
        ensure!(counted.await.is_ok(), "{kind:?}: {} scans", read::<i64>(&fixture, scans).await?);
        fixture.close().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_finds_nearly_all() -> anyhow::Result<()> {
    for (kind, least) in [(VectorIndexKind::IvfFlat, 0.8), (VectorIndexKind::Hnsw, 0.97)] {
        let (fixture, crowd) = indexed(3_000, kind).await?;
        let similar = fixture.store().similar_artists();
        let mut hits = 0;
        for number in (0..3_000).step_by(60) {
            let search = crowd.search(number, Engine::Approximate)?;
            let found = similar.nearest(&search).await?;
            let closest = crowd.closest(&search);

            ensure!(found.exactness.mode == SearchMode::Approximate, "{:?}", found.exactness);
            ensure!(found.exactness.compared == 3_000, "{:?}", found.exactness);
            let wanted: HashSet<&str> = closest.iter().map(|(name, _)| name.as_str()).collect();
            hits += names(&found).iter().filter(|&name| wanted.contains(name)).count();
            for (neighbour, next) in found.neighbours.iter().zip(found.neighbours.iter().skip(1)) {
                ensure!(next.score <= neighbour.score, "{found:?}");
            }
        }

        let recall = f64::from(u32::try_from(hits)?) / 500.0;
        ensure!(least <= recall, "{kind:?}: {recall}");
        fixture.close().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_never_shortens_an_answer() -> anyhow::Result<()> {
    for kind in VectorIndexKind::ALL {
        let (fixture, crowd) = indexed(3_000, kind).await?;
        let similar = fixture.store().similar_artists();
        // 2,000 to 12 of 3,000, wherever they lie.
        for (from, to) in [(0, 2_000), (1_000, 1_100), (2_500, 2_511)] {
            for number in (0..3_000).step_by(600) {
                let filter = numbered(from, to)?;
                let search = Search { filter, ..crowd.search(number, Engine::Approximate)? };
                let found = similar.nearest(&search).await?;

                let few = to - from < 50;
                let mode = if few { SearchMode::Exact } else { SearchMode::Approximate };
                ensure!(found.exactness.mode == mode, "{kind:?} {from}: {:?}", found.exactness);
                ensure!(
                    found.neighbours.len() == 10,
                    "{kind:?} {from}: {}",
                    found.neighbours.len()
                );
                let admitted = names(&found).iter().all(|name| {
                    let number: u32 = name.rsplit(' ').next().unwrap_or("").parse().unwrap_or(0);
                    (from..=to).contains(&number)
                });
                ensure!(admitted, "{found:?}");
            }
        }

        // Fewer than wanted are all there are, and that is certain.
        let search = Search { filter: numbered(30, 33)?, ..crowd.search(31, Engine::Approximate)? };
        let found = similar.nearest(&search).await?;
        ensure!(found.neighbours.len() == 3, "{found:?}");
        ensure!(found.exactness.mode == SearchMode::Exact && found.exactness.compared == 4);
        fixture.close().await?;
    }
    Ok(())
}

/// The planner has not heard yet that hardly anybody is left.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_index_does_not_find_is_looked_for() -> anyhow::Result<()> {
    let (fixture, crowd) = indexed(2_000, VectorIndexKind::Hnsw).await?;
    fixture
        .by_hand("UPDATE artists SET research_status = 'failed' WHERE name > 'Artist 00003'")
        .await?;
    let cached = SearchFilter { statuses: vec![ResearchStatus::Cached], ..SearchFilter::EVERYBODY };

    let search = Search { filter: cached, ..crowd.search(1, Engine::Approximate)? };
    let found = fixture.store().similar_artists().nearest(&search).await?;

    ensure!(found.neighbours.len() == 3, "{found:?}");
    ensure!(found.exactness.mode == SearchMode::Exact && found.exactness.compared == 4);
    fixture.close().await
}

/// Who has more exceptions than anybody would.
#[tokio::test(flavor = "multi_thread")]
async fn exceptions_leave_as_many_as_wanted() -> anyhow::Result<()> {
    let (fixture, crowd) = indexed(2_000, VectorIndexKind::Hnsw).await?;
    let everybody_near = Search { limit: Limit::LARGEST, ..crowd.search(5, Engine::Exact)? };
    let near = fixture.store().similar_artists().nearest(&everybody_near).await?;
    let except: Vec<_> = near.neighbours.iter().map(|near| near.artist.key().clone()).collect();

    let search = Search { except, ..crowd.search(5, Engine::Approximate)? };
    let found = fixture.store().similar_artists().nearest(&search).await?;

    ensure!(found.exactness.mode == SearchMode::Approximate && found.neighbours.len() == 10);
    ensure!(found.neighbours.iter().all(|found| !search.except.contains(found.artist.key())));
    fixture.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_read_back() -> anyhow::Result<()> {
    let (fixture, crowd) = indexed(1_000, VectorIndexKind::Hnsw).await?;
    // What sets them says that it did, and does nothing.
    fixture
        .by_hand(
            "CREATE FUNCTION public.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS 'SELECT $2'; \
             DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', \
             current_database()); END $$",
        )
        .await?;
    let store = fixture.another_store().await?;

    let search = crowd.search(1, Engine::Approximate)?;
    let refused = store.similar_artists().nearest(&search).await;

    ensure!(matches!(refused, Err(RepositoryError::Internal(_))), "{refused:?}");
    store.close().await;
    // The other store may open connections only now.
    fixture.by_hand("DROP FUNCTION public.set_config(text, text, boolean)").await?;
    ensure!(fixture.store().similar_artists().nearest(&search).await?.neighbours.len() == 10);
    fixture.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_index_that_serves_is_used() -> anyhow::Result<()> {
    let fixture = Postgres::open().await?;
    let crowd = Crowd::new(1_000)?;
    crowd.load(fixture.store()).await?;
    fixture
        .by_hand(
            "DROP INDEX idx_embedding_ivfflat; CREATE INDEX idx_embedding_ivfflat ON style_embeddings \
             USING ivfflat (embedding vector_cosine_ops)",
        )
        .await?;
    let similar = fixture.store().similar_artists();
    let mode = async |search: &Search| anyhow::Ok(similar.nearest(search).await?.exactness.mode);
    let search = crowd.search(1, Engine::Approximate)?;

    // Nobody knows over how many rows that was built; over none, it would know no centres.
    ensure!(mode(&search).await? == SearchMode::Exact);
    fixture.store().vector_index().build(VectorIndexKind::IvfFlat, &mut |_| ()).await?;
    ensure!(mode(&search).await? == SearchMode::Approximate);
    for metric in [domain::Metric::L2, domain::Metric::InnerProduct] {
        ensure!(mode(&Search { metric, ..search.clone() }).await? == SearchMode::Exact);
    }
    for engine in [Engine::Exact, Engine::Auto] {
        ensure!(mode(&Search { engine, ..search.clone() }).await? == SearchMode::Exact);
    }
    fixture.store().vector_index().remove().await?;
    ensure!(mode(&search).await? == SearchMode::Exact);
    fixture.close().await
}
