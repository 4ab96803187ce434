//! Statistics over generations, answered from sums in memory and exact as of the moment of asking.
//!
//! Sums over whole quarters of an hour are kept as of one position of the store's folds. A question reads, in one
//! snapshot, what was folded since then and what is not folded yet, and adds it to what is kept. So nothing has to be
//! told to this cache, and nothing that it keeps can make an answer old: it only saves the reading.

mod keeper;
mod kept;
mod plan;
mod question;
mod sums;
mod totals;

use std::{fmt, sync::Arc};

use domain::{
    EntrySums, GenerationRollups, QuarterSpan, RepositoryError, RollupPosition, RollupReading,
    RollupSnapshot,
};
use parking_lot::Mutex;

use kept::{Held, Kept};
use plan::{Part, Plan};
use sums::{RecentSums, SpanSums};
use totals::Totals;

pub use keeper::{RollupKeeper, RollupKeeperStatus};
pub use kept::StatisticsStatus;
pub use question::{Dimensions, GroupSums, StatisticsQuestion};

/// Answers questions about generations, each with one read of what is new since the question before.
///
/// Clones share what they keep.
#[derive(Clone)]
pub struct GenerationStatistics {
    shared: Arc<Shared>,
}

struct Shared {
    rollups: Arc<dyn GenerationRollups>,
    kept: Mutex<Kept>,
}

/// What a question is answered from, all of it as of one moment.
struct View {
    /// What was kept before, and as of when.
    held: Held,
    /// The last fold.
    position: RollupPosition,
    /// What was folded since [`Held::position`]. It is part of what was just read, but not of what is held.
    changes: RecentSums,
    /// What is not folded yet.
    pending: RecentSums,
    /// What was just read, in ascending order of the spans.
    read: Vec<(QuarterSpan, SpanSums)>,
    /// What was summed up from the generations themselves, in the order of the plan.
    entries: Vec<Vec<EntrySums>>,
}

/// The store did not answer what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("the store answered with more or fewer sums than it was asked for")]
struct Mismatch;

impl GenerationStatistics {
    /// Statistics over what a store recorded. They keep sums of about so many bytes at most; of none, nothing is kept.
    #[must_use]
    pub fn new(rollups: Arc<dyn GenerationRollups>, memory_bytes: u64) -> Self {
        let bound = usize::try_from(memory_bytes).unwrap_or(usize::MAX);
        Self { shared: Arc::new(Shared { rollups, kept: Mutex::new(Kept::new(bound)) }) }
    }

    /// One list for each range, in their order: what the generations of each group took. It is sorted by the artists' keys,
    /// those of no artist first, then by provider, model and status. Whatever has no generations is left out.
    ///
    /// All of it is as of one moment after this call, so that what was committed before is part of it.
    pub async fn answer(
        &self,
        question: &StatisticsQuestion,
    ) -> Result<Vec<Vec<GroupSums>>, RepositoryError> {
        let plan = Plan::of(question);
        if plan.is_empty() {
            return Ok(vec![Vec::new(); question.ranges.len()]);
        }
        let view = self.shared.view(&plan).await?;
        let answer = view.answer(question, &plan.parts);
        // Last, when nobody but the cache holds the sums that it is about to change.
        self.shared.keep(view);
        Ok(answer)
    }

    /// What is kept, and what that was good for.
    #[must_use]
    pub fn status(&self) -> StatisticsStatus {
        self.shared.kept.lock().status()
    }
}

impl fmt::Debug for GenerationStatistics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("GenerationStatistics")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Reads what is not kept. Until this is done nothing that is shared has changed, whenever the caller goes away; but
    /// sums that turn out to be useless are forgotten at once.
    async fn view(&self, plan: &Plan) -> Result<View, RepositoryError> {
        let mut held = if plan.spans.is_empty() {
            Held::nothing(plan.detail)
        } else {
            self.kept.lock().hold(&plan.spans, plan.detail)
        };
        // Twice at most: what is read without a position has none that could be unknown.
        loop {
            let missing: Vec<_> =
                plan.spans.iter().copied().filter(|span| !held.spans.contains_key(span)).collect();
            let reading = RollupReading {
                since: held.position,
                spans: missing.clone(),
                entries: plan.entries.clone(),
            };
            let RollupSnapshot { position, changes, pending, spans, entries } =
                self.rollups.read(&reading).await?;
            if spans.len() != missing.len() || entries.len() != plan.entries.len() {
                return Err(RepositoryError::Internal(Arc::new(Mismatch)));
            }
            let changes = if let Some(since) = held.position {
                // A position before the one that was asked for is that of another store, such as one restored from a
                // backup.
                let Some(changes) = changes.filter(|_| since <= position) else {
                    held = self.kept.lock().forget(&held);
                    continue;
                };
                changes
            } else {
                Vec::new()
            };
            return Ok(View {
                held,
                position,
                changes: changes.into(),
                pending: pending.into(),
                read: missing
                    .into_iter()
                    .zip(spans.iter().map(|kinds| {
                        SpanSums::of(plan.detail, kinds.iter().map(|(kind, sums)| (kind, sums)))
                    }))
                    .collect(),
                entries,
            });
        }
    }

    /// Keeps what was read, and brings what is kept up to its position.
    fn keep(&self, view: View) {
        let View { mut held, position, changes, pending: _, read, entries: _ } = view;
        if held.spans.is_empty() && read.is_empty() {
            return;
        }
        let mut used: Vec<_> = held.spans.drain().map(|(span, _)| span).collect();
        used.sort_unstable();
        self.kept.lock().advance(&held, &used, position, &changes, read);
    }
}

impl View {
    fn answer(&self, question: &StatisticsQuestion, parts: &[Part]) -> Vec<Vec<GroupSums>> {
        let mut entries = self.entries.iter();
        parts
            .iter()
            .map(|part| {
                let mut totals = Totals::of(question);
                if let Some(span) = part.span {
                    self.add_span(span, &mut totals);
                }
                for EntrySums { artist, kind, sums } in
                    entries.by_ref().take(part.entries).flatten()
                {
                    totals.add(artist.as_ref(), kind, sums);
                }
                totals.into_sums()
            })
            .collect()
    }

    fn add_span<'a>(&'a self, span: QuarterSpan, totals: &mut Totals<'a>) {
        let mut add_recent = |recent: &'a RecentSums| {
            for rollup in recent.within(span) {
                totals.add(None, &rollup.kind, &rollup.sums);
            }
        };
        add_recent(&self.pending);
        let folded = if let Some(held) = self.held.spans.get(&span) {
            add_recent(&self.changes);
            Some(&**held)
        } else {
            let at = self.read.binary_search_by_key(&span, |(span, _)| *span);
            at.ok().and_then(|at| self.read.get(at)).map(|(_, sums)| sums)
        };
        for (group, sums) in folded.into_iter().flat_map(SpanSums::iter) {
            totals.add_group(group, sums);
        }
    }
}
