//! What changes the index: changes in, snapshots out.

use std::{hash::BuildHasher, sync::Arc};

use domain::{ArtistKey, ArtistName, VectorChange, Version};
use hashbrown::{DefaultHashBuilder, HashSet, HashTable};

use super::{
    bits::Bits,
    segment::{Entry, Ledger, Newcomer, Origin, ROW_BYTES, Segment},
    snapshot::{Piece, Snapshot},
};

/// How many rows a segment has at most.
const SEGMENT: usize = 1 << ROW_BITS;

/// How many bits of a place say which row it is.
const ROW_BITS: u32 = 14;

/// A segment is written anew when more than one row in so many lives no more.
const DEAD_PART: usize = 8;

/// Loading leaves one part in so many of the memory free. A changed artist takes a new row before the memory of the old
/// one is free, so that whatever could be loaded can change too; and loading again makes room for many changes, not for one.
const SPARE_PART: u64 = 32;

/// Takes changes in and keeps where every artist lies.
///
/// New rows make a segment of their own, which is merged with those that are not larger; so each row is written a few
/// times on its way into a full segment, and there are never many segments.
pub(super) struct Writer {
    slots: Vec<Option<Slot>>,
    /// Where each artist that has an embedding lies.
    places: HashTable<Place>,
    hasher: DefaultHashBuilder,
    /// Changes after this version are asked for next.
    from: Version,
    applied: Version,
    generation: u64,
    /// How many bytes it may take.
    bound: u64,
    /// How many of them it may not take until it is loaded.
    spare: u64,
    ledger: Ledger,
    /// What `places` takes.
    places_entry: Entry,
}

/// A segment, and what became of its rows since.
struct Slot {
    piece: Piece,
    living: usize,
}

/// The slot of a segment and the row in it, in one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place(u32);

/// What is stored does not fit into the memory that the index may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLarge {
    /// So many rows fitted.
    pub(super) fitted: usize,
    /// So many more took memory, though they live no more.
    pub(super) dead: usize,
}

impl Writer {
    /// An empty index that may take so many bytes. Its first snapshot has a generation above this one.
    pub(super) fn new(bound: u64, generation: u64, ledger: &Ledger) -> Self {
        Self {
            slots: Vec::new(),
            places: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            from: Version::ZERO,
            applied: Version::ZERO,
            generation: generation + 1,
            bound,
            spare: bound / SPARE_PART,
            ledger: ledger.clone(),
            places_entry: ledger.enter(0),
        }
    }

    /// The version up to which it knows every change.
    pub(super) const fn applied(&self) -> Version {
        self.applied
    }

    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    /// The version after which changes are to be asked for.
    pub(super) const fn from(&self) -> Version {
        self.from
    }

    /// Notes that there is no change that it does not know up to `newest`, of which the feed has told up to `told`.
    ///
    /// What the feed has not told yet is asked for again, as the catalog does: a failover may lose it, and then its
    /// version is that of another change.
    pub(super) fn complete(&mut self, newest: Version, told: Version) {
        self.applied = self.applied.max(newest);
        self.from = told;
        self.spare = 0;
    }

    /// Takes in the next changes of the feed, in its order. `name_of` is the catalog's name of an artist, which is shared
    /// if it is the same.
    pub(super) fn apply(
        &mut self,
        changes: Vec<VectorChange>,
        name_of: impl Fn(&ArtistKey) -> Option<ArtistName>,
    ) -> Result<(), TooLarge> {
        let last = changes.last().map(VectorChange::version);
        let mut text = 0;
        let mut newcomers = Vec::new();
        for change in latest(changes) {
            match change {
                VectorChange::Present { version: _, artist, vector } => {
                    let shared = name_of(artist.key());
                    let shared = shared.filter(|shared| shared.as_str() == artist.as_str());
                    let own = text_of(&artist);
                    let shares = shared.is_some();
                    let newcomer = Newcomer { name: shared.unwrap_or(artist), vector };
                    if self.knows(&newcomer) {
                        continue;
                    }
                    self.bury(newcomer.name.key());
                    text += if shares { 0 } else { own };
                    newcomers.push(newcomer);
                }
                VectorChange::Absent { version: _, key } => self.bury(&key),
                VectorChange::Unnamed { version: _ } => {}
            }
        }
        if !newcomers.is_empty() {
            self.generation += 1;
            self.settle(&newcomers, text)?;
        }
        self.tidy();
        if let Some(last) = last {
            self.from = last;
            self.applied = self.applied.max(last);
        }
        Ok(())
    }

