//! Every answer is that of a store that compares everything.

use std::sync::Arc;

use domain::{
    Confidence, FeelParameter, FeelRange, Metric, ResearchStatus, Search, SearchFilter, SearchMode,
    StyleVector, Version,
};
use groovebase_cache::{Freshness, SearchSource, SimilaritySettings};
use proptest::prelude::*;

use super::{
    Instance, SETTINGS, assert_from_index, assert_same, given, given::Shape, store::Store,
};

fn shapes() -> impl Strategy<Value = Shape> {
    proptest::sample::select(&Shape::ALL)
}

/// Few numbers, so that some artists are twins.
fn vectors() -> impl Strategy<Value = StyleVector> {
    (shapes(), 0_u64..40, 0_usize..4, 0_u8..=4, 60_u8..70).prop_map(
        |(shape, number, status, confidence, tempo)| StyleVector {
            embedding: given::shaped(shape, number),
            research_status: ResearchStatus::ALL[status],
            confidence: Confidence::try_from(f64::from(confidence) / 4.0).unwrap(),
            quantitative_params: given::params(tempo.into()),
        },
    )
}

fn filters() -> impl Strategy<Value = SearchFilter> {
    let nothing = Just(SearchFilter::EVERYBODY);
    let something = (
        proptest::collection::vec(0_usize..4, 0..3),
        proptest::option::of(0_u8..=4),
        proptest::option::of((58_u8..70, 0_u8..8)),
    )
        .prop_map(|(statuses, confidence, tempo)| SearchFilter {
            statuses: statuses.into_iter().map(|at| ResearchStatus::ALL[at]).collect(),
            least_confidence: confidence
                .map(|quarters| Confidence::try_from(f64::from(quarters) / 4.0).unwrap()),
            ranges: tempo
                .map(|(from, width)| {
                    let (from, to) = (f64::from(from), f64::from(from + width));
                    FeelRange::new(FeelParameter::TempoAvg, from, to).unwrap()
                })
                .into_iter()
                .collect(),
        });
    prop_oneof![2 => nothing, 1 => something]
}

/// Searches around what some artists have, and around what none has.
fn searches() -> impl Strategy<Value = Search> {
    let metrics = proptest::sample::select(&Metric::ALL);
    let except = proptest::collection::vec(0_usize..100, 0..4);
    (shapes(), 0_u64..60, metrics, 1_u16..=20, except, filters()).prop_map(
        |(shape, number, metric, limit, except, filter)| Search {
            except: except.into_iter().map(|at| given::name(&artist(at)).key().clone()).collect(),
            metric,
            filter,
            ..given::around(given::shaped(shape, number), limit)
        },
    )
}

/// At most so many, as a rule all by one metric.
fn many_searches(most: usize) -> impl Strategy<Value = Vec<Search>> {
    let metric = proptest::option::weighted(0.8, proptest::sample::select(&Metric::ALL));
    (proptest::collection::vec(searches(), 1..most), metric).prop_map(|(searches, metric)| {
        let by = |search: Search| Search { metric: metric.unwrap_or(search.metric), ..search };
        searches.into_iter().map(by).collect()
    })
}

fn artist(number: usize) -> String {
    format!("Artist {number}")
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn are_exact_alone_and_together(
        stored in proptest::collection::vec(vectors(), 0..120),
        searches in many_searches(40),
    ) {
        run(async {
            let store = Store::new();
            for (number, vector) in stored.into_iter().enumerate() {
                store.commit(&artist(number), Some(vector));
            }
            let instance = Instance::on(&store, SETTINGS).await;

            let together = instance.similar.read_many(&searches, Freshness::Default).await.unwrap();

            for (search, together) in searches.iter().zip(&together) {
                let expected = store.compare(search);
                assert_from_index(together, &expected);
                assert_from_index(&instance.read(search).await, &expected);
            }
        });
    }

    #[test]
    fn follow_every_change(
        changes in proptest::collection::vec(changes(), 1..60),
        searches in many_searches(8),
    ) {
        run(async {
            let store = Store::new();
            let instance = Instance::on(&store, SETTINGS).await;
            for change in changes {
                change.commit(&store);
                instance.feed.confirm().await.unwrap();

                let together = instance.similar.read_many(&searches, Freshness::Default).await;
                for (search, together) in searches.iter().zip(together.unwrap()) {
                    let expected = store.compare(search);
                    assert_from_index(&together, &expected);
                    assert_from_index(&instance.read(search).await, &expected);
                }
            }
            prop_assert_eq!(instance.similar.status().vectors, store.vectors() as u64);
            Ok(())
        })?;
    }
}

/// Something that somebody does to a store.
#[derive(Debug, Clone)]
enum Step {
    Save(usize, StyleVector),
    SaveMany(Vec<(usize, StyleVector)>),
    TakeVector(usize),
    Remove(usize),
    Rename(usize, usize),
    Respell(usize),
}

