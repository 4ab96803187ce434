//! The states of one key in the order of versions, as far as they are known.

mod ledger;

use std::collections::HashMap;

use domain::Version;

use super::{
    Committed, Event, Mode, Moment, Operation, OperationId, Outcome, Promises, Rule, State,
    Violations, Write,
};

/// A write whose version is known, or the beginning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) version: u64,
    /// What the write did.
    effect: Effect,
    /// What it left.
    pub(super) left: Left,
    pub(super) invoked: Moment,
    /// When it was acknowledged with this version.
    pub(super) acknowledged: Option<Moment>,
    /// The write; `None` for the beginning.
    pub(super) write: Option<&'a Operation>,
}

/// What a write does to its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Put(OperationId),
    Clear,
    Keep,
}

/// What a key holds after a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    Profile(OperationId),
    Nothing,
    /// A write that kept what there was came after one of unknown version: it may be this, or what that one left.
    Unsure(Option<OperationId>),
}

impl Left {
    const fn may_be_nothing(self) -> bool {
        matches!(self, Self::Nothing | Self::Unsure(_))
    }
}

/// A write that leaves nothing, if it happened, and whose version nobody said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Untold<'a> {
    pub(super) write: &'a Operation,
    /// When it was acknowledged; `None` if it never was.
    pub(super) acknowledged: Option<Moment>,
}

/// A read of a profile that some write explains.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) read: &'a Operation,
    pub(super) responded: Moment,
    pub(super) mode: Mode,
    pub(super) version: u64,
}

/// The states of one key.
#[derive(Debug)]
pub(super) struct Timeline<'a> {
    /// By version.
    pub(super) known: Vec<Known<'a>>,
    /// Writes that leave nothing and whose version nobody said.
    pub(super) untold: Vec<Untold<'a>>,
    /// Those of them that may explain why nothing was found: none, if every version is known.
    pub(super) explanations: Vec<Untold<'a>>,
    /// Reads that found a profile, unless nothing explains it.
    pub(super) seen: Vec<Seen<'a>>,
    /// Those of the known states that may be nothing, by version, with the earliest invocation from there on.
    empty: Vec<Empty>,
    /// The same by invocation, with the highest version up to there.
    emptied: Vec<(Moment, u64)>,
    /// From each known state on, the earliest acknowledgement.
    overtaken: Vec<(u64, Option<Moment>)>,
}

#[derive(Debug, Clone, Copy)]
struct Empty {
    version: u64,
    earliest_from_here: Moment,
}

/// Who wrote what, on all keys.
pub(super) type Contents<'a> = HashMap<OperationId, &'a Operation>;

