//! What is current: every artist of the store, and the version it is at.

use std::{
    hash::BuildHasher,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use domain::{ArtistId, ArtistKey, ArtistName, Change, Version};
use hashbrown::{DefaultHashBuilder, HashMap, hash_map::Entry};
use parking_lot::{Mutex, RwLock};
use tokio::time::Instant;

/// Readers of different artists seldom meet at one lock.
const SHARDS: usize = 64;
const SHARDS_U64: u64 = SHARDS as u64;

/// Every artist by key. Readers take one short lock of a shard; those who write are one at a time.
pub(crate) struct Catalog {
    shards: Box<[RwLock<HashMap<ArtistKey, Standing>>]>,
    hasher: DefaultHashBuilder,
    /// The last version up to which every change is in the catalog. Written with `writing` held.
    applied: AtomicU64,
    /// The highest version that is known, from the feed or ahead of it.
    newest: AtomicU64,
    /// How many artists have a profile. Written with the lock of a shard held.
    profiles: AtomicU64,
    writing: Mutex<()>,
    /// When the catalog was last known to be complete, in nanoseconds after `epoch`; 0 for never.
    confirmed: AtomicU64,
    /// Confirmations of an earlier time count for nothing, in nanoseconds after `epoch`.
    distrusted: AtomicU64,
    epoch: Instant,
}

/// What is known of one artist.
#[derive(Debug)]
enum Standing {
    /// It is stored.
    Present(Known),
    /// It was removed by this instance as of this version, which the feed has not told yet.
    Gone(Version),
}

#[derive(Debug)]
struct Known {
    id: ArtistId,
    name: ArtistName,
    version: Version,
    has_profile: bool,
    /// Reads of the profile since somebody last asked.
    reads: AtomicU32,
}

impl Standing {
    const fn version(&self) -> Version {
        match self {
            Self::Present(known) => known.version,
            Self::Gone(version) => *version,
        }
    }

    const fn has_profile(&self) -> bool {
        match self {
            Self::Present(known) => known.has_profile,
            Self::Gone(_) => false,
        }
    }
}

/// An artist as the catalog has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Current {
    pub(crate) id: ArtistId,
    pub(crate) version: Version,
    pub(crate) has_profile: bool,
}

/// The outcome of looking an artist up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Looked {
    /// The artist, unless there is none.
    pub(crate) current: Option<Current>,
    /// Anything found elsewhere below this version is out of date.
    pub(crate) least: Version,
}