    /// The index as it is now.
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            pieces: self.slots.iter().flatten().map(|slot| slot.piece.clone()).collect(),
            applied: self.applied,
            generation: self.generation,
            vectors: self.places.len(),
        }
    }

    /// Whether an artist is in the index exactly like this.
    fn knows(&self, newcomer: &Newcomer) -> bool {
        let hash = self.hasher.hash_one(newcomer.name.key());
        let own = |place: &Place| key_at(&self.slots, *place) == Some(newcomer.name.key());
        let place = self.places.find(hash, own);
        let slot = place.and_then(|place| self.slots.get(place.slot())?.as_ref());
        slot.zip(place).is_some_and(|(slot, place)| slot.piece.segment.says(place.row(), newcomer))
    }

    /// Ends the life of an artist's row, if there is one.
    fn bury(&mut self, key: &ArtistKey) {
        let hash = self.hasher.hash_one(key);
        let own = |place: &Place| key_at(&self.slots, *place) == Some(key);
        let Ok(found) = self.places.find_entry(hash, own) else { return };
        let (place, _) = found.remove();
        self.generation += 1;
        if let Some(slot) = self.slots.get_mut(place.slot()).and_then(Option::as_mut) {
            Arc::make_mut(&mut slot.piece.live).clear(place.row());
            slot.living -= 1;
        }
    }

    /// Gives newcomers a place, if there is room for them.
    fn settle(&mut self, newcomers: &[Newcomer], text: u64) -> Result<(), TooLarge> {
        // What does not fit as it is has not fitted, though it was tried.
        let fitted = self.places.len();
        if self.has_room_for(newcomers.len()) {
            let origins: Vec<_> = newcomers.iter().map(Origin::New).collect();
            self.add(&origins, text);
            if self.has_room_for(0) {
                return Ok(());
            }
        }
        let rows: usize = self.slots.iter().flatten().map(|slot| slot.piece.segment.len()).sum();
        Err(TooLarge { fitted, dead: rows.saturating_sub(self.places.len()) })
    }

    /// Whether so many rows more would still fit into the memory that the index may take now.
    fn has_room_for(&self, rows: usize) -> bool {
        let segments = self.slots.iter().flatten().map(|slot| slot.piece.segment.bytes());
        let taken = segments.sum::<u64>() + self.places_entry.bytes();
        let needed = u64::try_from(rows).unwrap_or(u64::MAX).saturating_mul(ROW_BYTES);
        taken.saturating_add(needed) <= self.bound - self.spare
    }

    /// Makes segments of these rows and notes where they lie.
    fn add(&mut self, origins: &[Origin<'_>], text: u64) {
        let mut text = Some(text);
        for origins in origins.chunks(SEGMENT) {
            // Counting it with the first is good enough.
            let text = text.take().unwrap_or_default();
            let segment = Arc::new(Segment::of(origins, text, &self.ledger));
            let living = segment.len();
            let live = Arc::new(Bits::all(living));
            let slot = Slot { piece: Piece { segment: Arc::clone(&segment), live }, living };
            let index = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
            match self.slots.get_mut(index) {
                Some(free) => *free = Some(slot),
                None => self.slots.push(Some(slot)),
            }
            for row in 0..living {
                if let Some(name) = segment.name(row) {
                    self.place(name.key(), Place::new(index, row));
                }
            }
        }
        let bytes = u64::try_from(self.places.allocation_size()).unwrap_or(u64::MAX);
        self.places_entry = self.ledger.enter(bytes);
    }

    /// Notes where an artist lies from now on.
    fn place(&mut self, key: &ArtistKey, place: Place) {
        let (slots, hasher) = (&self.slots, &self.hasher);
        let hash = hasher.hash_one(key);
        let own = |place: &Place| key_at(slots, *place) == Some(key);
        let rehash = |place: &Place| key_at(slots, *place).map_or(0, |key| hasher.hash_one(key));
        match self.places.find_mut(hash, own) {
            Some(known) => *known = place,
            None => {
                self.places.insert_unique(hash, place, rehash);
            }
        }
    }

    /// Frees segments in which nobody lives, and writes those anew that became small or worn.
    fn tidy(&mut self) {
        for slot in &mut self.slots {
            if slot.as_ref().is_some_and(|slot| slot.living == 0) {
                *slot = None;
            }
        }
        let chosen = self.to_rewrite();
        if chosen.is_empty() {
            return;
        }
        let pieces: Vec<Piece> = chosen
            .iter()
            .filter_map(|&index| self.slots.get(index)?.as_ref())
            .map(|slot| slot.piece.clone())
            .collect();
        let origins: Vec<_> = pieces
            .iter()
            .flat_map(|Piece { segment, live }| {
                live.within(0, segment.len()).map(|row| Origin::Row(segment, row))
            })
            .collect();
        self.add(&origins, pieces.iter().map(|piece| piece.segment.text()).sum());
        for index in chosen {
            if let Some(slot) = self.slots.get_mut(index) {
                *slot = None;
            }
        }
    }

    /// The slots that are to become one, if any: those that are worn, those with as many rows as all smaller ones
    /// together, and all that are smaller than these.
    fn to_rewrite(&self) -> Vec<usize> {
        let mut loose: Vec<_> = self
            .slots
            .iter()
            .enumerate()
            .filter_map(|(index, slot)| {
                let slot = slot.as_ref()?;
                let rows = slot.piece.segment.len();
                let is_worn = rows < DEAD_PART * (rows - slot.living);
                let is_loose = DEAD_PART * slot.living < (DEAD_PART - 1) * SEGMENT;
                is_loose.then_some((slot.living, is_worn, index))
            })
            .collect();
        loose.sort_unstable();

        let (mut chosen, mut smaller) = (0, 0);
        for (position, &(living, is_worn, _)) in loose.iter().enumerate() {
            if is_worn || (0 < smaller && living <= smaller) {
                chosen = position + 1;
            }
            smaller += living;
        }
        loose.truncate(chosen);
        // The old ones go only after the new ones have come.
        while !self.has_room_for(loose.iter().map(|(living, _, _)| living).sum())
            && loose.pop().is_some()
        {}
        let is_worth_it = 1 < loose.len() || loose.iter().any(|(_, is_worn, _)| *is_worn);
        if is_worth_it {
            loose.into_iter().map(|(_, _, index)| index).collect()
        } else {
            Vec::new()
        }
    }
}

