use std::{ops::Range, time::Duration};

use domain::Version;

use super::check;
use crate::history::{
    Answer, Committed, Event, History, Mode, Moment, Operation, OperationId, Outcome, Promises,
    Report, Rule, Settled, State, Tier, Write,
};

const KEY: u16 = 0;
const HERE: u16 = 1;
const THERE: u16 = 2;

const PROMISES: Promises = Promises {
    max_staleness: Duration::from_secs(1),
    max_stale_if_error: Duration::from_mins(1),
    saves_may_repeat: false,
};

/// A history made by hand. Times are milliseconds.
struct Given(History);

impl Given {
    fn empty() -> Self {
        Self(History::default())
    }

    fn operation(mut self, instance: u16, key: u16, invoked: u64, event: Event) -> Self {
        self.0.operations.push(Operation { instance, key, invoked: moment(invoked), event });
        self
    }

    fn done(self, instance: u16, write: Write, time: Range<u64>, version: u64) -> Self {
        let version = Some(Version::new(version));
        let outcome = Outcome::Done { responded: moment(time.end), version };
        self.operation(instance, KEY, time.start, Event::Write { write, outcome })
    }

    fn save(self, content: u64, time: Range<u64>, version: u64) -> Self {
        self.done(HERE, Write::Save(OperationId(content)), time, version)
    }

    fn remove(self, time: Range<u64>, version: u64) -> Self {
        self.done(HERE, Write::RemoveProfile, time, version)
    }

    fn remove_untold(self, time: Range<u64>) -> Self {
        let outcome = Outcome::Done { responded: moment(time.end), version: None };
        let write = Write::RemoveProfile;
        self.operation(HERE, KEY, time.start, Event::Write { write, outcome })
    }

    fn unknown(self, write: Write, invoked: u64) -> Self {
        let outcome = Outcome::Unknown;
        self.operation(HERE, KEY, invoked, Event::Write { write, outcome })
    }

    fn needless(self, write: Write, time: Range<u64>) -> Self {
        let outcome = Outcome::Needless { responded: moment(time.end) };
        self.operation(HERE, KEY, time.start, Event::Write { write, outcome })
    }

    fn read(self, instance: u16, mode: Mode, time: Range<u64>, state: State) -> Self {
        let answer = Answer { state, tier: Tier::Memory, age: None, stale: false };
        self.answer(instance, mode, time, answer)
    }

    fn strict(self, time: Range<u64>, state: State) -> Self {
        self.read(THERE, Mode::Strict, time, state)
    }

    fn usual(self, time: Range<u64>, state: State) -> Self {
        self.read(THERE, Mode::Default, time, state)
    }

    fn answer(self, instance: u16, mode: Mode, time: Range<u64>, answer: Answer) -> Self {
        let responded = moment(time.end);
        self.operation(instance, KEY, time.start, Event::Read { mode, responded, answer })
    }

    fn settled(mut self, time: Range<u64>, stored: State, found: State) -> Self {
        let answer = Answer { state: found, tier: Tier::Memory, age: None, stale: false };
        let read = Event::Read { mode: Mode::Default, responded: moment(time.end + 2), answer };
        let invoked = moment(time.end + 1);
        self.0.settled.push(Settled {
            key: KEY,
            asked: moment(time.start),
            answered: moment(time.end),
            stored,
            reads: vec![Operation { instance: HERE, key: KEY, invoked, event: read }],
        });
        self
    }

    fn ledger(mut self, entries: &[(u64, Option<u64>)]) -> Self {
        let entry = |(version, content): &(u64, Option<u64>)| Committed {
            key: KEY,
            version: Version::new(*version),
            content: content.map(OperationId),
        };
        self.0.ledger = Some(entries.iter().map(entry).collect());
        self
    }

    fn report(&self) -> Report {
        check(&self.0, &PROMISES)
    }

    /// The rules that are broken, each once for each violation.
    fn broken(&self) -> Vec<(Rule, u64)> {
        self.report().violations.counts().iter().map(|(rule, count)| (*rule, *count)).collect()
    }
}

const fn moment(millis: u64) -> Moment {
    Moment::from_nanos(millis * 1_000_000)
}

const fn profile(content: u64, version: u64) -> State {
    State::Profile { version: Version::new(version), content: OperationId(content) }
}

const NOTHING: State = State::Nothing;

#[test]
fn accepts_reads_of_what_was_acknowledged() {
    let given = Given::empty()
        .strict(0..1, NOTHING)
        .save(1, 10..20, 5)
        .strict(21..25, profile(1, 5))
        .usual(21..25, NOTHING)
        .remove(30..40, 6)
        .strict(41..45, NOTHING)
        .needless(Write::RemoveArtist, 41..45)
        .save(2, 50..60, 9)
        .settled(70..71, profile(2, 9), profile(2, 9));

    assert_eq!(given.broken(), []);
}

