//! What is kept, for how long, and what that may never change.

use std::{
    pin::Pin,
    sync::atomic::Ordering,
    task::{Context, Poll, Waker},
};

use domain::{GenerationStatus, QuarterSpan};
use groovebase_cache::{Dimensions, GenerationStatistics, StatisticsQuestion};

use super::{
    Answer, ask, assert_exact, given, keeping,
    store::{Made, Store},
};

const ROOM: u64 = 1 << 20;

/// A question whose read was made, and is not answered yet.
fn begin(
    store: &Store,
    statistics: &GenerationStatistics,
    question: &StatisticsQuestion,
) -> Pin<Box<dyn Future<Output = Answer>>> {
    let (asking, asked) = (statistics.clone(), question.clone());
    let mut answer: Pin<Box<dyn Future<Output = Answer>>> =
        Box::pin(async move { asking.answer(&asked).await });
    store.holds.store(true, Ordering::SeqCst);
    assert!(poll(&mut answer).is_pending());
    store.holds.store(false, Ordering::SeqCst);
    answer
}

fn poll(answer: &mut Pin<Box<dyn Future<Output = Answer>>>) -> Poll<Answer> {
    answer.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Since which position, and over how many spans, each read was.
fn reads(store: &Store) -> Vec<(Option<i64>, usize)> {
    store.readings().iter().map(|it| (it.since.map(|it| it.0), it.spans.len())).collect()
}

fn record(store: &Store, quarters: &[i64]) {
    for &quarter in quarters {
        store.record(given::made_in(quarter, 100));
    }
}

#[test]
fn everything_is_read_again_when_the_position_is_not_known_any_more() {
    let (store, statistics) = keeping(ROOM);
    let question = given::about(&[(0, 1), (1, 2)]);
    record(&store, &[0, 1]);
    store.fold_some(2);
    assert_exact(&store, &statistics, &question);

    record(&store, &[0, 1, 1]);
    store.fold_some(2);
    store.trim(0);
    assert_exact(&store, &statistics, &question);
    assert_exact(&store, &statistics, &question);

    assert_eq!(reads(&store), [(None, 2), (Some(1_000), 0), (None, 2), (Some(2_000), 0)]);
    let status = statistics.status();
    assert_eq!((status.resets, status.spans, status.hits, status.misses), (1, 2, 2, 4));
}

#[test]
fn a_store_that_went_back_is_read_again() {
    let (store, statistics) = keeping(ROOM);
    let question = given::about(&[(0, 1)]);
    record(&store, &[0, 0, 0]);
    store.fold_some(2);
    assert_exact(&store, &statistics, &question);

    store.replace(0);
    record(&store, &[0]);
    assert_exact(&store, &statistics, &question);

    assert_eq!(statistics.status().resets, 1);
}

#[test]
fn a_read_that_fails_changes_nothing() {
    let (store, statistics) = keeping(ROOM);
    let question = given::about(&[(0, 1)]);
    record(&store, &[0, 1]);
    store.fold_some(1);
    assert_exact(&store, &statistics, &question);
    let before = statistics.status();

    store.fold_some(1);
    store.fails.store(true, Ordering::SeqCst);
    assert!(ask(&statistics, &given::about(&[(0, 1), (1, 2)])).is_err());

    assert_eq!(statistics.status(), before);
    store.fails.store(false, Ordering::SeqCst);
    assert_exact(&store, &statistics, &question);
    assert_eq!(reads(&store)[1..], [(Some(1_000), 1), (Some(1_000), 0)]);
}

#[test]
fn a_question_that_nobody_waits_for_any_more_changes_nothing() {
    let (store, statistics) = keeping(ROOM);
    let question = given::about(&[(0, 1)]);
    record(&store, &[0]);
    store.fold_some(1);
    assert_exact(&store, &statistics, &question);
    let before = statistics.status();

    record(&store, &[0]);
    store.fold_some(1);
    drop(begin(&store, &statistics, &question));

    assert_eq!(statistics.status(), before);
    assert_exact(&store, &statistics, &question);
}

#[test]
fn a_late_answer_is_as_of_its_read_and_does_not_put_back_what_is_kept() {
    let (store, statistics) = keeping(ROOM);
    let (kept, both) = (given::about(&[(0, 1)]), given::about(&[(0, 1), (1, 2)]));
    record(&store, &[0, 1]);
    store.fold_some(2);
    assert_exact(&store, &statistics, &kept);

    let mut late = begin(&store, &statistics, &both);
    let expected = store.compare_now(&both);
    record(&store, &[0, 1]);
    store.fold_some(2);
    assert_exact(&store, &statistics, &kept);

    assert_eq!(poll(&mut late).map(Result::unwrap), Poll::Ready(expected));
    // What it read is of a position that is past.
    assert_eq!(statistics.status().spans, 1);
    assert_exact(&store, &statistics, &both);
    assert_exact(&store, &statistics, &both);
}

#[test]
fn changes_are_applied_once_when_two_questions_bring_them() {
    let (store, statistics) = keeping(ROOM);
    let question = given::about(&[(0, 1)]);
    record(&store, &[0]);
    store.fold_some(1);
    assert_exact(&store, &statistics, &question);

    record(&store, &[0]);
    store.fold_some(1);
    let first = begin(&store, &statistics, &question);
    let second = begin(&store, &statistics, &given::about(&[(0, 1), (0, 2)]));
    for mut answer in [first, second] {
        assert!(poll(&mut answer).is_ready());
    }

    // What the second read is of the position that the first moved to.
    assert_eq!(statistics.status().spans, 2);
    assert_exact(&store, &statistics, &given::about(&[(0, 1), (0, 2)]));
}

#[test]
fn what_was_read_before_everything_was_forgotten_is_not_kept() {
    let (store, statistics) = keeping(ROOM);
    let (kept, other) = (given::about(&[(0, 1)]), given::about(&[(1, 2)]));
    record(&store, &[0, 1, 1]);
    store.fold_some(3);
    assert_exact(&store, &statistics, &kept);
    let mut late = begin(&store, &statistics, &other);

    // Another store, that comes to the same position.
    store.replace(0);
    assert_exact(&store, &statistics, &kept);
    record(&store, &[0]);
    store.fold_some(1);
    assert_exact(&store, &statistics, &kept);
    assert!(poll(&mut late).is_ready());

    assert_exact(&store, &statistics, &other);
}

#[test]
fn of_two_who_find_the_position_unknown_the_second_forgets_nothing() {
    let (store, statistics) = keeping(ROOM);
    let question = given::about(&[(0, 1)]);
    record(&store, &[0]);
    store.fold_some(1);
    assert_exact(&store, &statistics, &question);
    record(&store, &[0]);
    store.fold_some(1);
    store.trim(0);

    let mut late = begin(&store, &statistics, &question);
    assert_exact(&store, &statistics, &question);
    let kept = statistics.status();
    assert!(poll(&mut late).is_ready());

    let status = statistics.status();
    assert_eq!((kept.resets, status.resets, status.spans), (1, 1, 1));
}

#[test]
fn what_was_used_longest_ago_goes_first() {
    // How much one span takes.
    let (store, statistics) = keeping(ROOM);
    record(&store, &[0, 1, 2, 3]);
    store.fold_some(4);
    ask(&statistics, &given::about(&[(0, 1)])).unwrap();
    let one = u64::try_from(statistics.status().bytes).unwrap();

    let three = GenerationStatistics::new(std::sync::Arc::clone(&store) as _, 3 * one);
    for quarter in [0, 1, 2, 0, 3] {
        assert_exact(&store, &three, &given::about(&[(quarter, quarter + 1)]));
    }
    assert_eq!(three.status().spans, 3);
    store.readings();
    for (quarter, is_kept) in [(0, true), (2, true), (3, true), (1, false)] {
        ask(&three, &given::about(&[(quarter, quarter + 1)])).unwrap();
        assert_eq!(store.readings()[0].spans.is_empty(), is_kept, "{quarter}");
    }
}

#[test]
fn what_alone_is_too_large_displaces_nothing() {
    let (store, statistics) = keeping(2_000);
    record(&store, &[0]);
    for number in 0..10 {
        let kind = given::numbered(number);
        store.record(Made { kind, ..given::made_in(1, 100) });
    }
    store.fold_some(11);
    assert_exact(&store, &statistics, &given::about(&[(0, 1)]));
    let before = statistics.status();

    assert_exact(&store, &statistics, &given::about(&[(1, 2)]));

    let after = statistics.status();
    assert_eq!((after.spans, after.bytes), (1, before.bytes));
}

#[test]
fn what_grows_too_large_goes() {
    let (store, statistics) = keeping(3_500);
    let question = given::about(&[(0, 1), (1, 2)]);
    record(&store, &[0, 1]);
    store.fold_some(2);
    assert_exact(&store, &statistics, &question);
    assert_eq!(statistics.status().spans, 2);

    // All at once: in between the two together could be too large, and the one that was used before goes then.
    for number in 0..20 {
        let kind = given::numbered(number);
        store.record(Made { kind, ..given::made_in(1, 100) });
    }
    store.fold_some(20);
    for _ in 0..2 {
        assert_exact(&store, &statistics, &question);
        assert!(statistics.status().bytes <= 3_500);
    }

    // The other one was there all the time, though it was used before the one that is too large.
    assert_eq!(statistics.status().spans, 1);
    let first = QuarterSpan::within(given::quarters(0, 1)).0.unwrap();
    let again = &store.readings()[1..];
    assert!(again.iter().all(|reading| !reading.spans.contains(&first)));
    assert!(again.iter().any(|reading| !reading.spans.is_empty()));
}

#[test]
fn what_would_take_too_long_to_bring_up_to_date_is_read_again() {
    let (store, statistics) = keeping(ROOM);
    record(&store, &[0]);
    store.fold_some(1);
    // Each contains another part of what is new, so that nothing can be added up for many.
    let spans: Vec<_> = (1..=60).map(|to| (0, 200 + to)).collect();
    let (last, all) = (given::about(&spans[59..]), given::about(&spans));
    assert_exact(&store, &statistics, &all);
    assert_exact(&store, &statistics, &last);

    record(&store, &(0..260).collect::<Vec<_>>());
    store.fold_some(260);
    assert_exact(&store, &statistics, &last);

    let kept = statistics.status().spans;
    assert!((10..50).contains(&kept), "{kept}");
    store.readings();
    assert_exact(&store, &statistics, &last);
    assert_eq!(reads(&store), [(Some(2_000), 0)]);
    assert_exact(&store, &statistics, &all);
}

#[test]
fn what_is_new_is_added_to_many_spans() {
    let (store, statistics) = keeping(ROOM);
    record(&store, &[150]);
    store.fold_some(1);
    let spans: Vec<_> = (0..100).map(|from| (from, 400)).chain([(0, 200), (200, 400)]).collect();
    let all = given::about(&spans);
    assert_exact(&store, &statistics, &all);

    record(&store, &(100..300).collect::<Vec<_>>());
    store.fold_some(200);
    assert_exact(&store, &statistics, &all);
    assert_exact(&store, &statistics, &all);

    assert_eq!(statistics.status().spans, 102);
}

#[test]
fn what_is_kept_does_not_grow_with_how_often_it_changed() {
    let (store, statistics) = keeping(ROOM);
    let question = given::about(&[(0, 1)]);
    let mut bytes = Vec::new();
    for _ in 0..10 {
        for number in 0..5 {
            store.record(Made { kind: given::numbered(number), ..given::made_in(0, 100) });
        }
        store.fold_some(5);
        assert_exact(&store, &statistics, &question);
        bytes.push(statistics.status().bytes);
    }

    assert_eq!(bytes[1], bytes[9], "{bytes:?}");
}

#[test]
fn without_room_nothing_is_kept() {
    let (store, statistics) = keeping(0);
    record(&store, &[0, 0]);
    store.fold_some(1);

    assert_exact(&store, &statistics, &given::about(&[(0, 1)]));
    assert_exact(&store, &statistics, &given::about(&[(0, 1)]));

    // Nor is a position that the store would have to know.
    assert_eq!(reads(&store), [(None, 1), (None, 1)]);
    assert_eq!((statistics.status().spans, statistics.status().bytes), (0, 0));
}

#[test]
fn what_is_kept_in_more_detail_is_not_read_again_for_less() {
    let by = |provider, model| StatisticsQuestion {
        dimensions: Dimensions { provider, model, ..Dimensions::default() },
        ..given::about(&[(0, 2), (1, 3)])
    };
    for (first, then, is_kept) in [
        (by(true, true), by(false, false), true),
        (by(true, true), by(true, false), true),
        (by(false, true), by(false, false), true),
        (by(true, false), by(false, true), false),
        (by(false, false), by(true, false), false),
        // What is not told apart in the answer has to be, to leave others out.
        (
            by(true, false),
            StatisticsQuestion { model: Some(given::model("gpt-5")), ..by(false, false) },
            false,
        ),
        (
            by(false, true),
            StatisticsQuestion { model: Some(given::model("gpt-5")), ..by(false, false) },
            true,
        ),
    ] {
        let (store, statistics) = keeping(ROOM);
        record_kinds(&store);
        assert_exact(&store, &statistics, &first);
        store.readings();

        assert_exact(&store, &statistics, &then);

        let spans = if is_kept { 0 } else { 2 };
        assert_eq!(reads(&store), [(Some(1_000), spans)], "{first:?}, {then:?}");
        // From then on each is brought up to date.
        record_kinds(&store);
        for question in [&then, &first, &then] {
            assert_exact(&store, &statistics, question);
        }
        assert!(reads(&store).iter().all(|(_, spans)| *spans == 0), "{first:?}, {then:?}");
    }
}

/// Three kinds in each of three quarters, folded.
fn record_kinds(store: &Store) {
    for quarter in 0..3 {
        for (provider, model) in [("openai", "gpt-5"), ("google", "gpt-5"), ("openai", "o9")] {
            let kind = given::kind(provider, Some(model), GenerationStatus::Completed);
            store.record(Made { kind, ..given::made_in(quarter, 40) });
        }
    }
    store.fold_some(9);
}
