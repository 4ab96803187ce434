//! Sums as they are kept, and as they come in.

use std::ops::Range;

use domain::{GenerationKind, Quarter, QuarterSpan, Rollup, Sums};

/// What an allocation takes besides what was asked for, roughly.
const ALLOCATION: usize = 16;

/// Folded sums over one span, by kind.
#[derive(Debug, Clone, Default)]
pub(super) struct SpanSums {
    /// In ascending order, each kind once.
    kinds: Vec<(GenerationKind, Sums)>,
}

impl SpanSums {
    /// How many kinds there are.
    pub(super) fn len(&self) -> usize {
        self.kinds.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(GenerationKind, Sums)> {
        self.kinds.iter()
    }

    /// Adds what generations of a kind took.
    pub(super) fn add(&mut self, kind: &GenerationKind, sums: &Sums) {
        match self.kinds.binary_search_by(|(known, _)| known.cmp(kind)) {
            Ok(at) => {
                if let Some((_, known)) = self.kinds.get_mut(at) {
                    known.add(sums);
                }
            }
            Err(at) => self.kinds.insert(at, (kind.clone(), sums.clone())),
        }
    }

    /// About how many bytes they take, everything that they own included.
    pub(super) fn bytes(&self) -> usize {
        let owned = self.kinds.iter().map(|(kind, sums)| {
            let GenerationKind { provider, model, status: _ } = kind;
            let model = model.as_ref().map_or(0, |model| model.as_str().len() + ALLOCATION);
            provider.as_str().len() + ALLOCATION + model + sums.times.size_bytes() + ALLOCATION
        });
        self.kinds.capacity() * size_of::<(GenerationKind, Sums)>() + owned.sum::<usize>()
    }
}

impl From<Vec<(GenerationKind, Sums)>> for SpanSums {
    fn from(mut kinds: Vec<(GenerationKind, Sums)>) -> Self {
        kinds.sort_by(|(left, _), (right, _)| left.cmp(right));
        kinds.dedup_by(|(later, sums), (kept, total)| {
            let same = later == kept;
            if same {
                total.add(sums);
            }
            same
        });
        Self { kinds }
    }
}

/// Sums over single quarters, by kind.
#[derive(Debug, Default)]
pub(super) struct RecentSums {
    /// In ascending order of quarter and kind, each pair once.
    rollups: Vec<Rollup>,
}

impl RecentSums {
    /// Those in a span.
    pub(super) fn within(&self, span: QuarterSpan) -> &[Rollup] {
        self.at(self.places(span))
    }

    /// Where those in a span are.
    pub(super) fn places(&self, span: QuarterSpan) -> Range<usize> {
        let from = self.rollups.partition_point(|rollup| rollup.quarter < span.from);
        let to = self.rollups.partition_point(|rollup| rollup.quarter < span.to);
        from..to
    }

    /// What those at some places make together.
    pub(super) fn total(&self, places: Range<usize>) -> SpanSums {
        let mut total = SpanSums::default();
        for rollup in self.at(places) {
            total.add(&rollup.kind, &rollup.sums);
        }
        total
    }

    fn at(&self, places: Range<usize>) -> &[Rollup] {
        self.rollups.get(places).unwrap_or_default()
    }
}

impl From<Vec<Rollup>> for RecentSums {
    /// The same quarter and kind may be told of many times; adding them up once is less work than in every span.
    fn from(mut rollups: Vec<Rollup>) -> Self {
        fn place(rollup: &Rollup) -> (Quarter, &GenerationKind) {
            (rollup.quarter, &rollup.kind)
        }
        rollups.sort_by(|left, right| place(left).cmp(&place(right)));
        rollups.dedup_by(|later, kept| {
            let same = place(later) == place(kept);
            if same {
                kept.sums.add(&later.sums);
            }
            same
        });
        Self { rollups }
    }
}