#[test]
fn a_strict_read_sees_what_was_acknowledged_before_it() {
    let given = Given::empty().save(1, 0..10, 5).save(2, 20..30, 6);

    assert_eq!(given.strict(31..40, profile(1, 5)).broken(), [(Rule::Strict, 1)]);
}

#[test]
fn a_strict_read_may_miss_what_is_acknowledged_while_it_runs() {
    let given = Given::empty().save(1, 0..10, 5).save(2, 20..30, 6);

    assert_eq!(given.strict(29..40, profile(1, 5)).broken(), []);
}

#[test]
fn a_strict_read_finds_nothing_only_after_a_removal() {
    let nothing_ever = Given::empty().save(1, 0..10, 5).strict(11..20, NOTHING);
    let removed_before_the_save = Given::empty()
        .save(1, 0..10, 5)
        .remove(11..20, 6)
        .save(2, 21..30, 7)
        .strict(31..40, NOTHING);
    let removed_meanwhile =
        Given::empty().save(1, 0..10, 5).remove(15..30, 6).strict(11..20, NOTHING);
    let removed_afterwards =
        Given::empty().save(1, 0..10, 5).remove(21..30, 6).strict(11..20, NOTHING);

    assert_eq!(nothing_ever.broken(), [(Rule::Strict, 1)]);
    assert_eq!(removed_before_the_save.broken(), [(Rule::Strict, 1)]);
    assert_eq!(removed_meanwhile.broken(), []);
    assert_eq!(removed_afterwards.broken(), [(Rule::Strict, 1)]);
}

#[test]
fn a_strict_read_of_nothing_does_not_come_between_reads_of_one_version() {
    let given = || Given::empty().save(1, 0..10, 5).remove(11..100, 6);
    let removed = given().strict(12..20, profile(1, 5)).strict(21..30, NOTHING);
    let removed_and_back = given().strict(21..30, NOTHING).strict(31..40, profile(1, 5));

    assert_eq!(removed.broken(), []);
    assert_eq!(removed_and_back.broken(), [(Rule::Strict, 1)]);
}

#[test]
fn strict_reads_never_go_back() {
    let given = || Given::empty().save(1, 0..10, 5).save(2, 20..100, 6);
    let forward = given().strict(30..40, profile(1, 5)).strict(41..50, profile(2, 6));
    let back = given().strict(30..40, profile(2, 6)).strict(41..50, profile(1, 5));
    let together = given().strict(30..42, profile(2, 6)).strict(41..50, profile(1, 5));

    assert_eq!(forward.broken(), []);
    assert_eq!(back.broken(), [(Rule::Strict, 1)]);
    assert_eq!(together.broken(), []);
}

#[test]
fn a_strict_read_includes_what_a_default_read_has_shown() {
    let given = Given::empty()
        .save(1, 0..10, 5)
        .save(2, 20..100, 6)
        .usual(30..40, profile(2, 6))
        .strict(41..50, profile(1, 5));

    assert_eq!(given.broken(), [(Rule::Strict, 1)]);
}

#[test]
fn nothing_is_read_that_nobody_wrote() {
    let nobody = Given::empty().save(1, 0..10, 5).usual(11..20, profile(2, 6));
    let no_version = Given::empty().save(1, 0..10, 5).usual(11..20, profile(1, 6));
    let elsewhere = Given::empty()
        .operation(
            HERE,
            KEY + 1,
            0,
            Event::Write {
                write: Write::Save(OperationId(1)),
                outcome: Outcome::Done { responded: moment(10), version: Some(Version::new(5)) },
            },
        )
        .usual(11..20, profile(1, 5));

    assert_eq!(nobody.broken(), [(Rule::Provenance, 1)]);
    assert_eq!(no_version.broken(), [(Rule::Provenance, 1)]);
    assert_eq!(elsewhere.broken(), [(Rule::Provenance, 1)]);
}

#[test]
fn nothing_is_read_before_it_was_written() {
    let future = Given::empty().usual(0..10, profile(1, 5)).save(1, 11..20, 5);
    let meanwhile = Given::empty().usual(0..10, profile(1, 5)).save(1, 9..20, 5);

    assert_eq!(future.broken(), [(Rule::Provenance, 1)]);
    assert_eq!(meanwhile.broken(), []);
}

