//! The closest of many.

use std::{cmp::Ordering, collections::BinaryHeap};

use domain::{ArtistName, Limit, Neighbour, closest_first};

/// As many as are wanted of those that came by.
pub(super) struct Closest {
    wanted: usize,
    /// The farthest on top.
    heap: BinaryHeap<ByCloseness>,
}

impl Closest {
    /// Of none so far.
    pub(super) fn new(limit: Limit<20>) -> Self {
        let wanted = usize::from(limit.get());
        Self { wanted, heap: BinaryHeap::with_capacity(wanted + 1) }
    }

    /// Looks at one more, and copies it if it is among the closest so far.
    pub(super) fn take(&mut self, score: f64, artist: &ArtistName) {
        let full = self.heap.len() == self.wanted;
        if full && self.heap.peek().is_some_and(|farthest| score < farthest.0.score) {
            return;
        }
        self.heap.push(ByCloseness(Neighbour { artist: artist.clone(), score }));
        if full {
            self.heap.pop();
        }
    }

    /// In no order.
    pub(super) fn into_neighbours(self) -> Vec<Neighbour> {
        self.heap.into_iter().map(|ByCloseness(neighbour)| neighbour).collect()
    }
}

/// The closer, the less.
struct ByCloseness(Neighbour);

impl Ord for ByCloseness {
    fn cmp(&self, other: &Self) -> Ordering {
        let (Self(one), Self(other)) = (self, other);
        closest_first((one.score, one.artist.key()), (other.score, other.artist.key()))
    }
}

impl PartialOrd for ByCloseness {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByCloseness {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for ByCloseness {}
