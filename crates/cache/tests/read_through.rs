//! Versioned values, read through the memory of one process.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what cannot be prepared fails the test that needs it"
)]

use std::{
    collections::HashMap,
    future::{pending, ready},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use domain::{RepositoryError, Version};
use groovebase_cache::{InvalidKey, ReadThrough, ReadThroughError};
use tokio::{
    sync::{Notify, oneshot},
    task::JoinSet,
    time::timeout,
};

type Text = Result<Option<String>, RepositoryError>;

fn values() -> ReadThrough<String> {
    ReadThrough::in_process(1 << 20)
}

fn version(number: u64) -> Version {
    Version::new(number)
}

#[expect(clippy::unnecessary_wraps, reason = "it is what a load returns")]
fn text(text: &str) -> Text {
    Ok(Some(text.to_owned()))
}

/// The value that is kept, without loading any.
async fn kept(values: &ReadThrough<String>, key: &str, at: u64) -> Option<String> {
    let found = values.find(key, version(at), || ready(Ok(None))).await.unwrap();
    found.map(|value| String::clone(&value))
}

/// What nothing may take longer than here.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(30), what).await.expect("it ends")
}

#[tokio::test]
async fn a_value_is_good_at_its_version_only() {
    let values = values();
    values.set("a", version(7), "seven".to_owned()).await.unwrap();

    assert_eq!(kept(&values, "a", 7).await.as_deref(), Some("seven"));
    assert_eq!(kept(&values, "a", 8).await, None);
    assert_eq!(kept(&values, "a", 6).await, None);
    assert_eq!(kept(&values, "b", 7).await, None);
}

#[tokio::test]
async fn a_late_load_of_an_older_version_replaces_nothing() {
    let values = values();
    values.set("a", version(8), "eight".to_owned()).await.unwrap();

    let late = values.find("a", version(7), || ready(text("seven"))).await.unwrap();

    assert_eq!(late.as_deref().map(String::as_str), Some("seven"));
    assert_eq!(kept(&values, "a", 8).await.as_deref(), Some("eight"));
}

