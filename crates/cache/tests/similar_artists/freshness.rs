//! Which writes an answer includes, and when an answer is kept.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use domain::{
    Engine, Expected, FeelParameter, FeelRange, RepositoryError, Search, SearchFilter,
    StyleProfiles, StyleVector,
};
use groovebase_cache::{Freshness, IndexState, SearchSource, SimilaritySettings};
use tokio::time::{Instant, advance, sleep, timeout};

use super::{Instance, SETTINGS, assert_from_index, assert_same, given, names, store::Store};

const KEEPING: SimilaritySettings = SimilaritySettings { answers: 100, ..SETTINGS };

/// A store with two artists, and a search that finds the first of them first.
fn two() -> (Arc<Store>, Search) {
    let store = Store::new();
    store.commit("J Dilla", Some(given::vector(given::embedding(1))));
    store.commit("Questlove", Some(given::vector(given::embedding(2))));
    (store, given::around(given::embedding(1), 20))
}

#[tokio::test]
async fn what_an_instance_saves_it_finds_at_once() {
    let (store, search) = two();
    let instance = Instance::on(&store, SETTINGS).await;
    // The feed does not tell of it.
    store.rounds.close();

    let saving = given::profile("Madlib", given::embedding(1));
    instance
        .profiles
        .save(&saving, Expected::Any, &domain::Author::at_the_command_line())
        .await
        .unwrap();

    let read = instance.read(&search).await;
    assert_eq!(names(&read)[..2], ["J Dilla", "Madlib"]);
    assert_from_index(&read, &store.compare(&search));

    instance
        .profiles
        .remove(given::name("J Dilla").key(), Expected::Any, &domain::Author::at_the_command_line())
        .await
        .unwrap();

    let read = instance.read(&search).await;
    assert_eq!(names(&read), ["Madlib", "Questlove"]);
    assert_from_index(&read, &store.compare(&search));
}

#[tokio::test(start_paused = true)]
async fn a_strict_search_includes_what_others_wrote() {
    let (store, search) = two();
    let instance = Instance::on(&store, SETTINGS).await;

    store.commit("Madlib", Some(given::vector(given::embedding(1))));
    let read = instance.strict(&search).await;

    assert_from_index(&read, &store.compare(&search));
    assert_eq!(names(&read)[..2], ["J Dilla", "Madlib"]);
}

