//! How an answer may be found.

use anyhow::ensure;
use domain::{Engine, Metric, Neighbours, Search, SearchMode};
use storage::Backend;

use super::{around, filled, model::same_neighbours};
use crate::{fixture::Fixture, given};

fn is_ordered(answer: &Neighbours) -> bool {
    answer.neighbours.is_sorted_by(|one, next| {
        next.score < one.score
            || one.score.to_bits() == next.score.to_bits() && one.artist.key() < next.artist.key()
    })
}

/// What was not asked to be quick is exact at this size. What was may miss some; who is found has the same score, and
/// without an index that serves the metric everybody is found.
pub async fn every_engine_says_what_it_did(fixture: &impl Fixture) -> anyhow::Result<()> {
    let model = filled(fixture, 150).await?;
    fixture.bulk_load().finish().await?;
    let similar = fixture.similar_artists();

    for metric in Metric::ALL {
        for seed in [3, 500] {
            let search = around(&given::embedding(seed)?, metric, 10)?;
            let by = |engine| Search { engine, ..search.clone() };
            let exact = model.agrees(&*similar, &by(Engine::Exact)).await?;
            let auto = model.agrees(&*similar, &by(Engine::Auto)).await?;
            ensure!(same_neighbours(&exact, &auto), "{exact:?}\n{auto:?}");

            let quick = similar.nearest(&by(Engine::Approximate)).await?;
            let indexed =
                fixture.store().backend() == Backend::Postgres && metric == Metric::Cosine;
            if indexed {
                ensure!(quick.exactness.mode == SearchMode::Approximate, "{quick:?}");
                ensure!(quick.neighbours.len() == 10 && is_ordered(&quick), "{quick:?}");
                for found in &quick.neighbours {
                    let vector = model.vector(found.artist.key());
                    let score = vector.map(|it| metric.score(&search.target, &it.embedding));
                    ensure!(score.map(f64::to_bits) == Some(found.score.to_bits()), "{found:?}");
                }
            } else {
                model.check(&search, &quick)?;
            }
        }
    }
    Ok(())
}
