//! Promises that were broken.

use std::{collections::BTreeMap, fmt};

/// What is promised of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// What was acknowledged is there, and a repetition is answered as the first time.
    NothingIsLost,
    /// No entry is there twice.
    NothingCountsTwice,
    /// An array is there altogether or not at all.
    ArraysAreWhole,
    /// An entry is what was sent.
    NothingIsAltered,
    /// What was refused, or never sent, is not there.
    NothingIsMadeUp,
    /// Sums include whatever was acknowledged before they were asked for, and never become less.
    SumsKeepUp,
    /// Sums include nothing that nobody has sent.
    SumsAreEarned,
    /// Sums are what the entries say.
    SumsAreExact,
    /// `stats verify` finds nothing, unless there is something to find; then `stats rebuild` repairs it.
    SumsAreVerified,
    /// A request is answered in a way that is documented, and in the end it is answered.
    ServiceBehaves,
}

/// A promise that was broken, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) rule: Rule,
    pub(crate) how: String,
}

impl Rule {
    /// That this one was broken.
    pub(crate) fn broken(self, how: impl Into<String>) -> Violation {
        Violation { rule: self, how: how.into() }
    }
}

/// All that were broken.
#[derive(Debug, Clone, Default)]
pub(crate) struct Violations(pub(crate) Vec<Violation>);

impl Violations {
    /// Whether one of them is of this rule.
    pub(crate) fn include(&self, rule: Rule) -> bool {
        self.0.iter().any(|violation| violation.rule == rule)
    }
}

/// Writes how often each rule was broken, and the first few of them in full.
impl fmt::Display for Violations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST_SHOWN: usize = 3;

        let mut by_rule: BTreeMap<Rule, Vec<&str>> = BTreeMap::new();
        for Violation { rule, how } in &self.0 {
            by_rule.entry(*rule).or_default().push(how);
        }
        for (rule, all) in by_rule {
            writeln!(formatter, "{rule:?} is broken {} times:", all.len())?;
            for how in all.iter().take(MOST_SHOWN) {
                writeln!(formatter, "    {how}")?;
            }
        }
        Ok(())
    }
}
