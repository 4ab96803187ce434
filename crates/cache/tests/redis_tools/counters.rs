//! Counters that expire.

use std::time::Duration;

use deadpool_redis::redis::{Cmd, cmd};
use groovebase_cache::{CounterError, Counters, InvalidKey};
use tokio::task::JoinSet;

use crate::given::{Server, eventually, lasting, namespace, nowhere, server_and_cluster};

const HOUR: Duration = Duration::from_hours(1);

fn counters(redis: groovebase_cache::Redis) -> Counters {
    Counters::new(redis, namespace("downloads"), lasting(HOUR))
}

#[tokio::test]
async fn counts() {
    for redis in server_and_cluster() {
        let counters = counters(redis);

        assert_eq!(counters.add("a", 5).await, Ok(5));
        assert_eq!(counters.add("a", -7).await, Ok(-2));
        assert_eq!(counters.add("b c", 1).await, Ok(1));
        assert_eq!(counters.value("a").await, Ok(-2));
        assert_eq!(counters.value("nobody").await, Ok(0));
        assert_eq!(counters.reset("a").await, Ok(true));
        assert_eq!(counters.reset("a").await, Ok(false));
        assert_eq!(counters.value("a").await, Ok(0));
    }
}

#[tokio::test]
async fn reads_many_in_the_order_asked_for() {
    for redis in server_and_cluster() {
        let counters = counters(redis);
        for number in 0..7 {
            counters.add(&format!("counter {number}"), number).await.unwrap();
        }
        let names: Vec<_> = (0..1_200).rev().map(|number| format!("counter {number}")).collect();

        let values = counters.values(&names).await.unwrap();

        let expected = (0..1_200).rev().map(|number| if number < 7 { number } else { 0 });
        assert_eq!(values, expected.collect::<Vec<i64>>());
        assert_eq!(counters.values(&[""; 0]).await, Ok(vec![]));
    }
}

#[tokio::test]
async fn expire_at_a_fixed_time_after_the_first_addition() {
    let server = Server::open().await;
    let (counters, key) = (counters(server.redis()), server.key("counter:downloads:a"));

    counters.add("a", 1).await.unwrap();
    let first = server.expires_in(&key).await;
    server.set_expiry(&key, 60_000).await;
    counters.add("a", 1).await.unwrap();
    let second = server.expires_in(&key).await;

    assert!((3_500_000..=3_600_000).contains(&first), "{first}");
    assert!((1..=60_000).contains(&second), "{second}");
}

#[tokio::test]
async fn give_an_expiry_to_a_counter_that_has_none() {
    let server = Server::open().await;
    let (counters, key) = (counters(server.redis()), server.key("counter:downloads:a"));
    server.ask::<()>(cmd("SET").arg(&key).arg(41)).await;

    assert_eq!(counters.add("a", 1).await, Ok(42));
    assert!(0 < server.expires_in(&key).await);
}

#[tokio::test]
async fn begin_anew_after_they_expired() {
    let server = Server::open().await;
    let lifetime = lasting(Duration::from_millis(30));
    let counters = Counters::new(server.redis(), namespace("short"), lifetime);
    counters.add("a", 7).await.unwrap();

    eventually("the counter expires", async || counters.value("a").await == Ok(0)).await;

    assert_eq!(counters.add("a", 1).await, Ok(1));
}

#[tokio::test]
async fn refuse_to_leave_their_range_and_are_exact_within_it() {
    let counters = counters(Server::open().await.redis());
    let odd = (1 << 53) + 1;

    assert_eq!(counters.add("odd", odd).await, Ok(odd));
    assert_eq!(counters.add("most", i64::MAX).await, Ok(i64::MAX));
    assert_eq!(counters.add("most", 1).await, Err(CounterError::OutOfRange));
    assert_eq!(counters.value("most").await, Ok(i64::MAX));
    assert_eq!(counters.add("least", i64::MIN).await, Ok(i64::MIN));
    assert_eq!(counters.add("least", -1).await, Err(CounterError::OutOfRange));
}

#[tokio::test]
async fn tell_what_is_no_counter() {
    let server = Server::open().await;
    let counters = counters(server.redis());
    let text = server.key("counter:downloads:text");
    let hash = server.key("counter:downloads:hash");
    server.ask::<()>(cmd("SET").arg(text).arg("seven")).await;
    server.ask::<()>(cmd("HSET").arg(hash).arg("a").arg(1)).await;

    assert_eq!(counters.add("text", 1).await, Err(CounterError::NotACounter));
    assert_eq!(counters.value("text").await, Err(CounterError::NotACounter));
    assert_eq!(counters.add("hash", 1).await, Err(CounterError::NotACounter));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lose_nothing_when_instances_count_at_once() {
    let server = Server::open().await;
    let mut counting = JoinSet::new();
    for _ in 0..8 {
        let counters = counters(server.redis());
        counting.spawn(async move {
            for _ in 0..50 {
                counters.add("a", 3).await.unwrap();
            }
        });
    }

    counting.join_all().await;

    assert_eq!(counters(server.redis()).value("a").await, Ok(8 * 50 * 3));
    assert!(0 < server.expires_in(&server.key("counter:downloads:a")).await);
}

#[tokio::test]
async fn namespaces_are_apart() {
    let server = Server::open().await;
    let uploads = Counters::new(server.redis(), namespace("uploads"), lasting(HOUR));

    counters(server.redis()).add("a", 1).await.unwrap();

    assert_eq!(uploads.value("a").await, Ok(0));
    let kept: bool =
        server.ask(Cmd::new().arg("EXISTS").arg(server.key("counter:downloads:a"))).await;
    assert!(kept);
}

#[tokio::test]
async fn say_when_redis_is_away() {
    let counters = counters(nowhere().await);

    assert!(matches!(counters.add("a", 1).await, Err(CounterError::Redis(_))));
    assert!(matches!(counters.value("a").await, Err(CounterError::Redis(_))));
    assert!(matches!(counters.values(&["a"]).await, Err(CounterError::Redis(_))));
    assert!(matches!(counters.reset("a").await, Err(CounterError::Redis(_))));
}

#[tokio::test]
async fn refuse_keys_that_are_none() {
    let counters = counters(nowhere().await);
    let long = "k".repeat(513);

    assert_eq!(counters.add("", 1).await, Err(CounterError::Key(InvalidKey::Empty)));
    let refused = counters.values(&["a", &long]).await;
    assert_eq!(refused, Err(CounterError::Key(InvalidKey::TooLong { bytes: 513 })));
}
