//! Which profiles are read most.

use deadpool_redis::redis::{AsyncCommands as _, cmd};
use domain::ArtistKey;
use groovebase_cache::SharedProfiles as _;

use crate::given::{Tier, key};

fn names(keys: &[ArtistKey]) -> Vec<&str> {
    keys.iter().map(ArtistKey::as_str).collect()
}

#[tokio::test]
async fn the_most_read_come_first() {
    let tier = Tier::open().await;

    tier.profiles.note_reads(&[(key("a"), 5), (key("b"), 6), (key("c"), 1)]).await;
    tier.profiles.note_reads(&[(key("a"), 5)]).await;

    assert_eq!(names(&tier.profiles.most_read(10).await), ["a", "b", "c"]);
    assert_eq!(names(&tier.profiles.most_read(2).await), ["a", "b"]);
    assert!(tier.profiles.most_read(0).await.is_empty());
}

#[tokio::test]
async fn old_reads_count_half_after_a_day_and_are_dropped_at_last() {
    let mut tier = Tier::open().await;
    let day_begins = tier.name("reads:halved");
    tier.profiles.note_reads(&[(key("yesterday"), 100), (key("rarely"), 1)]).await;

    for _ in 0..2 {
        let () = tier.raw.del(&day_begins).await.unwrap();
        tier.profiles.note_reads(&[(key("today"), 20)]).await;
    }

    // 100 became 25; today has 20 and a half of 20; 1 became a quarter.
    assert_eq!(names(&tier.profiles.most_read(10).await), ["today", "yesterday"]);
    let seconds: i64 = tier.raw.ttl(&day_begins).await.unwrap();
    assert!((86_000..=86_400).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn no_more_than_ten_thousand_are_remembered() {
    let mut tier = Tier::open().await;
    let reads: Vec<_> = (1..=10_100).map(|n| (key(&format!("artist {n}")), n)).collect();

    tier.profiles.note_reads(&reads).await;

    let count: u64 = tier.raw.zcard(tier.name("reads:profiles")).await.unwrap();
    assert_eq!(count, 10_000);
    assert_eq!(names(&tier.profiles.most_read(1).await), ["artist 10100"]);
}

#[tokio::test]
async fn what_is_no_list_of_artists_is_no_news() {
    let mut tier = Tier::open().await;
    let name = tier.name("reads:profiles");
    let () = cmd("SET").arg(&name).arg("nonsense").query_async(&mut tier.raw).await.unwrap();

    tier.profiles.note_reads(&[(key("a"), 1)]).await;
    let most = tier.profiles.most_read(10).await;

    assert!(most.is_empty());
}