impl<'a> Timeline<'a> {
    /// Puts the writes of one key in order, learns versions from what was read, and reports reads that nothing
    /// explains.
    pub(super) fn of(
        operations: &[&'a Operation],
        contents: &Contents<'a>,
        ledger: Option<&[&Committed]>,
        promises: &Promises,
        violations: &mut Violations,
    ) -> Self {
        let mut known: HashMap<u64, Known<'a>> =
            HashMap::from([(Version::ZERO.number(), beginning())]);
        let mut untold = Vec::new();
        let mut untold_touches = Vec::new();
        for operation in operations {
            let Event::Write { write, outcome } = operation.event else { continue };
            let (version, acknowledged) = match outcome {
                Outcome::Done { responded, version } => (version, Some(responded)),
                Outcome::Unknown => (None, None),
                Outcome::Needless { .. } => continue,
            };
            let effect = Effect::of(write);
            match (version, effect) {
                (Some(version), _) => {
                    let state = Known {
                        version: version.number(),
                        effect,
                        left: Left::Nothing,
                        invoked: operation.invoked,
                        acknowledged,
                        write: Some(operation),
                    };
                    // Of two writes with one version, which is a violation reported elsewhere, one stays.
                    known.insert(version.number(), state);
                }
                (None, Effect::Clear) => untold.push(Untold { write: operation, acknowledged }),
                (None, Effect::Keep) => untold_touches.push(*operation),
                // Nobody need have seen it; if somebody has, the version is learned below.
                (None, Effect::Put(_)) => {}
            }
        }

        if let Some(entries) = ledger {
            ledger::enter(entries, &mut known, operations, contents, violations);
        }
        let explanations = if ledger.is_some() { Vec::new() } else { untold.clone() };

        let mut seen = Vec::new();
        for read in operations {
            let Event::Read { mode, responded, answer } = read.event else { continue };
            let State::Profile { version, content } = answer.state else { continue };
            let version = version.number();
            let Some(write) = contents.get(&content) else {
                violations.push(Rule::Provenance, "nobody wrote this".to_owned(), &[read]);
                continue;
            };
            if write.key != read.key {
                let what = "this was written to another key".to_owned();
                violations.push(Rule::Provenance, what, &[read, write]);
                continue;
            }
            if responded < write.invoked {
                let what = "this was written after it was read".to_owned();
                violations.push(Rule::Provenance, what, &[read, write]);
                continue;
            }
            let state = known.get(&version).copied().or_else(|| {
                let learned = learned(write, version, &untold_touches, responded, promises);
                learned.filter(|_| ledger.is_none())
            });
            let Some(state) = state else {
                let what = format!("no write took version {version}");
                violations.push(Rule::Provenance, what, &[read, write]);
                continue;
            };
            known.entry(version).or_insert(state);
            if responded < state.invoked {
                let what = "the version was taken after it was read".to_owned();
                let proof: Vec<_> = [Some(*read), state.write].into_iter().flatten().collect();
                violations.push(Rule::Provenance, what, &proof);
                continue;
            }
            seen.push(Seen { read, responded, mode, version });
        }

        let known = in_order(known, !explanations.is_empty());
        let seen = consistent(seen, &known, contents, promises, violations);
        let empty = empty(&known);
        let emptied = emptied(&known);
        let overtaken = overtaken(&known);
        Self { known, untold, explanations, seen, empty, emptied, overtaken }
    }

    /// The lowest version that may have left nothing, from `low` on.
    pub(super) fn first_empty(&self, low: u64) -> Option<u64> {
        let from = self.empty.partition_point(|state| state.version < low);
        self.empty.get(from).map(|state| state.version)
    }

    /// Whether some write that may have left nothing has a version from `low` on and was not invoked after `moment`.
    pub(super) fn is_empty_since(&self, low: u64, moment: Moment) -> bool {
        let from = self.empty.partition_point(|state| state.version < low);
        self.empty.get(from).is_some_and(|state| state.earliest_from_here <= moment)
    }

    /// The highest version that may have left nothing and was not invoked after `moment`.
    pub(super) fn last_empty(&self, moment: Moment) -> u64 {
        let later = self.emptied.partition_point(|(invoked, _)| *invoked <= moment);
        let last = later.checked_sub(1).and_then(|last| self.emptied.get(last));
        last.map_or(0, |(_, version)| *version)
    }

    /// When the first write after this version was acknowledged.
    pub(super) fn overtaken(&self, version: u64) -> Option<Moment> {
        let after = self.overtaken.partition_point(|(known, _)| *known <= version);
        self.overtaken.get(after)?.1
    }
}

impl Effect {
    const fn of(write: Write) -> Self {
        match write {
            Write::Save(content) | Write::Edit(content) => Self::Put(content),
            Write::Create | Write::RemoveProfile | Write::RemoveArtist => Self::Clear,
            Write::Touch => Self::Keep,
        }
    }
}

/// Nothing, before every write.
const fn beginning<'a>() -> Known<'a> {
    Known {
        version: Version::ZERO.number(),
        effect: Effect::Clear,
        left: Left::Nothing,
        invoked: Moment::from_nanos(0),
        acknowledged: None,
        write: None,
    }
}

/// What a read tells about a version that nobody was told in an acknowledgement; `None` if nobody can have taken it.
fn learned<'a>(
    write: &'a Operation,
    version: u64,
    untold_touches: &[&'a Operation],
    responded: Moment,
    promises: &Promises,
) -> Option<Known<'a>> {
    let Event::Write { write: what, outcome } = write.event else { return None };
    let by_save = match outcome {
        Outcome::Unknown | Outcome::Done { version: None, .. } => true,
        // An earlier attempt of the same save, whose answer was lost.
        Outcome::Done { version: Some(told), .. } => {
            promises.saves_may_repeat && version < told.number()
        }
        Outcome::Needless { .. } => false,
    };
    let by_touch = untold_touches.iter().find(|touch| touch.invoked <= responded);
    let (effect, by) = match (by_save, by_touch) {
        (true, _) => (Effect::of(what), write),
        (false, Some(touch)) => (Effect::of(what), *touch),
        (false, None) => return None,
    };
    // A touch took place after the save whose content it shows.
    let invoked = write.invoked.max(by.invoked);
    Some(Known {
        version,
        effect,
        left: Left::Nothing,
        invoked,
        acknowledged: None,
        write: Some(by),
    })
}

