//! Any order of recording, folding, trimming and asking, with reads that are answered late.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, Waker},
};

use domain::{GenerationStatus, TimeRange};
use groovebase_cache::{Dimensions, GenerationStatistics, GroupSums, StatisticsQuestion};
use proptest::prelude::*;

use super::{
    Answer, given,
    store::{Made, Store},
};

/// Something that happens.
#[derive(Debug, Clone)]
enum Step {
    Record(Made),
    Fold(usize),
    Trim(usize),
    /// Another database is put in place. Questions under way are answered by the old one.
    Replace,
    /// A question is read for, and waits for the answer; or fails when it comes.
    Ask(StatisticsQuestion, bool),
    /// One of the questions under way gets its answer, and may have to read again.
    Answer(prop::sample::Index),
    /// Whoever asked goes away.
    Cancel(prop::sample::Index),
}

fn made() -> impl Strategy<Value = Made> {
    let kinds = prop_oneof![
        Just(given::kind("openai", Some("gpt-5"), GenerationStatus::Completed)),
        Just(given::kind("openai", Some("gpt-5"), GenerationStatus::Failed)),
        Just(given::kind("openai", None, GenerationStatus::Completed)),
        Just(given::kind("anthropic", Some("opus"), GenerationStatus::Completed)),
        Just(given::kind("template", None, GenerationStatus::Cancelled)),
    ];
    let time = 0..5_000_u32;
    (
        -2 * given::QUARTER..6 * given::QUARTER,
        prop::option::of(0..3_u8),
        kinds,
        time,
        prop::option::of(any::<u32>()),
    )
        .prop_map(|(at, artist, kind, time_ms, cost)| Made { at, artist, kind, time_ms, cost })
}

fn range() -> impl Strategy<Value = TimeRange> {
    let whole =
        (-2..6_i64, 0..7_i64).prop_map(|(from, length)| given::quarters(from, from + length));
    let any = (-2 * given::QUARTER..6 * given::QUARTER, 0..3 * given::QUARTER)
        .prop_map(|(from, length)| TimeRange::clipped(from, from + length));
    prop_oneof![4 => whole, 1 => any, 1 => Just(TimeRange::ALL)]
}

fn question() -> impl Strategy<Value = StatisticsQuestion> {
    (
        prop::collection::vec(range(), 0..4),
        prop::option::weighted(0.1, 0..3_u8),
        prop::option::weighted(0.2, prop_oneof![Just("openai"), Just("google")]),
        prop::option::weighted(0.2, prop_oneof![Just("gpt-5"), Just("opus")]),
        (prop::bool::weighted(0.2), any::<[bool; 3]>()),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(ranges, artist, provider, model, dimensions, exact_times)| {
            let (artist_too, [by_provider, by_model, by_status]) = dimensions;
            StatisticsQuestion {
                ranges,
                artist: artist.map(|it| given::artist(it).0),
                provider: provider.map(given::provider),
                model: model.map(given::model),
                dimensions: Dimensions {
                    artist: artist_too,
                    provider: by_provider,
                    model: by_model,
                    status: by_status,
                },
                exact_times,
            }
        })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => made().prop_map(Step::Record),
        4 => (1..6_usize).prop_map(Step::Fold),
        1 => (0..3_usize).prop_map(Step::Trim),
        1 => Just(Step::Replace),
        8 => (question(), prop::bool::weighted(0.1)).prop_map(|(asked, fails)| Step::Ask(asked, fails)),
        8 => any::<prop::sample::Index>().prop_map(Step::Answer),
        1 => any::<prop::sample::Index>().prop_map(Step::Cancel),
    ]
}

/// A question under way.
struct Asking {
    question: StatisticsQuestion,
    answer: Pin<Box<dyn Future<Output = Answer>>>,
    /// What the answer must be: the brute sums as of the last read for it.
    expected: Vec<Vec<GroupSums>>,
    fails: bool,
}

