//! How many of the closest artists a search finds, measured against comparing all of them.

mod sampler;
mod targets;

use std::time::{Duration, Instant};

use domain::{
    ArtistKey, Embedding, Engine, Limit, Neighbours, RepositoryError, Search, SearchMode,
    SimilarArtists,
};

pub use sampler::{RecallSampler, RecallSamples};
pub use targets::{Chosen, choose};

/// How many of the closest are looked for.
const PLACES: Limit<20> = match Limit::new(10) {
    Ok(ten) => ten,
    Err(_) => Limit::LARGEST,
};

/// An artist to search around.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Who. It is no answer itself.
    pub artist: ArtistKey,
    /// Where it lies.
    pub embedding: Embedding,
}

impl Target {
    fn search(&self, engine: Engine) -> Search {
        Search {
            except: vec![self.artist.clone()],
            engine,
            ..Search::around(self.embedding.clone(), PLACES)
        }
    }
}

/// How searches compare with exact ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recall {
    /// How many artists were searched around.
    pub sample: usize,
    /// The mean share of the ten closest that were found, from 0 to 1.
    pub recall_at_10: f64,
    /// Whether everything was compared in all of the measured searches.
    pub mode: SearchMode,
    /// How long the measured searches took.
    pub in_use: Latencies,
    /// How long comparing everything took.
    pub exact: Latencies,
}

/// How long some searches took, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Latencies {
    /// Half of them took at most this.
    pub p50: Duration,
    /// 19 of 20 took at most this.
    pub p95: Duration,
    /// None took longer.
    pub max: Duration,
}

/// Searches around each target with `in_use` by `engine`, and compares with what the stored rows say by `exact`.
///
/// What is written between the two searches for a target may count as missed.
///
/// # Errors
///
/// When a search fails.
pub async fn measure(
    in_use: &dyn SimilarArtists,
    engine: Engine,
    exact: &dyn SimilarArtists,
    targets: &[Target],
) -> Result<Recall, RepositoryError> {
    let (mut shares, mut mode) = (0.0, SearchMode::Exact);
    let (mut in_use_took, mut exact_took) = (Vec::new(), Vec::new());
    for target in targets {
        let began = Instant::now();
        let found = in_use.nearest(&target.search(engine)).await?;
        in_use_took.push(began.elapsed());
        let began = Instant::now();
        let closest = exact.nearest(&target.search(Engine::Exact)).await?;
        exact_took.push(began.elapsed());

        shares += share_found(&found, &closest);
        if found.exactness.mode == SearchMode::Approximate {
            mode = SearchMode::Approximate;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "nobody samples 2^52 artists")]
    let recall_at_10 = if targets.is_empty() { 1.0 } else { shares / targets.len() as f64 };
    let (in_use, exact) = (Latencies::of(in_use_took), Latencies::of(exact_took));
    Ok(Recall { sample: targets.len(), recall_at_10, mode, in_use, exact })
}

/// Which share of the closest was found. Somebody who is as close as the last of them is no worse than that one.
fn share_found(found: &Neighbours, closest: &Neighbours) -> f64 {
    let Some(last) = closest.neighbours.last() else { return 1.0 };
    let wanted = closest.neighbours.len();
    let hits = found.neighbours.iter().filter(|neighbour| last.score <= neighbour.score).count();
    #[expect(clippy::cast_precision_loss, reason = "at most ten")]
    let share = hits.min(wanted) as f64 / wanted as f64;
    share
}

impl Latencies {
    fn of(mut took: Vec<Duration>) -> Self {
        took.sort_unstable();
        // The smallest that so many percent do not exceed.
        let percentile = |percent: usize| {
            let rank = (took.len() * percent).div_ceil(100);
            took.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        };
        Self { p50: percentile(50), p95: percentile(95), max: percentile(100) }
    }
}

#[cfg(test)]
mod tests {
    use domain::{ArtistName, Exactness, Neighbour, Version};

    use super::*;

    fn answer(scored: &[(&str, f64)]) -> Neighbours {
        let neighbour = |&(name, score): &(&str, f64)| Neighbour {
            artist: ArtistName::try_from(name).unwrap(),
            score,
        };
        Neighbours {
            neighbours: scored.iter().map(neighbour).collect(),
            exactness: Exactness { mode: SearchMode::Exact, compared: 0, as_of: Version::ZERO },
        }
    }

    fn share(found: &[(&str, f64)], closest: &[(&str, f64)]) -> f64 {
        share_found(&answer(found), &answer(closest))
    }

    #[test]
    fn counts_who_is_as_close_as_the_last() {
        let closest = [("a", 0.9), ("b", 0.8), ("c", 0.7), ("d", 0.7)];

        for (found, expected) in [
            (&closest as &[_], 1.0),
            (&[("a", 0.9), ("b", 0.8), ("d", 0.7), ("e", 0.7)], 1.0),
            (&[("a", 0.9), ("c", 0.7), ("x", 0.699_999_999), ("y", 0.6)], 0.5),
            (&[("a", 0.9)], 0.25),
            (&[], 0.0),
            (&[("a", 0.9), ("b", 0.8), ("c", 0.7), ("d", 0.7), ("e", 0.7)], 1.0),
        ] {
            let found = share(found, &closest);
            assert!((found - expected).abs() < 1e-12, "{found} instead of {expected}");
        }
        assert!((share(&[("a", 0.9)], &[]) - 1.0).abs() < 1e-12, "nothing to find");
    }

    #[test]
    fn percentiles_are_durations_that_occurred() {
        let millis = |numbers: std::ops::RangeInclusive<u64>| {
            Latencies::of(numbers.rev().map(Duration::from_millis).collect())
        };
        let expected = |p50, p95, max| Latencies {
            p50: Duration::from_millis(p50),
            p95: Duration::from_millis(p95),
            max: Duration::from_millis(max),
        };

        assert_eq!(millis(1..=100), expected(50, 95, 100));
        assert_eq!(millis(1..=3), expected(2, 3, 3));
        assert_eq!(millis(7..=7), expected(7, 7, 7));
        assert_eq!(Latencies::of(Vec::new()), Latencies::default());
    }
}
