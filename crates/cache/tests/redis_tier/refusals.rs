//! What is made of answers that a healthy Redis does not give.

use groovebase_cache::{
    Redis, RedisAway, RedisHealth, RedisStyleProfiles, RedisTrouble, SharedProfiles as _,
};

use crate::{
    given::{Logs, key, profile, settings},
    stand_in::Parrot,
};

/// Opens a Redis that answers a PING as it should and everything else with these bytes.
async fn saying(answer: &'static str) -> (Parrot, Redis, RedisStyleProfiles) {
    let parrot = Parrot::saying(move |command| {
        if command[0] == "PING" { "+PONG\r\n".to_owned() } else { answer.to_owned() }
    })
    .await;
    let redis = Redis::open(&settings(&parrot.url())).unwrap();
    redis.ping().await.unwrap();
    let profiles = RedisStyleProfiles::new(redis.clone());
    (parrot, redis, profiles)
}

#[tokio::test]
async fn a_redis_that_cannot_serve_is_left_alone_and_said_why() {
    for (answer, why) in [
        ("-LOADING Redis is loading the dataset in memory\r\n", RedisTrouble::Loading),
        ("-NOAUTH Authentication required.\r\n", RedisTrouble::WrongCredentials),
        ("-WRONGPASS invalid username-password pair\r\n", RedisTrouble::WrongCredentials),
        ("-READONLY You can't write against a read only replica.\r\n", RedisTrouble::ReadOnly),
        ("-MASTERDOWN Link with MASTER is down\r\n", RedisTrouble::ClusterDown),
        ("-CLUSTERDOWN Hash slot not served\r\n", RedisTrouble::ClusterDown),
        ("HTTP/1.1 400 Bad Request\r\n\r\n", RedisTrouble::NotRedis),
    ] {
        let (_parrot, redis, profiles) = saying(answer).await;

        for _ in 0..5 {
            assert_eq!(profiles.find(&key("J Dilla"), profile("J Dilla", 1).version).await, None);
        }

        let RedisHealth::Down { why: told, .. } = redis.health() else { panic!("{answer} is up") };
        assert_eq!(told, why, "{answer}");
        assert_eq!(redis.ping().await, Err(RedisAway::NotAsked), "{answer}");
    }
}

#[tokio::test]
async fn an_answer_of_another_form_is_a_miss_of_that_key_only() {
    for answer in [
        ":7\r\n",
        "*1\r\n$1\r\na\r\n",
        "+OK\r\n",
        "$3\r\nabc\r\n",
        "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
        "-ERR something else\r\n",
    ] {
        let (_parrot, redis, profiles) = saying(answer).await;
        let version = profile("J Dilla", 1).version;

        for _ in 0..10 {
            assert_eq!(profiles.find(&key("J Dilla"), version).await, None);
            assert_eq!(profiles.find_many(&[(key("J Dilla"), version)]).await, [None]);
            profiles.put(&profile("J Dilla", 1)).await;
            profiles.forget(&key("J Dilla"), version).await;
            profiles.note_reads(&[(key("J Dilla"), 1)]).await;
            assert!(profiles.most_read(5).await.len() <= 1);
        }

        assert_eq!(redis.health(), RedisHealth::Up, "{answer}");
    }
}

#[tokio::test]
async fn a_redis_out_of_memory_still_answers_reads() {
    let parrot = Parrot::saying(|command| match command[0].as_str() {
        "GET" => "$-1\r\n".to_owned(),
        "PING" => "+PONG\r\n".to_owned(),
        _ => "-OOM command not allowed when used memory > 'maxmemory'.\r\n".to_owned(),
    })
    .await;
    let redis = Redis::open(&settings(&parrot.url())).unwrap();
    let profiles = RedisStyleProfiles::new(redis.clone());
    let profile = profile("J Dilla", 1);
    let logs = Logs::kept();

    for _ in 0..10 {
        profiles.put(&profile).await;
        assert_eq!(profiles.find(profile.artist.key(), profile.version).await, None);
    }

    let RedisHealth::Limited { why, .. } = redis.health() else { panic!("it refuses writes") };
    assert_eq!(why, RedisTrouble::OutOfMemory);
    assert_eq!(profiles.statistics().misses, 10);
    assert_eq!(
        logs.lines(),
        [
            "WARN Redis refuses an operation: it is out of memory and may evict nothing (set maxmemory-policy to \
             allkeys-lru). The service goes on without it"
        ]
    );
}

#[tokio::test]
async fn a_refusal_ends_when_the_operation_is_taken_again() {
    let full = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_full = std::sync::Arc::clone(&full);
    let parrot = Parrot::saying(move |_| {
        if is_full.load(std::sync::atomic::Ordering::Relaxed) {
            "-NOPERM this user has no permissions to run the 'evalsha' command\r\n".to_owned()
        } else {
            ":1\r\n".to_owned()
        }
    })
    .await;
    let redis = Redis::open(&settings(&parrot.url())).unwrap();
    let profiles = RedisStyleProfiles::new(redis.clone());
    profiles.put(&profile("J Dilla", 1)).await;
    let RedisHealth::Limited { why, .. } = redis.health() else { panic!("it refuses a command") };
    assert_eq!(why, RedisTrouble::NotPermitted);

    full.store(false, std::sync::atomic::Ordering::Relaxed);
    profiles.put(&profile("J Dilla", 1)).await;

    assert_eq!(redis.health(), RedisHealth::Up);
}
