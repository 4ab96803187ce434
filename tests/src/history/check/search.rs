//! The checker against a search through all orders, on small random histories.

use domain::Version;

use super::check;
use crate::history::{
    Answer, Committed, Event, History, Mode, Moment, Operation, OperationId, Outcome, Promises,
    State, Tier, Write,
};

/// Enough for every kind of mistake to be made in many ways.
const HISTORIES: u64 = 20_000;

/// Reproducible numbers: xorshift64* by Marsaglia and Vigna.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }

    fn place(&mut self, places: usize) -> usize {
        self.below(places as u64).try_into().unwrap()
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// A history of one key that could have happened, of which a detail may then be changed.
fn history(random: &mut Random, unknown: bool) -> (Vec<Operation>, Vec<Committed>) {
    let count = 2 + random.below(6);
    let mut version = 1;
    let mut state = State::Nothing;
    let mut states = vec![state];
    let mut operations = Vec::new();
    let mut ledger = Vec::new();
    for number in 0..count {
        let point = 10_000_000 * (number + 1);
        let invoked = point.saturating_sub(random.below(25) * 1_000_000);
        let responded = point + (1 + random.below(25)) * 1_000_000;
        let event = if random.chance(45) {
            strict(responded, state)
        } else {
            version += 1 + random.below(3);
            let (write, next) = match (random.below(4), state) {
                (0 | 1, _) => (Write::Save(OperationId(number)), Some(OperationId(number))),
                (2, _) => (Write::RemoveProfile, None),
                (_, State::Profile { content, .. }) => (Write::Touch, Some(content)),
                (_, State::Nothing) => (Write::Create, None),
            };
            state = next.map_or(State::Nothing, |content| State::Profile {
                version: Version::new(version),
                content,
            });
            let outcome = if unknown && random.chance(40) && write != Write::Touch {
                if random.chance(50) {
                    Outcome::Unknown
                } else {
                    Outcome::Done { responded: Moment::from_nanos(responded), version: None }
                }
            } else {
                Outcome::Done {
                    responded: Moment::from_nanos(responded),
                    version: Some(Version::new(version)),
                }
            };
            states.push(state);
            ledger.push(Committed { key: 0, version: Version::new(version), content: next });
            Event::Write { write, outcome }
        };
        operations.push(Operation {
            instance: 0,
            key: 0,
            invoked: Moment::from_nanos(invoked),
            event,
        });
    }
    if random.chance(80) {
        change(random, &mut operations, &states);
    }
    (operations, ledger)
}

fn strict(responded: u64, state: State) -> Event {
    let answer = Answer { state, tier: Tier::Memory, age: None, stale: false };
    Event::Read { mode: Mode::Strict, responded: Moment::from_nanos(responded), answer }
}

fn change(random: &mut Random, operations: &mut [Operation], states: &[State]) {
    let place = random.place(operations.len());
    let operation = &mut operations[place];
    match &mut operation.event {
        Event::Read { answer, .. } => {
            answer.state = states[random.place(states.len())];
        }
        Event::Write { outcome: Outcome::Done { responded, .. }, .. } => {
            let begin = random.below(60) * 1_000_000;
            operation.invoked = Moment::from_nanos(begin);
            *responded = Moment::from_nanos(begin + (1 + random.below(20)) * 1_000_000);
        }
        Event::Write { .. } | Event::NoAnswer { .. } => {}
    }
}

fn responded(operation: &Operation) -> Option<Moment> {
    match operation.event {
        Event::Read { responded, .. }
        | Event::Write {
            outcome: Outcome::Done { responded, .. } | Outcome::Needless { responded },
            ..
        } => Some(responded),
        Event::Write { outcome: Outcome::Unknown, .. } | Event::NoAnswer { .. } => None,
    }
}

/// The version that an operation took, as it was told or as a read shows it.
fn version_of(operation: &Operation, all: &[Operation]) -> Option<u64> {
    let Event::Write { write, outcome } = operation.event else { return None };
    if let Outcome::Done { version: Some(version), .. } = outcome {
        return Some(version.number());
    }
    let Write::Save(written) = write else { return None };
    let touched: Vec<u64> = all
        .iter()
        .filter_map(|other| match other.event {
            Event::Write {
                write: Write::Touch,
                outcome: Outcome::Done { version: Some(version), .. },
            } => Some(version.number()),
            _ => None,
        })
        .collect();
    all.iter().find_map(|read| match read.event {
        Event::Read {
            answer: Answer { state: State::Profile { version, content }, .. }, ..
        } if content == written && !touched.contains(&version.number()) => Some(version.number()),
        _ => None,
    })
}

/// All orders of a history.
struct Search<'a> {
    all: &'a [Operation],
    /// The version each operation took, where that is known.
    versions: Vec<Option<u64>>,
    /// Whether every write happened.
    complete: bool,
}

