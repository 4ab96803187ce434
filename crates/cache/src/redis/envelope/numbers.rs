//! The embedding.
//!
//! In one of two ways, which the byte before the facts names. [`PLAIN`]: its numbers as IEEE 754 singles, little-endian.
//! [`PLANES`]: numbers of similar size have similar exponents, so the first byte of each, its sign and seven bits of its
//! exponent, takes four bits. The parts are:
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | the largest of those seven bits |
//! | 1 | how many numbers are so small that it is more than 7 above theirs, 8 at most |
//! | 3 for each | which number that is, big-endian, and its first byte |
//! | 192 | for each number its sign and how much the largest is above its own, number 0 in the lower half of the first byte, number 192 in its upper half, and so on; of no meaning for the small ones |
//! | 384 | the second byte of each number |
//! | 768 | the lower half of each, little-endian |
//!
//! That takes some 180 bytes less, which more words can lie in as they are.

use std::sync::Arc;

use domain::Embedding;

use super::{Unreadable, reader::Reader};

const NONE: u8 = 0;
const PLAIN: u8 = 1;
pub(super) const PLANES: u8 = 2;

pub(super) const PLAIN_BYTES: usize = DIMENSIONS * size_of::<f32>();
const DIMENSIONS: usize = Embedding::DIMENSIONS;
const HALF: usize = DIMENSIONS / 2;

/// How far below the largest exponent three bits reach.
const REACH: u8 = 7;
/// all-MiniLM-L6-v2 yields three to five such numbers.
const MOST_SMALL: usize = 8;

/// The way in which the embedding is kept, and its bytes.
pub(super) fn pack(embedding: Option<&Embedding>) -> (u8, Vec<u8>) {
    let Some(numbers) = embedding.map(Embedding::numbers) else { return (NONE, Vec::new()) };
    match planes(numbers) {
        Some(bytes) => (PLANES, bytes),
        None => (PLAIN, numbers.iter().flat_map(|number| number.to_le_bytes()).collect()),
    }
}

/// The embedding, if there is one, which was kept in this way, where `has_planes` says whether that one is known.
pub(super) fn unpack(
    kind: u8,
    has_planes: bool,
    reader: &mut Reader<'_>,
) -> Result<Option<Embedding>, Unreadable> {
    let numbers = match kind {
        NONE => return Ok(None),
        PLAIN => from_plain(reader),
        PLANES if has_planes => from_planes(reader),
        _ => None,
    };
    let numbers: Arc<[f32]> = Arc::from(numbers.ok_or(Unreadable::Malformed)?.as_slice());
    Embedding::try_from(numbers).map(Some).map_err(|_| Unreadable::InvalidValue)
}

fn planes(numbers: &[f32; DIMENSIONS]) -> Option<Vec<u8>> {
    let first = |number: &f32| number.to_be_bytes()[0];
    let exponent = |number: &f32| first(number) & 0x7f;
    let largest = numbers.iter().map(exponent).max()?;
    let below = |number: &f32| largest - exponent(number);
    let small = || (0_u16..).zip(numbers).filter(|(_, number)| REACH < below(number));
    let count = small().count();
    if MOST_SMALL < count {
        return None;
    }
    let mut bytes = vec![largest, u8::try_from(count).ok()?];
    for (at, number) in small() {
        bytes.extend(at.to_be_bytes());
        bytes.push(first(number));
    }
    let four_bits = |number: &f32| first(number) >> 7 << 3 | below(number).min(REACH);
    let (lower, upper) = numbers.split_at(HALF);
    bytes.extend(
        lower.iter().zip(upper).map(|(lower, upper)| four_bits(lower) | four_bits(upper) << 4),
    );
    bytes.extend(numbers.iter().map(|number| number.to_be_bytes()[1]));
    bytes.extend(numbers.iter().flat_map(|number| {
        let [.., third, fourth] = number.to_be_bytes();
        [fourth, third]
    }));
    Some(bytes)
}

fn from_plain(reader: &mut Reader<'_>) -> Option<[f32; DIMENSIONS]> {
    let (chunks, _) = reader.take(PLAIN_BYTES)?.as_chunks();
    let mut numbers = [0.0; DIMENSIONS];
    for (number, bytes) in numbers.iter_mut().zip(chunks) {
        *number = f32::from_le_bytes(*bytes);
    }
    Some(numbers)
}

