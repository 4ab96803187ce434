//! Rows that may be among the closest.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

use super::question::Interval;

/// Rows are sorted out when there are so many, and each time when there are twice as many as the last time left.
const ROOM: usize = 4_096;

/// The rows that may be among so many closest, of those that were offered.
pub(super) struct Shortlist {
    wanted: usize,
    /// The highest lower bounds, as many as rows are wanted.
    bounds: BinaryHeap<Reverse<Score>>,
    /// So many rows as are wanted score at least this. Who cannot is out.
    threshold: f64,
    candidates: Vec<Candidate>,
    room: usize,
}

/// A row that may be among the closest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    /// Its score is this at most.
    pub(super) upper: f64,
    /// In which piece of the snapshot it lies, and which row there it is.
    pub(super) place: (u32, u32),
}

/// A number that has an order; none of them is ever not a number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Score(pub(super) f64);

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Score {}

impl Shortlist {
    pub(super) fn new(wanted: usize) -> Self {
        Self {
            wanted,
            bounds: BinaryHeap::with_capacity(wanted + 1),
            threshold: f64::NEG_INFINITY,
            candidates: Vec::new(),
            room: ROOM,
        }
    }

    /// Who scores less is not among the closest.
    pub(super) const fn threshold(&self) -> f64 {
        self.threshold
    }

    /// Takes a row unless it is out.
    pub(super) fn offer(&mut self, interval: Interval, place: (u32, u32)) {
        let Interval { lower, upper } = interval;
        if upper < self.threshold {
            return;
        }
        self.candidates.push(Candidate { upper, place });
        self.raise(Score(lower));
        if self.room <= self.candidates.len() {
            self.sort_out();
            self.room = ROOM.max(2 * self.candidates.len());
        }
    }

    /// Takes in another list.
    pub(super) fn join(&mut self, other: Self) {
        let Self { wanted: _, bounds, threshold: _, candidates, room: _ } = other;
        for Reverse(bound) in bounds {
            self.raise(bound);
        }
        self.candidates.extend(candidates);
    }

    /// Those who are left, the one that may score highest first.
    pub(super) fn into_candidates(mut self) -> Vec<Candidate> {
        self.sort_out();
        self.candidates.sort_unstable_by(|one, other| other.upper.total_cmp(&one.upper));
        self.candidates
    }

    fn raise(&mut self, bound: Score) {
        if self.wanted <= self.bounds.len() && bound.0 <= self.threshold {
            return;
        }
        self.bounds.push(Reverse(bound));
        if self.wanted < self.bounds.len() {
            self.bounds.pop();
        }
        if self.bounds.len() == self.wanted
            && let Some(Reverse(Score(lowest))) = self.bounds.peek()
        {
            self.threshold = *lowest;
        }
    }

    fn sort_out(&mut self) {
        let threshold = self.threshold;
        self.candidates.retain(|candidate| threshold <= candidate.upper);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(list: Shortlist) -> Vec<u32> {
        list.into_candidates().iter().map(|candidate| candidate.place.1).collect()
    }

    fn offer(list: &mut Shortlist, row: u32, lower: f64, upper: f64) {
        list.offer(Interval { lower, upper }, (0, row));
    }

    #[test]
    fn keeps_whoever_may_be_among_the_closest() {
        let mut list = Shortlist::new(2);
        for (row, lower, upper) in
            [(0, 0.1, 0.3), (1, 0.5, 0.7), (2, 0.4, 0.6), (3, 0.0, 0.39), (4, 0.2, 0.4)]
        {
            offer(&mut list, row, lower, upper);
        }

        assert_eq!(rows(list), [1, 2, 4]);
    }

    #[test]
    fn keeps_ties() {
        let mut list = Shortlist::new(1);
        for row in 0..3 {
            offer(&mut list, row, 0.5, 0.5);
        }

        assert_eq!(rows(list).len(), 3);
    }

    #[test]
    fn two_lists_become_one() {
        let (mut one, mut other) = (Shortlist::new(1), Shortlist::new(1));
        offer(&mut one, 0, 0.1, 0.3);
        offer(&mut one, 1, 0.2, 0.3);
        offer(&mut other, 2, 0.3, 0.5);
        offer(&mut other, 3, 0.0, 0.4);

        one.join(other);

        assert_eq!(rows(one), [2, 3, 0, 1]);
    }

    #[test]
    fn does_not_grow_with_those_who_are_out() {
        let mut list = Shortlist::new(1);
        for row in 0..100_000 {
            let score = f64::from(row);
            offer(&mut list, row, score, score);
        }

        assert!(list.candidates.capacity() <= 2 * ROOM);
        assert_eq!(rows(list), [99_999]);
    }

    #[test]
    fn keeps_everybody_when_all_are_alike() {
        let mut list = Shortlist::new(3);
        for row in 0..20_000 {
            offer(&mut list, row, 0.4, 0.6);
        }

        assert_eq!(rows(list).len(), 20_000);
    }
}
