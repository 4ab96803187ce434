//! Histories of the coherent cache: what many callers asked for, what they were told and when, and whether all of that
//! can be true together.
//!
//! # The model
//!
//! Every key holds nothing or a profile. A write moves a key to another state: a save puts a content there that no
//! other save uses, a removal (or the making of an artist) leaves nothing, a touch changes the version only. Each write
//! that changes something takes a version; versions are unique in the store, and their order is the order of commits.
//! Of every operation the history knows the moments of invocation and response on one clock, both measured by the
//! caller, so the operation really took effect between them. "Before" between two operations means that one responded
//! before the other was invoked.
//!
//! # Strict reads and writes are linearizable, key by key
//!
//! They are if and only if each operation can be given a *position*, a version, such that
//!
//! 1. a write's position is the version it took; a read's position is the version of a write that left the state it
//!    returned, or, for a read that found nothing, possibly zero, before all writes;
//! 2. if one operation was before another one, its position is not higher, and is lower when the second is a write;
//! 3. the write at a read's position was not invoked after the read responded.
//!
//! *Such positions are enough*: order the operations of a key by position, at the same position the write first and
//! then the reads as they were invoked. Each read then returns what the last write before it left. The order also
//! extends real time: of two operations of which one was before the other, a lower position decides right by (2);
//! at equal positions the second is no write by (2), the first is a write or a read that was invoked earlier.
//! *They are necessary*: in any linearization writes stand in the order of their versions, because versions order as
//! commits do; give each read the version of the last write before it.
//!
//! A read that found a profile tells its version, so only reads that found nothing leave a choice. Let `low` be the
//! highest position of the operations before such a read, and `high` the lowest one of the operations after it, other
//! reads that found nothing left out on both sides. The read can be placed by itself when some write that left nothing
//! has a version in `low <= version < high`; take the lowest one. Of two such reads, one before the other, the second's
//! `low` is not below the first's, so neither is its position: choices never get into each other's way. (3) is part of
//! `high`, which counts writes that were invoked after the read responded. So checking every operation against `low`
//! and `high`, which takes a sorted list and a binary search each, decides linearizability exactly, as long as all
//! versions are known.
//!
//! A write whose outcome is unknown may take effect at any moment after its invocation, or never. Once a read shows its
//! content, its version is known. A removal of unknown outcome or version may stand anywhere in the room that real time
//! leaves to it; it is not checked whether one removal explains two readings that exclude each other. With such
//! removals a violation is still a proof, but its absence is not.
//!
//! A [`Committed`] state for every version that was committed, written by the database itself, takes that weakness away: then
//! every version is known, and what is not in the ledger never happened. Only the invocation of a removal that nobody
//! was told about may be taken for an earlier one of the same key.
//!
//! Two rules are stronger than linearizability, because the cache's design implies them: a version that any read has
//! shown, a default one too, was committed, so a strict read invoked later must include it; and versions order across
//! keys as well.
//!
//! # Default reads
//!
//! A default read includes every write that its own instance acknowledged before it was invoked, and every write that
//! anybody acknowledged longer than `max_staleness` before it was invoked (`max_stale_if_error` if the answer is marked
//! as stale). No slack is added: one clock measures both. An answer of age `a` was known to be current at some moment
//! after `invoked - a`, so it includes every write acknowledged before that. To include a write is to return a state
//! that is not older than it; for a profile the version decides, for nothing there must be a write that left nothing
//! whose version is high enough and which was invoked before the read responded.
//!
//! # At the end
//!
//! When everything came to rest, every instance answers with what the database holds, strictly or not.

mod check;
mod floor;
mod operation;

mod report;
mod stopwatch;
mod timeline;
mod violation;

pub use check::check;
pub use operation::{
    Answer, Event, Mode, Moment, Operation, OperationId, Outcome, State, Tier, Write,
};

pub use report::Report;
pub use stopwatch::Stopwatch;
pub use violation::{Rule, Violation, Violations};

use std::time::Duration;

use domain::Version;

/// Everything that happened in a run.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// What was done, in any order.
    pub operations: Vec<Operation>,
    /// What each key held after everything came to rest.
    pub settled: Vec<Settled>,
    /// Every version that was committed, if the database wrote that down.
    pub ledger: Option<Vec<Committed>>,
}

/// A state that the database committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The key.
    pub key: u16,
    /// The version.
    pub version: Version,
    /// Whose content was there; `None` when there was no profile.
    pub content: Option<OperationId>,
}

/// A key after everything came to rest.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// The key.
    pub key: u16,
    /// Before the database was asked.
    pub asked: Moment,
    /// When the database had answered.
    pub answered: Moment,
    /// What the database holds.
    pub stored: State,
    /// What the instances answered when they were asked afterwards.
    pub reads: Vec<Operation>,
}

/// What the cache promises, and what its store may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promises {
    /// The bound on default reads.
    pub max_staleness: Duration,
    /// The bound on answers that are marked as stale.
    pub max_stale_if_error: Duration,
    /// Whether a save may take effect more than once, because the store tries it again after a lost answer. With a
    /// ledger this makes no difference.
    pub saves_may_repeat: bool,
}
