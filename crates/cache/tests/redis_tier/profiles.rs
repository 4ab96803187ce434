//! What is kept of a profile, and what takes its place.

use std::sync::Arc;

use deadpool_redis::redis::{AsyncCommands as _, cmd};
use domain::{StyleProfile, Version};
use groovebase_cache::{RedisHealth, SharedProfiles as _};

use crate::given::{Tier, key, profile};

async fn kept(tier: &Tier, profile: &StyleProfile) -> Option<StyleProfile> {
    tier.profiles.find(profile.artist.key(), profile.version).await
}

/// The bytes under the key of a profile that was just stored.
async fn envelope(tier: &mut Tier, profile: &StyleProfile) -> Vec<u8> {
    tier.profiles.put(profile).await;
    let key = tier.key(profile.artist.key());
    tier.raw.get(key).await.unwrap()
}

#[tokio::test]
async fn what_was_put_is_found_at_its_version_only() {
    let tier = Tier::open().await;
    let profile = profile("J Dilla", 7);

    tier.profiles.put(&profile).await;

    assert_eq!(kept(&tier, &profile).await.as_ref(), Some(&profile));
    assert_eq!(tier.profiles.find(profile.artist.key(), Version::new(6)).await, None);
    assert_eq!(tier.profiles.find(profile.artist.key(), Version::new(8)).await, None);
    assert_eq!(tier.profiles.find(&key("nobody"), Version::new(7)).await, None);
    let counted = tier.profiles.statistics();
    assert_eq!((counted.hits, counted.other_versions, counted.misses), (1, 2, 1));
    assert_eq!((counted.stored, counted.read_bytes), (1, 3 * counted.sent_bytes));
}

