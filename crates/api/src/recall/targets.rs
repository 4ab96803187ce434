//! Whom to search around.

use domain::{RepositoryError, StyleVectors, VectorChange, Version};

use super::Target;

/// How many changes are read at once.
const PAGE: u32 = 10_000;

/// Artists that were chosen, and from how many.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// Any of them with the same chance.
    pub targets: Vec<Target>,
    /// How many artists have an embedding.
    pub among: u64,
}

/// Chooses so many artists by chance, or all if there are fewer. It reads every embedding.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn choose(vectors: &dyn StyleVectors, wanted: usize) -> Result<Chosen, RepositoryError> {
    let mut chosen = Chosen { targets: Vec::with_capacity(wanted), among: 0 };
    let mut version = Version::ZERO;
    loop {
        let page = vectors.since(version, PAGE).await?;
        let is_last = u32::try_from(page.len()).is_ok_and(|changes| changes < PAGE);
        version = page.last().map_or(version, VectorChange::version);
        for target in page.into_iter().filter_map(target) {
            chosen.consider(target, wanted);
        }
        if is_last {
            return Ok(chosen);
        }
    }
}

impl Chosen {
    /// Vitter's algorithm R: the nth comes in with a chance of `wanted` in n, for one that leaves.
    fn consider(&mut self, target: Target, wanted: usize) {
        self.among += 1;
        if self.targets.len() < wanted {
            self.targets.push(target);
            return;
        }
        let place = usize::try_from(fastrand::u64(..self.among)).unwrap_or(usize::MAX);
        if let Some(left) = self.targets.get_mut(place) {
            *left = target;
        }
    }
}

/// Chooses one artist, by a change since which it has not changed. Nobody if none of the next changes left an embedding.
pub(super) async fn choose_one(
    vectors: &dyn StyleVectors,
    latest: Version,
) -> Result<Option<Target>, RepositoryError> {
    /// So many in a row without an embedding are left at that until next time.
    const NEXT: u32 = 20;

    let oldest = vectors.since(Version::ZERO, 1).await?;
    let Some(oldest) = oldest.first().map(VectorChange::version) else { return Ok(None) };
    let newest = latest.max(oldest);
    let after = Version::new(fastrand::u64(oldest.number()..=newest.number()).saturating_sub(1));
    Ok(vectors.since(after, NEXT).await?.into_iter().find_map(target))
}

fn target(change: VectorChange) -> Option<Target> {
    match change {
        VectorChange::Present { version: _, artist, vector } => {
            Some(Target { artist: artist.key().clone(), embedding: vector.embedding })
        }
        VectorChange::Absent { .. } | VectorChange::Unnamed { .. } => None,
    }
}
