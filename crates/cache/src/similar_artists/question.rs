//! A search as the index asks it: between which two numbers the score of a row must lie.

use domain::{Metric, Search};

use super::codes::{Codes, Measures, code};

/// More than what rounding can make of a cosine, in double precision.
pub(super) const ROUNDING: f64 = 1e-9;

/// More than what rounding can make of a squared distance, for each unit of the squared lengths.
pub(super) const ROUNDING_OF_SQUARES: f64 = 1e-12;

/// A search with what the index needs to answer it.
pub(super) struct Question {
    pub(super) search: Search,
    pub(super) codes: Codes,
    pub(super) measures: Measures,
    /// Which of the filters of the pass is its own.
    pub(super) filter: usize,
}

/// The bounds of a score, both included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Interval {
    pub(super) lower: f64,
    pub(super) upper: f64,
}

impl Question {
    pub(super) fn new(search: Search, filter: usize) -> Self {
        let (codes, measures) = code(&search.target);
        Self { search, codes, measures, filter }
    }

    /// How many rows it needs at most: those wanted, and those that are never an answer.
    pub(super) fn rows(&self) -> usize {
        usize::from(self.search.limit.get()) + self.search.except.len()
    }

    /// What the cosine of a row is about, and how far from that it can be at most.
    ///
    /// With the directions q and x, their codes q' and x': |qx - q'x'| <= |q - q'| |x'| + |q| |x - x'|.
    #[inline]
    pub(super) fn cosine(&self, dot: i32, row: Measures) -> (f64, f64) {
        let cosine = f64::from(dot) * (f64::from(self.measures.scale) * f64::from(row.scale));
        let (own, its) = (f64::from(self.measures.error), f64::from(row.error));
        (cosine, own * (1.0 + its) + its + ROUNDING)
    }

    /// Between which numbers the score of a row lies whose codes have this inner product with the question's.
    #[inline]
    pub(super) fn interval(&self, dot: i32, row: Measures) -> Interval {
        let (cosine, error) = self.cosine(dot, row);
        let (least, most) = (cosine - error, cosine + error);
        match self.search.metric {
            Metric::Cosine => Interval { lower: least, upper: most },
            Metric::InnerProduct => {
                let lengths = self.measures.length * row.length;
                Interval { lower: least * lengths, upper: most * lengths }
            }
            Metric::L2 => {
                let lengths = self.measures.length * row.length;
                let squares = self.measures.length * self.measures.length + row.length * row.length;
                let rounding = ROUNDING_OF_SQUARES * squares;
                let farthest = (squares - 2.0 * lengths * least + rounding).max(0.0);
                let nearest = (squares - 2.0 * lengths * most - rounding).max(0.0);
                Interval { lower: -farthest.sqrt(), upper: -nearest.sqrt() }
            }
        }
    }
}
