//! What the caches promise, one race at a time: every interleaving here is forced, none is hoped for.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "races/store.rs"]
#[expect(
    clippy::unimplemented,
    clippy::unwrap_used,
    reason = "a store for tests, which end when it is used wrongly"
)]
mod store;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use domain::{
    ArtistName, Artists, BulkLoad, Expected, ProfileRecord, RepositoryError, StyleProfiles, Version,
};
use groovebase_cache::{
    Bounds, CachedArtists, CachedBulkLoad, CachedStyleProfiles, Feed, Freshness, Read,
    SharedProfiles, Tier,
};
use store::{Scripted, Shelf, Told, key, profile};
use tokio::time::{Instant, advance};

const ROOM: u64 = 1 << 20;

/// One instance of a service on a scripted store.
struct Instance {
    feed: Feed,
    profiles: CachedStyleProfiles,
    artists: CachedArtists,
}

impl Instance {
    async fn on(store: &Arc<Scripted>) -> Self {
        Self::with(store, None, Bounds::default()).await
    }

    async fn with(store: &Arc<Scripted>, shelf: Option<&Arc<Shelf>>, bounds: Bounds) -> Self {
        let feed = Feed::start(Arc::new(Told(Arc::clone(store))), bounds);
        feed.confirm().await.unwrap();
        let shared = || shelf.map(|it| Arc::clone(it) as Arc<dyn SharedProfiles>);
        Self {
            profiles: CachedStyleProfiles::new(
                Arc::clone(store) as Arc<dyn StyleProfiles>,
                feed.clone(),
                shared(),
                ROOM,
            ),
            artists: CachedArtists::new(
                Arc::clone(store) as Arc<dyn Artists>,
                feed.clone(),
                shared(),
                ROOM,
            ),
            feed,
        }
    }

    async fn read(&self, artist: &str) -> Answer {
        Answer::of(self.profiles.read(&key(artist), Freshness::Default).await.unwrap())
    }

    async fn strict(&self, artist: &str) -> Answer {
        Answer::of(self.profiles.read(&key(artist), Freshness::Strict).await.unwrap())
    }

    fn reading(&self, artist: &str) -> tokio::task::JoinHandle<Answer> {
        let (profiles, key) = (self.profiles.clone(), key(artist));
        tokio::spawn(
            async move { Answer::of(profiles.read(&key, Freshness::Default).await.unwrap()) },
        )
    }

    async fn save(&self, artist: &str, text: &str) -> Version {
        self.profiles
            .save(&profile(artist, text), Expected::Any, &domain::Author::at_the_command_line())
            .await
            .unwrap()
            .profile
            .version
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    text: Option<String>,
    tier: Tier,
    stale: bool,
}

impl Answer {
    fn of(read: Read<Arc<groovebase_cache::CachedProfile>>) -> Self {
        let text = read.value.map(|it| it.profile.text_description.as_str().to_owned());
        Self { text, tier: read.tier, stale: read.stale }
    }

    fn fresh(text: &str, tier: Tier) -> Self {
        Self { text: Some(text.to_owned()), tier, stale: false }
    }

