//! How long generations took, for percentiles.

use std::sync::OnceLock;

/// Classes for each doubling of the time.
const CLASSES: u32 = 32;
/// The number of bits that tell classes apart.
const CLASS_BITS: u32 = CLASSES.ilog2();
/// The first byte of the stored form.
const FORMAT: u8 = 1;

/// Times in milliseconds with how often each occurred, exactly or by class.
///
/// Classes are those of HDR histograms: times below 32 ms have one each, and every doubling above is cut into 32 equal
/// parts. The middle of a part is at most 1/64 away from what lies in it ([`Times::RELATIVE_ERROR`]), and since the
/// classes are always the same, the times of several hours or providers add up without any further error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Times {
    /// Times, or numbers of classes, in ascending order, and how often each occurred.
    counts: Vec<(u32, u64)>,
    is_exact: bool,
    usual: Usual,
}

/// What [`Times::usual_percentiles`] found, as long as nothing is added. It follows from the rest, so all are equal.
#[derive(Debug, Clone, Default)]
struct Usual(OnceLock<[Option<u32>; 3]>);

impl PartialEq for Usual {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Usual {}

impl Times {
    /// How far a percentile by class may be from the exact one, relative to it.
    pub const RELATIVE_ERROR: f64 = 1.0 / (2 * CLASSES) as f64;

    const fn new(counts: Vec<(u32, u64)>, is_exact: bool) -> Self {
        Self { counts, is_exact, usual: Usual(OnceLock::new()) }
    }

    /// One time, by class.
    #[must_use]
    pub fn of(time_ms: u32) -> Self {
        Self::new(vec![(class(time_ms), 1)], false)
    }

    /// Exact times, each with how often it occurred, in any order.
    #[must_use]
    pub fn exact(times: impl IntoIterator<Item = (u32, u64)>) -> Self {
        Self::new(summed(times), true)
    }

    /// Times by class, from how often each occurred, in any order.
    #[must_use]
    pub fn by_class(times: impl IntoIterator<Item = (u32, u64)>) -> Self {
        let classes = times.into_iter().map(|(time_ms, count)| (class(time_ms), count));
        Self::new(summed(classes), false)
    }

    /// Whether percentiles are exact.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        self.is_exact
    }

    /// Adds other times; the sum is exact only if both are.
    pub fn add(&mut self, other: &Self) {
        if other.counts.is_empty() {
            return;
        }
        if self.counts.is_empty() {
            self.clone_from(other);
            return;
        }
        match (self.is_exact, other.is_exact) {
            (true, false) => *self = Self::by_class(self.counts.iter().copied()),
            (false, true) => return self.add(&Self::by_class(other.counts.iter().copied())),
            (true, true) | (false, false) => {}
        }
        self.usual = Usual::default();
        match *other.counts {
            // Most often one more time comes to many.
            [(place, count)] => match self.counts.binary_search_by_key(&place, |&(place, _)| place)
            {
                Ok(index) => {
                    if let Some((_, sum)) = self.counts.get_mut(index) {
                        *sum += count;
                    }
                }
                Err(index) => self.counts.insert(index, (place, count)),
            },
            _ => self.counts = merged(&self.counts, &other.counts),
        }
    }

