//! What cannot be true together.

use std::{collections::BTreeMap, fmt};

use super::Operation;

/// A broken promise, with the operations that prove it.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// The promise.
    pub rule: Rule,
    /// What is wrong.
    pub what: String,
    /// The proof.
    pub proof: Vec<Operation>,
}

/// A promise that a history can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Versions are unique, order as commits do across all keys, and each belongs to one content.
    Versions,
    /// Nothing is read that nobody wrote to this key, or that nobody had begun to write.
    Provenance,
    /// Strict reads and writes are linearizable.
    Strict,
    /// Default reads include the writes of their instance.
    OwnWrites,
    /// Default reads are not older than the bound; those that are marked as stale not older than theirs.
    Staleness,
    /// An answer is not older than it says.
    Age,
    /// Strict answers are never marked as stale.
    Marking,
    /// At the end all instances hold what the database holds.
    Rest,
}

/// Every violation counted, and the first ones of each rule kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Violations {
    kept: BTreeMap<Rule, Vec<Violation>>,
    counts: BTreeMap<Rule, u64>,
}

impl Violations {
    /// How many of each rule are kept.
    const KEPT: usize = 10;

    pub(super) fn push(&mut self, rule: Rule, what: String, proof: &[&Operation]) {
        *self.counts.entry(rule).or_default() += 1;
        let kept = self.kept.entry(rule).or_default();
        if kept.len() < Self::KEPT {
            let proof = proof.iter().map(|operation| **operation).collect();
            kept.push(Violation { rule, what, proof });
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// How often each rule was broken.
    #[must_use]
    pub const fn counts(&self) -> &BTreeMap<Rule, u64> {
        &self.counts
    }

    /// The first violations of each rule.
    pub fn kept(&self) -> impl Iterator<Item = &Violation> {
        self.kept.values().flatten()
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {}", self.rule, self.what)?;
        self.proof.iter().try_for_each(|operation| write!(formatter, "\n    {operation}"))
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return formatter.write_str("no violation");
        }
        write!(formatter, "violations: {:?}", self.counts)?;
        self.kept().try_for_each(|violation| write!(formatter, "\n  {violation}"))
    }
}
