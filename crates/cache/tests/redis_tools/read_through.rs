//! Versioned values, read through memory and Redis.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use deadpool_redis::redis::cmd;
use domain::{RepositoryError, Version};
use groovebase_cache::{ReadThrough, Redis};

use crate::given::{Server, eventually, lasting, namespace, nowhere, server_and_cluster};

const MEMORY: u64 = 1 << 20;

fn values(redis: Redis, memory: u64) -> ReadThrough<String> {
    ReadThrough::shared(memory, redis, namespace("pages"), lasting(Duration::from_hours(1)))
}

fn version(number: u64) -> Version {
    Version::new(number)
}

/// A load of this value.
fn found(
    value: &str,
) -> impl FnOnce() -> std::future::Ready<Result<Option<String>, RepositoryError>> {
    let value = value.to_owned();
    move || std::future::ready(Ok(Some(value)))
}

/// The value that is kept, without loading any.
async fn kept(values: &ReadThrough<String>, key: &str, at: u64) -> Option<String> {
    let nothing = || std::future::ready(Ok(None));
    values.find(key, version(at), nothing).await.unwrap().map(|value| String::clone(&value))
}

#[tokio::test]
async fn another_instance_finds_what_one_loaded() {
    for redis in server_and_cluster() {
        let (one, other) = (values(redis.clone(), MEMORY), values(redis, MEMORY));

        one.find("a", version(7), found("seven")).await.unwrap();

        // What is loaded is written to Redis after it was handed out.
        eventually("it is in Redis", async || kept(&other, "a", 7).await.is_some()).await;
        assert_eq!(kept(&other, "a", 8).await, None);
        assert_eq!(kept(&other, "a", 6).await, None);
        let statistics = other.statistics();
        assert_eq!(statistics.shared, 1);
    }
}

#[tokio::test]
async fn an_older_version_replaces_nothing() {
    for redis in server_and_cluster() {
        let (one, other) = (values(redis.clone(), 0), values(redis, 0));

        for (at, value) in [(255, "old"), (256, "new"), (1, "older"), (255, "old again")] {
            one.set("a", version(at), value.to_owned()).await.unwrap();
        }

        assert_eq!(kept(&other, "a", 256).await.as_deref(), Some("new"));
        assert_eq!(kept(&other, "a", 255).await, None);
    }
}

#[tokio::test]
async fn many_are_written_and_found_together() {
    for redis in server_and_cluster() {
        let (one, other) = (values(redis.clone(), MEMORY), values(redis, MEMORY));
        let named = |n: u64| (format!("key {n}"), version(n), format!("value {n}"));
        one.set_many((0..250).map(named)).await.unwrap();
        let wanted: Vec<_> = (200..300).map(|n| (format!("key {n}"), version(n))).collect();

        let found = other
            .find_many(&wanted, |missing| async move {
                Ok(missing.into_iter().map(|(key, _)| Some(format!("loaded {key}"))).collect())
            })
            .await
            .unwrap();

        let found: Vec<_> = found.into_iter().map(|value| value.unwrap().to_string()).collect();
        let kept = (200..250).map(|n| format!("value {n}"));
        let loaded = (250..300).map(|n| format!("loaded key {n}"));
        assert_eq!(found, kept.chain(loaded).collect::<Vec<_>>());
        let statistics = other.statistics();
        assert_eq!((statistics.shared, statistics.database), (50, 50));
    }
}

#[tokio::test]
async fn what_is_removed_is_in_neither_tier() {
    for redis in server_and_cluster() {
        let (one, other) = (values(redis.clone(), MEMORY), values(redis, MEMORY));
        one.set("a", version(7), "seven".to_owned()).await.unwrap();

        one.remove("a").await.unwrap();

        assert_eq!(kept(&one, "a", 7).await, None);
        assert_eq!(kept(&other, "a", 7).await, None);
    }
}

#[tokio::test]
async fn values_expire_in_redis() {
    let server = Server::open().await;

    values(server.redis(), 0).set("a", version(7), "seven".to_owned()).await.unwrap();

    let expires_in = server.expires_in(&server.key("value:pages:a")).await;
    assert!((3_500_000..=3_600_000).contains(&expires_in), "{expires_in}");
}

#[tokio::test]
async fn rubbish_in_redis_is_a_miss_and_is_written_over() {
    let server = Server::open().await;
    let values = values(server.redis(), 0);
    let key = server.key("value:pages:a");
    values.set("a", version(7), "seven".to_owned()).await.unwrap();
    let whole: Vec<u8> = server.ask(cmd("GET").arg(&key)).await;
    let cut = &whole[..whole.len() - 1];

    for rubbish in [b"".as_slice(), b"rubbish", cut, &[0xff; 100]] {
        server.ask::<()>(cmd("SET").arg(&key).arg(rubbish)).await;
        assert_eq!(kept(&values, "a", 7).await, None);
        values.set("a", version(7), "again".to_owned()).await.unwrap();
        assert_eq!(kept(&values, "a", 7).await.as_deref(), Some("again"));
    }
    server.remove(&key).await;
    server.ask::<()>(cmd("HSET").arg(&key).arg("a").arg(1)).await;
    assert_eq!(kept(&values, "a", 7).await, None);
    values.set("a", version(7), "again".to_owned()).await.unwrap();
    assert_eq!(kept(&values, "a", 7).await.as_deref(), Some("again"));
}

#[tokio::test]
async fn a_value_of_another_form_is_a_miss() {
    let server = Server::open().await;
    let lifetime = lasting(Duration::from_hours(1));
    let numbers: ReadThrough<u32> =
        ReadThrough::shared(0, server.redis(), namespace("pages"), lifetime);
    numbers.set("a", version(7), 7).await.unwrap();

    assert_eq!(kept(&values(server.redis(), 0), "a", 7).await, None);
}

#[tokio::test]
async fn goes_on_without_redis() {
    let values = values(nowhere().await, MEMORY);
    let loads = Arc::new(AtomicUsize::new(0));

    for _ in 0..2 {
        let loads = Arc::clone(&loads);
        let load = || async move {
            loads.fetch_add(1, Ordering::Relaxed);
            Ok(Some("seven".to_owned()))
        };
        let found = values.find("a", version(7), load).await.unwrap();
        assert_eq!(found.as_deref().map(String::as_str), Some("seven"));
    }
    values.set("b", version(1), "one".to_owned()).await.unwrap();
    values.set_many([("c".to_owned(), version(1), "two".to_owned())]).await.unwrap();
    values.remove("b").await.unwrap();

    assert_eq!(loads.load(Ordering::Relaxed), 1);
    assert_eq!(kept(&values, "c", 1).await.as_deref(), Some("two"));
    assert_eq!(kept(&values, "b", 1).await, None);
}
