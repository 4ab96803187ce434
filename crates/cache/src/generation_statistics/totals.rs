//! What generations took together, from many sums of the same artists and kinds.

use domain::{ArtistName, EntrySums, GenerationKind, Sums};
use hashbrown::HashMap;

use super::question::StatisticsQuestion;

/// Collects what a question is about. Nothing is copied before it is added up.
pub(super) struct Totals<'a> {
    question: &'a StatisticsQuestion,
    parts: HashMap<(Option<&'a ArtistName>, &'a GenerationKind), Vec<&'a Sums>>,
}

impl<'a> Totals<'a> {
    pub(super) fn of(question: &'a StatisticsQuestion) -> Self {
        Self { question, parts: HashMap::new() }
    }

    /// Adds what generations of an artist and a kind took, unless the question is about others.
    pub(super) fn add(
        &mut self,
        artist: Option<&'a ArtistName>,
        kind: &'a GenerationKind,
        sums: &'a Sums,
    ) {
        // All else that a question says was said to the store, and shapes what it answered.
        let StatisticsQuestion { provider, model, .. } = self.question;
        let is_asked_for = provider.as_ref().is_none_or(|asked| *asked == kind.provider)
            && model.as_ref().is_none_or(|asked| Some(asked) == kind.model.as_ref());
        if is_asked_for {
            self.parts.entry((artist, kind)).or_default().push(sums);
        }
    }

    /// What each artist and kind took, sorted by both, without those that have no generations.
    pub(super) fn into_sums(self) -> Vec<EntrySums> {
        let mut totals: Vec<_> = self
            .parts
            .into_iter()
            .map(|((artist, kind), sums)| EntrySums {
                artist: artist.cloned(),
                kind: kind.clone(),
                sums: Sums::sum(&sums),
            })
            .filter(|total| total.sums.generations != 0)
            .collect();
        totals.sort_unstable_by(|left, right| place(left).cmp(&place(right)));
        totals
    }
}

fn place(total: &EntrySums) -> (Option<&str>, &GenerationKind) {
    (total.artist.as_ref().map(|artist| artist.key().as_str()), &total.kind)
}
