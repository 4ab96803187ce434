//! A yes or a no for each row.

/// So many bits lie in a word.
const WORD: usize = 64;

/// A fixed number of bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bits {
    words: Box<[u64]>,
}

impl Bits {
    /// So many bits, all of them set.
    pub(super) fn all(length: usize) -> Self {
        let word = |word: usize| {
            let rest = length - word * WORD;
            if rest < WORD { (1 << rest) - 1 } else { u64::MAX }
        };
        Self { words: (0..length.div_ceil(WORD)).map(word).collect() }
    }

    /// Whether the bit is set. There is none behind the last.
    pub(super) fn is_set(&self, index: usize) -> bool {
        self.words.get(index / WORD).is_some_and(|word| word & bit(index) != 0)
    }

    /// Clears a bit.
    pub(super) fn clear(&mut self, index: usize) {
        if let Some(word) = self.words.get_mut(index / WORD) {
            *word &= !bit(index);
        }
    }

    /// Clears the bits of which `keep` says no. It is asked about those that are set.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        for (index, word) in self.words.iter_mut().enumerate() {
            let mut rest = *word;
            while rest != 0 {
                let bit = rest & rest.wrapping_neg();
                if !keep(index * WORD + position(rest)) {
                    *word &= !bit;
                }
                rest &= !bit;
            }
        }
    }

    /// How many are set.
    pub(super) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Where those lie that are set, within a range that begins at a multiple of 64.
    pub(super) fn within(&self, from: usize, to: usize) -> impl Iterator<Item = usize> {
        let words = self.words.get(from / WORD..to.div_ceil(WORD)).unwrap_or_default();
        words.iter().enumerate().flat_map(move |(index, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                let found = (rest != 0).then(|| from + index * WORD + position(rest));
                rest &= rest.wrapping_sub(1);
                found
            })
        })
    }

    /// How many bytes they take.
    pub(super) fn bytes(&self) -> usize {
        size_of_val::<[u64]>(&self.words)
    }
}

const fn bit(index: usize) -> u64 {
    1 << (index % WORD)
}

/// The position of the lowest bit that is set.
const fn position(word: u64) -> usize {
    word.trailing_zeros() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_yes_or_no_for_each_row() {
        for length in [0, 1, 63, 64, 65, 200] {
            let mut bits = Bits::all(length);
            assert_eq!(bits.count(), length);
            assert!(!bits.is_set(length));

            bits.retain(|index| index % 3 != 0);
            bits.clear(1);

            let expected: Vec<_> =
                (0..length).filter(|index| index % 3 != 0 && *index != 1).collect();
            assert_eq!(bits.within(0, length).collect::<Vec<_>>(), expected);
            assert_eq!(bits.count(), expected.len());
            assert!((0..length).all(|index| bits.is_set(index) == expected.contains(&index)));
        }
    }

    #[test]
    fn looks_at_a_range() {
        let bits = Bits::all(200);

        assert_eq!(bits.within(64, 128).collect::<Vec<_>>(), (64..128).collect::<Vec<_>>());
        assert_eq!(bits.within(128, 200).collect::<Vec<_>>(), (128..200).collect::<Vec<_>>());
    }
}