impl Asking {
    fn begin(statistics: &GenerationStatistics, question: StatisticsQuestion, fails: bool) -> Self {
        let (asking, asked) = (statistics.clone(), question.clone());
        let answer = Box::pin(async move { asking.answer(&asked).await });
        // Without a range that is not empty nothing is read.
        let expected = vec![Vec::new(); question.ranges.len()];
        Self { question, answer, expected, fails }
    }

    /// Goes on until the next read is made, or the answer is there.
    fn go_on(&mut self, store: &Store) -> Poll<Answer> {
        store.fails.store(self.fails, Ordering::SeqCst);
        store.readings();
        let polled = self.answer.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if polled.is_pending() || !store.readings().is_empty() {
            self.expected = store.compare(&self.question, store.read_at());
        }
        polled
    }
}

fn check(asking: &Asking, answer: Answer) -> Result<(), TestCaseError> {
    match answer {
        Ok(answer) => {
            prop_assert_eq!(&answer, &asking.expected, "{:?}", &asking.question);
        }
        Err(_) => prop_assert!(asking.fails),
    }
    Ok(())
}

fn run(steps: Vec<Step>, bound: u64) -> Result<(), TestCaseError> {
    let (store, statistics) = super::keeping(bound);
    store.holds.store(true, Ordering::SeqCst);
    let mut stores = 0;
    let mut under_way: Vec<Asking> = Vec::new();
    for step in steps {
        match step {
            Step::Record(made) => store.record(made),
            Step::Fold(most) => drop(store.fold_some(most)),
            Step::Trim(keep) => store.trim(keep),
            Step::Replace => {
                // Two stores with the same positions could not be told from each other.
                stores += 1;
                store.replace(stores);
            }
            Step::Ask(question, fails) => {
                let mut asking = Asking::begin(&statistics, question, fails);
                match asking.go_on(&store) {
                    Poll::Ready(answer) => check(&asking, answer)?,
                    Poll::Pending => under_way.push(asking),
                }
            }
            Step::Answer(which) if !under_way.is_empty() => {
                let which = which.index(under_way.len());
                if let Poll::Ready(answer) = under_way[which].go_on(&store) {
                    check(&under_way.swap_remove(which), answer)?;
                }
            }
            Step::Cancel(which) if !under_way.is_empty() => {
                drop(under_way.swap_remove(which.index(under_way.len())));
            }
            Step::Answer(_) | Step::Cancel(_) => {}
        }
        prop_assert!(u64::try_from(statistics.status().bytes).unwrap() <= bound);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_is_exact_as_of_its_read(steps in prop::collection::vec(step(), 0..80)) {
        run(steps, 1 << 20)?;
    }

    #[test]
    fn with_room_for_little_too(
        steps in prop::collection::vec(step(), 0..80),
        bound in prop_oneof![Just(0), 300..4_000_u64],
    ) {
        run(steps, bound)?;
    }
}

/// Questions on many threads at once, while others record, fold and trim.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_recorded_before_a_question_is_in_its_answer() {
    let (store, statistics) = super::keeping(20_000);
    let mut asking = tokio::task::JoinSet::new();
    for seed in 0..4_i64 {
        let (store, statistics) = (Arc::clone(&store), statistics.clone());
        asking.spawn(async move {
            for round in 0..300_i64 {
                store.record(given::made_in((seed + round) % 5, 10));
                if round % 7 == 0 {
                    store.fold_some(20);
                }
                if round % 50 == 0 {
                    store.trim(2);
                }
                let question = given::about(&[(0, 5), (seed, seed + 1 + round % 4)]);
                let count = |answer: &[Vec<GroupSums>]| {
                    answer[0].first().map_or(0, |total| total.sums.generations)
                };
                let before = count(&store.compare_now(&question));
                let answered = count(&statistics.answer(&question).await.unwrap());
                let after = count(&store.compare_now(&question));
                assert!(before <= answered && answered <= after, "{before} {answered} {after}");
            }
        });
    }
    asking.join_all().await;

    let question = given::about(&[(0, 5), (1, 3)]);
    super::assert_exact(&store, &statistics, &question);
}