impl Place {
    /// There are never so many segments that the number is too small: few of them are not full.
    fn new(slot: usize, row: usize) -> Self {
        Self(u32::try_from(slot << ROW_BITS | row).unwrap_or(u32::MAX))
    }

    const fn slot(self) -> usize {
        (self.0 >> ROW_BITS) as usize
    }

    const fn row(self) -> usize {
        self.0 as usize % SEGMENT
    }
}

fn key_at(slots: &[Option<Slot>], place: Place) -> Option<&ArtistKey> {
    let slot = slots.get(place.slot())?.as_ref()?;
    Some(slot.piece.segment.name(place.row())?.key())
}

/// How many bytes the text of a name takes, with the counts in front of it.
fn text_of(name: &ArtistName) -> u64 {
    let texts = [name.as_str().len(), name.key().as_str().len()];
    texts.iter().map(|&bytes| u64::try_from(bytes + 2 * size_of::<usize>()).unwrap_or(0)).sum()
}

/// Of several changes to one artist the latest, in the order of the feed.
fn latest(changes: Vec<VectorChange>) -> Vec<VectorChange> {
    let mut seen = HashSet::new();
    let mut latest: Vec<_> = changes
        .into_iter()
        .rev()
        .filter(|change| match change {
            VectorChange::Present { artist, .. } => seen.insert(artist.key().clone()),
            VectorChange::Absent { key, .. } => seen.insert(key.clone()),
            VectorChange::Unnamed { .. } => false,
        })
        .collect();
    latest.reverse();
    latest
}