/// Sorts the states by version and finds out what each write left.
fn in_order(known: HashMap<u64, Known<'_>>, may_be_cleared: bool) -> Vec<Known<'_>> {
    let mut known: Vec<Known<'_>> = known.into_values().collect();
    known.sort_by_key(|state| state.version);
    let mut left = Left::Nothing;
    for state in &mut known {
        left = match (state.effect, left) {
            (Effect::Put(content), _) => Left::Profile(content),
            (Effect::Clear, _) => Left::Nothing,
            (Effect::Keep, Left::Profile(content)) if may_be_cleared => Left::Unsure(Some(content)),
            (Effect::Keep, left) => left,
        };
        state.left = left;
    }
    known
}

/// Keeps the reads whose version belongs to what they found, and reports the others.
fn consistent<'a>(
    seen: Vec<Seen<'a>>,
    known: &[Known<'a>],
    contents: &Contents<'a>,
    promises: &Promises,
    violations: &mut Violations,
) -> Vec<Seen<'a>> {
    let left: HashMap<u64, &Known<'a>> = known.iter().map(|state| (state.version, state)).collect();
    // Whether the content may have been put there below this version without anybody having been told so.
    let may_precede = |content: OperationId, version: u64| {
        let Some(Event::Write { outcome, .. }) = contents.get(&content).map(|write| write.event)
        else {
            return false;
        };
        match outcome {
            Outcome::Unknown | Outcome::Done { version: None, .. } => true,
            Outcome::Done { version: Some(told), .. } => {
                promises.saves_may_repeat && version < told.number()
            }
            Outcome::Needless { .. } => false,
        }
    };
    seen.into_iter()
        .filter(|Seen { read, version, .. }| {
            let Event::Read { answer, .. } = read.event else { return false };
            let State::Profile { content, .. } = answer.state else { return false };
            let Some(state) = left.get(version) else { return false };
            let belongs = match (state.effect, state.left) {
                // A touch after a save whose version nobody knows.
                (Effect::Keep, _) if may_precede(content, *version) => true,
                (_, Left::Profile(there) | Left::Unsure(Some(there))) => there == content,
                (_, Left::Nothing | Left::Unsure(None)) => false,
            };
            if !belongs {
                let what = format!("version {version} left something else: {:?}", state.left);
                let proof: Vec<_> = [Some(*read), state.write].into_iter().flatten().collect();
                violations.push(Rule::Versions, what, &proof);
            }
            belongs
        })
        .collect()
}

fn empty(known: &[Known<'_>]) -> Vec<Empty> {
    let mut earliest: Option<Moment> = None;
    let mut empty: Vec<Empty> = known
        .iter()
        .rev()
        .filter(|state| state.left.may_be_nothing())
        .map(|&Known { version, invoked, .. }| {
            let earliest_from_here = earliest.map_or(invoked, |earliest| earliest.min(invoked));
            earliest = Some(earliest_from_here);
            Empty { version, earliest_from_here }
        })
        .collect();
    empty.reverse();
    empty
}

fn emptied(known: &[Known<'_>]) -> Vec<(Moment, u64)> {
    let mut emptied: Vec<(Moment, u64)> = known
        .iter()
        .filter(|state| state.left.may_be_nothing())
        .map(|state| (state.invoked, state.version))
        .collect();
    emptied.sort_unstable();
    let mut highest = 0;
    for (_, version) in &mut emptied {
        highest = highest.max(*version);
        *version = highest;
    }
    emptied
}

fn overtaken(known: &[Known<'_>]) -> Vec<(u64, Option<Moment>)> {
    let mut earliest: Option<Moment> = None;
    let mut overtaken: Vec<_> = known
        .iter()
        .rev()
        .map(|state| {
            earliest = [earliest, state.acknowledged].into_iter().flatten().min();
            (state.version, earliest)
        })
        .collect();
    overtaken.reverse();
    overtaken
}
