//! What becomes of an operation when something is wrong with the way to Redis.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex},
    task::Poll,
    time::{Duration, Instant},
};

use deadpool_redis::redis::cmd;
use domain::Version;
use groovebase_cache::{
    Redis, RedisAway, RedisHealth, RedisSettings, RedisStyleProfiles, RedisTrouble,
    SharedProfiles as _,
};
use tokio::time::timeout;

use crate::{
    given::{Logs, Tier, eventually, hasty, key, profile, raw, settings, url},
    stand_in::{Parrot, Passage, Traffic, free_port, moved},
};

fn why(redis: &Redis) -> Option<RedisTrouble> {
    match redis.health() {
        RedisHealth::Down { why, .. } => Some(why),
        RedisHealth::Untried | RedisHealth::Up | RedisHealth::Limited { .. } => None,
    }
}

async fn recovers(redis: &Redis) {
    eventually("Redis answers again", async || redis.ping().await.is_ok()).await;
    assert_eq!(redis.health(), RedisHealth::Up);
}

#[tokio::test]
async fn a_wrong_address_is_told_and_recovers_when_somebody_answers() {
    let port = free_port().await;
    let redis = Redis::open(&hasty(&moved(&url(), port))).unwrap();
    assert_eq!(redis.health(), RedisHealth::Untried);
    let logs = Logs::kept();

    let refused = redis.ping().await;

    assert_eq!(refused, Err(RedisAway::Failed(RedisTrouble::Unreachable)));
    assert_eq!(why(&redis), Some(RedisTrouble::Unreachable));
    assert_eq!(redis.ping().await, Err(RedisAway::NotAsked));
    eventually("a second failure", async || {
        let _ = redis.ping().await;
        2 <= redis.statistics().failures.unreachable
    })
    .await;
    let _passage = Passage::on(port, &url()).await;
    recovers(&redis).await;
    assert_eq!(
        logs.lines(),
        [
            "WARN Redis is of no use: it cannot be reached. The service goes on without it and looks for it from time \
             to time",
            "INFO Redis answers again",
        ]
    );
}

#[tokio::test]
async fn a_wrong_password_is_told_and_recovers_when_it_becomes_right() {
    let mut raw = raw().await;
    let user = "ünique&user";
    let set_password = async |raw: &mut _, password: &str| {
        cmd("ACL")
            .arg(&["SETUSER", user, "reset", "on", "~*", "+@all", &format!(">{password}")])
            .query_async::<()>(raw)
            .await
            .unwrap();
    };
    set_password(&mut raw, "another").await;
    let login = "redis://%C3%BCnique%26user:p%40ss%3Aw%2Frd%25@";
    let address = format!("{login}{}", crate::stand_in::host_and_port(&url()));
    let redis = Redis::open(&settings(&address)).unwrap();

    let refused = redis.ping().await;

    assert_eq!(refused, Err(RedisAway::Failed(RedisTrouble::WrongCredentials)));
    assert_eq!(why(&redis).unwrap().to_string(), "it refuses the user name or the password");
    set_password(&mut raw, "p@ss:w/rd%").await;
    recovers(&redis).await;
    let () = cmd("ACL").arg(&["DELUSER", user]).query_async(&mut raw).await.unwrap();
}

#[tokio::test]
async fn a_server_that_never_answers_costs_the_budget_and_is_then_left_alone() {
    let passage = Passage::to(&url()).await;
    let redis = Redis::open(&hasty(&passage.url(&url()))).unwrap();
    let profiles = RedisStyleProfiles::new(redis.clone());
    redis.ping().await.unwrap();
    passage.set(Traffic::Stands);

    for _ in 0..5 {
        let started = Instant::now();
        assert_eq!(redis.ping().await, Err(RedisAway::Failed(RedisTrouble::TimedOut)));
        assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    }

    assert_eq!(why(&redis), Some(RedisTrouble::TimedOut));
    let asked = redis.statistics();
    assert_eq!(profiles.find(&key("J Dilla"), profile("J Dilla", 1).version).await, None);
    profiles.put(&profile("J Dilla", 1)).await;
    let then = redis.statistics();
    assert_eq!((then.operations, then.skipped), (asked.operations, asked.skipped + 2));
    assert_eq!((then.openings, then.failures.timed_out), (1, 5));
    passage.set(Traffic::Flows);
    recovers(&redis).await;
}