#[tokio::test]
async fn changes_of_others_arrive_though_nobody_searches() {
    let (store, _) = two();
    let instance = Instance::on(&store, SETTINGS).await;

    store.commit("Madlib", Some(given::vector(given::embedding(3))));
    store.commit_removal("J Dilla");

    while instance.similar.status().applied < store.version() {
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(instance.similar.status().vectors, 2);
    assert_eq!(instance.similar.status().state, IndexState::Ready);
}

#[tokio::test]
async fn a_version_that_was_lost_and_used_again_is_not_skipped() {
    let (store, search) = two();
    let instance = Instance::on(&store, SETTINGS).await;
    store.rounds.close();
    let saving = given::profile("Madlib", given::embedding(1));
    instance
        .profiles
        .save(&saving, Expected::Any, &domain::Author::at_the_command_line())
        .await
        .unwrap();
    assert_eq!(names(&instance.read(&search).await)[..2], ["J Dilla", "Madlib"]);
    let lost = store.version();

    store.lose("Madlib");
    assert_eq!(store.commit("Jay Dee", Some(given::vector(given::embedding(1)))), lost);
    store.rounds.open();
    instance.feed.confirm().await.unwrap();

    // Like the catalog, it holds what was lost until it hears of that artist again.
    let held = async {
        while instance.similar.status().vectors < 4 {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(10), held).await.unwrap();
    let read = instance.strict(&search).await;
    assert_eq!(read.source, SearchSource::Index);
    assert_eq!(names(&read), ["J Dilla", "Jay Dee", "Madlib", "Questlove"]);
}

#[tokio::test]
async fn a_search_is_not_answered_from_before_what_the_feed_told() {
    let (store, search) = two();
    let instance = Instance::on(&store, SETTINGS).await;
    store.vectors.close();
    store.commit("Madlib", Some(given::vector(given::embedding(1))));
    instance.feed.confirm().await.unwrap();

    let (similar, asked) = (instance.similar.clone(), search.clone());
    let reading = tokio::spawn(async move { similar.read(&asked, Freshness::Default).await });
    store.vectors.reached_by(1).await;
    assert_eq!(instance.similar.status().state, IndexState::Behind);
    store.vectors.open();

    assert_from_index(&reading.await.unwrap().unwrap(), &store.compare(&search));
}

#[tokio::test(start_paused = true)]
async fn the_database_answers_when_the_index_does_not_catch_up() {
    let (store, search) = two();
    let instance = Instance::on(&store, SETTINGS).await;
    store.vectors.close();
    store.commit("Madlib", Some(given::vector(given::embedding(1))));
    instance.feed.confirm().await.unwrap();

    for patience in [Duration::from_millis(500), Duration::ZERO] {
        let began = Instant::now();
        let read = instance.read(&search).await;
        assert_eq!(
            (read.source, began.elapsed().as_millis()),
            (SearchSource::Database, patience.as_millis())
        );
        assert_same(&read.answer, &store.compare(&search));
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_feed_hangs_the_store_of_vectors_decides() {
    let (store, search) = two();
    let instance = Instance::on(&store, SETTINGS).await;
    store.rounds.close();
    sleep(Duration::from_secs(2)).await;
    store.commit("Madlib", Some(given::vector(given::embedding(1))));

    let read = instance.read(&search).await;

    assert_from_index(&read, &store.compare(&search));
    assert!(read.age <= Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_before_a_search_began_does_not_answer_it() {
    let (store, search) = two();
    let instance = Instance::on(&store, SETTINGS).await;
    store.rounds.close();
    sleep(Duration::from_secs(2)).await;
    store.vectors.close();
    let reading = || {
        let (similar, search) = (instance.similar.clone(), search.clone());
        tokio::spawn(async move { similar.read(&search, Freshness::Default).await.unwrap() })
    };
    let early = reading();
    store.vectors.reached_by(1).await;
    let before = store.compare(&search);

    store.commit("Madlib", Some(given::vector(given::embedding(1))));
    let late = reading();
    tokio::task::yield_now().await;
    store.vectors.open();

    assert_from_index(&late.await.unwrap(), &store.compare(&search));
    let early = early.await.unwrap().answer;
    assert!(early.neighbours.len() == 3 || early.neighbours == before.neighbours);
}

#[tokio::test(start_paused = true)]
async fn while_the_database_is_away_the_last_answer_is_good_for_a_while() {
    let (store, search) = two();
    let instance = Instance::on(&store, SETTINGS).await;
    let expected = store.compare(&search);
    store.is_away.store(true, Ordering::SeqCst);
    sleep(Duration::from_secs(5)).await;

    for engine in Engine::ALL {
        let read = instance.read(&Search { engine, ..search.clone() }).await;
        assert_eq!((read.source, read.stale), (SearchSource::Index, true), "{engine:?}");
        assert_same(&read.answer, &expected);
        assert!(Duration::from_secs(4) < read.age && read.age < Duration::from_secs(8));
    }
    let strict = instance.similar.read(&search, Freshness::Strict).await;
    assert!(matches!(strict, Err(RepositoryError::Unavailable(_))), "{strict:?}");
    assert_eq!(instance.similar.status().searches.stale, 3);

    sleep(Duration::from_mins(10)).await;
    let late = instance.similar.read(&search, Freshness::Default).await;
    assert!(matches!(late, Err(RepositoryError::Unavailable(_))), "{late:?}");

    store.is_away.store(false, Ordering::SeqCst);
    sleep(Duration::from_secs(3)).await;
    assert_from_index(&instance.read(&search).await, &expected);
}

#[tokio::test(start_paused = true)]
async fn what_is_known_to_be_out_of_date_is_never_handed_out() {
    let (store, search) = two();
    let instance = Instance::on(&store, SETTINGS).await;
    store.vectors.close();
    let saving = given::profile("Madlib", given::embedding(1));
    instance
        .profiles
        .save(&saving, Expected::Any, &domain::Author::at_the_command_line())
        .await
        .unwrap();
    store.is_away.store(true, Ordering::SeqCst);
    store.vectors.open();
    sleep(Duration::from_secs(5)).await;

    let read = instance.similar.read(&search, Freshness::Default).await;

    assert!(matches!(read, Err(RepositoryError::Unavailable(_))), "{read:?}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_until_something_changed_it() {
    let (store, search) = two();
    let narrow = FeelRange::new(FeelParameter::TempoAvg, 90.0, 95.0).unwrap();
    let filter = SearchFilter { ranges: vec![narrow], ..SearchFilter::EVERYBODY };
    let search = Search { filter, ..search };
    let instance = Instance::on(&store, KEEPING).await;
    let dilla = given::vector(given::embedding(1));
    let source = async || {
        let read = instance.strict(&search).await;
        assert_same(&read.answer, &store.compare(&search));
        read.source
    };

    assert_eq!(source().await, SearchSource::Index);
    assert_eq!(source().await, SearchSource::Memory);

    // A version that changes nothing that searches look at, and an artist without an embedding.
    store.commit("J Dilla", Some(dilla.clone()));
    store.commit("Nobody", None);
    assert_eq!(source().await, SearchSource::Memory);

    for step in 0..6 {
        match step {
            0 => drop(store.commit("J Dilla", Some(given::vector(given::embedding(4))))),
            1 => {
                let quantitative_params = given::params(120.0);
                store.commit("J Dilla", Some(StyleVector { quantitative_params, ..dilla.clone() }));
            }
            2 => store.commit_name("Questlove", "QUESTLOVE"),
            3 => store.commit_removal("Questlove"),
            4 => drop(store.commit("Madlib", Some(given::vector(given::embedding(9))))),
            _ => drop(store.commit("Madlib", None)),
        }
        assert_eq!(source().await, SearchSource::Index, "step {step}");
        assert_eq!(source().await, SearchSource::Memory, "step {step}");
    }
    assert_eq!(instance.similar.status().searches.memory, 8);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_the_database_is_kept_until_anything_changed() {
    let (store, search) = two();
    let off = SimilaritySettings { memory_bytes: 0, ..KEEPING };
    let instance = Instance::on(&store, off).await;

    assert_eq!(instance.read(&search).await.source, SearchSource::Database);
    assert_eq!(instance.read(&search).await.source, SearchSource::Memory);
    assert_eq!(instance.strict(&search).await.source, SearchSource::Memory);

    let saving = given::profile("Madlib", given::embedding(1));
    instance
        .profiles
        .save(&saving, Expected::Any, &domain::Author::at_the_command_line())
        .await
        .unwrap();
    let read = instance.read(&search).await;
    assert_eq!(read.source, SearchSource::Database);
    assert_same(&read.answer, &store.compare(&search));

    store.is_away.store(true, Ordering::SeqCst);
    sleep(Duration::from_secs(5)).await;
    let read = instance.read(&search).await;
    assert_eq!((read.source, read.stale), (SearchSource::Memory, true));
    assert_eq!(instance.similar.status().state, IndexState::Off);
}

#[tokio::test]
async fn an_answer_of_the_database_is_not_taken_for_one_of_the_index() {
    let (store, search) = two();
    store.vectors.close();
    let instance = Instance::starting_on(&store, KEEPING);
    instance.feed.confirm().await.unwrap();
    let source = async |engine| instance.read(&Search { engine, ..search.clone() }).await.source;
    for engine in Engine::ALL {
        assert_eq!(source(engine).await, SearchSource::Database);
        assert_eq!(source(engine).await, SearchSource::Memory);
    }

    store.vectors.open();
    instance.similar.loaded().await;

    assert_eq!(source(Engine::Auto).await, SearchSource::Index);
    assert_eq!(source(Engine::Exact).await, SearchSource::Index);
    assert_eq!(source(Engine::Approximate).await, SearchSource::Memory);
}

#[tokio::test(start_paused = true)]
async fn no_answer_is_kept_for_a_catalog_that_is_out_of_date() {
    let (store, search) = two();
    let instance = Instance::on(&store, SimilaritySettings { memory_bytes: 0, ..KEEPING }).await;
    store.rounds.close();
    advance(Duration::from_secs(2)).await;

    for _ in 0..2 {
        assert_eq!(instance.read(&search).await.source, SearchSource::Database);
    }
}
