//! What the database wrote down about a key.

use std::collections::HashMap;

use super::{Contents, Effect, Known, Left};
use crate::history::{Committed, Event, Operation, OperationId, Outcome, Rule, Violations, Write};

/// Corrects what was acknowledged by what was committed, and adds what nobody was told about.
pub(super) fn enter<'a>(
    entries: &[&Committed],
    known: &mut HashMap<u64, Known<'a>>,
    operations: &[&'a Operation],
    contents: &Contents<'a>,
    violations: &mut Violations,
) {
    let committed: HashMap<u64, &Committed> =
        entries.iter().map(|entry| (entry.version.number(), *entry)).collect();
    known.retain(|version, state| {
        let Some(write) = state.write else { return true };
        let Some(entry) = committed.get(version) else {
            let what = "it was acknowledged and is not in the ledger".to_owned();
            violations.push(Rule::Versions, what, &[write]);
            return false;
        };
        let told = match state.effect {
            Effect::Put(content) => Some(content),
            Effect::Clear => None,
            Effect::Keep => entry.content,
        };
        if told != entry.content {
            let what = format!("the ledger holds {:?} at this version", entry.content);
            violations.push(Rule::Versions, what, &[write]);
        }
        state.effect = entry.content.map_or(Effect::Clear, Effect::Put);
        true
    });

    // The earliest write that may have left nothing without anybody being told which version it took.
    let clearer = operations
        .iter()
        .filter(|operation| match operation.event {
            Event::Write { write, outcome } => match (Effect::of(write), outcome) {
                (Effect::Put(_), _) | (_, Outcome::Done { version: Some(_), .. }) => false,
                // Made by an attempt whose answer was lost; the next one found the artist there.
                (_, Outcome::Needless { .. }) => write == Write::Create,
                (_, Outcome::Unknown | Outcome::Done { version: None, .. }) => true,
            },
            Event::Read { .. } | Event::NoAnswer { .. } => false,
        })
        .min_by_key(|operation| operation.invoked)
        .copied();
    let mut counts: HashMap<OperationId, u32> = HashMap::new();
    for content in entries.iter().filter_map(|entry| entry.content) {
        *counts.entry(content).or_default() += 1;
    }
    let times =
        |content: Option<OperationId>| content.and_then(|it| counts.get(&it)).copied().unwrap_or(0);
    for Committed { version, content, .. } in entries {
        let version = version.number();
        if known.contains_key(&version) {
            continue;
        }
        let (effect, write) = match content {
            Some(content) => (Effect::Put(*content), contents.get(content).copied()),
            None => (Effect::Clear, clearer),
        };
        let Some(write) = write else {
            let what = format!("nobody can have committed version {version} with {content:?}");
            violations.push(Rule::Provenance, what, &[]);
            continue;
        };
        // Of a content that is there twice, nobody knows which one was acknowledged.
        let acknowledged = match (write.event, content) {
            (Event::Write { outcome: Outcome::Done { responded, version: None }, .. }, Some(_))
                if times(*content) == 1 =>
            {
                Some(responded)
            }
            _ => None,
        };
        let state = Known {
            version,
            effect,
            left: Left::Nothing,
            invoked: write.invoked,
            acknowledged,
            write: Some(write),
        };
        known.insert(version, state);
    }
}
