//! Names that look like another name.

use std::cmp::Ordering;

use super::ArtistName;

/// Names less alike than this are no help.
const LEAST_CLOSENESS: f64 = 0.5;

impl ArtistName {
    /// Which candidates look like this name, the closest first, at most `limit` of them.
    ///
    /// A candidate is a name without diacritics, as [`super::ArtistKey::search_form`] gives it, and whatever it stands
    /// for. Equally close ones are in the order of the two.
    pub fn closest<Form: AsRef<str>, T: Ord>(
        &self,
        candidates: impl IntoIterator<Item = (Form, T)>,
        limit: usize,
    ) -> Vec<T> {
        let wanted = self.key().search_form();
        let lengths = Self::lengths_alike(wanted.chars().count());
        let mut close: Vec<(f64, Form, T)> = candidates
            .into_iter()
            .filter(|(form, _)| lengths.contains(&form.as_ref().chars().count()))
            .map(|(form, of)| (closeness(&wanted, form.as_ref()), form, of))
            .filter(|(closeness, ..)| LEAST_CLOSENESS <= *closeness)
            .collect();
        close.sort_by(|one, other| {
            other
                .0
                .partial_cmp(&one.0)
                .unwrap_or(Ordering::Equal)
                .then_with(|| one.1.as_ref().cmp(other.1.as_ref()))
                .then_with(|| one.2.cmp(&other.2))
        });
        close.into_iter().take(limit).map(|(_, _, of)| of).collect()
    }

    /// How many characters a name can have that looks like one of so many. Beyond these not even a name that holds the
    /// other one whole is close.
    #[must_use]
    pub const fn lengths_alike(chars: usize) -> std::ops::RangeInclusive<usize> {
        chars / 3..=chars * 3 + 1
    }
}

/// 1 for equal texts, 0 for unrelated ones: edits forgive a slip of the finger, bigrams a missing or swapped word.
fn closeness(one: &str, other: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(one, other).max(strsim::sorensen_dice(one, other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_and_missing_words_are_close() {
        for (typed, meant) in
            [("jdilla", "j dilla"), ("sigur ros", "sigur rso"), ("allen tony", "tony allen")]
        {
            assert!(LEAST_CLOSENESS <= closeness(typed, meant), "{typed} {meant}");
        }
        assert!(closeness("unknown artist", "j dilla") < LEAST_CLOSENESS);
    }

    #[test]
    fn the_closest_come_first_and_ties_in_order() {
        let wanted = ArtistName::try_from("J Dila").unwrap();
        let candidates = ["tony allen", "jay dilla", "j dilla", "j dilly", "j"];

        let closest = wanted.closest(candidates.map(|it| (it, it)), 3);

        assert_eq!(closest, ["j dilla", "j dilly", "jay dilla"]);
    }
}
