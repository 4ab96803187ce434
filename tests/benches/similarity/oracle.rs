//! Who is closest, by comparing everybody in double precision.

use domain::{ArtistKey, Metric, Neighbours, Search};

use crate::artists::Artists;

/// How many neighbours count.
pub(crate) const WANTED: usize = 10;

/// For each search the scores of its closest artists, the closest first.
pub(crate) fn closest(
    artists: &Artists,
    count: usize,
    searches: &[Search],
) -> anyhow::Result<Vec<Vec<f64>>> {
    let mut closest = vec![Vec::new(); searches.len()];
    for number in 0..count {
        let embedding = artists.embedding(number);
        let key: ArtistKey = Artists::key(number)?;
        for (search, scores) in searches.iter().zip(&mut closest) {
            let scores: &mut Vec<f64> = scores;
            let score = Metric::Cosine.score(&search.target, &embedding);
            let enters = scores.len() < WANTED || scores.last().is_some_and(|it| *it < score);
            if enters && !search.except.contains(&key) {
                let place = scores.partition_point(|it| score <= *it);
                scores.insert(place, score);
                scores.truncate(WANTED);
            }
        }
    }
    Ok(closest)
}

/// The share of the closest artists that were found. An artist as close as the last one is as good.
pub(crate) fn recall<'a>(
    found: impl IntoIterator<Item = &'a Neighbours>,
    closest: &[Vec<f64>],
) -> f64 {
    let (mut right, mut all) = (0, 0);
    for (found, closest) in found.into_iter().zip(closest) {
        let Some(last) = closest.last() else { continue };
        let good = found.neighbours.iter().filter(|it| last - 1e-12 <= it.score).count();
        right += good.min(closest.len());
        all += closest.len();
    }
    right as f64 / all as f64
}
