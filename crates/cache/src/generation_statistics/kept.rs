//! What is kept between questions, all of it as of one position.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use domain::{QuarterSpan, RollupPosition};
use hashbrown::HashMap;

use super::sums::{Detail, RecentSums, SpanSums};

/// What a span takes besides its sums: its places in the maps, the pointer's counts, the vector.
const OVERHEAD: usize = 256;

/// How many sums are added to what is kept at once, which takes a few milliseconds. It is far more than what is folded
/// between two questions, unless there are many spans that everything new is in; and nobody can ask meanwhile.
const MOST_ADDITIONS: usize = 5_000;

/// Folded sums by span, those that were asked for last, as many as fit into a number of bytes.
pub(super) struct Kept {
    bound: usize,
    /// As of which fold; `None` when nothing is kept.
    position: Option<RollupPosition>,
    /// How often everything was forgotten. What was read before has nothing to do with what is kept now, even if the
    /// positions happen to be the same.
    era: u64,
    spans: HashMap<KeptPlace, KeptSpan>,
    /// The spans by when they were used last.
    by_use: BTreeMap<u64, KeptPlace>,
    uses: u64,
    bytes: usize,
    hits: u64,
    misses: u64,
}

/// Whose sums they are, and what they tell apart.
type KeptPlace = (QuarterSpan, Detail);

struct KeptSpan {
    sums: Arc<SpanSums>,
    bytes: usize,
    used: u64,
}

/// What a question found.
pub(super) struct Held {
    /// As of which fold, also when nothing was found; `None` when nothing is kept.
    pub(super) position: Option<RollupPosition>,
    era: u64,
    pub(super) detail: Detail,
    pub(super) spans: HashMap<QuarterSpan, Arc<SpanSums>>,
}

impl Held {
    /// Nothing, for a question that is not about spans.
    pub(super) fn nothing(detail: Detail) -> Self {
        Self { position: None, era: 0, detail, spans: HashMap::new() }
    }
}

/// The cache of [`super::GenerationStatistics`] as it stands. Counts are those since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatisticsStatus {
    /// Spans of time whose sums are kept now.
    pub spans: usize,
    /// Bytes that they take, roughly.
    pub bytes: usize,
    /// Spans, of questions that were answered, that were kept.
    pub hits: u64,
    /// Spans, of questions that were answered, that had to be read.
    pub misses: u64,
    /// How often everything was forgotten because the store could not tell what was folded since.
    pub resets: u64,
}

impl Kept {
    /// Nothing yet, and so many bytes at most.
    pub(super) fn new(bound: usize) -> Self {
        Self {
            bound,
            position: None,
            era: 0,
            spans: HashMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
            bytes: 0,
            hits: 0,
            misses: 0,
        }
    }

    /// What is kept of these spans.
    pub(super) fn hold(&mut self, spans: &[QuarterSpan], detail: Detail) -> Held {
        let found = |span: &QuarterSpan| Some((*span, self.find(*span, detail)?));
        let spans = spans.iter().filter_map(found).collect();
        self.shrink();
        Held { position: self.position, era: self.era, detail, spans }
    }

    fn find(&mut self, span: QuarterSpan, detail: Detail) -> Option<Arc<SpanSums>> {
        if let Some(kept) = self.spans.get(&(span, detail)) {
            return Some(Arc::clone(&kept.sums));
        }
        // What is kept in more detail is added up once, and kept like what was read.
        let finer = detail.finer().find_map(|finer| self.spans.get(&(span, finer)))?;
        let sums = Arc::new(finer.sums.coarsened(detail));
        self.put((span, detail), Arc::clone(&sums));
        Some(sums)
    }

    /// Forgets everything, since the store does not know any more what was folded since the position of what is held;
    /// unless others have brought it to another position meanwhile. Returns what is held then: nothing.
    pub(super) fn forget(&mut self, held: &Held) -> Held {
        if held.era == self.era && held.position == self.position {
            self.position = None;
            self.era += 1;
            self.spans.clear();
            self.by_use.clear();
            self.bytes = 0;
        }
        Held { position: None, era: self.era, detail: held.detail, spans: HashMap::new() }
    }

