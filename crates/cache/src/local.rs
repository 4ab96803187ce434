//! The tier in the memory of this instance.

use std::{borrow::Borrow, hash::Hash, sync::Arc};

use domain::{ArtistId, Version};
use hashbrown::DefaultHashBuilder;
use moka::{
    ops::compute::Op,
    sync::{Cache, CacheBuilder},
};

/// A value that has a version and a size.
pub(crate) trait Versioned: Send + Sync + 'static {
    /// The version of the artist that this value belongs to.
    fn version(&self) -> Version;

    /// About how many bytes it takes, everything that it owns included.
    fn bytes(&self) -> usize;
}

/// What the cache itself needs for each entry: two list nodes, a hash slot, counters.
const OVERHEAD: usize = 256;

/// Values by artist, or by another key, as many as fit into a number of bytes; those that are read often stay.
///
/// A removed artist that is made again has another identity, so the two never meet here.
pub(crate) struct Local<V, K = ArtistId> {
    values: Option<Cache<K, Arc<V>, DefaultHashBuilder>>,
}

impl<V: Versioned, K: Hash + Eq + Send + Sync + 'static> Local<V, K> {
    /// A tier of this many bytes; of none, nothing is kept.
    pub(crate) fn new(capacity_bytes: u64) -> Self {
        let build = || {
            CacheBuilder::new(capacity_bytes)
                .weigher(|_: &K, value: &Arc<V>| {
                    u32::try_from(value.bytes().saturating_add(OVERHEAD)).unwrap_or(u32::MAX)
                })
                .build_with_hasher(DefaultHashBuilder::default())
        };
        Self { values: (capacity_bytes != 0).then(build) }
    }

    /// The value at exactly this version.
    pub(crate) fn find<Q>(&self, id: &Q, version: Version) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.values.as_ref()?.get(id).filter(|value| value.version() == version)
    }

    /// Keeps a value unless one that is as new is there. Returns whether it was taken.
    pub(crate) fn put(&self, id: K, value: Arc<V>) -> bool {
        let Some(values) = &self.values else { return false };
        let outcome = values.entry(id).and_compute_with(|held| match held {
            Some(held) if value.version() <= held.value().version() => Op::Nop,
            Some(_) | None => Op::Put(value),
        });
        matches!(
            outcome,
            moka::ops::compute::CompResult::Inserted(_)
                | moka::ops::compute::CompResult::ReplacedWith(_)
        )
    }

    /// Forgets what is kept under a key.
    pub(crate) fn forget<Q>(&self, id: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some(values) = &self.values {
            values.invalidate(id);
        }
    }

    /// How many values are kept, and how many bytes they take. Both lag a little behind.
    pub(crate) fn size(&self) -> (u64, u64) {
        self.values.as_ref().map_or((0, 0), |values| (values.entry_count(), values.weighted_size()))
    }
}
