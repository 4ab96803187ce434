//! One key: what its operations prove, and what contradicts that.

use std::collections::HashMap;

use crate::history::{
    Event, Mode, Moment, Operation, Outcome, Promises, Rule, State, Violations, Write,
    floor::{Ceiling, Floor, Proof},
    report::Counts,
    timeline::{Seen, Timeline, Untold},
};

/// The operations of one key, and what they prove.
pub(super) struct Key<'a, 'b> {
    operations: &'b [&'a Operation],
    timeline: &'b Timeline<'a>,
    /// What each acknowledgement proves.
    acknowledged: Floor<'a>,
    /// The same by instance.
    own: HashMap<u16, Floor<'a>>,
    /// What acknowledgements and answers prove.
    evident: Floor<'a>,
    /// What operations prove to come later: what they found or made was not there before.
    ceiling: Ceiling<'a>,
}

impl<'a, 'b> Key<'a, 'b> {
    pub(super) fn of(operations: &'b [&'a Operation], timeline: &'b Timeline<'a>) -> Self {
        let mut acknowledged: Vec<(u16, Proof<'a>)> = timeline
            .known
            .iter()
            .filter_map(|state| {
                let (at, by, version) = (state.acknowledged?, state.write?, state.version);
                Some((by.instance, Proof { at, version, told: true, by }))
            })
            .collect();
        let seen = timeline.seen.iter().map(|&Seen { read, responded, version, .. }| Proof {
            at: responded,
            version,
            told: true,
            by: read,
        });

        // A removal that was acknowledged without its version took one above all that was evident when it was invoked.
        let known: Vec<Proof<'a>> =
            acknowledged.iter().map(|(_, proof)| *proof).chain(seen.clone()).collect();
        let evident = Floor::of(known.clone());
        let above: Vec<(u16, Proof<'a>)> = timeline
            .untold
            .iter()
            .filter_map(|untold| {
                let low = evident.before(untold.write.invoked).map_or(0, |proof| proof.version);
                let (at, by) = (untold.acknowledged?, untold.write);
                let proof = Proof { at, version: low + 1, told: false, by };
                Some((untold.write.instance, proof))
            })
            .collect();
        let evident =
            Floor::of(known.into_iter().chain(above.iter().map(|(_, proof)| *proof)).collect());
        acknowledged.extend(above);

        let mut own: HashMap<u16, Vec<Proof<'a>>> = HashMap::new();
        for (instance, proof) in &acknowledged {
            own.entry(*instance).or_default().push(*proof);
        }
        let made = timeline.known.iter().filter_map(|state| {
            Some(Proof { at: state.invoked, version: state.version, told: true, by: state.write? })
        });
        let found = timeline.seen.iter().filter(|seen| seen.mode == Mode::Strict).map(|seen| {
            Proof { at: seen.read.invoked, version: seen.version, told: true, by: seen.read }
        });
        Self {
            operations,
            timeline,
            acknowledged: Floor::of(acknowledged.into_iter().map(|(_, proof)| proof).collect()),
            own: own.into_iter().map(|(instance, proofs)| (instance, Floor::of(proofs))).collect(),
            evident,
            ceiling: Ceiling::of(made.chain(found).collect()),
        }
    }

    /// A write takes a higher version than everything that was evident when it was invoked.
    pub(super) fn check_versions(&self, violations: &mut Violations) {
        for state in &self.timeline.known {
            let Some(write) = state.write else { continue };
            let Some(proof) = self.evident.before(state.invoked) else { continue };
            if state.version <= proof.version {
                let what = format!(
                    "version {} was taken after version {} was evident",
                    state.version, proof.version
                );
                violations.push(Rule::Versions, what, &[proof.by, write]);
            }
        }
    }

    pub(super) fn check_reads(&self, promises: &Promises, violations: &mut Violations) {
        for Seen { read, version, .. } in &self.timeline.seen {
            for need in self.needs(read, promises) {
                if *version < need.proof.version {
                    violations.push(need.rule, need.broken(), &[need.proof.by, read]);
                }
            }
        }
        for operation in self.operations {
            let responded = match operation.event {
                Event::Read { mode, responded, answer } => {
                    if mode == Mode::Strict && answer.stale {
                        let what = "a strict answer is marked as stale".to_owned();
                        violations.push(Rule::Marking, what, &[operation]);
                    }
                    if answer.state != State::Nothing {
                        continue;
                    }
                    for need in self.needs(operation, promises) {
                        if !self.was_empty_since(need.proof, responded) {
                            violations.push(need.rule, need.broken(), &[need.proof.by, operation]);
                        }
                    }
                    if mode == Mode::Default {
                        continue;
                    }
                    responded
                }
                Event::Write { write, outcome: Outcome::Needless { responded } }
                    if write != Write::Create =>
                {
                    responded
                }
                Event::Write { .. } | Event::NoAnswer { .. } => continue,
            };
            if let Some(proof) = self.excludes_nothing(operation.invoked, responded) {
                let what = "it found nothing though something was there all the time".to_owned();
                let mut proof = proof;
                proof.push(operation);
                violations.push(Rule::Strict, what, &proof);
            }
        }
    }

    /// What a read has to include; for a strict one that found nothing there is a sharper rule.
    fn needs(&self, read: &'a Operation, promises: &Promises) -> Vec<Need<'a>> {
        let Event::Read { mode, answer, .. } = read.event else { return Vec::new() };
        let mut needs = Vec::new();
        let mut need = |rule, proof: Option<Proof<'a>>| {
            needs.extend(proof.map(|proof| Need { rule, proof }));
        };
        if let Some(moment) = answer.age.and_then(|age| read.invoked.before(age)) {
            need(Rule::Age, self.acknowledged.before(moment));
        }
        match (mode, answer.state) {
            (Mode::Strict, State::Profile { .. }) => {
                need(Rule::Strict, self.evident.before(read.invoked));
            }
            (Mode::Strict, State::Nothing) => {}
            (Mode::Default, _) => {
                let own = self.own.get(&read.instance);
                need(Rule::OwnWrites, own.and_then(|own| own.before(read.invoked)));
                let bound =
                    if answer.stale { promises.max_stale_if_error } else { promises.max_staleness };
                let moment = read.invoked.before(bound);
                need(Rule::Staleness, moment.and_then(|moment| self.acknowledged.before(moment)));
            }
        }
        needs
    }

    /// Whether a read that responded then may have found nothing that is not older than what is proved.
    fn was_empty_since(&self, low: Proof<'a>, responded: Moment) -> bool {
        self.timeline.is_empty_since(low.version, responded)
            || self.timeline.explanations.iter().any(|untold| {
                let (after, before) = self.room(untold);
                untold.write.invoked <= responded && has_room(after.max(low.untold_after()), before)
            })
    }

    /// Why a strict read that found nothing cannot have done so; `None` if it can.
    fn excludes_nothing(&self, invoked: Moment, responded: Moment) -> Option<Vec<&'a Operation>> {
        let low = self.evident.before(invoked);
        let high = self.ceiling.after(responded);
        let lowest = low.map_or(0, |proof| proof.version);
        let limit = high.map_or(u64::MAX, |proof| proof.version);
        let untold_after = low.map_or(0, |proof| proof.untold_after());
        let first = self.timeline.first_empty(lowest);
        let explained = first.is_some_and(|version| version < limit)
            || self.timeline.explanations.iter().any(|untold| {
                let (after, before) = self.room(untold);
                untold.write.invoked <= responded
                    && has_room(after.max(untold_after), before.min(limit))
            });
        (!explained).then(|| [low, high].into_iter().flatten().map(|proof| proof.by).collect())
    }

    /// The versions between which a removal of unknown version stands.
    fn room(&self, untold: &Untold<'a>) -> (u64, u64) {
        let after = self.evident.before(untold.write.invoked);
        let before = untold.acknowledged.and_then(|moment| self.ceiling.after(moment));
        (after.map_or(0, |proof| proof.version), before.map_or(u64::MAX, |proof| proof.version))
    }

    /// How far default reads were behind, and how often an instance went back.
    pub(super) fn measure(&self, counts: &mut Counts) {
        let mut shown: HashMap<u16, Vec<Proof<'a>>> = HashMap::new();
        for &Seen { read, responded, version, .. } in &self.timeline.seen {
            let proof = Proof { at: responded, version, told: true, by: read };
            shown.entry(read.instance).or_default().push(proof);
        }
        let shown: HashMap<u16, Floor<'a>> =
            shown.into_iter().map(|(instance, proofs)| (instance, Floor::of(proofs))).collect();

        for operation in self.operations {
            let Event::Read { mode: Mode::Default, responded, answer } = operation.event else {
                continue;
            };
            let version = match answer.state {
                State::Profile { version, .. } => version.number(),
                // It may be what one of these left, later than anything that is known.
                State::Nothing
                    if self
                        .timeline
                        .explanations
                        .iter()
                        .any(|it| it.write.invoked <= responded) =>
                {
                    continue;
                }
                State::Nothing => self.timeline.last_empty(responded),
            };
            let overtaken = self.timeline.overtaken(version);
            counts.behind(
                answer.stale,
                overtaken.map(|moment| operation.invoked.since(moment)).unwrap_or_default(),
            );
            let before = shown.get(&operation.instance).and_then(|it| it.before(operation.invoked));
            if answer.state != State::Nothing && before.is_some_and(|proof| version < proof.version)
            {
                counts.went_back += 1;
            }
        }
    }
}

/// Whether a version lies between two others.
const fn has_room(after: u64, before: u64) -> bool {
    after.saturating_add(1) < before
}

/// A version that a read has to include.
struct Need<'a> {
    rule: Rule,
    proof: Proof<'a>,
}

impl Need<'_> {
    fn broken(&self) -> String {
        let of = match self.rule {
            Rule::Strict => "was evident before this strict read",
            Rule::OwnWrites => "was acknowledged by the same instance before this read",
            Rule::Staleness => "was acknowledged longer ago than the bound",
            Rule::Age => "was acknowledged longer ago than the answer is old",
            Rule::Versions | Rule::Provenance | Rule::Marking | Rule::Rest => "is not included",
        };
        format!("version {} {of}", self.proof.version)
    }
}