impl Catalog {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            hasher: DefaultHashBuilder::default(),
            applied: AtomicU64::new(0),
            newest: AtomicU64::new(0),
            profiles: AtomicU64::new(0),
            writing: Mutex::new(()),
            confirmed: AtomicU64::new(0),
            distrusted: AtomicU64::new(0),
            epoch: Instant::now(),
        }
    }

    /// Looks an artist up and counts that. Read [`Self::confirmed`] before, never after: then what is found is at least
    /// as new.
    pub(crate) fn look_up(&self, key: &ArtistKey) -> Looked {
        match self.shard(key).read().get(key) {
            Some(Standing::Present(known)) => {
                known.reads.fetch_add(1, Ordering::Relaxed);
                Looked { current: Some(known.current()), least: known.version }
            }
            Some(Standing::Gone(version)) => Looked { current: None, least: after(*version) },
            None => Looked { current: None, least: after(self.applied()) },
        }
    }

    /// Whether this is the version that the artist is at.
    pub(crate) fn is_current(&self, key: &ArtistKey, version: Version) -> bool {
        match self.shard(key).read().get(key) {
            Some(Standing::Present(known)) => known.version == version,
            Some(Standing::Gone(_)) | None => false,
        }
    }

    /// The version up to which every change of the store is in the catalog.
    pub(crate) fn applied(&self) -> Version {
        Version::new(self.applied.load(Ordering::Acquire))
    }

    /// The highest version that is known: the last one applied, or one of this instance that the feed has not told yet.
    pub(crate) fn newest(&self) -> Version {
        Version::new(self.newest.load(Ordering::Acquire))
    }

    fn note(&self, version: Version) {
        self.newest.fetch_max(version.number(), Ordering::AcqRel);
    }

    /// Applies the next changes of the feed, in its order.
    pub(crate) fn apply(&self, changes: Vec<Change>) {
        let _writing = self.writing.lock();
        for change in changes {
            let version = change.version();
            match change {
                Change::Present { version, id, artist, has_profile } => {
                    self.put(id, artist, version, has_profile);
                }
                Change::Removed { version, key } => self.clear(&key, version),
                // No reader can ask for it.
                Change::Unnamed { version: _ } => {}
            }
            self.applied.fetch_max(version.number(), Ordering::Release);
            self.note(version);
        }
    }

    /// Notes an artist that was just read or written at this version, ahead of the feed.
    ///
    /// What the feed has told already is not taken again: it may have been removed since.
    pub(crate) fn learn(
        &self,
        id: ArtistId,
        artist: &ArtistName,
        version: Version,
        has_profile: bool,
    ) {
        let _writing = self.writing.lock();
        self.note(version);
        if self.applied() < version {
            self.put(id, artist.clone(), version, has_profile);
        }
    }

    /// Notes that a known artist has no profile as of this version, ahead of the feed. Returns `false` when the artist
    /// is not known, so that only the feed can tell.
    pub(crate) fn learn_bare(&self, key: &ArtistKey, version: Version) -> bool {
        let _writing = self.writing.lock();
        self.note(version);
        if version <= self.applied() {
            return true;
        }
        match self.shard(key).write().get_mut(key) {
            Some(Standing::Present(known)) => {
                if known.version < version {
                    self.count(known.has_profile, false);
                    known.version = version;
                    known.has_profile = false;
                }
                true
            }
            Some(Standing::Gone(gone)) => version < *gone,
            None => false,
        }
    }

    /// Notes that an artist is removed as of this version, ahead of the feed.
    pub(crate) fn learn_gone(&self, key: &ArtistKey, version: Version) {
        let _writing = self.writing.lock();
        self.note(version);
        if version <= self.applied() {
            return;
        }
        match self.shard(key).write().entry(key.clone()) {
            Entry::Occupied(mut held) if held.get().version() < version => {
                self.count(held.get().has_profile(), false);
                held.insert(Standing::Gone(version));
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(place) => {
                place.insert(Standing::Gone(version));
            }
        }
    }

    fn put(&self, id: ArtistId, name: ArtistName, version: Version, has_profile: bool) {
        let mut shard = self.shard(name.key()).write();
        match shard.entry(name.key().clone()) {
            Entry::Occupied(mut held) => match held.get_mut() {
                Standing::Present(known) if known.version < version => {
                    self.count(known.has_profile, has_profile);
                    // Whoever holds the name goes on sharing it.
                    let same = known.name.as_str() == name.as_str();
                    *known = Known {
                        id,
                        name: if same { known.name.clone() } else { name },
                        version,
                        has_profile,
                        reads: AtomicU32::new(known.reads.load(Ordering::Relaxed)),
                    };
                }
                Standing::Gone(gone) if *gone < version => {
                    self.count(false, has_profile);
                    held.insert(Standing::Present(Known::new(id, name, version, has_profile)));
                }
                Standing::Present(_) | Standing::Gone(_) => {}
            },
            Entry::Vacant(place) => {
                self.count(false, has_profile);
                place.insert(Standing::Present(Known::new(id, name, version, has_profile)));
            }
        }
    }

    fn clear(&self, key: &ArtistKey, version: Version) {
        let mut shard = self.shard(key).write();
        if let Entry::Occupied(held) = shard.entry(key.clone())
            && held.get().version() <= version
        {
            self.count(held.get().has_profile(), false);
            held.remove();
        }
    }

    /// Counts the profile that an artist had, or has from now on.
    fn count(&self, had: bool, has: bool) {
        match (had, has) {
            (false, true) => {
                self.profiles.fetch_add(1, Ordering::Relaxed);
            }
            (true, false) => {
                self.profiles.fetch_sub(1, Ordering::Relaxed);
            }
            (true, true) | (false, false) => {}
        }
    }

    /// How many artists have a profile.
    pub(crate) fn profiles(&self) -> u64 {
        self.profiles.load(Ordering::Relaxed)
    }

    /// When the catalog was last known to be complete; `None` before it was loaded, or when it is not to be trusted.
    pub(crate) fn confirmed(&self) -> Option<Instant> {
        let confirmed = self.confirmed.load(Ordering::Acquire);
        let trusted = self.distrusted.load(Ordering::Acquire) < confirmed;
        trusted.then(|| self.epoch + Duration::from_nanos(confirmed))
    }

    /// Notes that everything committed before this time has been applied.
    pub(crate) fn confirm(&self, asked: Instant) {
        self.confirmed.fetch_max(self.nanos(asked), Ordering::AcqRel);
    }

    /// Makes every confirmation of before this moment worthless.
    pub(crate) fn distrust(&self) {
        self.distrusted.fetch_max(self.nanos(Instant::now()), Ordering::AcqRel);
    }

    /// When confirmations were last made worthless.
    pub(crate) fn distrusted(&self) -> Option<Instant> {
        let distrusted = self.distrusted.load(Ordering::Acquire);
        (distrusted != 0).then(|| self.epoch + Duration::from_nanos(distrusted))
    }

    /// How many artists there are.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().len()).sum()
    }

    /// Takes the number of lookups since the last call, of each artist that was looked up.
    pub(crate) fn take_reads(&self) -> Vec<(ArtistKey, u64)> {
        let mut reads = Vec::new();
        for shard in &self.shards {
            for (key, standing) in shard.read().iter() {
                if let Standing::Present(known) = standing {
                    let count = known.reads.swap(0, Ordering::Relaxed);
                    if count != 0 {
                        reads.push((key.clone(), u64::from(count)));
                    }
                }
            }
        }
        reads
    }

    /// The name of an artist.
    pub(crate) fn name_of(&self, key: &ArtistKey) -> Option<ArtistName> {
        match self.shard(key).read().get(key) {
            Some(Standing::Present(known)) => Some(known.name.clone()),
            Some(Standing::Gone(_)) | None => None,
        }
    }

    /// The name of every artist, in no order.
    pub(crate) fn names(&self) -> Vec<ArtistName> {
        let mut names = Vec::with_capacity(self.len());
        for shard in &self.shards {
            names.extend(shard.read().values().filter_map(|standing| match standing {
                Standing::Present(known) => Some(known.name.clone()),
                Standing::Gone(_) => None,
            }));
        }
        names
    }

    fn shard(&self, key: &ArtistKey) -> &RwLock<HashMap<ArtistKey, Standing>> {
        let hash = usize::try_from(self.hasher.hash_one(key) % SHARDS_U64).unwrap_or(0);
        #[expect(clippy::indexing_slicing, reason = "the remainder is below the number of shards")]
        &self.shards[hash]
    }

    fn nanos(&self, time: Instant) -> u64 {
        // Never 0, which stands for never. 64 bits last for centuries.
        let nanos = time.saturating_duration_since(self.epoch).as_nanos();
        u64::try_from(nanos).unwrap_or(u64::MAX).max(1)
    }
}

impl Known {
    const fn new(id: ArtistId, name: ArtistName, version: Version, has_profile: bool) -> Self {
        Self { id, name, version, has_profile, reads: AtomicU32::new(0) }
    }

    const fn current(&self) -> Current {
        Current { id: self.id, version: self.version, has_profile: self.has_profile }
    }
}

const fn after(version: Version) -> Version {
    Version::new(version.number().saturating_add(1))
}
