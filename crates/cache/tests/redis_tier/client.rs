//! What becomes of an operation when something is wrong with the way to Redis.

use std::time::{Duration, Instant};

use deadpool_redis::redis::cmd;
use groovebase_cache::{
    Redis, RedisAway, RedisHealth, RedisSettings, RedisStyleProfiles, RedisTrouble,
    SharedProfiles as _,
};
use tokio::time::timeout;

use crate::{
    given::{Tier, eventually, hasty, key, profile, raw, settings, url},
    stand_in::{Passage, Traffic, free_port, moved},
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

    let refused = redis.ping().await;

    assert_eq!(refused, Err(RedisAway::Failed(RedisTrouble::Unreachable)));
    assert_eq!(why(&redis), Some(RedisTrouble::Unreachable));
    assert_eq!(redis.ping().await, Err(RedisAway::NotAsked));
    let _passage = Passage::on(port, &url()).await;
    recovers(&redis).await;
}

#[tokio::test]
async fn a_wrong_password_is_told_and_recovers_when_it_becomes_right() {
    let mut raw = raw().await;
    let user = "with spaces & more";
    let set_password = async |raw: &mut _, password: &str| {
        cmd("ACL")
            .arg(&["SETUSER", user, "reset", "on", "~*", "+@all", &format!(">{password}")])
            .query_async::<()>(raw)
            .await
            .unwrap();
    };
    set_password(&mut raw, "another").await;
    let login = "redis://with%20spaces%20%26%20more:p%40ss%3Aw%2Frd%25@";
    let address = format!("{login}{}", crate::stand_in::host_and_port(&url()));
    let redis = Redis::open(&settings(&address)).unwrap();

    let refused = redis.ping().await;

    assert_eq!(refused, Err(RedisAway::Failed(RedisTrouble::WrongCredentials)));
    assert_eq!(
        why(&redis).unwrap().to_string(),
        "it refuses the user name or the password"
    );
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
    let passage = Passage::to(&url()).await;
    let redis = Redis::open(&settings(&passage.url(&url()))).unwrap();
    let short = Redis::open(&hasty(&moved(&url(), free_port().await))).unwrap();
    assert!(short.ping().await.is_err());
    passage.set(Traffic::Stands);
    drop(timeout(Duration::from_millis(50), redis.ping()).await);
    assert_eq!(redis.health(), RedisHealth::Untried);
    passage.set(Traffic::Flows);
    redis.ping().await.unwrap();

    // The short one is half-open after a second; its probe is dropped before it can end.
    eventually("a probe", async || {
        let asked = short.statistics().operations;
        drop(timeout(Duration::ZERO, short.ping()).await);
        asked < short.statistics().operations
    })
    .await;
    let asked = short.statistics().operations;
    assert_ne!(short.ping().await, Err(RedisAway::NotAsked));

    assert_eq!(short.statistics().operations, asked + 1);
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
    let direct = Tier::with(&RedisSettings { prefix: slow.prefix(), ..settings(&url()) }).await;
    direct.profiles.put(&newer).await;
    passage.set(Traffic::Flows);
    slow.redis.ping().await.unwrap();

    assert_eq!(direct.profiles.find(newer.artist.key(), newer.version).await, Some(newer));
}

#[tokio::test]
async fn connections_that_the_server_closed_are_replaced() {
    let tier = Tier::open().await;
    let profile = profile("J Dilla", 1);
    tier.profiles.put(&profile).await;
    let mut raw = raw().await;
    let clients: String = cmd("CLIENT").arg("LIST").query_async(&mut raw).await.unwrap();
    let mine = tier.client_name();

    let _ = (clients, mine);
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
}