    /// The sum of many, which is exact only if all of them are.
    ///
    /// This takes a time that grows with what they hold. Adding one after the other goes through the growing sum each
    /// time.
    #[must_use]
    pub fn sum<'a>(parts: impl IntoIterator<Item = &'a Self>) -> Self {
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.counts.is_empty()).collect();
        match parts[..] {
            [] => Self::default(),
            [only] => only.clone(),
            _ if parts.iter().all(|part| part.is_exact) => {
                Self::exact(parts.iter().flat_map(|part| part.counts.iter().copied()))
            }
            _ => Self::new(summed_by_class(&parts), false),
        }
    }

    /// The smallest time that is not exceeded by this part of all times, in milliseconds; `None` without any.
    ///
    /// `part` is between 0 and 1; 0.95 gives the 95th percentile by nearest rank. By class it is the middle of the class.
    #[must_use]
    pub fn percentile(&self, part: f64) -> Option<u32> {
        let [percentile] = self.percentiles([part]);
        percentile
    }

    /// The [percentiles](Self::percentile) for several parts, which ascend, in one pass.
    #[must_use]
    pub fn percentiles<const PARTS: usize>(&self, parts: [f64; PARTS]) -> [Option<u32>; PARTS] {
        let all = self.count();
        let mut counts = self.counts.iter();
        let mut passed = 0;
        let mut reached = None;
        parts.map(|part| {
            let rank = rank(part, all);
            while passed < rank {
                let &(place, count) = counts.next()?;
                passed += count;
                reached = Some(place);
            }
            reached.map(|place| if self.is_exact { place } else { middle(place) })
        })
    }

    /// The 50th, the 95th and the 99th [percentile](Self::percentile), which are looked for once.
    #[must_use]
    pub fn usual_percentiles(&self) -> [Option<u32>; 3] {
        *self.usual.0.get_or_init(|| self.percentiles([0.5, 0.95, 0.99]))
    }

    /// How many bytes of memory the counts take.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.counts.capacity() * size_of::<(u32, u64)>()
    }

    /// The stored form, by class: a byte for the format, then for each class that occurred the distance from the class
    /// before and the count, as variable-length numbers of seven bits a byte, the lowest first.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        if self.is_exact {
            return Self::by_class(self.counts.iter().copied()).encode();
        }
        let mut bytes = Vec::with_capacity(1 + 3 * self.counts.len());
        bytes.push(FORMAT);
        let mut before = 0;
        for &(class, count) in &self.counts {
            push_number(&mut bytes, u64::from(class - before));
            push_number(&mut bytes, count);
            before = class;
        }
        bytes
    }

    /// Reads the stored form.
    ///
    /// # Errors
    ///
    /// When [`Self::encode`] did not write it.
    pub fn decode(bytes: &[u8]) -> Result<Self, InvalidTimes> {
        let Some((&FORMAT, mut rest)) = bytes.split_first() else { return Err(InvalidTimes) };
        let mut counts: Vec<(u32, u64)> = Vec::with_capacity(rest.len() / 2);
        while !rest.is_empty() {
            let gap = take_number(&mut rest)?;
            let count = take_number(&mut rest)?;
            let before = counts.last().map(|&(class, _)| u64::from(class));
            let class = before.unwrap_or(0).checked_add(gap).ok_or(InvalidTimes)?;
            let ascends = before.is_none_or(|before| before < class);
            if !ascends || count == 0 || u64::from(self::class(u32::MAX)) < class {
                return Err(InvalidTimes);
            }
            counts.push((u32::try_from(class).map_err(|_| InvalidTimes)?, count));
        }
        Ok(Self::new(counts, false))
    }

    /// How many times there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }
}

/// None at all, which is exact.
impl Default for Times {
    fn default() -> Self {
        Self::new(Vec::new(), true)
    }
}

/// Bytes that are not the stored form of [`Times`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stored times are malformed")]
pub struct InvalidTimes;

/// The place of a part of all when they stand in a row, from 1 on.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a rank is a part of a count, and not negative"
)]
fn rank(part: f64, all: u64) -> u64 {
    ((part * all as f64).ceil() as u64).clamp(1, all.max(1))
}

/// The number of the class in which a time lies.
const fn class(time_ms: u32) -> u32 {
    if time_ms < CLASSES {
        return time_ms;
    }
    let doubling = time_ms.ilog2() - CLASS_BITS;
    CLASSES * doubling + (time_ms >> doubling)
}

/// The middle of a class.
const fn middle(class: u32) -> u32 {
    if class < 2 * CLASSES {
        return class;
    }
    let doubling = class / CLASSES - 1;
    let first = (class - CLASSES * doubling) << doubling;
    first + (1 << doubling) / 2
}

fn summed(counts: impl IntoIterator<Item = (u32, u64)>) -> Vec<(u32, u64)> {
    let mut counts: Vec<(u32, u64)> = counts.into_iter().filter(|&(_, count)| count != 0).collect();
    counts.sort_unstable_by_key(|&(place, _)| place);
    counts.dedup_by(|later, earlier| {
        let same = later.0 == earlier.0;
        if same {
            earlier.1 += later.1;
        }
        same
    });
    counts
}

fn summed_by_class(parts: &[&Times]) -> Vec<(u32, u64)> {
    let mut counts = [0_u64; class(u32::MAX) as usize + 1];
    // Times are far from everywhere.
    let (mut first, mut last) = (u32::MAX, 0);
    for part in parts {
        let class_of = |place| if part.is_exact { class(place) } else { place };
        for &(place, count) in &part.counts {
            // Every class has a place.
            if let Some(sum) = counts.get_mut(class_of(place) as usize) {
                *sum += count;
            }
        }
        if let [(lowest, _), ..] = part.counts[..] {
            first = first.min(class_of(lowest));
        }
        if let [.., (highest, _)] = part.counts[..] {
            last = last.max(class_of(highest));
        }
    }
    let counts = counts.get(first as usize..=last as usize).unwrap_or_default();
    (first..)
        .zip(counts)
        .filter(|&(_, count)| *count != 0)
        .map(|(class, &count)| (class, count))
        .collect()
}

