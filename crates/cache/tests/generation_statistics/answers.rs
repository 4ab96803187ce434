//! What is answered, and what is read for it.

use std::sync::atomic::Ordering;

use domain::{EntriesReading, GenerationStatus, RepositoryError, TimeRange, Times};
use groovebase_cache::{Dimensions, GroupSums, StatisticsQuestion};

use super::{
    ask, assert_exact, given, keeping,
    store::{Made, Store},
};

const ROOM: u64 = 1 << 20;

const BY_ALL: Dimensions = Dimensions { artist: true, ..given::BY_KIND };

/// Six generations of two quarters that differ in everything, half of them folded.
fn record_some(store: &Store) {
    let kinds = [
        ("openai", Some("gpt-5"), GenerationStatus::Completed),
        ("openai", Some("gpt-5"), GenerationStatus::Failed),
        ("openai", None, GenerationStatus::Completed),
        ("anthropic", Some("opus"), GenerationStatus::Cancelled),
        ("anthropic", Some("gpt-5"), GenerationStatus::Completed),
        ("template", None, GenerationStatus::Completed),
    ];
    for (number, (provider, model, status)) in (1..).zip(kinds) {
        store.record(Made {
            artist: (number % 3 != 0).then_some(number % 3),
            kind: given::kind(provider, model, status),
            ..given::made_in(i64::from(number % 2), 1_000 * u32::from(number))
        });
    }
    store.fold_some(3);
}

/// How many generations there are of each artist and kind, as texts.
fn counts(answer: &[GroupSums]) -> Vec<(String, u64)> {
    let text = |GroupSums { artist, provider, model, status, sums }: &GroupSums| {
        let artist = artist.as_ref().map_or("-", |artist| artist.as_str());
        let provider = provider.as_ref().map_or("-", |provider| provider.as_str());
        let model = model.as_ref().map_or("-", |model| model.as_str());
        let status = status.map_or("-", GenerationStatus::as_str);
        (format!("{artist}, {provider}, {model}, {status}"), sums.generations)
    };
    answer.iter().map(text).collect()
}

fn total(answer: &[GroupSums]) -> u64 {
    answer.iter().map(|it| it.sums.generations).sum()
}

fn expected<const N: usize>(counts: [(&str, u64); N]) -> Vec<(String, u64)> {
    counts.map(|(text, count)| (text.to_owned(), count)).into()
}

#[test]
fn tells_kinds_apart_in_their_order() {
    let (store, statistics) = keeping(ROOM);
    record_some(&store);
    store.record(given::made_in(0, 7));
    let question = given::about(&[(0, 2)]);

    let answer = ask(&statistics, &question).unwrap();

    assert_eq!(
        counts(&answer[0]),
        expected([
            ("-, anthropic, gpt-5, completed", 1),
            ("-, anthropic, opus, cancelled", 1),
            ("-, openai, -, completed", 1),
            ("-, openai, gpt-5, completed", 2),
            ("-, openai, gpt-5, failed", 1),
            ("-, template, -, completed", 1),
        ])
    );
    assert_exact(&store, &statistics, &question);
}

#[test]
fn tells_artists_apart_if_asked_to() {
    let (store, statistics) = keeping(ROOM);
    record_some(&store);
    let question = StatisticsQuestion { dimensions: BY_ALL, ..given::about(&[(0, 2)]) };

    let answer = ask(&statistics, &question).unwrap();

    assert_eq!(
        counts(&answer[0]),
        expected([
            ("-, openai, -, completed", 1),
            ("-, template, -, completed", 1),
            ("Artist 1, anthropic, opus, cancelled", 1),
            ("Artist 1, openai, gpt-5, completed", 1),
            ("Artist 2, anthropic, gpt-5, completed", 1),
            ("Artist 2, openai, gpt-5, failed", 1),
        ])
    );
    assert_exact(&store, &statistics, &question);
}

#[test]
fn counts_only_what_is_asked_about() {
    let (store, statistics) = keeping(ROOM);
    record_some(&store);
    let all = given::about(&[(0, 2)]);
    let provider = Some(given::provider("openai"));
    let model = Some(given::model("gpt-5"));

    for (question, generations) in [
        (StatisticsQuestion { provider: provider.clone(), ..all.clone() }, 3),
        (StatisticsQuestion { model: model.clone(), ..all.clone() }, 3),
        (StatisticsQuestion { provider, model, ..all.clone() }, 2),
        (StatisticsQuestion { artist: Some(given::artist(1).0), ..all.clone() }, 2),
    ] {
        assert_exact(&store, &statistics, &question);
        assert_eq!(total(&ask(&statistics, &question).unwrap()[0]), generations, "{question:?}");
    }

    let unheard_of = StatisticsQuestion { provider: Some(given::provider("google")), ..all };
    assert_eq!(ask(&statistics, &unheard_of).unwrap(), [[]]);
}

#[test]
fn answers_range_by_range() {
    let (store, statistics) = keeping(ROOM);
    record_some(&store);
    let question = given::about(&[(1, 2), (5, 9), (3, 3), (0, 2), (1, 2)]);

    let answer = ask(&statistics, &question).unwrap();

    let totals: Vec<_> = answer.iter().map(|answer| total(answer)).collect();
    assert_eq!(totals, [3, 0, 0, 6, 3]);
    assert!(answer[1].is_empty() && answer[2].is_empty());
    // A span is read once, however often it is asked about.
    assert_eq!(store.readings()[0].spans.len(), 3);
}

