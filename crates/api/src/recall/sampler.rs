//! The recall of searches while the service runs.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use cache::{CachedSimilarArtists, Freshness, SearchSource};
use domain::{Engine, RepositoryError, SearchMode, SimilarArtists, StyleVectors, Version};
use tokio::{sync::watch, task::AbortHandle, time::sleep};

use super::{Target, share_found, targets::choose_one};

/// How many samples are remembered.
const REMEMBERED: usize = 20;

/// What was sampled so far.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RecallSamples {
    /// How many samples were taken.
    pub taken: u64,
    /// The mean recall at 10 of the last ones, at most 20; `None` before the first.
    pub recall_at_10: Option<f64>,
}

/// A task that now and then searches around an artist by chance and compares with what an exact search finds. It ends
/// when this is dropped.
///
/// One search at a time, and only while searches are answered from an index: what compares every stored row misses none.
#[derive(Debug)]
pub struct RecallSampler {
    task: AbortHandle,
    samples: watch::Receiver<RecallSamples>,
}

impl RecallSampler {
    /// Ends the sampling. A search under way is dropped.
    pub fn stop(&self) {
        self.task.abort();
    }

    /// Begins to sample, with a pause before each. `exact` and `vectors` are the store's own; `latest` tells up to which
    /// version its changes are known.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    #[must_use]
    pub fn start(
        in_use: CachedSimilarArtists,
        exact: Arc<dyn SimilarArtists>,
        vectors: Arc<dyn StyleVectors>,
        latest: impl Fn() -> Version + Send + Sync + 'static,
        pause: Duration,
    ) -> Self {
        let (told, samples) = watch::channel(RecallSamples::default());
        let task = tokio::spawn(async move {
            let mut last = VecDeque::with_capacity(REMEMBERED);
            loop {
                sleep(pause).await;
                let target = choose_one(&*vectors, latest()).await;
                match sample(&in_use, &*exact, target).await {
                    Ok(Some(share)) => told.send_modify(|samples| samples.add(share, &mut last)),
                    Ok(None) => {}
                    Err(error) => {
                        tracing::warn!(%error, "The recall of searches cannot be measured");
                    }
                }
            }
        });
        Self { task: task.abort_handle(), samples }
    }

    /// What was sampled so far.
    #[must_use]
    pub fn samples(&self) -> RecallSamples {
        *self.samples.borrow()
    }
}

impl Drop for RecallSampler {
    fn drop(&mut self) {
        self.stop();
    }
}

impl RecallSamples {
    fn add(&mut self, share: f64, last: &mut VecDeque<f64>) {
        if last.len() == REMEMBERED {
            last.pop_front();
        }
        last.push_back(share);
        self.taken += 1;
        #[expect(clippy::cast_precision_loss, reason = "a few")]
        let mean = last.iter().sum::<f64>() / last.len() as f64;
        self.recall_at_10 = Some(mean);
    }
}

/// The share of the closest that the search in use finds, unless it compares every stored row itself.
async fn sample(
    in_use: &CachedSimilarArtists,
    exact: &dyn SimilarArtists,
    target: Result<Option<Target>, RepositoryError>,
) -> Result<Option<f64>, RepositoryError> {
    let Some(target) = target? else { return Ok(None) };
    let found = in_use.read(&target.search(Engine::Auto), Freshness::Default).await?;
    match (found.source, found.answer.exactness.mode) {
        (SearchSource::Database, SearchMode::Exact) => return Ok(None),
        (SearchSource::Memory | SearchSource::Index, _)
        | (SearchSource::Database, SearchMode::Approximate) => {}
    }
    let closest = exact.nearest(&target.search(Engine::Exact)).await?;
    Ok(Some(share_found(&found.answer, &closest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_of_the_last_twenty() {
        let (mut samples, mut last) = (RecallSamples::default(), VecDeque::new());
        assert_eq!(samples.recall_at_10, None);

        samples.add(0.0, &mut last);
        samples.add(1.0, &mut last);
        assert_eq!(samples, RecallSamples { taken: 2, recall_at_10: Some(0.5) });

        for _ in 0..20 {
            samples.add(1.0, &mut last);
        }
        assert_eq!(samples, RecallSamples { taken: 22, recall_at_10: Some(1.0) });
    }
}
