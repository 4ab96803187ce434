//! Sums as they are kept, and as they come in.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use domain::{
    GenerationKind, GenerationStatus, Label, Provider, Quarter, QuarterSpan, Rollup, Sums,
};

/// What an allocation takes besides what was asked for, roughly.
const ALLOCATION: usize = 16;

/// What kept sums tell generations apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Detail {
    pub(super) provider: bool,
    pub(super) model: bool,
    pub(super) status: bool,
}

impl Detail {
    /// Others that tell apart at least as much, and so can be added up to this, the least of them first.
    pub(super) fn finer(self) -> impl Iterator<Item = Self> {
        // A number of three bits each, and the sum of two of them.
        [1, 2, 4, 3, 5, 6, 7]
            .into_iter()
            .map(|bits: u8| Self {
                provider: bits & 4 != 0,
                model: bits & 2 != 0,
                status: bits & 1 != 0,
            })
            .filter(move |it| {
                *it != self
                    && self.provider <= it.provider
                    && self.model <= it.model
                    && self.status <= it.status
            })
    }

    /// What is told apart of a kind.
    fn of(self, kind: &GenerationKind) -> Group {
        let GenerationKind { provider, model, status } = kind;
        Group {
            provider: self.provider.then(|| provider.clone()),
            model: if self.model { model.clone() } else { None },
            status: self.status.then_some(*status),
        }
    }

    /// What is told apart of something that is told in more detail.
    fn of_group(self, group: &Group) -> Group {
        let Group { provider, model, status } = group;
        Group {
            provider: if self.provider { provider.clone() } else { None },
            model: if self.model { model.clone() } else { None },
            status: status.filter(|_| self.status),
        }
    }
}

/// What some generations have in common; what is not told apart is `None`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    pub(super) provider: Option<Provider>,
    pub(super) model: Option<Label>,
    pub(super) status: Option<GenerationStatus>,
}

/// Sums over one span, by what is told apart.
#[derive(Debug, Clone, Default)]
pub(super) struct SpanSums {
    /// In ascending order, each group once. Answers share what they do not have to add up.
    groups: Vec<(Group, Arc<Sums>)>,
}

impl SpanSums {
    /// The sums of some kinds, in any order.
    pub(super) fn of<'a>(
        detail: Detail,
        kinds: impl IntoIterator<Item = (&'a GenerationKind, &'a Sums)>,
    ) -> Self {
        Self::of_groups(kinds.into_iter().map(|(kind, sums)| (detail.of(kind), sums)))
    }

    /// The same in less detail.
    pub(super) fn coarsened(&self, detail: Detail) -> Self {
        Self::of_groups(self.groups.iter().map(|(group, sums)| (detail.of_group(group), &**sums)))
    }

    fn of_groups<'a>(groups: impl Iterator<Item = (Group, &'a Sums)>) -> Self {
        let mut parts = BTreeMap::<Group, Vec<&Sums>>::new();
        for (group, sums) in groups {
            parts.entry(group).or_default().push(sums);
        }
        let groups = parts.into_iter().map(|(group, parts)| (group, Arc::new(Sums::sum(&parts))));
        Self { groups: groups.collect() }
    }

    /// How many groups there are.
    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(Group, Arc<Sums>)> {
        self.groups.iter()
    }

    /// Adds what others took that are told apart as these are.
    pub(super) fn add(&mut self, others: &Self) {
        for (group, sums) in &others.groups {
            match self.groups.binary_search_by(|(known, _)| known.cmp(group)) {
                Ok(at) => {
                    if let Some((_, known)) = self.groups.get_mut(at) {
                        Arc::make_mut(known).add(sums);
                    }
                }
                Err(at) => self.groups.insert(at, (group.clone(), Arc::clone(sums))),
            }
        }
    }

    /// About how many bytes they take, everything that they own included.
    pub(super) fn bytes(&self) -> usize {
        let owned = self.groups.iter().map(|(group, sums)| {
            let Group { provider, model, status: _ } = group;
            let texts =
                [provider.as_ref().map(Provider::as_str), model.as_ref().map(Label::as_str)];
            let texts = texts.into_iter().flatten().map(|text| text.len() + ALLOCATION);
            let shared = size_of::<Sums>() + ALLOCATION;
            texts.sum::<usize>() + shared + sums.times.size_bytes() + ALLOCATION
        });
        self.groups.capacity() * size_of::<(Group, Arc<Sums>)>() + owned.sum::<usize>()
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
    pub(super) fn total(&self, places: Range<usize>, detail: Detail) -> SpanSums {
        SpanSums::of(detail, self.at(places).iter().map(|rollup| (&rollup.kind, &rollup.sums)))
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