#[tokio::test]
async fn what_a_load_did_not_find_is_not_kept() {
    let values = values();

    assert_eq!(kept(&values, "a", 7).await, None);
    let found = values.find("a", version(7), || ready(text("seven"))).await.unwrap();

    assert_eq!(found.as_deref().map(String::as_str), Some("seven"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_of_one_version_share_a_load() {
    let (values, loads, go) = (values(), Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let mut readers = JoinSet::new();
    for _ in 0..20 {
        let (values, loads, go) = (values.clone(), Arc::clone(&loads), Arc::clone(&go));
        readers.spawn(async move {
            let load = move || async move {
                loads.fetch_add(1, Ordering::Relaxed);
                go.notified().await;
                text("seven")
            };
            values.find("a", version(7), load).await.unwrap()
        });
    }
    soon(async {
        while values.statistics().joined < 19 {
            tokio::task::yield_now().await;
        }
    })
    .await;

    go.notify_one();
    let found = soon(readers.join_all()).await;

    assert!(found.iter().all(|value| value.as_deref().map(String::as_str) == Some("seven")));
    assert_eq!(loads.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn other_versions_are_loaded_apart() {
    let values = values();
    let waiting = values.clone();
    let stuck = tokio::spawn(async move { waiting.find("a", version(7), pending).await });
    tokio::task::yield_now().await;

    let found = soon(values.find("a", version(8), || ready(text("eight")))).await.unwrap();

    assert_eq!(found.as_deref().map(String::as_str), Some("eight"));
    stuck.abort();
}

#[tokio::test]
async fn a_load_outlives_the_caller_that_began_it() {
    let values = values();
    let (go, gone) = oneshot::channel::<()>();
    let load = || async {
        gone.await.unwrap();
        text("seven")
    };
    let began = timeout(Duration::ZERO, values.find("a", version(7), load)).await;
    assert!(began.is_err());

    go.send(()).unwrap();

    let joined = soon(values.find("a", version(7), || async { panic!("loads again") })).await;
    assert_eq!(joined.unwrap().as_deref().map(String::as_str), Some("seven"));
}

#[tokio::test]
async fn a_panicking_load_is_an_error_and_leaves_nothing_stuck() {
    let values = values();
    let readers = [(); 3].map(|()| values.find("a", version(7), || async { panic!("as it must") }));

    for reader in readers {
        let failed = soon(reader).await;
        assert!(
            matches!(failed, Err(ReadThroughError::Load(RepositoryError::Internal(_)))),
            "got {failed:?}"
        );
    }
    let wanted = [("a", version(7))];
    let many = values.find_many(&wanted, |_| async { panic!("as it must") });
    assert!(matches!(soon(many).await, Err(ReadThroughError::Load(RepositoryError::Internal(_)))));

    let found = soon(values.find("a", version(7), || ready(text("seven")))).await.unwrap();
    assert_eq!(found.as_deref().map(String::as_str), Some("seven"));
}

#[tokio::test]
async fn a_failed_load_is_the_error_of_all_who_waited() {
    let values = values();
    let failing = || ready(Err(RepositoryError::VersionMismatch { current: None }));

    let (one, other) =
        tokio::join!(values.find("a", version(7), failing), values.find("a", version(7), failing));

    for failed in [one, other] {
        let expected = RepositoryError::VersionMismatch { current: None };
        let Err(ReadThroughError::Load(error)) = failed else { panic!("got {failed:?}") };
        assert_eq!(error.to_string(), expected.to_string());
    }
    assert_eq!(values.statistics().failed, 2);
}

#[tokio::test]
async fn many_are_loaded_by_one_call() {
    let values = values();
    values.set("kept", version(1), "from memory".to_owned()).await.unwrap();
    let wanted = [
        ("a", version(2)),
        ("kept", version(1)),
        ("b", version(3)),
        ("a", version(2)),
        ("none", version(4)),
    ];

    let found = values
        .find_many(&wanted, |missing| {
            let names: Vec<_> = missing.iter().map(|(key, at)| format!("{key}@{at}")).collect();
            assert_eq!(names, ["a@2", "b@3", "none@4"]);
            ready(Ok(vec![Some("A".to_owned()), Some("B".to_owned()), None]))
        })
        .await
        .unwrap();

    let found: Vec<_> = found.iter().map(|value| value.as_deref().map(String::as_str)).collect();
    assert_eq!(found, [Some("A"), Some("from memory"), Some("B"), Some("A"), None]);
    assert_eq!(kept(&values, "b", 3).await.as_deref(), Some("B"));
}

#[tokio::test]
async fn many_join_a_load_under_way() {
    let values = values();
    let (go, gone) = oneshot::channel::<()>();
    let load = || async {
        gone.await.unwrap();
        text("seven")
    };
    let began = timeout(Duration::ZERO, values.find("a", version(7), load)).await;
    assert!(began.is_err());

    let wanted = [("a", version(7)), ("b", version(8))];
    let many = values.find_many(&wanted, |missing| async move {
        assert_eq!(missing, [("b".to_owned(), Version::new(8))]);
        go.send(()).unwrap();
        Ok(vec![Some("eight".to_owned())])
    });

    let found = soon(many).await.unwrap();
    let found: Vec<_> = found.iter().map(|value| value.as_deref().map(String::as_str)).collect();
    assert_eq!(found, [Some("seven"), Some("eight")]);
}

#[tokio::test]
async fn a_load_of_many_that_returns_another_number_is_an_error() {
    let values = values();
    let wanted = [("a", version(1)), ("b", version(1))];

    let failed = values.find_many(&wanted, |_| ready(Ok(vec![None]))).await;

    assert!(matches!(failed, Err(ReadThroughError::Load(RepositoryError::Internal(_)))));
    assert_eq!(kept(&values, "a", 1).await, None);
}

#[tokio::test]
async fn a_value_that_is_no_json_is_an_error() {
    let values: ReadThrough<HashMap<Vec<u8>, u8>> = ReadThrough::in_process(1 << 20);
    let value = HashMap::from([(vec![1], 1)]);
    let loaded = value.clone();

    let set = values.set("a", version(1), value).await;
    let found = values.find("a", version(1), || ready(Ok(Some(loaded)))).await;

    assert!(matches!(set, Err(ReadThroughError::Unwritable(_))));
    assert!(matches!(found, Err(ReadThroughError::Load(RepositoryError::Internal(_)))));
}

#[tokio::test]
async fn what_is_removed_is_loaded_again() {
    let values = values();
    values.set("a", version(7), "seven".to_owned()).await.unwrap();

    values.remove("a").await.unwrap();

    assert_eq!(kept(&values, "a", 7).await, None);
}

#[tokio::test]
async fn refuses_keys_that_are_none() {
    let values = values();

    let found = values.find("", version(1), || ready(Ok(None))).await;

    assert!(matches!(found, Err(ReadThroughError::Key(InvalidKey::Empty))));
    assert!(values.set("", version(1), String::new()).await.is_err());
    assert!(values.remove("").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_failed_batch_does_not_fail_whoever_comes_later() {
    let values = values();
    let wanted = [("a", version(1)), ("b", version(1))];

    let failed = values.find_many(&wanted, |_| ready(Err(RepositoryError::Conflict))).await;
    tokio::task::yield_now().await;

    assert!(failed.is_err(), "{failed:?}");
    for key in ["a", "b"] {
        let found = values.find(key, version(1), || ready(text(key))).await.unwrap();
        assert_eq!(found.as_deref().map(String::as_str), Some(key));
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_batch_leaves_nothing_behind() {
    let values = ReadThrough::<String>::in_process(0);
    let batch = tokio::spawn({
        let values = values.clone();
        async move {
            let wanted = [("a", version(1)), ("b", version(1))];
            let slowly = |names: Vec<_>| async move {
                tokio::time::sleep(Duration::from_millis(10)).await;
                Ok(names.iter().map(|_| None).collect())
            };
            values.find_many(&wanted, slowly).await.map(drop)
        }
    });
    tokio::task::yield_now().await;

    batch.abort();
    batch.await.unwrap_err();
    tokio::time::sleep(Duration::from_secs(1)).await;

    let found = values.find("b", version(1), || ready(text("new"))).await.unwrap();
    assert_eq!(found.as_deref().map(String::as_str), Some("new"));
}