fn merged(mut left: &[(u32, u64)], mut right: &[(u32, u64)]) -> Vec<(u32, u64)> {
    let mut counts = Vec::with_capacity(left.len() + right.len());
    while let ([first, others @ ..], [other_first, other_others @ ..]) = (left, right) {
        match first.0.cmp(&other_first.0) {
            std::cmp::Ordering::Less => {
                counts.push(*first);
                left = others;
            }
            std::cmp::Ordering::Greater => {
                counts.push(*other_first);
                right = other_others;
            }
            std::cmp::Ordering::Equal => {
                counts.push((first.0, first.1 + other_first.1));
                (left, right) = (others, other_others);
            }
        }
    }
    counts.extend_from_slice(left);
    counts.extend_from_slice(right);
    counts
}

fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    while 0x7f < number {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

fn take_number(bytes: &mut &[u8]) -> Result<u64, InvalidTimes> {
    let mut number = 0_u64;
    for place in 0..10 {
        let (&byte, rest) = bytes.split_first().ok_or(InvalidTimes)?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        let shifted = part << (7 * place);
        if shifted >> (7 * place) != part {
            return Err(InvalidTimes);
        }
        number |= shifted;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(InvalidTimes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn classes_follow_each_other_without_a_gap() {
        let mut last = class(0);
        for time in 1..2_000_000_u32 {
            let next = class(time);
            assert!(next == last || next == last + 1, "{time}");
            last = next;
        }
        assert_eq!(class(u32::MAX), 32 * 27 + 31);
    }

    #[test]
    fn the_middle_of_the_last_class_is_a_time() {
        assert!(u32::MAX / 64 * 63 < middle(class(u32::MAX)));
    }

    #[test]
    fn nothing_has_no_percentile() {
        assert_eq!(Times::default().percentile(0.5), None);
        assert!(Times::default().is_exact());
    }

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let times = Times::exact((1..=100).map(|time| (time, 1)));

        let parts = [0.0, 0.5, 0.95, 0.99, 1.0];

        let found = times.percentiles(parts);

        assert_eq!(found, [Some(1), Some(50), Some(95), Some(99), Some(100)]);
        assert_eq!(found, parts.map(|part| times.percentile(part)));
        assert_eq!(Times::of(7).percentiles([0.5, 0.5, 1.0]), [Some(7); 3]);
    }

    #[test]
    fn exact_and_classified_times_add_up_to_classified_ones() {
        let mut sum = Times::exact([(1_000, 2)]);
        sum.add(&Times::of(1_000));

        assert!(!sum.is_exact());
        assert_eq!(sum, Times::by_class([(1_000, 3)]));
    }

    #[test]
    fn what_is_no_stored_form_is_refused() {
        for bytes in [
            &[][..],
            &[2],
            &[FORMAT, 1],
            &[FORMAT, 1, 0],
            &[FORMAT, 1, 1, 0, 1],
            &[FORMAT, 0x80, 0x80, 0x80, 1, 1],
            &[FORMAT, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        ] {
            assert_eq!(Times::decode(bytes), Err(InvalidTimes), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn no_class_is_further_away_than_the_stated_error(time in any::<u32>()) {
            let error = (f64::from(middle(class(time))) - f64::from(time)).abs();
            prop_assert!(error <= Times::RELATIVE_ERROR * f64::from(time), "{error}");
        }

        #[test]
        fn adding_is_the_same_as_counting_together(
            left in prop::collection::vec((0..5_000_u32, 0..9_u64), 0..60),
            right in prop::collection::vec((0..5_000_u32, 0..9_u64), 0..60),
        ) {
            let mut sum = Times::by_class(left.clone());
            // What was found before says nothing any more.
            let _ = sum.usual_percentiles();
            sum.add(&Times::by_class(right.clone()));
            let together = Times::by_class(left.into_iter().chain(right));
            prop_assert_eq!(sum.usual_percentiles(), together.usual_percentiles());
            prop_assert_eq!(sum.counts, together.counts);
        }

        #[test]
        fn summing_many_is_the_same_as_adding_one_after_the_other(
            parts in prop::collection::vec(
                (any::<bool>(), prop::collection::vec((0..90_000_u32, 0..9_u64), 0..20)),
                0..6,
            ),
        ) {
            let parts: Vec<Times> = parts
                .into_iter()
                .map(|(exact, times)| if exact { Times::exact(times) } else { Times::by_class(times) })
                .collect();
            let mut added = Times::default();
            for part in &parts {
                added.add(part);
            }
            prop_assert_eq!(Times::sum(&parts), added);
        }

        #[test]
        fn what_is_encoded_reads_back(times in prop::collection::vec((any::<u32>(), any::<u32>()), 0..200)) {
            let times = Times::by_class(times.into_iter().map(|(time, count)| (time, count.into())));
            prop_assert_eq!(Times::decode(&times.encode()), Ok(times));
        }

        #[test]
        fn no_bytes_are_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Some(first) = bytes.first_mut() {
                *first = FORMAT;
            }
            let _ = Times::decode(&bytes);
        }
    }
}