#[tokio::test]
async fn exactly_one_operation_probes() {
    let passage = Passage::to(&url()).await;
    let redis = Redis::open(&RedisSettings {
        budget: Duration::from_millis(500),
        ..hasty(&passage.url(&url()))
    })
    .unwrap();
    passage.set(Traffic::Stands);
    assert!(redis.ping().await.is_err());
    let before = redis.statistics().operations;

    eventually("a probe", async || {
        let (first, second) = tokio::join!(redis.ping(), redis.ping());
        let skipped = [first, second].iter().filter(|it| **it == Err(RedisAway::NotAsked)).count();
        assert!(1 <= skipped);
        skipped == 1
    })
    .await;

    assert_eq!(redis.statistics().operations, before + 1);
}

#[tokio::test]
async fn a_probe_that_nobody_waits_for_leaves_the_next_one_to_probe() {
    let redis = Redis::open(&hasty(&moved(&url(), free_port().await))).unwrap();
    assert!(redis.ping().await.is_err());

    // After the pause one is let through, and dropped before it can have an outcome.
    eventually("a probe", async || {
        let mut ping = pin!(redis.ping());
        poll_fn(|context| Poll::Ready(ping.as_mut().poll(context).is_pending())).await
    })
    .await;
    let next = redis.ping().await;

    assert_eq!(next, Err(RedisAway::Failed(RedisTrouble::Unreachable)));
}

#[tokio::test]
async fn a_late_answer_reaches_nobody_else() {
    let passage = Passage::to(&url()).await;
    let tier =
        Tier::with(&RedisSettings { connections: 1, ..settings(&passage.url(&url())) }).await;
    let (first, second) = (profile("First", 1), profile("Second", 1));
    tier.profiles.put(&first).await;
    tier.profiles.put(&second).await;

    passage.set(Traffic::AnswersWait);
    let find_first = tier.profiles.find(first.artist.key(), first.version);
    assert!(timeout(Duration::from_millis(50), find_first).await.is_err());
    passage.set(Traffic::Flows);
    let found = tier.profiles.find(second.artist.key(), second.version).await;

    assert_eq!(found.as_ref(), Some(&second));
    assert_eq!(tier.redis.statistics().connections, 1);
}

#[tokio::test]
async fn a_set_that_comes_late_does_not_undo_a_newer_one() {
    let passage = Passage::to(&url()).await;
    let slow = Tier::with(&settings(&passage.url(&url()))).await;
    let (older, newer) = (profile("J Dilla", 1), profile("J Dilla", 2));
    slow.redis.ping().await.unwrap();

    passage.set(Traffic::Stands);
    assert!(timeout(Duration::from_millis(50), slow.profiles.put(&older)).await.is_err());
    let direct =
        Tier::with(&RedisSettings { prefix: slow.prefix.clone(), ..settings(&url()) }).await;
    direct.profiles.put(&newer).await;
    passage.set(Traffic::Flows);
    slow.redis.ping().await.unwrap();

    assert_eq!(direct.profiles.find(newer.artist.key(), newer.version).await, Some(newer));
}

#[tokio::test]
async fn a_connection_that_breaks_costs_one_miss_and_is_replaced() {
    let port = free_port().await;
    let passage = Passage::on(port, &url()).await;
    let tier = Tier::with(&settings(&moved(&url(), port))).await;
    let profile = profile("J Dilla", 1);
    tier.profiles.put(&profile).await;
    passage.close().await;
    let _passage = Passage::on(port, &url()).await;

    let missed = tier.profiles.find(profile.artist.key(), profile.version).await;
    let found = tier.profiles.find(profile.artist.key(), profile.version).await;

    assert_eq!((missed, found), (None, Some(profile)));
    assert_eq!(tier.redis.health(), RedisHealth::Up);
    assert_eq!(tier.redis.statistics().failures.unreachable, 1);
}

