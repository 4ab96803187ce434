//! Raw values by the batch, and removal by prefix.

use std::time::Duration;

use deadpool_redis::redis::cmd;
use groovebase_cache::{InvalidKey, Keyspace, KeyspaceError, MAX_VALUE_BYTES, Redis};

use crate::given::{Server, lasting, namespace, nowhere, server_and_cluster};

fn keyspace(redis: Redis) -> Keyspace {
    Keyspace::new(redis, namespace("raw"))
}

fn hour() -> groovebase_cache::Lifetime {
    lasting(Duration::from_hours(1))
}

/// Keys with a value of one byte each.
fn named(names: impl IntoIterator<Item = String>) -> Vec<(String, Vec<u8>)> {
    names.into_iter().map(|name| (name, vec![7])).collect()
}

/// How many of these are there.
async fn left(keyspace: &Keyspace, values: &[(String, Vec<u8>)]) -> usize {
    let keys: Vec<_> = values.iter().map(|(key, _)| key).collect();
    keyspace.find_many(&keys).await.unwrap().iter().flatten().count()
}

#[tokio::test]
async fn writes_and_reads_many_values() {
    for redis in server_and_cluster() {
        let keyspace = keyspace(redis);
        let values: Vec<_> =
            (0_u32..350).map(|n| (format!("key {n}"), n.to_be_bytes().to_vec())).collect();
        let mut asked: Vec<_> = values.iter().rev().map(|(key, _)| key.as_str()).collect();
        asked.insert(120, "nobody");

        keyspace.set_many(&values, hour()).await.unwrap();
        let mut found = keyspace.find_many(&asked).await.unwrap();

        assert_eq!(found.remove(120), None);
        let expected = values.iter().rev().map(|(_, value)| Some(value.clone()));
        assert_eq!(found, expected.collect::<Vec<_>>());
        let statistics = keyspace.statistics();
        assert_eq!((statistics.written, statistics.read, statistics.found), (350, 351, 350));
    }
}

#[tokio::test]
async fn writes_large_values_and_refuses_those_that_are_too_large() {
    for redis in server_and_cluster() {
        let keyspace = keyspace(redis);
        let large: Vec<_> = ["a", "b", "c"].map(|key| (key, vec![1; 700_000])).to_vec();
        let too_large = [("d", vec![1; 10]), ("e", vec![1; MAX_VALUE_BYTES + 1])];

        keyspace.set_many(&large, hour()).await.unwrap();
        let refused = keyspace.set_many(&too_large, hour()).await;

        assert_eq!(refused, Err(KeyspaceError::TooLarge { bytes: MAX_VALUE_BYTES + 1 }));
        let found = keyspace.find_many(&["a", "b", "c", "d"]).await.unwrap();
        let sizes: Vec<_> = found.into_iter().map(|value| value.map(|value| value.len())).collect();
        assert_eq!(sizes, [Some(700_000), Some(700_000), Some(700_000), None]);
    }
}

#[tokio::test]
async fn every_value_expires() {
    let server = Server::open().await;

    keyspace(server.redis()).set_many(&[("a", "1"), ("b", "2")], hour()).await.unwrap();

    for key in ["raw:a", "raw:b"] {
        let expires_in = server.expires_in(&server.key(key)).await;
        assert!((3_500_000..=3_600_000).contains(&expires_in), "{key}: {expires_in}");
    }
}

#[tokio::test]
async fn what_is_no_value_counts_as_absent() {
    let server = Server::open().await;
    server.ask::<()>(cmd("HSET").arg(server.key("raw:a")).arg("x").arg(1)).await;

    assert_eq!(keyspace(server.redis()).find_many(&["a"]).await, Ok(vec![None]));
}

