//! What a reader asks for, and what an answer says of itself.

use std::time::Duration;

/// Which writes an answer must include.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Freshness {
    /// Every write that was committed [`Bounds::max_staleness`] before the read began, as a rule all but those of the
    /// last milliseconds; and every write acknowledged by this instance before the read began.
    #[default]
    Default,
    /// Every write that any instance acknowledged before the read began.
    Strict,
}

/// How old an answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How long ago the catalog may have been confirmed for a default read to rely on it.
    pub max_staleness: Duration,
    /// How long after the database became unreachable the last good value may still be handed out, marked as stale.
    /// Zero turns this off.
    pub max_stale_if_error: Duration,
}

/// 1 s; 10 min when the database is unreachable.
impl Default for Bounds {
    fn default() -> Self {
        Self { max_staleness: Duration::from_secs(1), max_stale_if_error: Duration::from_mins(10) }
    }
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tier {
    /// The catalog knew that there is nothing.
    Catalog,
    /// The memory of this instance.
    Memory,
    /// The tier that instances share.
    Shared,
    /// The database.
    Database,
}

impl Tier {
    /// The tier's name as it is written in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Catalog => "catalog",
            Self::Memory => "memory",
            Self::Shared => "redis",
            Self::Database => "database",
        }
    }
}

/// An answer, and what it can be trusted for.
#[derive(Debug, Clone, PartialEq)]
pub struct Read<T> {
    /// What was found; `None` when there is nothing.
    pub value: Option<T>,
    /// Where it was found.
    pub tier: Tier,
    /// How long ago it was known to be current.
    pub age: Duration,
    /// Whether it may be older than the read was promised, because the database cannot be reached.
    pub stale: bool,
}

impl<T> Read<T> {
    /// The same answer with something else in it.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Read<U> {
        let Self { value, tier, age, stale } = self;
        Read { value: value.map(convert), tier, age, stale }
    }
}