/// Without a table or a branch for each number, so that a processor does several at once.
fn from_planes(reader: &mut Reader<'_>) -> Option<[f32; DIMENSIONS]> {
    let [largest, small] = reader.array()?.map(usize::from);
    if MOST_SMALL < small {
        return None;
    }
    let (small, _) = reader.take(small * 3)?.as_chunks::<3>();
    let (firsts, seconds) = (reader.take(HALF)?, reader.take(DIMENSIONS)?);
    let (rests, _) = reader.take(DIMENSIONS * size_of::<u16>())?.as_chunks();
    let largest = u32::try_from(largest).ok()?;
    let first = |four_bits: u8| {
        let four_bits = u32::from(four_bits);
        (four_bits & 8) << 28 | (largest.wrapping_sub(four_bits & 7) & 0x7f) << 24
    };

    let mut numbers = [0; DIMENSIONS];
    let (lower, upper) = numbers.split_at_mut(HALF);
    for ((lower, upper), four_bits) in lower.iter_mut().zip(upper).zip(firsts) {
        (*lower, *upper) = (first(four_bits & 0xf), first(four_bits >> 4));
    }
    for ((number, second), rest) in numbers.iter_mut().zip(seconds).zip(rests) {
        *number |= u32::from(*second) << 16 | u32::from(u16::from_le_bytes(*rest));
    }
    for &[at_high, at_low, first] in small {
        let number = numbers.get_mut(usize::from(u16::from_be_bytes([at_high, at_low])))?;
        *number = *number & 0x00ff_ffff | u32::from(first) << 24;
    }
    Some(numbers.map(f32::from_bits))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Far below all others, or nothing at all.
    const SMALL: [f32; 6] =
        [0.0, -0.0, f32::from_bits(1), -f32::from_bits(1), f32::MIN_POSITIVE, -f32::MIN_POSITIVE];

    prop_compose! {
        /// Numbers whose first bytes reach as far down as four bits can say, or one further.
        fn similar()(
            numbers in prop::collection::vec(
                (any::<bool>(), 0x30_u32..0x39, 0_u32..1 << 24),
                DIMENSIONS,
            ),
        ) -> Vec<f32> {
            let number = |(sign, exponent, rest): (bool, u32, u32)| {
                f32::from_bits(u32::from(sign) << 31 | exponent << 24 | rest)
            };
            numbers.into_iter().map(number).collect()
        }
    }

    proptest! {
        #[test]
        fn every_bit_comes_back(
            mut numbers in similar(),
            is_near in any::<bool>(),
            small in prop::collection::btree_map(
                prop_oneof![0..DIMENSIONS, Just(0), Just(191), Just(192), Just(256), Just(383)],
                prop::sample::select(&SMALL[..]),
                0..=10,
            ),
        ) {
            let lowest = if is_near { 0x31 } else { 0x30 };
            for number in &mut numbers {
                let first = number.abs().to_bits() >> 24;
                *number = if first < lowest { *number * 65_536.0 } else { *number };
            }
            numbers[1] = f32::from_bits(0x3812_3456);
            numbers[2] = f32::from_bits(lowest << 24 | 1);
            for (&at, &number) in small.iter().filter(|(at, _)| !matches!(at, 1 | 2)) {
                numbers[at] = number;
            }
            let far = |number: &&f32| 7 < 0x38 - (number.to_bits() >> 24 & 0x7f);
            let are_planes = numbers.iter().filter(far).count() <= MOST_SMALL;
            let embedding = Embedding::try_from(numbers).unwrap();

            let (kind, bytes) = pack(Some(&embedding));

            prop_assert_eq!(kind, if are_planes { PLANES } else { PLAIN });
            let mut reader = Reader::new(&bytes);
            let found = unpack(kind, true, &mut reader).unwrap().unwrap();
            prop_assert!(reader.rest().is_empty());
            prop_assert_eq!(
                found.numbers().map(f32::to_bits),
                embedding.numbers().map(f32::to_bits)
            );
        }
    }

    #[test]
    fn no_more_numbers_are_small_than_there_may_be() {
        let with_small = |count: usize| {
            let mut numbers = vec![0.5; DIMENSIONS];
            numbers[..count].fill(-0.0);
            Embedding::try_from(numbers).unwrap()
        };

        assert_eq!(pack(Some(&with_small(8))).0, PLANES);
        assert_eq!(pack(Some(&with_small(9))).0, PLAIN);
        let (_, mut bytes) = pack(Some(&with_small(8)));
        bytes[1] = 9;
        bytes.splice(2..2, [0, 0, 0]);
        let found = unpack(PLANES, true, &mut Reader::new(&bytes));
        assert_eq!(found, Err(Unreadable::Malformed));
    }
}
