//! The rate limiter that instances share.

use std::{
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use deadpool_redis::redis::cmd;
use groovebase_cache::{
    Decider, Decision, InvalidKey, InvalidTake, RateLimit, RateLimiter, Redis, RedisSettings,
};
use tokio::task::JoinSet;

use crate::given::{Gate, Server, eventually, namespace, nowhere, server_and_cluster, settings};

const HOUR: Duration = Duration::from_hours(1);

fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

/// The same limit by both algorithms.
fn per(limit: u32, period: Duration) -> [RateLimit; 2] {
    [
        RateLimit::token_bucket(count(limit), count(limit), period).unwrap(),
        RateLimit::sliding_window(count(limit), period).unwrap(),
    ]
}

fn limiter(redis: Redis, limit: RateLimit) -> RateLimiter {
    RateLimiter::shared(redis, &namespace("api"), limit)
}

async fn take(limiter: &RateLimiter, key: &str) -> Decision {
    limiter.take(key).await.unwrap()
}

#[tokio::test]
async fn decides_for_each_key() {
    for redis in server_and_cluster() {
        for limit in per(3, HOUR) {
            let limiter = limiter(redis.clone(), limit);

            let first = take(&limiter, "a").await;
            take(&limiter, "a").await;
            let last = take(&limiter, "a").await;
            let refused = take(&limiter, "a").await;
            let other = take(&limiter, "b c:{d}").await;

            assert_eq!((first.allowed, first.remaining, first.retry_after), (true, 2, None));
            assert_eq!((last.allowed, last.remaining, last.limit), (true, 0, 3));
            assert_eq!((refused.allowed, refused.remaining), (false, 0));
            assert_eq!(refused.decided_by, Decider::Shared);
            let (retry, reset) = (refused.retry_after.unwrap(), refused.reset_after);
            assert!(Duration::from_mins(19) < retry && retry <= reset, "{retry:?} {reset:?}");
            assert!(reset <= HOUR + HOUR / 16, "{reset:?}");
            assert!(other.allowed);
        }
    }
}

#[tokio::test]
async fn takes_many_permits_or_none() {
    for redis in server_and_cluster() {
        for limit in per(10, HOUR) {
            let limiter = limiter(redis.clone(), limit);

            let some = limiter.take_many("a", count(7)).await.unwrap();
            let too_many = limiter.take_many("a", count(4)).await.unwrap();
            let rest = limiter.take_many("a", count(3)).await.unwrap();

            assert_eq!((some.allowed, some.remaining), (true, 3));
            assert_eq!((too_many.allowed, too_many.remaining), (false, 3));
            assert_eq!((rest.allowed, rest.remaining), (true, 0));
            let statistics = limiter.statistics();
            assert_eq!((statistics.allowed, statistics.refused, statistics.fallbacks), (2, 1, 0));
        }
    }
}

#[tokio::test]
async fn refuses_what_can_never_be_taken() {
    for limit in per(10, HOUR) {
        let limiter = RateLimiter::in_process(limit);

        let refused = limiter.take_many("a", count(11)).await;

        assert_eq!(refused, Err(InvalidTake::BeyondLimit { permits: 11, limit: 10 }));
        assert_eq!(limiter.take("").await, Err(InvalidTake::Key(InvalidKey::Empty)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn allows_the_limit_to_concurrent_clients_of_two_instances() {
    for limit in per(50, HOUR) {
        let server = Server::open().await;
        let instances = [(); 2].map(|()| Arc::new(limiter(server.redis(), limit)));
        let mut clients = JoinSet::new();
        for client in 0..8 {
            let limiter = Arc::clone(&instances[client % 2]);
            clients.spawn(async move {
                let mut allowed = 0;
                for _ in 0..25 {
                    let decision = take(&limiter, "a").await;
                    assert_eq!(decision.decided_by, Decider::Shared);
                    allowed += u32::from(decision.allowed);
                }
                allowed
            });
        }

        let allowed: u32 = clients.join_all().await.into_iter().sum();

        assert_eq!(allowed, 50, "{limit:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn never_allows_more_than_the_limit_in_any_window() {
    let (limit, window) = (20, Duration::from_millis(150));
    let server = Server::open().await;
    let instances = [(); 2].map(|()| {
        let limit = RateLimit::sliding_window(count(limit), window).unwrap();
        Arc::new(limiter(server.redis(), limit))
    });
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut clients = JoinSet::new();
    for client in 0..6 {
        let limiter = Arc::clone(&instances[client % 2]);
        clients.spawn(async move {
            let mut taken = Vec::new();
            while taken.len() < 20 && Instant::now() < deadline {
                let asked = Instant::now();
                let decision = take(&limiter, "a").await;
                if decision.allowed {
                    taken.push((asked, Instant::now()));
                } else {
                    tokio::time::sleep(decision.retry_after.unwrap() / 3).await;
                }
            }
            taken
        });
    }

    let taken: Vec<_> = clients.join_all().await.into_iter().flatten().collect();

    assert_eq!(taken.len(), 120, "in 30 s");
    for (from, _) in &taken {
        // What was asked for and answered within a window was taken in it.
        let within = taken.iter().filter(|(asked, told)| from <= asked && *told < *from + window);
        assert!(within.count() <= 20);
    }
}

#[tokio::test]
async fn a_retry_succeeds_after_the_time_it_was_told() {
    for redis in server_and_cluster() {
        for limit in per(3, Duration::from_millis(200)) {
            let limiter = limiter(redis.clone(), limit);
            let refused = loop {
                let decision = take(&limiter, "a").await;
                if !decision.allowed {
                    break decision;
                }
            };

            tokio::time::sleep(refused.retry_after.unwrap()).await;

            assert!(take(&limiter, "a").await.allowed, "{limit:?}");
        }
    }
}

#[tokio::test]
async fn keys_vanish_when_there_is_nothing_left_to_remember() {
    for (limit, kind) in
        per(3, Duration::from_millis(200)).iter().zip(["bucket-3-3-200ms", "window-3-200ms"])
    {
        let server = Server::open().await;
        let limiter = limiter(server.redis(), *limit);
        let key = server.key(&format!("limit:api:{kind}:a"));

        let taken = take(&limiter, "a").await;
        let expires_in = server.expires_in(&key).await;

        let reset = i64::try_from(taken.reset_after.as_millis()).unwrap();
        assert!((-2..=reset + 1).contains(&expires_in) && expires_in != -1, "{kind}: {expires_in}");
        eventually("the key vanishes", async || server.expires_in(&key).await == -2).await;
    }
}

#[tokio::test]
async fn another_limit_or_namespace_counts_apart() {
    for (one, other) in per(1, HOUR).into_iter().zip(per(1, HOUR * 2)) {
        let server = Server::open().await;
        let first = limiter(server.redis(), one);
        let changed = limiter(server.redis(), other);
        let elsewhere = RateLimiter::shared(server.redis(), &namespace("login"), one);

        assert!(take(&first, "a").await.allowed);
        assert!(!take(&first, "a").await.allowed);
        assert!(take(&changed, "a").await.allowed);
        assert!(take(&elsewhere, "a").await.allowed);
    }
}

#[tokio::test]
async fn rubbish_in_redis_is_a_key_that_nobody_used() {
    let server = Server::open().await;
    let [bucket, window] = per(1, HOUR).map(|limit| limiter(server.redis(), limit));
    let bucket_key = server.key("limit:api:bucket-1-1-3600000ms:a");
    let window_key = server.key("limit:api:window-1-3600000ms:a");
    let rubbish = &["level", "x", "at", "", "999", "y", "z", "1"];
    server.ask::<()>(cmd("HSET").arg(&bucket_key).arg(rubbish)).await;
    server.ask::<()>(cmd("HSET").arg(&window_key).arg(rubbish)).await;

    for (limiter, key) in [(bucket, bucket_key), (window, window_key)] {
        let (first, second) = (take(&limiter, "a").await, take(&limiter, "a").await);

        assert!(first.allowed && !second.allowed);
        assert_eq!((first.decided_by, second.decided_by), (Decider::Shared, Decider::Shared));
        server.remove(&key).await;
        server.ask::<()>(cmd("SET").arg(&key).arg("another type")).await;
        assert_eq!(take(&limiter, "b").await.decided_by, Decider::Shared);
        assert_eq!(take(&limiter, "a").await.decided_by, Decider::InProcess);
    }
}

#[tokio::test]
async fn this_process_decides_while_redis_is_away() {
    for limit in per(2, HOUR) {
        let limiter = limiter(nowhere().await, limit);

        let mut allowed = Vec::new();
        for _ in 0..3 {
            let decision = take(&limiter, "a").await;
            assert_eq!(decision.decided_by, Decider::InProcess);
            allowed.push(decision.allowed);
        }

        assert_eq!(allowed, [true, true, false]);
        assert_eq!(limiter.statistics().fallbacks, 3);
    }
}

#[tokio::test]
async fn another_limit_can_hold_while_redis_is_away() {
    for (limit, fallback) in per(100, HOUR).into_iter().zip(per(3, HOUR)) {
        let limiter = limiter(nowhere().await, limit).with_fallback(fallback);

        let one = take(&limiter, "a").await;
        let more_than_there_are = limiter.take_many("b", count(50)).await.unwrap();
        let none_left = take(&limiter, "b").await;

        assert_eq!((one.allowed, one.limit, one.remaining), (true, 3, 2));
        assert_eq!((more_than_there_are.allowed, more_than_there_are.remaining), (true, 0));
        assert!(!none_left.allowed);
    }
}

#[tokio::test]
async fn returns_to_redis_when_it_is_back() {
    for limit in per(1_000_000, HOUR) {
        let mut gate = Gate::closed().await;
        let settings = settings(&gate.url());
        let settings = RedisSettings { budget: Duration::from_secs(1), ..settings };
        let limiter = limiter(Redis::open(&settings).unwrap(), limit);

        assert_eq!(take(&limiter, "a").await.decided_by, Decider::InProcess);
        for _ in 0..2 {
            gate.open().await;
            let decided_by = async || take(&limiter, "a").await.decided_by;
            eventually("Redis decides", async || decided_by().await == Decider::Shared).await;
            gate.close().await;
            assert_eq!(decided_by().await, Decider::InProcess);
        }
    }
}
