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
//! | 3 for each | which number that is, and its first byte |
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

/// The embedding, if there is one, which was kept in this way.
pub(super) fn unpack(kind: u8, reader: &mut Reader<'_>) -> Result<Option<Embedding>, Unreadable> {
    let numbers = match kind {
        NONE => return Ok(None),
        PLAIN => from_plain(reader),
        PLANES => from_planes(reader),
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
    let [largest, small] = reader.array()?;
    let (small, _) = reader.take(usize::from(small) * 3)?.as_chunks::<3>();
    let (firsts, seconds) = (reader.take(HALF)?, reader.take(DIMENSIONS)?);
    let (rests, _) = reader.take(DIMENSIONS * size_of::<u16>())?.as_chunks();
    let largest = u32::from(largest);
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