#[test]
fn a_version_has_one_content() {
    let given = Given::empty().save(1, 0..10, 5).save(2, 0..10, 6).usual(11..20, profile(1, 6));

    assert_eq!(given.broken(), [(Rule::Versions, 1)]);
}

#[test]
fn a_later_write_takes_a_higher_version() {
    let twice = Given::empty().save(1, 0..10, 5).save(2, 5..20, 5);
    let meanwhile = Given::empty().save(1, 0..10, 6).save(2, 5..20, 5);
    let earlier = Given::empty().save(1, 0..10, 6).remove(100..110, 7).save(2, 11..20, 5);
    let on_another_key = Given::empty().save(1, 0..10, 6).operation(
        HERE,
        KEY + 1,
        11,
        Event::Write {
            write: Write::Create,
            outcome: Outcome::Done { responded: moment(20), version: Some(Version::new(5)) },
        },
    );

    assert_eq!(twice.broken(), [(Rule::Versions, 1)]);
    assert_eq!(meanwhile.broken(), []);
    // Once by the counter, once by the key.
    assert_eq!(earlier.broken(), [(Rule::Versions, 2)]);
    assert_eq!(on_another_key.broken(), [(Rule::Versions, 1)]);
}

#[test]
fn a_write_takes_a_higher_version_than_what_was_read_before() {
    let given = Given::empty().save(1, 0..100, 6).strict(10..20, profile(1, 6)).save(2, 21..30, 5);

    assert_eq!(given.broken(), [(Rule::Versions, 1)]);
}

#[test]
fn a_default_read_includes_the_writes_of_its_instance() {
    let given = || Given::empty().save(1, 0..10, 5).save(2, 20..30, 6);
    let elsewhere = given().usual(31..40, profile(1, 5));
    let here = given().read(HERE, Mode::Default, 31..40, profile(1, 5));
    let meanwhile = given().read(HERE, Mode::Default, 29..40, profile(1, 5));
    let nothing = given().read(HERE, Mode::Default, 31..40, NOTHING);
    let removed = given().remove(31..40, 7).read(HERE, Mode::Default, 41..50, NOTHING);

    assert_eq!(elsewhere.broken(), []);
    assert_eq!(here.broken(), [(Rule::OwnWrites, 1)]);
    assert_eq!(meanwhile.broken(), []);
    assert_eq!(nothing.broken(), [(Rule::OwnWrites, 1)]);
    assert_eq!(removed.broken(), []);
}

#[test]
fn a_default_read_includes_its_own_removal() {
    let given = Given::empty().save(1, 0..10, 5).remove(20..30, 6);

    let broken = given.read(HERE, Mode::Default, 31..40, profile(1, 5)).broken();

    assert_eq!(broken, [(Rule::OwnWrites, 1)]);
}

#[test]
fn a_default_read_is_not_older_than_the_bound() {
    let given = || Given::empty().save(1, 0..10, 5).save(2, 20..30, 6);

    assert_eq!(given().usual(1_030..1_040, profile(1, 5)).broken(), []);
    assert_eq!(given().usual(1_031..1_040, profile(1, 5)).broken(), [(Rule::Staleness, 1)]);
    assert_eq!(given().usual(1_031..1_040, NOTHING).broken(), [(Rule::Staleness, 1)]);
    assert_eq!(given().usual(1_031..1_040, profile(2, 6)).broken(), []);
}

#[test]
fn an_answer_marked_stale_has_a_bound_of_its_own() {
    let given = || Given::empty().save(1, 0..10, 5).save(2, 20..30, 6);
    let old = Answer { state: profile(1, 5), tier: Tier::Memory, age: None, stale: true };

    assert_eq!(given().answer(THERE, Mode::Default, 60_030..60_040, old).broken(), []);
    assert_eq!(
        given().answer(THERE, Mode::Default, 60_031..60_040, old).broken(),
        [(Rule::Staleness, 1)]
    );
}

#[test]
fn a_strict_answer_is_never_marked_stale() {
    let given = Given::empty().save(1, 0..10, 5);
    let marked = Answer { state: profile(1, 5), tier: Tier::Memory, age: None, stale: true };

    assert_eq!(given.answer(THERE, Mode::Strict, 11..20, marked).broken(), [(Rule::Marking, 1)]);
}

#[test]
fn an_answer_is_not_older_than_it_says() {
    let given = || Given::empty().save(1, 0..10, 5).save(2, 20..30, 6);
    let aged = |millis| Answer {
        state: profile(1, 5),
        tier: Tier::Memory,
        age: Some(Duration::from_millis(millis)),
        stale: false,
    };

    assert_eq!(given().answer(THERE, Mode::Default, 100..110, aged(70)).broken(), []);
    assert_eq!(given().answer(THERE, Mode::Default, 100..110, aged(69)).broken(), [(Rule::Age, 1)]);
}