#[tokio::test]
async fn removes_what_begins_with_a_prefix_and_nothing_else() {
    for redis in server_and_cluster() {
        let keyspace = keyspace(redis.clone());
        let other_kind = Keyspace::new(redis, namespace("rawer"));
        let gone = named((0..1_500).map(|n| format!("user:7:{n}")));
        let stays = named((0..300).map(|n| format!("user:70:{n}")).chain(["user:7".to_owned()]));
        for (keyspace, values) in [(&keyspace, &gone), (&keyspace, &stays), (&other_kind, &gone)] {
            keyspace.set_many(values, hour()).await.unwrap();
        }

        let removed = keyspace.remove_by_prefix("user:7:").unwrap().finish().await.unwrap();

        assert_eq!(removed, 1_500);
        assert_eq!(keyspace.statistics().removed, 1_500);
        assert_eq!(left(&keyspace, &gone).await, 0);
        assert_eq!(left(&keyspace, &stays).await, 301);
        assert_eq!(left(&other_kind, &gone).await, 1_500);
    }
}

#[tokio::test]
async fn takes_a_prefix_literally() {
    let keyspace = keyspace(Server::open().await.redis());
    for prefix in ["a*", "a?", "[ab]", r"a\", r"\*", "[^a]", "[a-z]", "a**", "é?"] {
        let gone = named([format!("{prefix}1"), prefix.to_owned()]);
        let stays = named(["a1", "ab", "b1", "abc", "*", "z", "é1"].map(str::to_owned));
        keyspace.set_many(&stays, hour()).await.unwrap();
        keyspace.set_many(&gone, hour()).await.unwrap();

        let removed = keyspace.remove_by_prefix(prefix).unwrap().finish().await.unwrap();

        assert_eq!(removed, 2, "{prefix}");
        assert_eq!(left(&keyspace, &stays).await, 7, "{prefix}");
    }
}

#[tokio::test]
async fn removes_a_whole_kind() {
    for redis in server_and_cluster() {
        let keyspace = keyspace(redis);
        keyspace.set_many(&named((0..120).map(|n| n.to_string())), hour()).await.unwrap();

        let removed = keyspace.remove_by_prefix("").unwrap().finish().await.unwrap();

        assert_eq!(removed, 120);
    }
}

#[tokio::test]
async fn a_removal_can_end_between_steps_and_be_taken_up_again() {
    for redis in server_and_cluster() {
        let keyspace = keyspace(redis);
        let values = named((0..4_000).map(|n| n.to_string()));
        keyspace.set_many(&values, hour()).await.unwrap();

        let mut removal = keyspace.remove_by_prefix("").unwrap();
        while removal.removed() == 0 {
            assert!(removal.step().await.unwrap());
        }
        let first = removal.removed();
        drop(removal);
        let stayed = left(&keyspace, &values).await as u64;
        let second = keyspace.remove_by_prefix("").unwrap().finish().await.unwrap();

        assert!(first < 1_500, "one step removed {first}");
        assert_eq!((first + stayed, second), (4_000, stayed));
    }
}

#[tokio::test]
async fn a_removal_that_is_done_takes_no_more_steps() {
    let keyspace = keyspace(Server::open().await.redis());
    let mut removal = keyspace.remove_by_prefix("nobody").unwrap();

    while removal.step().await.unwrap() {}

    assert!(!removal.step().await.unwrap());
    assert_eq!(removal.removed(), 0);
}

#[tokio::test]
async fn says_when_redis_is_away() {
    let keyspace = keyspace(nowhere().await);
    let mut removal = keyspace.remove_by_prefix("a").unwrap();

    assert!(matches!(keyspace.find_many(&["a"]).await, Err(KeyspaceError::Redis(_))));
    let written = keyspace.set_many(&[("a", "1")], hour()).await;
    assert!(matches!(written, Err(KeyspaceError::Redis(_))));
    assert!(removal.step().await.is_err());
}

#[tokio::test]
async fn refuses_keys_that_are_none() {
    let keyspace = keyspace(nowhere().await);
    let long = "k".repeat(513);

    let refused = keyspace.find_many(&["a", ""]).await;
    assert_eq!(refused, Err(KeyspaceError::Key(InvalidKey::Empty)));
    let refused = keyspace.remove_by_prefix(&long).err();
    assert_eq!(refused, Some(InvalidKey::TooLong { bytes: 513 }));
}
