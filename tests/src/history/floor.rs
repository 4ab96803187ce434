//! What must be known at a moment, and what cannot be known yet.

use super::{Moment, Operation};

/// A version that something proves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Proof<'a> {
    /// When it was proved.
    pub(super) at: Moment,
    /// The version.
    pub(super) version: u64,
    /// Whether the version was told; otherwise it is the lowest one possible.
    pub(super) told: bool,
    /// By whom.
    pub(super) by: &'a Operation,
}

impl Proof<'_> {
    /// Something that left nothing, took a version that nobody was told, and is not older than this, took a higher
    /// version than the one returned. It may be what this is the proof of.
    pub(super) const fn untold_after(&self) -> u64 {
        if self.told { self.version } else { self.version.saturating_sub(1) }
    }
}

/// The highest version that was proved before a moment.
#[derive(Debug, Default)]
pub(super) struct Floor<'a>(Vec<Proof<'a>>);

impl<'a> Floor<'a> {
    pub(super) fn of(mut proofs: Vec<Proof<'a>>) -> Self {
        proofs.sort_by_key(|proof| proof.at);
        Self(records(proofs, |proof, record| record.version < proof.version))
    }

    pub(super) fn before(&self, moment: Moment) -> Option<Proof<'a>> {
        let known = self.0.partition_point(|proof| proof.at < moment);
        self.0.get(known.checked_sub(1)?).copied()
    }
}

/// The lowest version that only operations after a moment prove.
#[derive(Debug, Default)]
pub(super) struct Ceiling<'a>(Vec<Proof<'a>>);

impl<'a> Ceiling<'a> {
    pub(super) fn of(mut proofs: Vec<Proof<'a>>) -> Self {
        proofs.sort_by_key(|proof| std::cmp::Reverse(proof.at));
        Self(records(proofs, |proof, record| proof.version < record.version))
    }

    pub(super) fn after(&self, moment: Moment) -> Option<Proof<'a>> {
        let later = self.0.partition_point(|proof| moment < proof.at);
        self.0.get(later.checked_sub(1)?).copied()
    }
}

/// Those that say more than all before them.
fn records<'a>(
    proofs: Vec<Proof<'a>>,
    says_more: impl Fn(&Proof<'a>, &Proof<'a>) -> bool,
) -> Vec<Proof<'a>> {
    let mut records: Vec<Proof<'a>> = Vec::new();
    for proof in proofs {
        if records.last().is_none_or(|record| says_more(&proof, record)) {
            records.push(proof);
        }
    }
    records
}
