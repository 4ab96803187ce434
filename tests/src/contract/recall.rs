//! How many of the closest artists searches find: the command, and what the service samples.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use api::{
    command::index::recall::{self, Measured, RecallArguments, RecallError},
    recall::{RecallSampler, choose, measure},
    state::{State, StateSettings},
};
use async_trait::async_trait;
use cache::{Bounds, CachedSimilarArtists, Feed, SimilaritySettings};
use domain::{Engine, Neighbours, RepositoryError, Search, SearchMode, SimilarArtists};
use storage::Backend;
use tokio::{
    runtime,
    task::spawn_blocking,
    time::{sleep, timeout},
};

use super::similar_artists::model::{Model, profile};
use crate::{
    fixture::{self, Fixture},
    given,
};

/// How long sampling may take here; it takes milliseconds.
const SAMPLED_WITHIN: Duration = Duration::from_secs(20);

const IN_MEMORY: SimilaritySettings =
    SimilaritySettings { memory_bytes: 64 * 1024 * 1024, answers: 100, threads: 2 };
const NOT_IN_MEMORY: SimilaritySettings =
    SimilaritySettings { memory_bytes: 0, answers: 0, threads: 1 };

async fn fill(fixture: &impl Fixture, artists: u16) -> anyhow::Result<()> {
    let profiles = (0..artists).map(|number| {
        // Many of them twins, so that the tenth place is shared.
        profile(&format!("Artist {number:03}"), given::embedding(u64::from(number) % 40)?)
    });
    Model::filled(fixture, profiles.collect::<anyhow::Result<_>>()?).await?;
    Ok(fixture.bulk_load().finish().await?)
}

/// Whoever is in use, the table says which it is, and exact searches miss none.
pub async fn the_command_measures_what_is_in_use(fixture: &impl Fixture) -> anyhow::Result<()> {
    fill(fixture, 200).await?;
    let indexed = fixture.store().backend() == Backend::Postgres;

    for (memory, engine, expected) in [
        (IN_MEMORY, Measured::Auto, "index in memory, exact"),
        (NOT_IN_MEMORY, Measured::Auto, "database, exact"),
        (
            IN_MEMORY,
            Measured::Approximate,
            if indexed { "database, approximate" } else { "database, exact" },
        ),
    ] {
        let mut output = Vec::new();
        let arguments = RecallArguments { sample: 50, engine };
        let measured = recall::run(fixture.store(), memory, &arguments, &mut output).await?;
        let text = String::from_utf8(output)?;

        ensure!(text.contains("50 of 200 artists with an embedding"), "{text}");
        ensure!(text.lines().any(|line| line.ends_with(expected)), "{text}");
        ensure!(measured.sample == 50, "{measured:?}");
        ensure!(0.0 < measured.recall_at_10 && measured.recall_at_10 <= 1.0, "{measured:?}");
        if measured.mode == SearchMode::Exact {
            ensure!(text.contains("recall@10   1.0000"), "{text}");
        }
        for took in [measured.in_use, measured.exact] {
            ensure!(took.p50 <= took.p95 && took.p95 <= took.max, "{measured:?}");
            ensure!(Duration::ZERO < took.p50, "{measured:?}");
        }
    }
    Ok(())
}

/// A sample is never larger than what there is; without any embedding the command fails and says so.
pub async fn the_command_needs_an_embedding(fixture: &impl Fixture) -> anyhow::Result<()> {
    let arguments = RecallArguments { sample: 100, engine: Measured::Auto };
    let run = async || {
        let mut output = Vec::new();
        let measured = recall::run(fixture.store(), IN_MEMORY, &arguments, &mut output).await;
        (measured, String::from_utf8_lossy(&output).into_owned())
    };
    fixture.artists().find_or_create(&given::name("Pending")?, &given::author()).await?;

    let (failed, text) = run().await;
    let error = failed.err().context("there is nothing to measure")?;
    ensure!(matches!(error, RecallError::NoEmbeddings) && text.is_empty(), "{error}: {text}");
    fill(fixture, 3).await?;
    let (measured, text) = run().await;
    ensure!(measured?.sample == 3 && text.contains("3 of 3 artists"), "{text}");
    Ok(())
}

/// Finds all but the closest.
struct Blind(Arc<dyn SimilarArtists>);

#[async_trait]
impl SimilarArtists for Blind {
    async fn nearest(&self, search: &Search) -> Result<Neighbours, RepositoryError> {
        let mut answer = self.0.nearest(search).await?;
        if !answer.neighbours.is_empty() {
            answer.neighbours.remove(0);
        }
        Ok(answer)
    }