#[test]
fn a_write_of_unknown_outcome_may_happen_late_or_never() {
    let write = Write::Save(OperationId(2));
    let given = || Given::empty().save(1, 0..10, 5).unknown(write, 20);
    let never = given().strict(30..40, profile(1, 5)).settled(50..51, profile(1, 5), profile(1, 5));
    let late = given().strict(30..40, profile(1, 5)).strict(5_000..5_001, profile(2, 8));
    let then_gone = given().strict(30..40, profile(2, 8)).strict(41..50, profile(1, 5));
    let two_versions = given().strict(30..40, profile(2, 8)).strict(41..50, profile(2, 9));
    let too_early = given().strict(11..19, profile(2, 8));

    assert_eq!(never.broken(), []);
    assert_eq!(late.broken(), []);
    assert_eq!(then_gone.broken(), [(Rule::Strict, 1)]);
    // A save that is tried again may be there twice, see below; what is never allowed is the way back.
    assert_eq!(two_versions.broken(), []);
    assert_eq!(too_early.broken(), [(Rule::Provenance, 1)]);
}

#[test]
fn a_removal_of_unknown_outcome_explains_nothing_where_it_fits() {
    let given = || Given::empty().save(1, 0..10, 5).unknown(Write::RemoveArtist, 20);
    let removed = given().strict(30..40, NOTHING);
    let too_early = given().strict(11..19, NOTHING);
    let never_there = given().strict(30..40, NOTHING).strict(41..50, profile(1, 5));
    let saved_again =
        given().strict(30..40, NOTHING).save(2, 41..50, 7).strict(51..60, profile(2, 7));
    let no_room = given().strict(30..40, NOTHING).save(2, 41..50, 6);

    assert_eq!(removed.broken(), []);
    assert_eq!(too_early.broken(), [(Rule::Strict, 1)]);
    assert_eq!(never_there.broken(), [(Rule::Strict, 1)]);
    assert_eq!(saved_again.broken(), []);
    assert_eq!(no_room.broken(), [(Rule::Strict, 1)]);
}

#[test]
fn a_removal_without_a_version_counts_once_it_is_acknowledged() {
    let given = || Given::empty().save(1, 0..10, 5).remove_untold(20..30);
    let gone = given().strict(31..40, NOTHING);
    let still_there = given().strict(31..40, profile(1, 5));
    let own = given().read(HERE, Mode::Default, 31..40, profile(1, 5));
    let old = given().usual(1_031..1_040, profile(1, 5));
    let meanwhile =
        Given::empty().save(1, 0..25, 5).remove_untold(20..30).strict(31..40, profile(1, 5));

    assert_eq!(gone.broken(), []);
    assert_eq!(still_there.broken(), [(Rule::Strict, 1)]);
    assert_eq!(own.broken(), [(Rule::OwnWrites, 1)]);
    assert_eq!(old.broken(), [(Rule::Staleness, 1)]);
    assert_eq!(meanwhile.broken(), []);
}

#[test]
fn a_save_may_be_there_twice_if_the_store_repeats_it() {
    let given = || Given::empty().save(1, 0..10, 7).usual(1..9, profile(1, 5));
    let promises = Promises { saves_may_repeat: true, ..PROMISES };
    let never_acknowledged = given().usual(11..20, profile(1, 8));

    assert_eq!(given().broken(), [(Rule::Provenance, 1)]);
    assert!(check(&given().0, &promises).is_clean());
    assert_eq!(check(&never_acknowledged.0, &promises).violations.counts()[&Rule::Provenance], 1);
}

#[test]
fn a_touch_keeps_the_content() {
    let given = || Given::empty().save(1, 0..10, 5).done(THERE, Write::Touch, 20..30, 6);

    assert_eq!(given().strict(31..40, profile(1, 6)).broken(), []);
    assert_eq!(given().strict(31..40, profile(1, 5)).broken(), [(Rule::Strict, 1)]);
    assert_eq!(given().strict(31..40, NOTHING).broken(), [(Rule::Strict, 1)]);
    assert_eq!(
        given()
            .remove(31..40, 7)
            .done(THERE, Write::Touch, 41..50, 8)
            .strict(51..60, NOTHING)
            .broken(),
        []
    );
    assert_eq!(
        given()
            .save(2, 31..40, 7)
            .done(THERE, Write::Touch, 41..50, 8)
            .usual(51..60, profile(1, 8))
            .broken(),
        [(Rule::Versions, 1)]
    );
}

