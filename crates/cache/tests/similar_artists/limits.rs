//! What happens when the index is not there, cannot be, or has much to do.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use domain::{Engine, Search};
use groovebase_cache::{Freshness, IndexState, SearchSource, SimilaritySettings};
use tokio::time::{sleep, timeout};

use super::{Instance, SETTINGS, assert_from_index, assert_same, given, store::Store};

fn with(artists: u64) -> Arc<Store> {
    let store = Store::new();
    for number in 0..artists {
        store.commit(&artist(number), Some(given::vector(given::embedding(number))));
    }
    store
}

fn artist(number: u64) -> String {
    format!("Artist {number}")
}

#[tokio::test]
async fn the_database_answers_until_the_index_is_loaded() {
    let store = with(10);
    store.vectors.close();
    let instance = Instance::starting_on(&store, SETTINGS);
    instance.feed.confirm().await.unwrap();
    let search = given::around(given::embedding(3), 5);

    let read = instance.read(&search).await;
    assert_eq!(read.source, SearchSource::Database);
    assert_same(&read.answer, &store.compare(&search));
    assert_eq!(instance.similar.status().state, IndexState::Loading);

    store.vectors.open();
    instance.similar.loaded().await;
    assert_from_index(&instance.read(&search).await, &store.compare(&search));
    assert_eq!(instance.similar.status().state, IndexState::Ready);
}

/// So many artists are told of on three pages.
const THREE_PAGES: u64 = 2 * PAGE + 100;

/// How many changes the index asks for at once.
const PAGE: u64 = 4_096;

#[tokio::test]
async fn no_search_sees_half_of_what_was_loaded() {
    let store = with(THREE_PAGES);
    store.held_after.store(2 * PAGE, Ordering::SeqCst);
    store.vectors.close();
    let instance = Instance::starting_on(&store, SETTINGS);
    instance.feed.confirm().await.unwrap();
    let search = given::around(given::embedding(THREE_PAGES - 1), 5);

    // The first page has been taken in when the third is asked for.
    timeout(Duration::from_secs(30), store.vectors.reached_by(1)).await.unwrap();
    assert_eq!(instance.similar.status().vectors, 0);
    assert_eq!(instance.read(&search).await.source, SearchSource::Database);

    store.vectors.open();
    instance.similar.loaded().await;
    assert_from_index(&instance.read(&search).await, &store.compare(&search));
}

#[tokio::test]
async fn no_search_sees_half_of_what_changed() {
    let store = with(THREE_PAGES);
    let instance = Instance::on(&store, SETTINGS).await;
    let loaded = store.version();
    store.held_after.store(loaded.number() + 2 * PAGE, Ordering::SeqCst);
    store.vectors.close();

    for number in 0..THREE_PAGES {
        store.commit(&artist(number), Some(given::vector(given::embedding(number + 1))));
    }
    timeout(Duration::from_secs(30), store.vectors.reached_by(1)).await.unwrap();
    assert_eq!(instance.similar.status().applied, loaded);
    let search = given::around(given::embedding(1), 5);
    assert_eq!(instance.read(&search).await.source, SearchSource::Database);

    store.vectors.open();
    while instance.similar.status().applied < store.version() {
        sleep(Duration::from_millis(1)).await;
    }
    assert_from_index(&instance.strict(&search).await, &store.compare(&search));
}