#[test]
fn nothing_is_read_for_no_time_at_all() {
    let (store, statistics) = keeping(ROOM);

    assert_eq!(ask(&statistics, &given::about(&[])).unwrap(), Vec::<Vec<_>>::new());
    assert_eq!(ask(&statistics, &given::about(&[(1, 1), (2, 2)])).unwrap(), [[], []]);
    let exactly = StatisticsQuestion { exact_times: true, ..given::about(&[(1, 1)]) };
    assert_eq!(ask(&statistics, &exactly).unwrap(), [[]]);
    assert!(store.readings().is_empty());
}

#[test]
fn what_is_left_of_a_range_is_read_from_the_generations() {
    let (store, statistics) = keeping(ROOM);
    for (at, time_ms) in [(0, 1), (9, 2), (10, 4), (given::QUARTER, 8), (2 * given::QUARTER, 16)] {
        store.record(Made { at, ..given::made_in(0, time_ms) });
        store.fold_some(1);
    }
    store.record(Made { at: 11, ..given::made_in(0, 32) });
    let range = TimeRange::clipped(10, 2 * given::QUARTER + 1);
    let question = StatisticsQuestion { ranges: vec![range], ..StatisticsQuestion::default() };

    let answer = ask(&statistics, &question).unwrap();

    assert_eq!(answer[0][0].sums.time_ms, 4 + 8 + 16 + 32);
    let [reading] = &store.readings()[..] else { panic!("one read") };
    let edge = |from, to| EntriesReading {
        range: TimeRange::clipped(from, to),
        artist: None,
        by_artist: false,
        exact_times: false,
    };
    assert_eq!(
        reading.entries,
        [edge(10, given::QUARTER), edge(2 * given::QUARTER, 2 * given::QUARTER + 1)]
    );
    assert_eq!(reading.spans.len(), 1);
    assert_exact(&store, &statistics, &question);
}

#[test]
fn a_range_within_a_quarter_needs_no_sums() {
    let (store, statistics) = keeping(ROOM);
    record_some(&store);
    ask(&statistics, &given::about(&[(0, 2)])).unwrap();
    store.readings();
    let range = TimeRange::clipped(1, given::QUARTER - 1);
    let question = StatisticsQuestion { ranges: vec![range], ..StatisticsQuestion::default() };

    assert_exact(&store, &statistics, &question);

    let [reading] = &store.readings()[..] else { panic!("one read") };
    assert_eq!((reading.since, reading.spans.len()), (None, 0));
}

#[test]
fn what_sums_do_not_know_is_read_from_the_generations() {
    let (store, statistics) = keeping(ROOM);
    record_some(&store);
    let question = given::about(&[(0, 2), (1, 2)]);
    let artist = Some(given::artist(2).0);

    for question in [
        StatisticsQuestion { artist, ..question.clone() },
        StatisticsQuestion { dimensions: BY_ALL, ..question.clone() },
        StatisticsQuestion { exact_times: true, ..question.clone() },
    ] {
        assert_exact(&store, &statistics, &question);

        let [reading] = &store.readings()[..] else { panic!("one read") };
        let expected = question.ranges.iter().map(|&range| EntriesReading {
            range,
            artist: question.artist,
            by_artist: question.dimensions.artist,
            exact_times: question.exact_times,
        });
        assert_eq!(reading.entries, expected.collect::<Vec<_>>());
        assert_eq!((reading.since, reading.spans.len()), (None, 0));
    }
    assert_eq!(statistics.status().spans, 0);
}

#[test]
fn exact_times_are_exact() {
    let (store, statistics) = keeping(ROOM);
    store.record(given::made_in(0, 4_001));
    store.fold_some(1);
    let by_class = given::about(&[(0, 1)]);
    let exact = StatisticsQuestion { exact_times: true, ..by_class.clone() };

    let times = |question| ask(&statistics, question).unwrap()[0][0].sums.times.clone();

    assert_eq!(times(&exact), Times::exact([(4_001, 1)]));
    assert_eq!(times(&by_class), Times::of(4_001));
}

#[test]
fn an_answer_that_does_not_fit_the_question_is_an_error() {
    let (store, statistics) = keeping(ROOM);
    record_some(&store);
    store.forgets_a_list.store(true, Ordering::SeqCst);

    let answer = ask(&statistics, &given::about(&[(0, 1), (1, 2)]));

    assert!(matches!(answer, Err(RepositoryError::Internal(_))), "{answer:?}");
    assert_eq!(statistics.status().spans, 0);
}

#[test]
fn only_what_is_new_is_read_again() {
    let (store, statistics) = keeping(ROOM);
    record_some(&store);
    let question = given::about(&[(0, 1), (1, 2)]);
    assert_exact(&store, &statistics, &question);

    record_some(&store);
    let wider = given::about(&[(0, 1), (0, 4)]);
    assert_exact(&store, &statistics, &wider);
    assert_exact(&store, &statistics, &question);

    let asked: Vec<_> =
        store.readings().iter().map(|it| (it.since.map(|it| it.0), it.spans.len())).collect();
    assert_eq!(asked, [(None, 2), (Some(1_000), 1), (Some(2_000), 0)]);
    let status = statistics.status();
    assert_eq!((status.spans, status.hits, status.misses, status.resets), (3, 3, 3, 0));
    assert_ne!(status.bytes, 0);
}

#[test]
fn can_be_shared_and_sent() {
    fn check<T: Clone + Send + Sync>(_: &T) {}
    let (_, statistics) = keeping(ROOM);

    check(&statistics);

    assert!(format!("{statistics:?}").contains("spans: 0"));
}
