//! What a run showed, in numbers.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::{Event, Mode, Operation, Outcome, Tier, Violations, Write};

/// What a run showed.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Operations of the run, those that failed included.
    pub operations: u64,
    /// Operations by kind and outcome.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Answered reads by who answered them.
    pub tiers: BTreeMap<Tier, u64>,
    /// How far default reads were behind: at the median, for 99 and 99.9 of a hundred, and at most. A read is behind by
    /// the time from the first acknowledgement of a later write to the read's invocation.
    pub behind: [Duration; 4],
    /// Answers marked as stale.
    pub stale: u64,
    /// The furthest that one of them was behind.
    pub stale_behind: Duration,
    /// Default reads that showed an older version than an earlier one of the same instance. That is allowed within the
    /// bound: an answer straight from the database may be ahead of the catalog.
    pub went_back: u64,
    /// What was violated.
    pub violations: Violations,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    operations: u64,
    kinds: BTreeMap<&'static str, u64>,
    tiers: BTreeMap<Tier, u64>,
    behind: Vec<Duration>,
    stale: u64,
    stale_behind: Duration,
    pub(super) went_back: u64,
}

impl Counts {
    pub(super) fn add(&mut self, operation: &Operation) {
        self.operations += 1;
        *self.kinds.entry(kind(operation)).or_default() += 1;
        if let Event::Read { answer, .. } = operation.event {
            *self.tiers.entry(answer.tier).or_default() += 1;
            self.stale += u64::from(answer.stale);
        }
    }

    pub(super) fn behind(&mut self, stale: bool, by: Duration) {
        if stale {
            self.stale_behind = self.stale_behind.max(by);
        } else {
            self.behind.push(by);
        }
    }
}

impl Report {
    pub(super) fn new(counts: Counts, violations: Violations) -> Self {
        let Counts { operations, kinds, tiers, mut behind, stale, stale_behind, went_back } =
            counts;
        behind.sort_unstable();
        let at = |thousandths: usize| {
            let place = behind.len().saturating_sub(1) * thousandths / 1_000;
            behind.get(place).copied().unwrap_or_default()
        };
        let behind = [at(500), at(990), at(999), at(1_000)];
        Self { operations, kinds, tiers, behind, stale, stale_behind, went_back, violations }
    }

    /// Whether every promise was kept.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }
}

const fn kind(operation: &Operation) -> &'static str {
    match operation.event {
        Event::Read { mode: Mode::Default, .. } => "default reads",
        Event::Read { mode: Mode::Strict, .. } => "strict reads",
        Event::NoAnswer { mode: Mode::Default } => "default reads that failed",
        Event::NoAnswer { mode: Mode::Strict } => "strict reads that failed",
        Event::Write { outcome: Outcome::Unknown, .. } => "writes of unknown outcome",
        Event::Write { outcome: Outcome::Needless { .. }, .. } => "writes with nothing to do",
        Event::Write { write, outcome: Outcome::Done { .. } } => match write {
            Write::Save(_) => "saves",
            Write::Edit(_) => "edits by SQL",
            Write::Touch => "touches by SQL",
            Write::Create => "artists made",
            Write::RemoveProfile => "profiles removed",
            Write::RemoveArtist => "artists removed",
        },
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            operations,
            kinds,
            tiers,
            behind: [median, most, nearly_all, all],
            stale,
            stale_behind,
            went_back,
            violations,
        } = self;
        writeln!(formatter, "{operations} operations")?;
        for (kind, count) in kinds {
            writeln!(formatter, "  {count:>9} {kind}")?;
        }
        writeln!(formatter, "reads answered by")?;
        for (tier, count) in tiers {
            writeln!(formatter, "  {count:>9} {}", format!("{tier:?}").to_lowercase())?;
        }
        writeln!(
            formatter,
            "default reads were behind by {median:?} at the median, {most:?} at 99 %, {nearly_all:?} at 99.9 %, {all:?} \
             at most"
        )?;
        writeln!(formatter, "{stale} answers marked stale, behind by {stale_behind:?} at most")?;
        writeln!(formatter, "{went_back} default reads went back behind an earlier one")?;
        write!(formatter, "{violations}")
    }
}
