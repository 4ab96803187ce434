//! The closest of many.

use std::collections::BinaryHeap;

use domain::{ArtistName, Limit};

use super::Candidate;

/// As many as are wanted of those that came by.
pub(super) struct Closest {
    wanted: usize,
    /// The farthest on top.
    heap: BinaryHeap<Candidate>,
}

impl Closest {
    /// Of none so far.
    pub(super) fn new(limit: Limit<20>) -> Self {
        let wanted = usize::from(limit.get());
        Self { wanted, heap: BinaryHeap::with_capacity(wanted + 1) }
    }

    /// Looks at one more, and copies it if it is among the closest so far.
    pub(super) fn take(&mut self, similarity: f64, artist: &ArtistName) {
        let full = self.heap.len() == self.wanted;
        if full && self.heap.peek().is_some_and(|farthest| similarity < farthest.similarity) {
            return;
        }
        self.heap.push(Candidate { similarity, artist: artist.clone() });
        if full {
            self.heap.pop();
        }
    }

    /// In no order.
    pub(super) fn into_candidates(self) -> Vec<Candidate> {
        self.heap.into_vec()
    }
}
