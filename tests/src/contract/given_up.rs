//! Callers who leave: whatever they leave half done takes nothing of others along.

use std::{pin::pin, task::Poll};

use anyhow::{Context, ensure};
use domain::{Expected, GenerationId, Limit, ProfileRecord, Search};
use futures::future::BoxFuture;
use storage::{PoolLimits, Store};
use tokio::time::timeout;

use crate::{
    account,
    fixture::{self, Fixture, Repositories},
    given,
    program::PATIENCE,
};

/// Something a caller asks a store for.
type Work = fn(Store, Repositories) -> BoxFuture<'static, anyhow::Result<()>>;

const WORKS: [(&str, Work); 6] = [
    ("statistics", |store, _| Box::pin(async move { account::totals(&store).await.map(drop) })),
    ("fold", |store, _| {
        Box::pin(async move { Ok(store.generation_rollups().fold().await.map(drop)?) })
    }),
    ("save", |_, repositories| {
        Box::pin(async move {
            let new = given::profile("J Dilla", "late")?;
            repositories.style_profiles.save(&new, Expected::Any, &given::author()).await?;
            Ok(())
        })
    }),
    ("load", |_, repositories| {
        Box::pin(async move {
            let profile = Box::new(given::profile("J Dilla", "late again")?);
            let record = ProfileRecord::Profile { profile, sources: Vec::new() };
            repositories.bulk_load.load(vec![record], &given::author()).await?;
            Ok(())
        })
    }),
    ("record", |store, _| {
        Box::pin(async move {
            let entry = given::generation("google")?;
            store.generations().record(vec![entry], &given::author()).await?;
            Ok(())
        })
    }),
    ("search", |_, repositories| {
        Box::pin(async move {
            let search = Search::around(given::embedding(1)?, Limit::LARGEST);
            repositories.similar_artists.nearest(&search).await?;
            Ok(())
        })
    }),
];

/// What comes of work, unless it has to wait more often than that: then it is given up.
async fn given_up_after<T>(waits: u32, work: impl Future<Output = T>) -> Option<T> {
    let (mut work, mut left) = (pin!(work), waits);
    std::future::poll_fn(|context| match (work.as_mut().poll(context), left.checked_sub(1)) {
        (Poll::Ready(done), _) => Poll::Ready(Some(done)),
        (Poll::Pending, None) => Poll::Ready(None),
        (Poll::Pending, Some(rest)) => {
            left = rest;
            Poll::Pending
        }
    })
    .await
}

async fn record(store: &Store) -> anyhow::Result<GenerationId> {
    let entry = given::generation("openai")?;
    let id = entry.id;
    store.generations().record(vec![entry], &given::author()).await?;
    Ok(id)
}

/// Wherever others gave up, with the only connection in their hands.
pub async fn what_is_acknowledged_afterwards_is_kept(fixture: &impl Fixture) -> anyhow::Result<()> {
    let limits = PoolLimits { kept: 1, most: 1, ..PoolLimits::default() };
    let store = fixture::store_with(fixture.url(), &limits).await?;
    let witness = fixture.another_store().await?;

    for (name, work) in WORKS {
        for waits in 0.. {
            let context = || format!("{name}, given up after {waits} waits");
            let asked = work(store.clone(), fixture.repositories_of(&store));
            let done = given_up_after(waits, timeout(PATIENCE, asked)).await;
            let id = timeout(PATIENCE, record(&store)).await.with_context(context)?;
            let id = id.with_context(context)?;

            ensure!(witness.generations().find(id).await?.is_some(), "{}: lost", context());
            if let Some(done) = done {
                done.with_context(context)?.with_context(context)?;
                break;
            }
        }
    }
    store.close().await;
    witness.close().await;
    Ok(())
}