    /// Takes in what was read at a position: what changed since the one that is held, and whole spans.
    ///
    /// Sums of different positions never meet. When what is kept has left the held position, only spans of the very
    /// position that it is at now can be added to it.
    pub(super) fn advance(
        &mut self,
        held: &Held,
        used: &[QuarterSpan],
        position: RollupPosition,
        changes: &RecentSums,
        read: Vec<(QuarterSpan, SpanSums)>,
    ) {
        self.hits += u64::try_from(used.len()).unwrap_or(0);
        self.misses += u64::try_from(read.len()).unwrap_or(0);
        if held.era != self.era {
            return;
        }
        if self.position == held.position && held.position.is_some_and(|since| since < position) {
            self.apply(changes);
            self.position = Some(position);
        }
        if self.position.is_none_or(|kept| kept == position) {
            for (span, sums) in read {
                self.put((span, held.detail), Arc::new(sums));
            }
        }
        for span in used {
            self.touch((*span, held.detail));
        }
        self.shrink();
        // Without any sums no position has to be remembered by the store for them.
        self.position = if self.spans.is_empty() { None } else { self.position.or(Some(position)) };
    }

    pub(super) fn status(&self) -> StatisticsStatus {
        StatisticsStatus {
            spans: self.spans.len(),
            bytes: self.bytes,
            hits: self.hits,
            misses: self.misses,
            resets: self.era,
        }
    }

    /// Brings everything up to date, or drops it where that would take too long: what was used last comes first.
    fn apply(&mut self, changes: &RecentSums) {
        let mut additions = 0;
        let mut dropped = Vec::new();
        // Most of the spans in which something is new contain all that is new.
        let mut totals = HashMap::<(Range<usize>, Detail), SpanSums>::new();
        for place in self.by_use.values().rev() {
            let (span, detail) = *place;
            let places = changes.places(span);
            let Some(kept) = self.spans.get_mut(place).filter(|_| !places.is_empty()) else {
                continue;
            };
            let total = totals.entry((places, detail)).or_insert_with_key(|(places, _)| {
                additions += places.len();
                changes.total(places.clone(), detail)
            });
            additions += total.len();
            if MOST_ADDITIONS < additions {
                dropped.push(*place);
                continue;
            }
            // Questions under way go on with the sums that they hold.
            let sums = Arc::make_mut(&mut kept.sums);
            sums.add(total);
            self.bytes -= kept.bytes;
            kept.bytes = sums.bytes() + OVERHEAD;
            self.bytes += kept.bytes;
            if self.bound < kept.bytes {
                dropped.push(*place);
            }
        }
        for place in dropped {
            self.remove(place);
        }
    }

    fn put(&mut self, place: KeptPlace, sums: Arc<SpanSums>) {
        let bytes = sums.bytes() + OVERHEAD;
        if self.bound < bytes {
            return;
        }
        self.remove(place);
        self.uses += 1;
        self.bytes += bytes;
        self.by_use.insert(self.uses, place);
        self.spans.insert(place, KeptSpan { sums, bytes, used: self.uses });
    }

    fn touch(&mut self, place: KeptPlace) {
        let Some(kept) = self.spans.get_mut(&place) else { return };
        self.uses += 1;
        self.by_use.remove(&kept.used);
        self.by_use.insert(self.uses, place);
        kept.used = self.uses;
    }

    fn remove(&mut self, place: KeptPlace) {
        if let Some(kept) = self.spans.remove(&place) {
            self.by_use.remove(&kept.used);
            self.bytes -= kept.bytes;
        }
    }

    fn shrink(&mut self) {
        while self.bound < self.bytes
            && let Some((_, &place)) = self.by_use.first_key_value()
        {
            self.remove(place);
        }
    }
}
