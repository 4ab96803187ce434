//! What has to be read for a question.

use domain::{EntriesReading, QuarterSpan, TimeRange};

use super::{
    question::{Dimensions, StatisticsQuestion},
    sums::Detail,
};

/// What a question is made of.
pub(super) struct Plan {
    /// One for each range.
    pub(super) parts: Vec<Part>,
    /// What the sums over spans have to tell apart.
    pub(super) detail: Detail,
    /// Every span that a part needs, once.
    pub(super) spans: Vec<QuarterSpan>,
    /// What has to be summed up from the generations themselves, in the order of the parts.
    pub(super) entries: Vec<EntriesReading>,
}

/// What one range is made of.
pub(super) struct Part {
    /// The whole quarters of it that sums are kept over.
    pub(super) span: Option<QuarterSpan>,
    /// How many of the [`Plan::entries`] are the rest of it.
    pub(super) entries: usize,
}

impl Plan {
    pub(super) fn of(question: &StatisticsQuestion) -> Self {
        let StatisticsQuestion { ranges, artist, provider, model, dimensions, exact_times } =
            question;
        let Dimensions { artist: by_artist, provider: by_provider, model: by_model, status } =
            *dimensions;
        // Sums by quarter know neither artists nor exact times.
        let has_spans = artist.is_none() && !by_artist && !exact_times;
        let mut plan = Self {
            parts: Vec::with_capacity(ranges.len()),
            detail: Detail {
                provider: by_provider || provider.is_some(),
                model: by_model || model.is_some(),
                status,
            },
            spans: vec![],
            entries: vec![],
        };
        for &range in ranges {
            let (span, rest) = if has_spans {
                QuarterSpan::within(range)
            } else {
                (None, Vec::from_iter((!range.is_empty()).then_some(range)))
            };
            plan.parts.push(Part { span, entries: rest.len() });
            plan.spans.extend(span);
            plan.entries.extend(rest.into_iter().map(|range: TimeRange| EntriesReading {
                range,
                artist: *artist,
                by_artist,
                exact_times: *exact_times,
            }));
        }
        plan.spans.sort_unstable();
        plan.spans.dedup();
        plan
    }

    /// Whether nothing has to be read.
    pub(super) fn is_empty(&self) -> bool {
        self.spans.is_empty() && self.entries.is_empty()
    }
}
