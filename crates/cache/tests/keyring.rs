//! How long the check of an API key waits for the store.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what cannot be prepared fails the test that needs it"
)]

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use domain::{
    ApiKey, ApiKeyCursor, ApiKeyId, ApiKeys, Author, Change, ChangeFollower, Changes, KeyChange,
    Limit, NewApiKey, Page, PublicKeyId, RepositoryError, Rotated, Rotation, Timestamp, Version,
};
use groovebase_cache::{Bounds, Feed, KeyHasher, KeyRefusal, Keyring};
use tokio::time::{Instant, sleep};

/// A store without keys, which takes so long for each answer, the last of these for every one after it.
struct Slow {
    answers: Vec<Duration>,
    asked: AtomicUsize,
}

#[derive(Debug, thiserror::Error)]
#[error("the test does not need it")]
struct NotNeeded;

fn not_needed<T>() -> Result<T, RepositoryError> {
    Err(RepositoryError::Unavailable(Arc::new(NotNeeded)))
}

#[async_trait]
impl ApiKeys for Slow {
    async fn insert(&self, _: &NewApiKey, _: &Author) -> Result<ApiKey, RepositoryError> {
        not_needed()
    }

    async fn find(&self, _: &PublicKeyId) -> Result<Option<ApiKey>, RepositoryError> {
        not_needed()
    }

    async fn page(
        &self,
        _: Option<ApiKeyCursor>,
        _: Limit<500>,
    ) -> Result<Page<ApiKey, ApiKeyCursor>, RepositoryError> {
        not_needed()
    }

    async fn rotate(
        &self,
        _: &PublicKeyId,
        _: &Rotation,
        _: &Author,
    ) -> Result<Option<Rotated>, RepositoryError> {
        not_needed()
    }

    async fn revoke(&self, _: &PublicKeyId, _: &Author) -> Result<Option<ApiKey>, RepositoryError> {
        not_needed()
    }

    async fn since(&self, _: Version, _: u32) -> Result<Vec<KeyChange>, RepositoryError> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let takes = self.answers.get(asked).or(self.answers.last());
        sleep(*takes.expect("an answer")).await;
        Ok(Vec::new())
    }

    async fn note_uses(&self, _: &[(ApiKeyId, Timestamp)]) -> Result<(), RepositoryError> {
        Ok(())
    }
}

/// Nothing is heard of changes.
struct Silent;

#[async_trait]
impl Changes for Silent {
    async fn since(&self, _: Version, _: u32) -> Result<Vec<Change>, RepositoryError> {
        pending().await
    }

    async fn follow(&self) -> Result<Box<dyn ChangeFollower>, RepositoryError> {
        pending().await
    }
}

/// Why a key is refused that nobody has, and after how long: [`KeyRefusal::Unknown`] by who has all keys.
struct Checked {
    refusal: KeyRefusal,
    waited: Duration,
}

struct Checker {
    hasher: KeyHasher,
    keyring: Keyring,
}

impl Checker {
    fn of(answers: &[u64]) -> Self {
        let answers = answers.iter().map(|ms| Duration::from_millis(*ms)).collect();
        let store = Arc::new(Slow { answers, asked: AtomicUsize::new(0) });
        let hasher = KeyHasher::new(&"secret".repeat(8)).unwrap();
        let feed = Feed::start(Arc::new(Silent), Bounds::default());
        Self { keyring: Keyring::start(store, hasher.clone(), feed), hasher }
    }

    async fn check(&self) -> Checked {
        let key = self.hasher.fresh_key().unwrap().text;
        // The first round is under way, as when somebody asks.
        sleep(Duration::from_millis(1)).await;
        let began = Instant::now();
        let now = Timestamp::from_unix_micros(0).unwrap();
        let checked = self.keyring.check(&key, now).await;
        Checked { refusal: checked.unwrap_err(), waited: began.elapsed() }
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_keys_are_waited_for() {
    let checker = Checker::of(&[2_500]);

    let checked = checker.check().await;

    assert_eq!(checked.refusal, KeyRefusal::Unknown);
    assert!(checked.waited <= Duration::from_millis(2_500), "{:?}", checked.waited);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_the_first_keys_for_ever() {
    let checker = Checker::of(&[3_600_000]);

    let checked = checker.check().await;

    assert_eq!(checked.refusal, KeyRefusal::Unavailable);
    assert!(checked.waited <= Duration::from_secs(3), "{:?}", checked.waited);
}

#[tokio::test(start_paused = true)]
async fn keys_that_open_what_they_did_are_confirmed_in_a_second_or_not_at_all() {
    let checker = Checker::of(&[0, 3_600_000]);
    assert_eq!(checker.check().await.refusal, KeyRefusal::Unknown);
    sleep(Duration::from_secs(2)).await;

    let checked = checker.check().await;

    assert_eq!(checked.refusal, KeyRefusal::Unknown);
    assert!(checked.waited <= Duration::from_secs(1), "{:?}", checked.waited);
}