    async fn nearest_many(&self, searches: &[Search]) -> Result<Vec<Neighbours>, RepositoryError> {
        self.0.nearest_many(searches).await
    }
}

/// What is not found is missed, one place of ten.
pub async fn what_is_not_found_is_missed(fixture: &impl Fixture) -> anyhow::Result<()> {
    fill(fixture, 40).await?;
    let store = fixture.store();
    let chosen = choose(&*store.style_vectors(), 20).await?;
    ensure!(chosen.targets.len() == 20 && chosen.among == 40, "{chosen:?}");
    let exact = store.similar_artists();

    let blind = Blind(store.similar_artists());
    let measured = measure(&blind, Engine::Auto, &*exact, &chosen.targets).await?;

    ensure!((measured.recall_at_10 - 0.9).abs() < 1e-9, "{measured:?}");
    Ok(())
}

/// Everybody has the same chance.
pub async fn whom_to_search_around_is_left_to_chance(fixture: &impl Fixture) -> anyhow::Result<()> {
    fill(fixture, 20).await?;
    let vectors = fixture.store().style_vectors();
    let mut chosen = BTreeMap::new();

    for _ in 0..200 {
        for target in choose(&*vectors, 5).await?.targets {
            *chosen.entry(target.artist).or_insert(0_u32) += 1;
        }
    }

    // Each is expected 50 times, with a deviation of 6.
    ensure!(chosen.len() == 20, "{chosen:?}");
    ensure!(chosen.values().all(|times| (10..=90).contains(times)), "{chosen:?}");
    Ok(())
}

/// Searches that an index answers are sampled; those that compare every stored row are not, because they miss none.
pub async fn the_service_samples_what_an_index_answers(
    fixture: &impl Fixture,
) -> anyhow::Result<()> {
    fill(fixture, 50).await?;
    let store = fixture.store();

    for (memory, taken) in [(IN_MEMORY, true), (NOT_IN_MEMORY, false)] {
        let feed = Feed::start(store.changes(), Bounds::default());
        feed.confirm().await?;
        let in_use = CachedSimilarArtists::start(
            store.similar_artists(),
            store.style_vectors(),
            feed.clone(),
            memory,
        );
        in_use.loaded().await;
        let latest = {
            let feed = feed.clone();
            move || feed.status().applied
        };
        let sampler = RecallSampler::start(
            in_use.clone(),
            store.similar_artists(),
            store.style_vectors(),
            latest,
            Duration::from_millis(1),
        );
        let enough = async {
            loop {
                let searched = if taken {
                    sampler.samples().taken
                } else {
                    in_use.status().searches.database_exact
                };
                if 25 <= searched {
                    break sampler.samples();
                }
                sleep(Duration::from_millis(1)).await;
            }
        };
        let samples = timeout(SAMPLED_WITHIN, enough).await.context("nothing is sampled")?;
        feed.stop();

        if taken {
            ensure!(samples.recall_at_10 == Some(1.0), "{samples:?}");
        } else {
            ensure!(samples.taken == 0 && samples.recall_at_10.is_none(), "{samples:?}");
        }
    }
    Ok(())
}

/// Whoever closes the service may keep it for long: the sampler, what follows changes for the index and everything else
/// that it started end nevertheless.
pub async fn closing_the_service_ends_what_it_started(
    fixture: &impl Fixture,
) -> anyhow::Result<()> {
    fill(fixture, 50).await?;
    let url = fixture.url().to_owned();

    // In a runtime where nobody else has tasks.
    spawn_blocking(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let settings = StateSettings {
                similarity: IN_MEMORY,
                recall_pause: Some(Duration::from_millis(1)),
                ..StateSettings::default()
            };
            let state = State::new(fixture::store_at(&url).await?, settings);
            let sampled = async {
                while state.metrics_text()?.contains("recall_samples_total 0\n") {
                    sleep(Duration::from_millis(1)).await;
                }
                anyhow::Ok(())
            };
            timeout(SAMPLED_WITHIN, sampled).await.context("nothing is sampled")??;

            state.close().await;

            let tasks = runtime.metrics();
            let ended = async {
                while 0 < tasks.num_alive_tasks() {
                    sleep(Duration::from_millis(1)).await;
                }
            };
            let ended = timeout(SAMPLED_WITHIN, ended).await;
            ensure!(ended.is_ok(), "{} tasks go on", tasks.num_alive_tasks());
            drop(state);
            anyhow::Ok(())
        })
    })
    .await?
}
