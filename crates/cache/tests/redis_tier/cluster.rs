//! The same on a cluster, whose keys lie on several servers.

use std::sync::Arc;

use domain::StyleProfile;
use groovebase_cache::{
    Redis, RedisHealth, RedisSettings, RedisStyleProfiles, RedisTrouble, SharedProfiles as _,
};

use crate::{
    given::{cluster_url, eventually, hasty, key, profile, settings},
    stand_in::free_port,
};

#[tokio::test]
async fn keeps_many_profiles_on_several_servers() {
    let redis = Redis::open(&settings(&cluster_url())).unwrap();
    let tier = RedisStyleProfiles::new(redis.clone());
    let profiles: Vec<_> = (0..300).map(|n| Arc::new(profile(&format!("Artist {n}"), n))).collect();

    tier.put_many(&profiles).await;
    let mut asked: Vec<_> =
        profiles.iter().rev().map(|it| (it.artist.key().clone(), it.version)).collect();
    asked.insert(7, (key("nobody"), profiles[0].version));
    let mut found = tier.find_many(&asked).await;

    assert_eq!(found.remove(7), None);
    let expected = profiles.iter().rev().map(|it| Some(StyleProfile::clone(it)));
    assert_eq!(found, expected.collect::<Vec<_>>());
    assert_eq!(redis.health(), RedisHealth::Up);
    assert_eq!(redis.statistics().failures.refused, 0);
}

#[tokio::test]
async fn an_older_version_loses_and_a_forgotten_one_is_gone() {
    let tier = RedisStyleProfiles::new(Redis::open(&settings(&cluster_url())).unwrap());

    for n in 0..20 {
        let name = format!("Artist {n}");
        let (older, newer) = (profile(&name, 1), profile(&name, 2));
        tier.put(&newer).await;
        tier.put(&older).await;
        tier.forget(older.artist.key(), older.version).await;
        assert_eq!(tier.find(newer.artist.key(), newer.version).await.as_ref(), Some(&newer));
        tier.forget(newer.artist.key(), newer.version).await;
        assert_eq!(tier.find(newer.artist.key(), newer.version).await, None);
    }
}

#[tokio::test]
async fn reads_are_counted() {
    let tier = RedisStyleProfiles::new(Redis::open(&settings(&cluster_url())).unwrap());

    tier.note_reads(&[(key("a"), 1), (key("b"), 3), (key("c"), 2)]).await;

    assert_eq!(tier.most_read(2).await, [key("b"), key("c")]);
}

#[tokio::test]
async fn the_usual_budget_is_enough() {
    let redis = Redis::open(&hasty(&cluster_url())).unwrap();
    let tier = RedisStyleProfiles::new(redis.clone());
    let profile = profile("J Dilla", 1);

    eventually("a profile is kept", async || {
        tier.put(&profile).await;
        tier.find(profile.artist.key(), profile.version).await.is_some()
    })
    .await;

    assert_eq!(redis.health(), RedisHealth::Up);
}

#[tokio::test]
async fn a_wrong_password_is_told() {
    let address = cluster_url();
    let hosts = address.rsplit_once('@').unwrap().1;
    let redis = Redis::open(&settings(&format!("redis+cluster://:wrong@{hosts}"))).unwrap();

    assert!(redis.ping().await.is_err());

    let RedisHealth::Down { why, .. } = redis.health() else { panic!("it is up") };
    assert_eq!(why, RedisTrouble::WrongCredentials);
}

#[tokio::test]
async fn a_cluster_that_is_not_there_costs_no_more_than_a_server() {
    let (first, second) = (free_port().await, free_port().await);
    let url = format!("redis+cluster://127.0.0.1:{first},127.0.0.1:{second}");
    let redis = Redis::open(&RedisSettings { connections: 1, ..hasty(&url) }).unwrap();

    assert!(redis.ping().await.is_err());

    let RedisHealth::Down { why, .. } = redis.health() else { panic!("it is up") };
    assert_eq!(why, RedisTrouble::Unreachable);
}
