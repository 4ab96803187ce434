//! An artist that may be among the closest.

use std::cmp::Ordering;

use domain::ArtistName;

/// An artist and how close it is. The closer, the less; ties by key.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) similarity: f64,
    pub(super) artist: ArtistName,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        // Not by total order: zeros of either sign are as close as each other.
        let closeness = other.similarity.partial_cmp(&self.similarity);
        closeness.unwrap_or(Ordering::Equal).then_with(|| self.artist.key().cmp(other.artist.key()))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}
