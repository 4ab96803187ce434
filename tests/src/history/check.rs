//! Holding a history against the promises.

mod key;
#[cfg(test)]
mod search;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, hash_map::Entry};

use super::{
    Answer, Committed, Event, History, Mode, Moment, Operation, OperationId, Outcome, Promises,
    Report, Rule, Settled, Tier, Violations, Write,
    report::Counts,
    timeline::{Contents, Timeline},
};
use key::Key;

/// Checks everything that the module promises, and counts.
///
/// Takes a time of `n log n` in the number of operations, unless many removals of unknown outcome have to explain what
/// was read.
#[must_use]
pub fn check(history: &History, promises: &Promises) -> Report {
    let mut violations = Violations::default();
    let mut counts = Counts::default();
    let stored: Vec<Operation> = history.settled.iter().map(Settled::as_read).collect();
    let operations: Vec<&Operation> = history
        .operations
        .iter()
        .chain(history.settled.iter().flat_map(|settled| &settled.reads))
        .chain(&stored)
        .collect();

    for operation in &history.operations {
        counts.add(operation);
    }
    check_counter(&operations, &mut violations);
    let contents = contents(&operations, &mut violations);
    let mut keys: BTreeMap<u16, Vec<&Operation>> = BTreeMap::new();
    for operation in &operations {
        keys.entry(operation.key).or_default().push(*operation);
    }
    let ledger = history.ledger.as_ref().map(|entries| {
        let mut keys: HashMap<u16, Vec<&Committed>> = HashMap::new();
        for entry in entries {
            keys.entry(entry.key).or_default().push(entry);
        }
        keys
    });
    for (key, operations) in &keys {
        let ledger = ledger.as_ref().map(|keys| keys.get(key).map_or(&[][..], Vec::as_slice));
        let timeline = Timeline::of(operations, &contents, ledger, promises, &mut violations);
        let key = Key::of(operations, &timeline);
        key.check_versions(&mut violations);
        key.check_reads(promises, &mut violations);
        key.measure(&mut counts);
    }
    for settled in &history.settled {
        settled.check(&mut violations);
    }
    Report::new(counts, violations)
}

/// Versions are unique and order as commits do, on all keys together.
fn check_counter(operations: &[&Operation], violations: &mut Violations) {
    let mut taken: Vec<(u64, Moment, &Operation)> = operations
        .iter()
        .filter_map(|operation| match operation.event {
            Event::Write {
                outcome: Outcome::Done { responded, version: Some(version) }, ..
            } => Some((version.number(), responded, *operation)),
            Event::Write { .. } | Event::Read { .. } | Event::NoAnswer { .. } => None,
        })
        .collect();
    taken.sort_by_key(|(version, ..)| *version);

    let mut previous: Option<(u64, &Operation)> = None;
    let mut latest: Option<&Operation> = None;
    for (version, responded, write) in taken {
        if let Some((_, other)) = previous.filter(|(other, _)| *other == version) {
            let what = format!("two writes took version {version}");
            violations.push(Rule::Versions, what, &[other, write]);
        }
        if let Some(lower) = latest.filter(|lower| responded < lower.invoked) {
            let what = "the earlier write took the higher version".to_owned();
            violations.push(Rule::Versions, what, &[write, lower]);
        }
        previous = Some((version, write));
        if latest.is_none_or(|latest| latest.invoked < write.invoked) {
            latest = Some(write);
        }
    }
}

fn contents<'a>(operations: &[&'a Operation], violations: &mut Violations) -> Contents<'a> {
    let mut contents: HashMap<OperationId, &Operation> = HashMap::new();
    for operation in operations {
        let Event::Write { write: Write::Save(content) | Write::Edit(content), .. } =
            operation.event
        else {
            continue;
        };
        match contents.entry(content) {
            Entry::Vacant(place) => {
                place.insert(*operation);
            }
            Entry::Occupied(other) => {
                let what = "two writes of the history have one content".to_owned();
                violations.push(Rule::Provenance, what, &[other.get(), operation]);
            }
        }
    }
    contents
}

impl Settled {
    /// The database's answer, as that of one more instance.
    fn as_read(&self) -> Operation {
        let Self { key, asked, answered, stored, reads: _ } = self;
        let answer = Answer { state: *stored, tier: Tier::Database, age: None, stale: false };
        Operation {
            instance: u16::MAX,
            key: *key,
            invoked: *asked,
            event: Event::Read { mode: Mode::Strict, responded: *answered, answer },
        }
    }

    fn check(&self, violations: &mut Violations) {
        for read in &self.reads {
            let holds = match read.event {
                Event::Read { answer, .. } => answer.state == self.stored && !answer.stale,
                Event::NoAnswer { .. } | Event::Write { .. } => false,
            };
            if !holds {
                let what = format!("the database holds {}", self.stored);
                violations.push(Rule::Rest, what, &[read]);
            }
        }
    }
}