impl Search<'_> {
    /// Whether the operations left can follow one after the other, from a state that was reached with a version.
    fn can_follow(&self, done: u32, version: u64, state: State) -> bool {
        let left = || (0..self.all.len()).filter(|place| done & (1 << place) == 0);
        let may_stop = |place| !self.complete && responded(&self.all[place]).is_none();
        if left().all(may_stop) {
            return true;
        }
        let soonest = left().filter_map(|place| responded(&self.all[place])).min();
        left().any(|place| {
            let operation = &self.all[place];
            if soonest.is_some_and(|soonest| soonest < operation.invoked) {
                return false;
            }
            let done = done | (1 << place);
            match operation.event {
                Event::Read { answer, .. } => {
                    answer.state == state && self.can_follow(done, version, state)
                }
                Event::Write { write, .. } => {
                    let taken = self.versions[place].unwrap_or(version + 1);
                    let next = match (write, state) {
                        (Write::Save(content), _)
                        | (Write::Touch, State::Profile { content, .. }) => {
                            State::Profile { version: Version::new(taken), content }
                        }
                        _ => State::Nothing,
                    };
                    version < taken && self.can_follow(done, taken, next)
                }
                Event::NoAnswer { .. } => self.can_follow(done, version, state),
            }
        })
    }
}

/// What is kept from the checker.
#[derive(Clone, Copy, PartialEq)]
enum Unknown {
    Nothing,
    Outcomes,
    OutcomesButForTheLedger,
}

/// Whether a history can have happened by search, whether the checker accepts it, and the history.
fn verdicts(seed: u64, unknown: Unknown) -> (bool, bool, Vec<Operation>) {
    let promises = Promises {
        max_staleness: std::time::Duration::from_secs(1),
        max_stale_if_error: std::time::Duration::from_secs(1),
        saves_may_repeat: false,
    };
    let (operations, ledger) = history(&mut Random(seed), unknown != Unknown::Nothing);
    let complete = unknown == Unknown::OutcomesButForTheLedger;
    let mut committed = ledger.iter().map(|committed| committed.version.number());
    let mut version = |operation: &Operation| match operation.event {
        Event::Write { .. } if complete => committed.next(),
        Event::Write { .. } | Event::Read { .. } | Event::NoAnswer { .. } => {
            version_of(operation, &operations)
        }
    };
    let versions = operations.iter().map(&mut version).collect();
    let search = Search { all: &operations, versions, complete };
    let found = search.can_follow(0, 0, State::Nothing);
    let ledger = complete.then_some(ledger);
    let history = History { operations, settled: Vec::new(), ledger };
    let accepted = check(&history, &promises).is_clean();
    (found, accepted, history.operations)
}

fn told(operations: &[Operation]) -> String {
    let lines: Vec<_> = operations.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[test]
fn finds_what_a_search_through_all_orders_finds() {
    let mut accepted = 0;
    let mut refused = 0;

    for seed in 1..HISTORIES {
        let (linearizable, clean, operations) = verdicts(seed, Unknown::Nothing);
        assert_eq!(linearizable, clean, "{}", told(&operations));
        *if clean { &mut accepted } else { &mut refused } += 1;
    }

    assert!(HISTORIES / 10 < refused, "{accepted} accepted, {refused} refused");
}

#[test]
fn never_refuses_what_may_have_happened() {
    // What is not known makes the checker weaker, not weak. (With a ledger it finds more, but so does the search.)
    for unknown in [Unknown::Outcomes, Unknown::OutcomesButForTheLedger] {
        let mut refused = 0;
        let mut missed = 0;

        for seed in 1..HISTORIES {
            let (linearizable, clean, operations) = verdicts(seed, unknown);
            assert!(!linearizable || clean, "{}", told(&operations));
            refused += u64::from(!clean);
            missed += u64::from(clean && !linearizable);
        }

        assert!(10 * missed < refused, "{refused} refused, {missed} missed");
    }
}
