//! Rows that lie together and never change.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use domain::{ArtistName, StyleVector};

use super::{
    bits::Bits,
    codes::{Codes, DIMENSIONS, Measures, Numbers, code},
    facts::{Fact, Facts},
    room::Room,
};

/// What each row takes at least, in bytes.
pub(super) const ROW_BYTES: u64 =
    (size_of::<Numbers>() + size_of::<Codes>() + size_of::<Measures>() + size_of::<ArtistName>())
        as u64;

/// Counts the bytes that are in use, by however many parts.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger(Arc<AtomicU64>);

impl Ledger {
    /// How many bytes are in use.
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts bytes until the entry is dropped.
    pub(super) fn enter(&self, bytes: u64) -> Entry {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Entry { ledger: self.clone(), bytes }
    }
}

/// Bytes in use.
#[derive(Debug)]
pub(super) struct Entry {
    ledger: Ledger,
    bytes: u64,
}

impl Entry {
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.ledger.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Artists with what searches look at, in columns.
pub(super) struct Segment {
    codes: Room<i8>,
    numbers: Room<f32>,
    measures: Box<[Measures]>,
    facts: Facts,
    names: Box<[ArtistName]>,
    /// How many bytes of names nobody else holds.
    text: u64,
    entry: Entry,
}

/// An artist that is to become a row.
pub(super) enum Origin<'a> {
    /// One that was just read.
    New(&'a Newcomer),
    /// A row of another segment.
    Row(&'a Segment, usize),
}

/// An artist that was just read.
pub(super) struct Newcomer {
    pub(super) name: ArtistName,
    pub(super) vector: StyleVector,
}

impl Newcomer {
    pub(super) fn fact(&self) -> Fact {
        let StyleVector { embedding: _, research_status, confidence, quantitative_params } =
            &self.vector;
        Fact::new(*research_status, *confidence, quantitative_params)
    }
}

impl Origin<'_> {
    fn coded(&self) -> Option<(Codes, Measures)> {
        match self {
            Self::New(newcomer) => Some(code(&newcomer.vector.embedding)),
            Self::Row(segment, row) => {
                Some((*segment.codes().get(*row)?, *segment.measures.get(*row)?))
            }
        }
    }

    fn numbers(&self) -> Option<&Numbers> {
        match self {
            Self::New(newcomer) => Some(newcomer.vector.embedding.numbers()),
            Self::Row(segment, row) => segment.numbers(*row),
        }
    }

    fn fact(&self) -> Option<Fact> {
        match self {
            Self::New(newcomer) => Some(newcomer.fact()),
            Self::Row(segment, row) => segment.fact(*row),
        }
    }

    fn name(&self) -> Option<&ArtistName> {
        match self {
            Self::New(newcomer) => Some(&newcomer.name),
            Self::Row(segment, row) => segment.name(*row),
        }
    }
}

impl Segment {
    /// A segment of these rows, in this order. Of their names, so many bytes are held by nobody else.
    pub(super) fn of(origins: &[Origin<'_>], text: u64, ledger: &Ledger) -> Self {
        let mut measures = Vec::with_capacity(origins.len());
        let codes = Room::filled(origins.len() * DIMENSIONS, |room: &mut [i8]| {
            let (rows, _) = room.as_chunks_mut();
            for (row, (codes, measure)) in
                rows.iter_mut().zip(origins.iter().filter_map(Origin::coded))
            {
                *row = codes;
                measures.push(measure);
            }
        });
        let numbers = Room::filled(origins.len() * DIMENSIONS, |room: &mut [f32]| {
            let (rows, _) = room.as_chunks_mut();
            for (row, numbers) in rows.iter_mut().zip(origins.iter().filter_map(Origin::numbers)) {
                *row = *numbers;
            }
        });
        let measures = measures.into_boxed_slice();
        let facts = Facts::of(&origins.iter().filter_map(Origin::fact).collect::<Vec<_>>());
        let names: Box<[ArtistName]> = origins.iter().filter_map(Origin::name).cloned().collect();

        let bytes = codes.bytes()
            + numbers.bytes()
            + size_of_val::<[Measures]>(&measures)
            + facts.bytes()
            + size_of_val::<[ArtistName]>(&names)
            // Which of the rows live.
            + Bits::all(names.len()).bytes()
            + size_of::<Self>();
        let entry = ledger.enter(u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(text));
        Self { codes, numbers, measures, facts, names, text, entry }
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// How many bytes it takes.
    pub(super) const fn bytes(&self) -> u64 {
        self.entry.bytes()
    }

    /// The codes of all rows, one row after the other.
    pub(super) fn codes(&self) -> &[Codes] {
        self.codes.numbers().as_chunks().0
    }

    /// The measures of all rows.
    pub(super) const fn measures(&self) -> &[Measures] {
        &self.measures
    }

    pub(super) const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The embedding of a row as it was given.
    pub(super) fn numbers(&self, row: usize) -> Option<&Numbers> {
        self.numbers.numbers().as_chunks().0.get(row)
    }

    pub(super) fn name(&self, row: usize) -> Option<&ArtistName> {
        self.names.get(row)
    }

    pub(super) fn fact(&self, row: usize) -> Option<Fact> {
        self.facts.row(row)
    }

    /// How many bytes of names nobody else holds.
    pub(super) const fn text(&self) -> u64 {
        self.text
    }

    /// Whether a row says of an artist what was just read.
    pub(super) fn says(&self, row: usize, newcomer: &Newcomer) -> bool {
        let same_numbers = self.numbers(row).is_some_and(|numbers| {
            let mut pairs = numbers.iter().zip(newcomer.vector.embedding.numbers());
            // Zeros of either sign are equal, yet not the same.
            pairs.all(|(one, other)| one.to_bits() == other.to_bits())
        });
        same_numbers
            && self.name(row).is_some_and(|name| name.as_str() == newcomer.name.as_str())
            && self.fact(row) == Some(newcomer.fact())
    }
}