#[tokio::test(start_paused = true)]
async fn an_index_that_was_stopped_asks_for_nothing_any_more() {
    let store = with(10);
    let instance = Instance::on(&store, SETTINGS).await;
    store.vectors.close();
    store.commit("Madlib", Some(given::vector(given::embedding(3))));
    store.vectors.reached_by(1).await;
    let holders = Arc::strong_count(&store);
    let questions = store.questions.load(Ordering::SeqCst);

    instance.similar.stop();

    // What asks for vectors ends though it still waits for an answer, and lets go of the store.
    let ended = async {
        while Arc::strong_count(&store) == holders {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(5), ended).await.unwrap();
    store.vectors.open();
    let search = given::around(given::embedding(3), 5);
    let read = instance.strict(&search).await;
    assert_eq!(read.source, SearchSource::Database);
    assert_same(&read.answer, &store.compare(&search));
    assert_eq!(store.questions.load(Ordering::SeqCst), questions);
}

#[tokio::test]
async fn the_database_answers_when_its_index_is_asked_for() {
    let store = with(10);
    let instance = Instance::on(&store, SETTINGS).await;
    let search = given::around(given::embedding(3), 5);
    let sources = async |engine| instance.read(&Search { engine, ..search.clone() }).await.source;

    assert_eq!(sources(Engine::Auto).await, SearchSource::Index);
    assert_eq!(sources(Engine::Exact).await, SearchSource::Index);
    assert_eq!(sources(Engine::Approximate).await, SearchSource::Database);

    // Together as well, each answer in its place.
    let searches: Vec<_> = Engine::ALL
        .into_iter()
        .enumerate()
        .map(|(number, engine)| {
            let target = given::embedding(number as u64);
            Search { engine, ..given::around(target, 3) }
        })
        .collect();
    let reads = instance.similar.read_many(&searches, Freshness::Default).await.unwrap();
    for (search, read) in searches.iter().zip(&reads) {
        let by_index = read.source == SearchSource::Index;
        assert_eq!(by_index, search.engine != Engine::Approximate);
        assert_same(&read.answer, &store.compare(search));
    }
    let searched = instance.similar.status().searches;
    assert_eq!((searched.index, searched.database_exact, searched.memory), (4, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn an_index_that_does_not_fit_leaves_searches_to_the_database() {
    let store = with(100);
    let settings = SimilaritySettings { memory_bytes: 150_000, ..SETTINGS };
    let instance = Instance::on(&store, settings).await;
    let search = given::around(given::embedding(3), 5);

    let status = instance.similar.status();
    assert_eq!((status.state, status.memory_bytes), (IndexState::TooLarge, 0));
    let read = instance.read(&search).await;
    assert_eq!(read.source, SearchSource::Database);
    assert_same(&read.answer, &store.compare(&search));

    // It is tried again when so many have gone that it may fit.
    for number in 50..100 {
        store.commit_removal(&artist(number));
    }
    while instance.similar.status().state != IndexState::Ready {
        sleep(Duration::from_millis(10)).await;
    }
    let status = instance.similar.status();
    assert!(0 < status.memory_bytes && status.memory_bytes <= status.bound_bytes, "{status:?}");
    assert_from_index(&instance.read(&search).await, &store.compare(&search));

    // And given up again when there are too many.
    for number in 0..100 {
        store.commit(&artist(number), Some(given::vector(given::embedding(number))));
    }
    assert_eq!(instance.strict(&search).await.source, SearchSource::Database);
    // The memory is given back a little after the last search has had the index.
    while instance.similar.status().state != IndexState::TooLarge {
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(instance.similar.status().memory_bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn an_index_that_hardly_fits_or_hardly_does_not_settles() {
    const ROOMY: u64 = 215_000;
    let mut fitted = 0;
    for memory_bytes in (185_000..=ROOMY).step_by(1_000) {
        let store = with(100);
        // They take nothing, and go one by one.
        for number in 100..110 {
            store.commit(&artist(number), None);
        }
        let settings = SimilaritySettings { memory_bytes, ..SETTINGS };
        let instance = Instance::on(&store, settings).await;
        let state = instance.similar.status().state;
        let questions = store.questions.load(Ordering::SeqCst);
        fitted += usize::from(state == IndexState::Ready);

        for number in 100..110 {
            store.commit_removal(&artist(number));
            sleep(Duration::from_secs(1)).await;
        }

        assert_eq!(instance.similar.status().state, state, "{memory_bytes}");
        let asked = store.questions.load(Ordering::SeqCst) - questions;
        // One for each change when it follows them, and none when it does not.
        assert!(
            asked <= if state == IndexState::Ready { 10 } else { 0 },
            "{memory_bytes}: {asked}"
        );
        assert!(memory_bytes < ROOMY || state == IndexState::Ready);
    }
    assert!((5..25).contains(&fitted), "{fitted}");
}

#[tokio::test(start_paused = true)]
async fn an_index_that_fits_is_not_given_up_however_often_artists_change() {
    for memory_bytes in (195_000..215_000).step_by(1_000) {
        let store = with(100);
        let settings = SimilaritySettings { memory_bytes, ..SETTINGS };
        let instance = Instance::on(&store, settings).await;
        if instance.similar.status().state != IndexState::Ready {
            continue;
        }
        let questions = store.questions.load(Ordering::SeqCst);

        for change in 0..300 {
            let vector = given::vector(given::embedding(100 + change));
            let version = store.commit(&artist(change % 100), Some(vector));
            while instance.similar.status().applied < version {
                sleep(Duration::from_millis(10)).await;
                assert_ne!(instance.similar.status().state, IndexState::TooLarge, "{memory_bytes}");
            }
        }

        let search = given::around(given::embedding(350), 5);
        assert_from_index(&instance.strict(&search).await, &store.compare(&search));
        // It is loaded again now and then, but not for every change.
        let asked = store.questions.load(Ordering::SeqCst) - questions;
        assert!((300..500).contains(&asked), "{memory_bytes}: {asked}");
    }
}

#[tokio::test(start_paused = true)]
async fn loading_goes_on_after_failures() {
    let store = with(10);
    store.has_no_vectors.store(true, Ordering::SeqCst);
    let instance = Instance::starting_on(&store, SETTINGS);
    instance.feed.confirm().await.unwrap();
    let search = given::around(given::embedding(3), 5);
    while instance.similar.status().catch_up_failures < 3 {
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(instance.read(&search).await.source, SearchSource::Database);

    store.panics.store(true, Ordering::SeqCst);
    while instance.similar.status().catch_up_failures < 5 {
        sleep(Duration::from_millis(10)).await;
    }
    store.has_no_vectors.store(false, Ordering::SeqCst);
    instance.similar.loaded().await;

    assert_from_index(&instance.read(&search).await, &store.compare(&search));
    assert_eq!(instance.similar.status().catch_ups, 1);
}

#[tokio::test]
async fn many_changes_leave_few_segments_and_little_that_is_dead() {
    let store = with(20_000);
    let instance = Instance::on(&store, SETTINGS).await;
    let loaded = instance.similar.status();
    assert_eq!((loaded.vectors, loaded.segments), (20_000, 2));

    for round in 0..40 {
        for number in 0..200 {
            let number = (round * 997 + number * 61) % 20_000;
            let vector = given::vector(given::embedding(number + 100_000 * (round + 1)));
            store.commit(&artist(number), Some(vector));
        }
        instance.feed.confirm().await.unwrap();
        instance.read(&given::around(given::embedding(round), 5)).await;
    }
    // On a busy machine the last search may not have waited for the last changes.
    while instance.similar.status().applied < store.version() {
        sleep(Duration::from_millis(1)).await;
    }

    let status = instance.similar.status();
    assert_eq!(status.vectors, 20_000);
    assert!(status.segments < 12, "{status:?}");
    assert!(status.dead_vectors <= status.vectors / 7, "{status:?}");
    assert!(status.memory_bytes < loaded.memory_bytes * 8 / 7, "{status:?}");
    for number in 0..5 {
        let search = given::around(given::embedding(number * 100_000 + 61), 20);
        assert_from_index(&instance.strict(&search).await, &store.compare(&search));
    }
}

#[tokio::test]
async fn memory_is_reported_and_given_back() {
    let store = with(3_000);
    let instance = Instance::on(&store, SETTINGS).await;

    let full = instance.similar.status().memory_bytes;
    assert!((3_000 * 1_980..3_000 * 2_020).contains(&full), "{full}");

    for number in 0..3_000 {
        store.commit_removal(&artist(number));
    }
    let read = instance.strict(&given::around(given::embedding(3), 5)).await;
    assert!(read.answer.neighbours.is_empty());
    assert!(instance.similar.status().memory_bytes < full / 10);
}

#[tokio::test]
async fn a_search_that_nobody_waits_for_holds_nothing() {
    let store = with(5_000);
    let instance = Instance::on(&store, SETTINGS).await;
    let search = given::around(given::embedding(3), 5);

    for _ in 0..20 {
        // It is asked for once.
        let _ = timeout(Duration::ZERO, instance.read(&search)).await;
    }

    assert_from_index(&instance.read(&search).await, &store.compare(&search));
}