#[tokio::test]
async fn a_connection_that_breaks_under_many_is_one_failure() {
    const READERS: u64 = 20;

    let port = free_port().await;
    let passage = Passage::on(port, &url()).await;
    let tier = Tier::with(&settings(&moved(&url(), port))).await;
    let profile = profile("J Dilla", 1);
    tier.profiles.put(&profile).await;
    let before = tier.redis.statistics();
    passage.set(Traffic::AnswersWait);
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..READERS {
        let redis = tier.redis.clone();
        asked.spawn(async move { redis.ping().await.is_ok() });
    }
    eventually("all have asked", async || {
        tier.redis.statistics().operations == before.operations + READERS
    })
    .await;

    passage.close().await;
    let _passage = Passage::on(port, &url()).await;

    assert!(asked.join_all().await.into_iter().all(|answered| !answered));
    let then = tier.redis.statistics();
    assert_eq!((then.failures.unreachable, then.openings, then.connections), (READERS, 0, 1));
    assert_eq!(tier.profiles.find(profile.artist.key(), profile.version).await, Some(profile),);
}

#[tokio::test]
async fn a_connection_that_breaks_under_many_finds_is_a_miss_for_each() {
    let port = free_port().await;
    let passage = Passage::on(port, &url()).await;
    let tier = Tier::with(&settings(&moved(&url(), port))).await;
    let profile = profile("J Dilla", 1);
    tier.profiles.put(&profile).await;
    let before = tier.redis.statistics();
    passage.set(Traffic::AnswersWait);
    let mut finds = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (profiles, profile) = (tier.profiles.clone(), profile.clone());
        finds.spawn(
            async move { profiles.find(profile.artist.key(), profile.version).await.is_some() },
        );
    }
    // The first one alone, and the others together.
    eventually("all have asked", async || {
        tier.redis.statistics().operations == before.operations + 2
    })
    .await;

    passage.close().await;
    let _passage = Passage::on(port, &url()).await;

    assert!(finds.join_all().await.into_iter().all(|found| !found));
    assert_eq!(tier.profiles.statistics().unanswered, 20);
    assert_eq!(tier.profiles.find(profile.artist.key(), profile.version).await, Some(profile));
}

#[tokio::test]
async fn a_connection_that_broke_while_nobody_used_it_costs_nothing() {
    let port = free_port().await;
    let passage = Passage::on(port, &url()).await;
    let redis = Redis::open(&settings(&moved(&url(), port))).unwrap();
    redis.ping().await.unwrap();
    passage.close().await;
    let _passage = Passage::on(port, &url()).await;
    // From then on a connection is asked whether it lives before it is used.
    tokio::time::sleep(Duration::from_millis(1_100)).await;

    let answer = redis.ping().await;

    assert!(answer.is_ok(), "{answer:?}");
    assert_eq!(redis.statistics().connections, 2);
}

#[tokio::test]
async fn an_operation_on_a_connection_in_use_is_one_question() {
    let questions = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&questions);
    let parrot = Parrot::saying(move |command| {
        asked.lock().unwrap().push(command[0].clone());
        if command[0] == "PING" { "+PONG\r\n".to_owned() } else { "$-1\r\n".to_owned() }
    })
    .await;
    let redis = Redis::open(&settings(&parrot.url())).unwrap();
    let profiles = RedisStyleProfiles::new(redis.clone());
    redis.ping().await.unwrap();

    for _ in 0..3 {
        profiles.find(&key("J Dilla"), profile("J Dilla", 1).version).await;
    }

    assert_eq!(*questions.lock().unwrap(), ["PING", "GET", "GET", "GET"]);
}

#[tokio::test]
async fn many_share_few_connections() {
    let tier = Tier::with(&RedisSettings { connections: 2, ..settings(&url()) }).await;
    let profile = profile("J Dilla", 1);
    tier.profiles.put(&profile).await;

    let mut finds = tokio::task::JoinSet::new();
    for _ in 0..500 {
        let (profiles, profile) = (tier.profiles.clone(), profile.clone());
        finds.spawn(async move {
            profiles.find(profile.artist.key(), profile.version).await == Some(profile)
        });
    }

    assert!(finds.join_all().await.into_iter().all(|found| found));
    assert!(tier.redis.statistics().connections <= 2);
}

#[tokio::test]
async fn a_closed_redis_is_not_asked() {
    let tier = Tier::open().await;
    tier.redis.ping().await.unwrap();

    tier.redis.close();

    assert_eq!(tier.redis.ping().await, Err(RedisAway::NotAsked));
    assert_eq!(tier.profiles.find(&key("J Dilla"), Version::new(1)).await, None);
    assert_eq!(tier.profiles.statistics().unanswered, 1);
}