    const fn nothing(tier: Tier) -> Self {
        Self { text: None, tier, stale: false }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hit_in_memory_asks_nobody() {
    let store = Scripted::new();
    store.commit("J Dilla", "one");
    let instance = Instance::on(&store).await;

    let first = instance.read("J Dilla").await;
    let again = instance.read("j  dilla").await;

    assert_eq!(first, Answer::fresh("one", Tier::Database));
    assert_eq!(again, Answer::fresh("one", Tier::Memory));
    assert_eq!(store.loads.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn who_is_not_in_the_catalog_is_not_looked_for() {
    let store = Scripted::new();
    let instance = Instance::on(&store).await;

    let unknown = instance.read("Nobody").await;

    assert_eq!(unknown, Answer::nothing(Tier::Catalog));
    assert_eq!(store.loads.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_late_fill_after_a_write_is_not_kept() {
    let store = Scripted::new();
    store.commit("J Dilla", "old");
    let instance = Instance::on(&store).await;
    store.finds.close();
    let reader = instance.reading("J Dilla");
    store.finds.reached_by(1).await;

    instance.save("J Dilla", "new").await;
    store.finds.open();
    let waited = reader.await.unwrap();

    assert_eq!(waited, Answer::fresh("old", Tier::Database), "it began before the write");
    assert_eq!(instance.read("J Dilla").await, Answer::fresh("new", Tier::Memory));
    assert_eq!(instance.profiles.statistics().late, 1);
}

#[tokio::test(start_paused = true)]
async fn a_late_fill_after_a_write_elsewhere_is_not_kept() {
    let store = Scripted::new();
    store.commit("J Dilla", "old");
    let instance = Instance::on(&store).await;
    store.finds.close();
    let reader = instance.reading("J Dilla");
    store.finds.reached_by(1).await;

    store.commit("J Dilla", "new");
    instance.feed.confirm().await.unwrap();
    store.finds.open();
    reader.await.unwrap();

    assert_eq!(instance.read("J Dilla").await, Answer::fresh("new", Tier::Database));
}

#[tokio::test(start_paused = true)]
async fn a_late_fill_after_removal_and_recreation_is_not_kept() {
    let store = Scripted::new();
    store.commit("J Dilla", "old");
    let instance = Instance::on(&store).await;
    store.finds.close();
    let reader = instance.reading("J Dilla");
    store.finds.reached_by(1).await;

    instance.artists.remove(&key("J Dilla"), &domain::Author::at_the_command_line()).await.unwrap();
    let between = instance.read("J Dilla").await;
    instance.save("J Dilla", "new").await;
    store.finds.open();
    reader.await.unwrap();

    assert_eq!(between, Answer::nothing(Tier::Catalog));
    assert_eq!(instance.read("J Dilla").await, Answer::fresh("new", Tier::Memory));
}

#[tokio::test(start_paused = true)]
async fn a_late_fill_does_not_bring_a_removed_artist_back() {
    let store = Scripted::new();
    store.commit("J Dilla", "old");
    let instance = Instance::on(&store).await;
    store.finds.close();
    let reader = instance.reading("J Dilla");
    store.finds.reached_by(1).await;
    // The feed stands still, so that only what the instance did itself can be known.
    store.rounds.close();

    instance.artists.remove(&key("J Dilla"), &domain::Author::at_the_command_line()).await.unwrap();
    store.finds.open();
    reader.await.unwrap();

    assert_eq!(instance.read("J Dilla").await, Answer::nothing(Tier::Catalog));
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_after_a_write_does_not_take_an_older_load() {
    let store = Scripted::new();
    store.commit("J Dilla", "old");
    let instance = Instance::on(&store).await;
    store.finds.close();
    let early = instance.reading("J Dilla");
    store.finds.reached_by(1).await;
    store.commit("J Dilla", "new");
    instance.feed.confirm().await.unwrap();

    // Joins the load under way, finds that it is too old, and needs another one.
    let late = instance.reading("J Dilla");
    tokio::task::yield_now().await;
    store.finds.open();

    assert_eq!(early.await.unwrap(), Answer::fresh("old", Tier::Database));
    assert_eq!(late.await.unwrap(), Answer::fresh("new", Tier::Database));
}

#[tokio::test(start_paused = true)]
async fn a_set_that_lands_late_is_not_believed() {
    let store = Scripted::new();
    let shelf = Arc::new(Shelf::default());
    let old = store.commit("J Dilla", "old");
    let instance = Instance::with(&store, Some(&shelf), Bounds::default()).await;
    store.commit("J Dilla", "new");
    instance.feed.confirm().await.unwrap();

    shelf.kept.lock().insert(key("J Dilla"), old.as_ref().clone());

    assert_eq!(instance.read("J Dilla").await, Answer::fresh("new", Tier::Database));
}

#[tokio::test(start_paused = true)]
async fn a_shared_value_of_somebody_else_is_not_believed() {
    let store = Scripted::new();
    let shelf = Arc::new(Shelf::default());
    let dilla = store.commit("J Dilla", "right");
    let mut poison = store.commit("Tony Allen", "wrong").as_ref().clone();
    let instance = Instance::with(&store, Some(&shelf), Bounds::default()).await;

    poison.version = dilla.version;
    shelf.kept.lock().insert(key("J Dilla"), poison);
    let one = instance.read("J Dilla").await;
    let many = instance.profiles.find_many(&[key("Tony Allen"), key("J Dilla")]).await.unwrap();

    assert_eq!(one, Answer::fresh("right", Tier::Database));
    let texts = many.iter().flatten().map(|it| it.text_description.as_str());
    assert_eq!(texts.collect::<Vec<_>>(), ["wrong", "right"]);
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_dies_between_commit_and_invalidation_leaves_no_old_answer() {
    let store = Scripted::new();
    let shelf = Arc::new(Shelf::default());
    let dying = Instance::with(&store, Some(&shelf), Bounds::default()).await;
    let other = Instance::with(&store, Some(&shelf), Bounds::default()).await;
    dying.save("J Dilla", "old").await;
    other.strict("J Dilla").await;
    store.saves.close();
    let save = tokio::spawn({
        let profiles = dying.profiles.clone();
        async move {
            profiles
                .save(
                    &profile("J Dilla", "new"),
                    Expected::Any,
                    &domain::Author::at_the_command_line(),
                )
                .await
        }
    });
    store.saves.reached_by(1).await;

    save.abort();
    drop(dying);
    let kept = shelf.kept.lock().get(&key("J Dilla")).map(|it| it.text_description.clone());

    assert_eq!(kept.unwrap().as_str(), "old");
    assert_eq!(other.strict("J Dilla").await, Answer::fresh("new", Tier::Database));
}

#[tokio::test(start_paused = true)]
async fn names_are_suggested_from_the_catalog() {
    let store = Scripted::new();
    for name in ["J Dilla", "Jay Dilla", "Tony Allen"] {
        store.commit(name, "one");
    }
    let instance = Instance::on(&store).await;

    let wanted = ArtistName::try_from("J Dila").unwrap();
    let suggested = instance.artists.suggest(&wanted, 5).await.unwrap();

    let names: Vec<_> = suggested.iter().map(ArtistName::as_str).collect();
    assert_eq!(names, ["J Dilla", "Jay Dilla"]);
}

#[tokio::test(start_paused = true)]
async fn another_instance_finds_what_was_shared() {
    let store = Scripted::new();
    let shelf = Arc::new(Shelf::default());
    let one = Instance::with(&store, Some(&shelf), Bounds::default()).await;
    let other = Instance::with(&store, Some(&shelf), Bounds::default()).await;

    one.save("J Dilla", "one").await;

    assert_eq!(other.strict("J Dilla").await, Answer::fresh("one", Tier::Shared));
    assert_eq!(other.read("J Dilla").await, Answer::fresh("one", Tier::Memory));
    assert_eq!(store.loads.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_round_under_way_is_not_joined() {
    let store = Scripted::new();
    store.commit("J Dilla", "old");
    let instance = Instance::on(&store).await;
    instance.read("J Dilla").await;
    // A round has read the store and its answer is on the way when the write commits and the reader arrives.
    store.rounds.close();
    store.rounds.reached_by(1).await;
    store.commit("J Dilla", "new");
    let reader = tokio::spawn({
        let profiles = instance.profiles.clone();
        async move { Answer::of(profiles.read(&key("J Dilla"), Freshness::Strict).await.unwrap()) }
    });
    tokio::task::yield_now().await;

    store.rounds.open();

    assert_eq!(reader.await.unwrap(), Answer::fresh("new", Tier::Database));
}

#[tokio::test(start_paused = true)]
async fn strict_readers_share_a_round() {
    let store = Scripted::new();
    store.commit("J Dilla", "one");
    let instance = Instance::on(&store).await;
    instance.read("J Dilla").await;
    store.rounds.close();
    store.rounds.reached_by(1).await;
    let before = store.questions.load(Ordering::SeqCst);

    let readers: Vec<_> = (0..100)
        .map(|_| {
            let profiles = instance.profiles.clone();
            tokio::spawn(async move {
                Answer::of(profiles.read(&key("J Dilla"), Freshness::Strict).await.unwrap())
            })
        })
        .collect();
    tokio::task::yield_now().await;
    store.rounds.open();
    for reader in readers {
        assert_eq!(reader.await.unwrap(), Answer::fresh("one", Tier::Memory));
    }

    assert!(store.questions.load(Ordering::SeqCst) - before <= 2);
}

#[tokio::test(start_paused = true)]
async fn of_two_writers_each_sees_its_own_and_the_last_stands() {
    let store = Scripted::new();
    let one = Instance::on(&store).await;
    let other = Instance::on(&store).await;
    // The first writer commits, and before it hears of that the second one commits and is answered.
    store.saves.close();
    let first = tokio::spawn({
        let profiles = one.profiles.clone();
        async move {
            profiles
                .save(
                    &profile("J Dilla", "first"),
                    Expected::Any,
                    &domain::Author::at_the_command_line(),
                )
                .await
                .unwrap()
        }
    });
    store.saves.reached_by(1).await;
    store.rounds.close();

    store.commit("J Dilla", "second");
    store.rounds.open();
    other.feed.confirm().await.unwrap();
    one.feed.confirm().await.unwrap();
    store.saves.open();
    first.await.unwrap();

    assert_eq!(one.read("J Dilla").await.text.as_deref(), Some("second"));
    assert_eq!(other.read("J Dilla").await.text.as_deref(), Some("second"));
}

#[tokio::test(start_paused = true)]
async fn own_writes_are_seen_though_the_feed_stands_still() {
    let store = Scripted::new();
    let instance = Instance::on(&store).await;
    store.rounds.close();

    instance.save("J Dilla", "one").await;
    let saved = instance.read("J Dilla").await;
    instance
        .profiles
        .remove(&key("J Dilla"), Expected::Any, &domain::Author::at_the_command_line())
        .await
        .unwrap();
    let bare = instance.read("J Dilla").await;
    instance.save("J Dilla", "two").await;
    let again = instance.read("J Dilla").await;
    instance.artists.remove(&key("J Dilla"), &domain::Author::at_the_command_line()).await.unwrap();
    let gone = instance.read("J Dilla").await;

    assert_eq!(saved, Answer::fresh("one", Tier::Memory));
    assert_eq!(bare, Answer::nothing(Tier::Catalog));
    assert_eq!(again, Answer::fresh("two", Tier::Memory));
    assert_eq!(gone, Answer::nothing(Tier::Catalog));
}

#[tokio::test(start_paused = true)]
async fn many_readers_load_once() {
    let store = Scripted::new();
    store.commit("J Dilla", "one");
    let instance = Instance::on(&store).await;
    store.finds.close();

    let readers: Vec<_> = (0..100).map(|_| instance.reading("J Dilla")).collect();
    store.finds.reached_by(1).await;
    tokio::task::yield_now().await;
    store.finds.open();
    for reader in readers {
        assert_eq!(reader.await.unwrap().text.as_deref(), Some("one"));
    }

    assert_eq!(store.loads.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_leader_leaves_the_load_to_those_who_wait() {
    let store = Scripted::new();
    store.commit("J Dilla", "one");
    let instance = Instance::on(&store).await;
    store.finds.close();
    let leader = instance.reading("J Dilla");
    store.finds.reached_by(1).await;
    let waiting = instance.reading("J Dilla");
    tokio::task::yield_now().await;

    leader.abort();
    assert!(leader.await.unwrap_err().is_cancelled());
    store.finds.open();

    assert_eq!(waiting.await.unwrap(), Answer::fresh("one", Tier::Database));
    assert_eq!(store.loads.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_load_ends_though_nobody_waits_for_it() {
    let store = Scripted::new();
    store.commit("J Dilla", "one");
    let instance = Instance::on(&store).await;
    for round in 1..=300 {
        store.finds.close();
        let leader = instance.reading("J Dilla");
        store.finds.reached_by(round).await;
        leader.abort();
        leader.await.unwrap_err();
        store.finds.open();
        let kept = tokio::time::timeout(Duration::from_secs(1), async {
            while instance.profiles.at_hand(&key("J Dilla")).is_none() {
                tokio::task::yield_now().await;
            }
        });
        assert!(kept.await.is_ok(), "round {round}");
        store.commit("J Dilla", "one");
        instance.feed.confirm().await.unwrap();
    }

    assert_eq!(store.loads.load(Ordering::SeqCst), 300);
}

#[tokio::test(start_paused = true)]
async fn a_loader_that_panics_fails_those_who_wait_and_nobody_else() {
    let store = Scripted::new();
    store.commit("J Dilla", "one");
    let instance = Instance::on(&store).await;
    store.panics.store(true, Ordering::SeqCst);

    let failed = instance.profiles.read(&key("J Dilla"), Freshness::Default).await;
    store.panics.store(false, Ordering::SeqCst);

    assert!(matches!(failed, Err(RepositoryError::Internal(_))), "{failed:?}");
    assert_eq!(instance.read("J Dilla").await.text.as_deref(), Some("one"));
}

#[tokio::test(start_paused = true)]
async fn a_catalog_that_is_too_old_is_not_relied_on() {
    let store = Scripted::new();
    store.commit("J Dilla", "old");
    let instance = Instance::on(&store).await;
    instance.read("J Dilla").await;
    store.rounds.close();
    store.commit("J Dilla", "new");
    store.commit("Tony Allen", "new too");

    let within = instance.read("J Dilla").await;
    advance(Duration::from_millis(1_300)).await;
    let beyond = instance.read("J Dilla").await;
    let unknown = instance.read("Tony Allen").await;

    assert_eq!(within, Answer::fresh("old", Tier::Memory));
    assert_eq!(beyond, Answer::fresh("new", Tier::Database));
    assert_eq!(unknown, Answer::fresh("new too", Tier::Database));
}

#[tokio::test(start_paused = true)]
async fn before_the_catalog_is_loaded_the_store_is_asked() {
    let store = Scripted::new();
    store.commit("J Dilla", "one");
    store.rounds.close();
    let feed = Feed::start(Arc::new(Told(Arc::clone(&store))), Bounds::default());
    let inner = Arc::clone(&store) as Arc<dyn StyleProfiles>;
    let profiles: CachedStyleProfiles = CachedStyleProfiles::new(inner, feed, None, ROOM);

    let known = profiles.read(&key("J Dilla"), Freshness::Default).await.unwrap();
    let unknown = profiles.read(&key("Nobody"), Freshness::Default).await.unwrap();

    assert_eq!(Answer::of(known), Answer::fresh("one", Tier::Database));
    assert_eq!(Answer::of(unknown), Answer::nothing(Tier::Database));
}

#[tokio::test(start_paused = true)]
async fn the_last_good_value_is_handed_out_marked_while_the_database_is_unreachable() {
    let store = Scripted::new();
    store.commit("J Dilla", "one");
    store.commit("Tony Allen", "never read");
    let bounds = Bounds { max_stale_if_error: Duration::from_mins(1), ..Bounds::default() };
    let instance = Instance::with(&store, None, bounds).await;
    instance.read("J Dilla").await;

    store.unreachable.store(true, Ordering::SeqCst);
    advance(Duration::from_secs(2)).await;
    let known = instance.read("J Dilla").await;
    let unknown = instance.read("Nobody").await;
    let missing = instance.profiles.read(&key("Tony Allen"), Freshness::Default).await;
    let strict = instance.profiles.read(&key("J Dilla"), Freshness::Strict).await;
    let many = instance.profiles.find_many(&[key("J Dilla"), key("Nobody")]).await.unwrap();
    advance(Duration::from_mins(2)).await;
    let too_old = instance.profiles.read(&key("J Dilla"), Freshness::Default).await;
    store.unreachable.store(false, Ordering::SeqCst);
    let strict_again = instance.strict("J Dilla").await;

    assert_eq!(known, Answer { stale: true, ..Answer::fresh("one", Tier::Memory) });
    assert_eq!(unknown, Answer { stale: true, ..Answer::nothing(Tier::Catalog) });
    assert!(matches!(missing, Err(RepositoryError::Unavailable(_))), "{missing:?}");
    assert!(matches!(strict, Err(RepositoryError::Unavailable(_))), "{strict:?}");
    assert_eq!(many.iter().filter(|it| it.is_some()).count(), 1);
    assert!(matches!(too_old, Err(RepositoryError::Unavailable(_))), "{too_old:?}");
    assert_eq!(strict_again, Answer::fresh("one", Tier::Memory));
}

#[tokio::test(start_paused = true)]
async fn no_stale_answer_is_given_where_that_is_off() {
    let store = Scripted::new();
    store.commit("J Dilla", "one");
    let bounds = Bounds { max_stale_if_error: Duration::ZERO, ..Bounds::default() };
    let instance = Instance::with(&store, None, bounds).await;
    instance.read("J Dilla").await;

    store.unreachable.store(true, Ordering::SeqCst);
    advance(Duration::from_secs(2)).await;
    let refused = instance.profiles.read(&key("J Dilla"), Freshness::Default).await;

    assert!(matches!(refused, Err(RepositoryError::Unavailable(_))), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_database_that_hangs_does_not_hold_up_the_last_good_value() {
    let store = Scripted::new();
    store.commit("J Dilla", "one");
    let instance = Instance::on(&store).await;
    instance.read("J Dilla").await;
    store.rounds.close();
    store.finds.close();
    advance(Duration::from_millis(1_300)).await;

    let asked = Instant::now();
    let answer = instance.read("J Dilla").await;

    assert_eq!(answer, Answer { stale: true, ..Answer::fresh("one", Tier::Memory) });
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_feed_recovers_and_says_how_it_stands() {
    let store = Scripted::new();
    store.commit("J Dilla", "one");
    let instance = Instance::on(&store).await;
    store.unreachable.store(true, Ordering::SeqCst);
    instance.feed.confirm().await.unwrap_err();
    let down = instance.feed.status();

    store.unreachable.store(false, Ordering::SeqCst);
    store.commit("J Dilla", "two");
    instance.feed.confirm().await.unwrap();
    let up = instance.feed.status();

    assert!(down.unreachable && 1 <= down.failures, "{down:?}");
    assert!(!up.unreachable && up.connections == down.connections + 1, "{up:?}");
    assert_eq!((up.artists, up.applied), (1, Version::new(2)));
    assert_eq!(instance.read("J Dilla").await.text.as_deref(), Some("two"));
}

#[tokio::test(start_paused = true)]
async fn what_only_the_feed_could_tell_is_seen_though_it_cannot() {
    struct Loader(Arc<Scripted>);
    #[async_trait::async_trait]
    impl BulkLoad for Loader {
        async fn load(
            &self,
            _: Vec<ProfileRecord>,
            _: &domain::Author,
        ) -> Result<domain::BulkCounts, RepositoryError> {
            self.0.commit("J Dilla", "loaded");
            Ok(domain::BulkCounts::default())
        }

        async fn finish(&self) -> Result<(), RepositoryError> {
            Ok(())
        }
    }
    let store = Scripted::new();
    store.commit("J Dilla", "before");
    let bounds = Bounds { max_stale_if_error: Duration::ZERO, ..Bounds::default() };
    let instance = Instance::with(&store, None, bounds).await;
    store.feed_away.store(true, Ordering::SeqCst);
    instance.feed.confirm().await.unwrap_err();
    advance(Duration::from_millis(1_500)).await;
    store.finds.close();
    let early = instance.reading("J Dilla");
    store.finds.reached_by(1).await;

    let loader = CachedBulkLoad::new(Arc::new(Loader(Arc::clone(&store))), instance.feed.clone());
    loader.load(Vec::new(), &domain::Author::at_the_command_line()).await.unwrap();
    let late = instance.reading("J Dilla");
    tokio::task::yield_now().await;
    store.finds.open();

    assert_eq!(early.await.unwrap().text.as_deref(), Some("before"));
    assert_eq!(late.await.unwrap().text.as_deref(), Some("loaded"));
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_is_cut_off_alone_does_not_make_the_database_stale() {
    let store = Scripted::new();
    store.commit("J Dilla", "old");
    let instance = Instance::on(&store).await;
    instance.read("J Dilla").await;
    store.feed_away.store(true, Ordering::SeqCst);
    instance.feed.confirm().await.unwrap_err();
    store.commit("J Dilla", "new");
    advance(Duration::from_mins(5)).await;

    let one = instance.read("J Dilla").await;
    let another = instance.read("J Dilla").await;
    let many = instance.profiles.find_many(&[key("J Dilla")]).await.unwrap();

    assert_eq!(one, Answer::fresh("new", Tier::Database));
    assert_eq!(another, Answer::fresh("new", Tier::Database));
    assert!(many.iter().flatten().all(|it| it.text_description.as_str() == "new"));
    assert!(!instance.feed.status().reliable);
}

#[tokio::test(start_paused = true)]
async fn a_feed_goes_on_after_a_panic() {
    let store = Scripted::new();
    store.commit("J Dilla", "one");
    let instance = Instance::on(&store).await;

    store.feed_panics.store(true, Ordering::SeqCst);
    instance.feed.confirm().await.ok();
    store.commit("J Dilla", "two");

    assert_eq!(instance.strict("J Dilla").await.text.as_deref(), Some("two"));
}

#[tokio::test(start_paused = true)]
async fn many_are_not_held_up_by_a_database_that_hangs() {
    let store = Scripted::new();
    let shelf = Arc::new(Shelf::default());
    store.commit("In Memory", "kept");
    let shared = store.commit("In Redis", "shared");
    let instance = Instance::with(&store, Some(&shelf), Bounds::default()).await;
    instance.read("In Memory").await;
    shelf.kept.lock().insert(key("In Redis"), shared.as_ref().clone());
    shelf.questions.store(0, Ordering::SeqCst);
    store.rounds.close();
    store.finds.close();
    advance(Duration::from_millis(1_300)).await;

    let asked = Instant::now();
    let artists = ["In Redis", "In Memory", "Nobody"].map(key);
    let reads = instance.profiles.read_many(&artists, Freshness::Default).await.unwrap();

    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    assert!(reads.iter().all(|read| read.stale));
    let texts: Vec<_> = reads.into_iter().map(|read| Answer::of(read).text).collect();
    assert_eq!(texts, [Some("shared".to_owned()), Some("kept".to_owned()), None]);
    assert_eq!(shelf.questions.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_strict_read_does_not_wait_long_for_a_database_that_hangs() {
    let store = Scripted::new();
    let instance = Instance::on(&store).await;
    store.rounds.close();
    store.rounds.reached_by(1).await;

    let asked = Instant::now();
    let refused = instance.profiles.read(&key("J Dilla"), Freshness::Strict).await;

    assert!(matches!(refused, Err(RepositoryError::Unavailable(_))), "{refused:?}");
    assert!(asked.elapsed() <= Duration::from_secs(6), "{:?}", asked.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_age_of_a_shared_value_is_that_of_the_catalog() {
    let store = Scripted::new();
    let shelf = Arc::new(Shelf::default());
    let kept = store.commit("J Dilla", "one");
    let bounds = Bounds { max_staleness: Duration::from_mins(1), ..Bounds::default() };
    let instance = Instance::with(&store, Some(&shelf), bounds).await;
    shelf.kept.lock().insert(key("J Dilla"), kept.as_ref().clone());
    store.rounds.close();
    store.rounds.reached_by(1).await;
    advance(Duration::from_secs(20)).await;

    let read = instance.profiles.read(&key("J Dilla"), Freshness::Default).await.unwrap();

    assert_eq!(read.tier, Tier::Shared);
    assert!(Duration::from_secs(20) <= read.age, "{:?}", read.age);
}

#[tokio::test(start_paused = true)]
async fn a_load_that_hangs_is_not_joined_for_ever() {
    let store = Scripted::new();
    store.commit("J Dilla", "one");
    let instance = Instance::on(&store).await;
    store.finds.close();
    let hanging = instance.reading("J Dilla");
    store.finds.reached_by(1).await;
    tokio::time::sleep(Duration::from_secs(3)).await;

    let later = instance.reading("J Dilla");
    store.finds.reached_by(2).await;
    store.finds.open();

    assert_eq!(hanging.await.unwrap().text.as_deref(), Some("one"));
    assert_eq!(later.await.unwrap().text.as_deref(), Some("one"));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_feed_that_is_not_followed_any_more() {
    let store = Scripted::new();
    let instance = Instance::on(&store).await;
    store.rounds.close();
    let waiting = tokio::spawn({
        let feed = instance.feed.clone();
        async move { feed.confirm().await }
    });
    tokio::task::yield_now().await;

    instance.feed.stop();

    assert!(matches!(waiting.await.unwrap(), Err(RepositoryError::Unavailable(_))));
    assert!(matches!(instance.feed.confirm().await, Err(RepositoryError::Unavailable(_))));
}

#[tokio::test(start_paused = true)]
async fn many_are_found_with_one_question_to_each_tier() {
    let store = Scripted::new();
    let shelf = Arc::new(Shelf::default());
    let shared = store.commit("In Redis", "shared");
    store.commit("In Memory", "kept");
    store.commit("In Database", "stored");
    let instance = Instance::with(&store, Some(&shelf), Bounds::default()).await;
    instance.read("In Memory").await;
    shelf.kept.lock().insert(key("In Redis"), shared.as_ref().clone());
    shelf.questions.store(0, Ordering::SeqCst);
    let artists = ["In Redis", "Nobody", "In Memory", "In Database", "In Redis"].map(key);

    let reads = instance.profiles.read_many(&artists, Freshness::Strict).await.unwrap();

    let answers: Vec<_> = reads.into_iter().map(Answer::of).collect();
    assert_eq!(
        answers,
        [
            Answer::fresh("shared", Tier::Shared),
            Answer::nothing(Tier::Catalog),
            Answer::fresh("kept", Tier::Memory),
            Answer::fresh("stored", Tier::Database),
            Answer::fresh("shared", Tier::Shared),
        ]
    );
    assert_eq!(shelf.questions.load(Ordering::SeqCst), 1);
    assert_eq!(store.batches.load(Ordering::SeqCst), 1);
    let again = instance.profiles.read_many(&artists, Freshness::Default).await.unwrap();
    assert!(again.iter().all(|read| matches!(read.tier, Tier::Memory | Tier::Catalog)));
}

#[tokio::test(start_paused = true)]
async fn what_was_loaded_in_bulk_is_seen_even_if_it_cannot_be_confirmed() {
    struct Loader(Arc<Scripted>);
    #[async_trait::async_trait]
    impl BulkLoad for Loader {
        async fn load(
            &self,
            _: Vec<ProfileRecord>,
            _: &domain::Author,
        ) -> Result<domain::BulkCounts, RepositoryError> {
            self.0.commit("J Dilla", "loaded");
            self.0.unreachable.store(true, Ordering::SeqCst);
            Ok(domain::BulkCounts::default())
        }

        async fn finish(&self) -> Result<(), RepositoryError> {
            Ok(())
        }
    }
    let store = Scripted::new();
    store.commit("J Dilla", "before");
    let instance = Instance::on(&store).await;
    instance.read("J Dilla").await;
    let loader = CachedBulkLoad::new(Arc::new(Loader(Arc::clone(&store))), instance.feed.clone());

    loader.load(Vec::new(), &domain::Author::at_the_command_line()).await.unwrap();
    let unconfirmed = instance.profiles.read(&key("J Dilla"), Freshness::Default).await;
    store.unreachable.store(false, Ordering::SeqCst);
    let reachable = instance.read("J Dilla").await;

    assert!(unconfirmed.is_err(), "{unconfirmed:?}");
    assert_eq!(reachable, Answer::fresh("loaded", Tier::Database));
}

#[tokio::test(start_paused = true)]
async fn memory_is_bounded_by_bytes() {
    let store = Scripted::new();
    let text = "x".repeat(10_000);
    let artists: Vec<_> = (0..50).map(|number| format!("Artist {number}")).collect();
    for artist in &artists {
        store.commit(artist, &text);
    }
    let feed = Feed::start(Arc::new(Told(Arc::clone(&store))), Bounds::default());
    feed.confirm().await.unwrap();
    let inner = Arc::clone(&store) as Arc<dyn StyleProfiles>;
    let profiles: CachedStyleProfiles = CachedStyleProfiles::new(inner, feed, None, 100_000);

    for _ in 0..3 {
        for artist in &artists {
            profiles.find(&key(artist)).await.unwrap();
        }
    }

    let kept = profiles.statistics();
    assert!(kept.bytes <= 100_000 && 0 < kept.entries && kept.entries < 10, "{kept:?}");
}

#[tokio::test(start_paused = true)]
async fn without_memory_every_read_goes_on() {
    let store = Scripted::new();
    store.commit("J Dilla", "one");
    let feed = Feed::start(Arc::new(Told(Arc::clone(&store))), Bounds::default());
    feed.confirm().await.unwrap();
    let inner = Arc::clone(&store) as Arc<dyn StyleProfiles>;
    let profiles: CachedStyleProfiles = CachedStyleProfiles::new(inner, feed, None, 0);

    for _ in 0..3 {
        let read = profiles.read(&key("J Dilla"), Freshness::Default).await.unwrap();
        assert_eq!(Answer::of(read), Answer::fresh("one", Tier::Database));
    }
}