#[test]
fn a_removal_that_found_nothing_is_a_strict_read() {
    let given = Given::empty().save(1, 0..10, 5).needless(Write::RemoveProfile, 11..20);

    assert_eq!(given.broken(), [(Rule::Strict, 1)]);
}

#[test]
fn the_ledger_tells_what_became_of_unknown_writes() {
    let removal = || Given::empty().save(1, 0..10, 5).unknown(Write::RemoveArtist, 20);
    let save = || Given::empty().save(1, 0..10, 5).unknown(Write::Save(OperationId(2)), 20);
    let first = (5, Some(1));

    let gone = removal().strict(30..40, NOTHING);
    assert_eq!(gone.ledger(&[first, (7, None)]).broken(), []);
    let gone_though_never_removed = removal().strict(30..40, NOTHING);
    assert_eq!(gone_though_never_removed.ledger(&[first]).broken(), [(Rule::Strict, 1)]);
    let seen = save().strict(30..40, profile(2, 7));
    assert_eq!(seen.ledger(&[first, (7, Some(2))]).broken(), []);
    let seen_though_never_committed = save().strict(30..40, profile(2, 7));
    assert_eq!(seen_though_never_committed.ledger(&[first]).broken(), [(Rule::Provenance, 1)]);
}

#[test]
fn what_was_acknowledged_is_in_the_ledger() {
    let given = || Given::empty().save(1, 0..10, 5).remove(20..30, 6);

    assert_eq!(given().ledger(&[(5, Some(1)), (6, None)]).broken(), []);
    assert_eq!(given().ledger(&[(5, Some(1))]).broken(), [(Rule::Versions, 1)]);
    assert_eq!(given().ledger(&[(5, None), (6, None)]).broken(), [(Rule::Versions, 1)]);
    assert_eq!(
        given().ledger(&[(5, Some(1)), (6, None), (7, None)]).broken(),
        [(Rule::Provenance, 1)]
    );
}

#[test]
fn at_the_end_instances_agree_with_the_database() {
    let given = || Given::empty().save(1, 0..10, 5).save(2, 11..20, 6);
    let agrees = given().settled(30..40, profile(2, 6), profile(2, 6));
    let instance_is_behind = given().settled(30..40, profile(2, 6), profile(1, 5));
    let database_lost_a_write = given().settled(30..40, profile(1, 5), profile(1, 5));

    assert_eq!(agrees.broken(), []);
    // The read is also one of the instance that wrote.
    assert_eq!(instance_is_behind.broken(), [(Rule::OwnWrites, 1), (Rule::Rest, 1)]);
    assert_eq!(database_lost_a_write.broken(), [(Rule::Strict, 1), (Rule::OwnWrites, 1)]);
}

#[test]
fn counts_what_happened() {
    let given = Given::empty()
        .save(1, 0..10, 5)
        .save(2, 20..30, 6)
        .remove(40..50, 7)
        .unknown(Write::Touch, 55)
        .usual(60..61, profile(1, 5))
        .usual(62..63, profile(2, 6))
        .usual(64..65, profile(1, 5))
        .strict(70..71, NOTHING);

    let report = given.report();

    assert_eq!(report.operations, 8);
    assert_eq!(report.kinds["saves"], 2);
    assert_eq!(report.kinds["writes of unknown outcome"], 1);
    assert_eq!(report.tiers[&Tier::Memory], 4);
    assert_eq!(report.behind[3], Duration::from_millis(34), "from 30 to 64");
    assert_eq!(report.went_back, 1);
    assert!(report.is_clean(), "{report}");
}

#[test]
fn tells_which_operations_prove_a_violation() {
    let given = Given::empty().save(1, 0..10, 5).save(2, 20..30, 6).strict(31..40, profile(1, 5));

    let report = given.report();

    let violation = report.violations.kept().next().unwrap();
    assert_eq!(violation.proof, [given.0.operations[1], given.0.operations[2]]);
    assert!(report.to_string().contains("Save(OperationId(2)) took version 6"), "{report}");
}

#[test]
fn checks_long_histories() {
    let mut given = Given::empty();
    let mut time = 0;
    for round in 1..=20_000 {
        let version = round * 3;
        given = given
            .save(round, time..time + 2, version)
            .strict(time + 3..time + 4, profile(round, version))
            .remove(time + 5..time + 6, version + 1)
            .strict(time + 7..time + 8, NOTHING)
            .read(HERE, Mode::Default, time + 7..time + 8, NOTHING);
        time += 10;
    }

    let report = given.report();

    assert_eq!(report.operations, 100_000);
    assert!(report.is_clean(), "{report}");
}