impl Step {
    fn commit(self, store: &Store) {
        match self {
            Self::Save(number, vector) => {
                store.commit(&artist(number), Some(vector));
            }
            Self::SaveMany(artists) => {
                for (number, vector) in artists {
                    store.commit(&artist(number), Some(vector));
                }
            }
            Self::TakeVector(number) => {
                store.commit(&artist(number), None);
            }
            Self::Remove(number) => store.commit_removal(&artist(number)),
            Self::Rename(from, to) => store.commit_name(&artist(from), &artist(to)),
            Self::Respell(number) => {
                let respelled = artist(number).to_uppercase();
                store.commit_name(&artist(number), &respelled);
            }
        }
    }
}

fn changes() -> impl Strategy<Value = Step> {
    let number = 0_usize..30;
    let many = proptest::collection::vec((number.clone(), vectors()), 1..20);
    prop_oneof![
        4 => (number.clone(), vectors()).prop_map(|(number, vector)| Step::Save(number, vector)),
        1 => many.prop_map(Step::SaveMany),
        1 => number.clone().prop_map(Step::TakeVector),
        1 => number.clone().prop_map(Step::Remove),
        1 => (number.clone(), number.clone()).prop_map(|(from, to)| Step::Rename(from, to)),
        1 => number.prop_map(Step::Respell),
    ]
}

#[tokio::test]
async fn are_the_same_from_any_number_of_threads() {
    let store = Store::new();
    for number in 0..6_000 {
        let vector = given::vector(given::embedding(number % 5_000));
        store.commit(&format!("Artist {number}"), Some(vector));
    }
    let searches: Vec<_> = (0..8).map(|it| given::around(given::embedding(it * 701), 20)).collect();
    let expected: Vec<_> = searches.iter().map(|search| store.compare(search)).collect();

    for threads in [1, 2, 3] {
        let settings = SimilaritySettings { threads, ..SETTINGS };
        let instance = Instance::on(&store, settings).await;
        let together = instance.similar.read_many(&searches, Freshness::Default).await.unwrap();
        let alone = futures::future::join_all(searches.iter().map(|it| instance.read(it))).await;
        for ((expected, together), alone) in expected.iter().zip(&together).zip(&alone) {
            assert_from_index(together, expected);
            assert_from_index(alone, expected);
        }
    }
}

#[tokio::test]
async fn of_an_empty_store_are_empty() {
    let instance = Instance::on(&Store::new(), SETTINGS).await;

    let read = instance.read(&given::around(given::embedding(1), 5)).await;

    assert_eq!(read.source, SearchSource::Index);
    assert!(read.answer.neighbours.is_empty());
    assert_eq!(read.answer.exactness.mode, SearchMode::Exact);
    assert_eq!(read.answer.exactness.as_of, Version::ZERO);
}

#[tokio::test]
async fn never_hold_the_artist_they_are_about_though_twins_come_first() {
    let store = Store::new();
    for artist in ["J Dilla", "Jay Dee", "Questlove"] {
        store.commit(artist, Some(given::vector(given::embedding(7))));
    }
    let instance = Instance::on(&store, SETTINGS).await;

    for metric in Metric::ALL {
        let search = Search {
            except: vec![given::name("J Dilla").key().clone()],
            metric,
            ..given::around(given::embedding(7), 20)
        };
        let read = instance.read(&search).await;
        assert_eq!(super::names(&read), ["Jay Dee", "Questlove"], "{metric:?}");
        assert_eq!(read.answer.exactness.compared, 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn never_hold_half_of_a_write() {
    let store = Store::new();
    let (one, other) = (given::embedding(1), given::embedding(2));
    for number in 0..3_000 {
        store.commit(&format!("Artist {number}"), Some(given::vector(one.clone())));
    }
    let instance = Instance::on(&store, SETTINGS).await;
    let search = given::around(one.clone(), 20);
    let whole = [&one, &other].map(|it| Metric::Cosine.score(&one, it).to_bits());

    let writing = {
        let (store, one, other) = (Arc::clone(&store), one.clone(), other.clone());
        tokio::task::spawn_blocking(move || {
            for round in 0..20 {
                let next = if round % 2 == 0 { &other } else { &one };
                for number in 0..3_000 {
                    store.commit(&format!("Artist {number}"), Some(given::vector(next.clone())));
                }
            }
        })
    };
    let mut searches = 0;
    while !writing.is_finished() || searches < 50 {
        let read = instance.strict(&search).await;
        assert_eq!(read.answer.neighbours.len(), 20);
        for neighbour in &read.answer.neighbours {
            assert!(whole.contains(&neighbour.score.to_bits()), "{neighbour:?}");
        }
        searches += 1;
    }
    writing.await.unwrap();

    assert_same(&instance.strict(&search).await.answer, &store.compare(&search));
}