#[tokio::test]
async fn keys_can_be_read_and_expire_in_about_a_week() {
    let mut tier = Tier::open().await;
    let profile = profile("  J   DILLA ", 7);

    tier.profiles.put(&profile).await;

    let name = tier.name("profile:j dilla");
    let seconds: i64 = tier.raw.ttl(name).await.unwrap();
    assert!((544_000..=665_280).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn a_late_set_of_an_older_version_loses() {
    let tier = Tier::open().await;
    // The order of these numbers differs from that of their low bytes and of their decimal digits.
    let (older, newer) = (profile("J Dilla", 0x00ff), profile("J Dilla", 0x0100));

    tier.profiles.put(&newer).await;
    tier.profiles.put(&older).await;

    assert_eq!(kept(&tier, &newer).await.as_ref(), Some(&newer));
    assert_eq!(kept(&tier, &older).await, None);
    assert_eq!(tier.profiles.statistics().outdated, 1);
}

#[tokio::test]
async fn versions_are_compared_whole() {
    let mut tier = Tier::open().await;

    for (less, more) in [
        (0, 1),
        (0x7f, 0x80),
        (0xff, 0x100),
        (1 << 52, (1 << 52) + 1),
        (1, 1 << 63),
        (u64::MAX - 1, u64::MAX),
    ] {
        let (less, more) = (profile("J Dilla", less), profile("J Dilla", more));
        let name = tier.key(less.artist.key());
        let () = tier.raw.del(name).await.unwrap();
        tier.profiles.put(&less).await;
        assert!(kept(&tier, &less).await.is_some());
        tier.profiles.put(&more).await;
        tier.profiles.put(&less).await;

        assert!(kept(&tier, &more).await.is_some(), "{:?}", more.version);
    }
}

#[tokio::test]
async fn forgets_up_to_the_version_and_nothing_newer() {
    let tier = Tier::open().await;
    let (older, newer) = (profile("J Dilla", 1), profile("J Dilla", 2));

    tier.profiles.put(&newer).await;
    tier.profiles.forget(older.artist.key(), older.version).await;
    let spared = kept(&tier, &newer).await;
    tier.profiles.forget(newer.artist.key(), newer.version).await;

    assert_eq!(spared.as_ref(), Some(&newer));
    assert_eq!(kept(&tier, &newer).await, None);
}

#[tokio::test]
async fn what_is_put_after_a_forget_is_kept_under_its_own_version() {
    let tier = Tier::open().await;
    let (older, newer) = (profile("J Dilla", 1), profile("J Dilla", 2));

    tier.profiles.put(&older).await;
    tier.profiles.forget(older.artist.key(), older.version).await;
    tier.profiles.put(&older).await;

    // It came back, which harms nobody: whoever knows of the change asks for another version.
    assert_eq!(kept(&tier, &older).await.as_ref(), Some(&older));
    assert_eq!(kept(&tier, &newer).await, None);
    tier.profiles.put(&newer).await;
    assert_eq!(kept(&tier, &newer).await.as_ref(), Some(&newer));
}

#[tokio::test]
async fn damage_is_a_miss_and_is_cleared_away() {
    let mut tier = Tier::open().await;
    let profile = profile("J Dilla", 7);
    let name = tier.key(profile.artist.key());
    let whole = envelope(&mut tier, &profile).await;
    let mut flipped = whole.clone();
    flipped[200] ^= 1;
    let mut of_the_future = whole.clone();
    of_the_future[6..14].fill(0xff);

    for damaged in [
        Vec::new(),
        b"hello".to_vec(),
        whole[..5].to_vec(),
        whole[..whole.len() - 1].to_vec(),
        flipped,
        of_the_future,
        vec![0; 4_096],
    ] {
        let () = tier.raw.set(&name, &damaged).await.unwrap();

        assert_eq!(kept(&tier, &profile).await, None);

        assert!(!tier.raw.exists::<_, bool>(&name).await.unwrap(), "{:?}", damaged.get(..20));
        tier.profiles.put(&profile).await;
        assert_eq!(kept(&tier, &profile).await.as_ref(), Some(&profile));
    }
    let unreadable = tier.profiles.statistics().unreadable;
    assert_eq!((unreadable.not_an_envelope, unreadable.truncated), (3, 1));
    assert_eq!(unreadable.checksum_mismatch, 3);
}

#[tokio::test]
async fn an_envelope_of_another_format_is_a_miss_that_stays_until_it_is_replaced() {
    let mut tier = Tier::open().await;
    let profile = profile("J Dilla", 7);
    let name = tier.key(profile.artist.key());
    let mut other = envelope(&mut tier, &profile).await;

    for (at, byte) in [(4, 0), (4, 2), (5, 9)] {
        other[at] = byte;
        // Whatever its version is, a build that cannot read it writes over it.
        other[6..14].fill(0xff);
        let () = tier.raw.set(&name, &other).await.unwrap();

        assert_eq!(kept(&tier, &profile).await, None);
        assert!(tier.raw.exists::<_, bool>(&name).await.unwrap());

        other = envelope(&mut tier, &profile).await;
        assert_eq!(kept(&tier, &profile).await.as_ref(), Some(&profile));
    }
    let unreadable = tier.profiles.statistics().unreadable;
    assert_eq!((unreadable.unknown_format, unreadable.unknown_codec), (2, 1));
}

#[tokio::test]
async fn an_envelope_under_the_key_of_another_artist_is_a_miss() {
    let mut tier = Tier::open().await;
    let bytes = envelope(&mut tier, &profile("J Dilla", 7)).await;
    let madlib = key("Madlib");
    let name = tier.key(&madlib);
    let () = tier.raw.set(name, bytes).await.unwrap();

    let found = tier.profiles.find(&madlib, Version::new(7)).await;

    assert_eq!(found, None);
    assert_eq!(tier.profiles.statistics().unreadable.other_key, 1);
}

#[tokio::test]
async fn a_key_of_another_type_is_a_miss_and_can_be_written_over() {
    let mut tier = Tier::open().await;
    let profile = profile("J Dilla", 7);
    let name = tier.key(profile.artist.key());
    let () = tier.raw.rpush(&name, "not a text").await.unwrap();

    assert_eq!(kept(&tier, &profile).await, None);
    let many = tier.profiles.find_many(&[(profile.artist.key().clone(), profile.version)]).await;
    tier.profiles.put(&profile).await;

    assert_eq!(many, [None]);
    assert_eq!(kept(&tier, &profile).await.as_ref(), Some(&profile));
    assert_eq!(tier.redis.health(), RedisHealth::Up);
    assert_eq!(tier.redis.statistics().failures.wrong_type, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_found_at_the_same_time_is_each_ones_own() {
    let mut tier = Tier::open().await;
    let profiles: Vec<_> =
        (0..200).map(|number| profile(&format!("Artist {number}"), 7 + number)).collect();
    for profile in profiles.iter().step_by(2) {
        tier.profiles.put(profile).await;
    }
    let other_type = tier.key(profiles[1].artist.key());
    let () = tier.raw.lpush(other_type, "no text").await.unwrap();
    let asked = tier.redis.statistics().operations;

    let finds: Vec<_> = profiles
        .iter()
        .cloned()
        .map(|profile| {
            let kept = tier.profiles.clone();
            tokio::spawn(async move { kept.find(profile.artist.key(), profile.version).await })
        })
        .collect();
    let mut found = Vec::new();
    for find in finds {
        found.push(find.await.unwrap());
    }

    for (number, (found, profile)) in found.iter().zip(&profiles).enumerate() {
        let kept = (number % 2 == 0).then_some(profile);
        assert_eq!(found.as_ref(), kept, "{number}");
    }
    let counted = tier.profiles.statistics();
    assert_eq!((counted.hits, counted.hits + counted.misses + counted.unanswered), (100, 200));
    let asked = tier.redis.statistics().operations - asked;
    assert!(asked < 200, "{asked} questions");
}

#[tokio::test]
async fn a_redis_that_forgot_everything_is_a_miss() {
    let mut tier = Tier::open().await;
    let profile = profile("J Dilla", 7);
    tier.profiles.put(&profile).await;
    let keys: Vec<String> =
        cmd("KEYS").arg(tier.name("*")).query_async(&mut tier.raw).await.unwrap();
    let () = tier.raw.del(keys).await.unwrap();
    // The scripts are forgotten too.
    let () = cmd("SCRIPT").arg("FLUSH").query_async(&mut tier.raw).await.unwrap();

    assert_eq!(kept(&tier, &profile).await, None);
    tier.profiles.put(&profile).await;

    assert_eq!(kept(&tier, &profile).await.as_ref(), Some(&profile));
    assert_eq!(tier.redis.health(), RedisHealth::Up);
}

#[tokio::test]
async fn many_are_found_in_the_order_asked_for() {
    let tier = Tier::open().await;
    let profiles: Vec<_> =
        (0..1_203).map(|n| Arc::new(profile(&format!("Artist {n}"), n))).collect();

    tier.profiles.put_many(&profiles).await;
    let mut asked: Vec<_> =
        profiles.iter().rev().map(|it| (it.artist.key().clone(), it.version)).collect();
    asked.push((key("nobody"), Version::new(1)));
    asked.push((profiles[5].artist.key().clone(), Version::new(1)));
    let found = tier.profiles.find_many(&asked).await;

    let expected = profiles.iter().rev().map(|it| Some(StyleProfile::clone(it)));
    assert_eq!(found, expected.chain([None, None]).collect::<Vec<_>>());
    assert_eq!(tier.profiles.statistics().stored, 1_203);
    assert!(tier.profiles.find_many(&[]).await.is_empty());
}
