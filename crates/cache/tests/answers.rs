//! Answers that are kept as long as nothing is committed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use async_trait::async_trait;
use domain::{Change, ChangeFollower, Changes, RepositoryError, StoreState, Version};
use groovebase_cache::{Answers, Bounds, Feed};

/// A store in which nothing but its state matters.
#[derive(Default)]
struct Ledger {
    commits: AtomicU64,
    is_dumb: AtomicBool,
    is_away: AtomicBool,
}

impl Ledger {
    fn commit(&self) {
        self.commits.fetch_add(1, Ordering::SeqCst);
    }

    fn read(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
    }
}

struct Told(Arc<Ledger>);

struct Following(Arc<Ledger>, Option<StoreState>);

#[async_trait]
impl Changes for Told {
    async fn since(&self, _: Version, _: u32) -> Result<Vec<Change>, RepositoryError> {
        Ok(Vec::new())
    }

    async fn follow(&self) -> Result<Box<dyn ChangeFollower>, RepositoryError> {
        Ok(Box::new(Following(Arc::clone(&self.0), None)))
    }
}

#[async_trait]
impl ChangeFollower for Following {
    async fn since(&mut self, _: Version, _: u32) -> Result<Vec<Change>, RepositoryError> {
        if self.0.is_away.load(Ordering::SeqCst) {
            return Err(RepositoryError::Conflict);
        }
        // As of this connection alone, like the number that SQLite tells.
        let state = self.0.read().to_string();
        self.1 = (!self.0.is_dumb.load(Ordering::SeqCst)).then(|| StoreState(state.into()));
        Ok(Vec::new())
    }

    fn state(&self) -> Option<StoreState> {
        self.1.clone()
    }

    async fn hint(&mut self) -> Result<(), RepositoryError> {
        std::future::pending().await
    }
}

struct Given {
    ledger: Arc<Ledger>,
    feed: Feed,
    answers: Answers<Vec<u8>>,
}

impl Given {
    async fn new(memory_bytes: u64) -> Result<Self, RepositoryError> {
        let ledger = Arc::new(Ledger::default());
        let feed = Feed::start(Arc::new(Told(Arc::clone(&ledger))), Bounds::default());
        feed.confirm().await?;
        let answers = Answers::new(feed.clone(), memory_bytes);
        Ok(Self { ledger, feed, answers })
    }

    /// How many commits the answer knows of, and whether it was worked out.
    async fn ask(&self, question: &str) -> Result<(String, bool), RepositoryError> {
        let mut worked_out = false;
        let answer = self
            .answers
            .answer(question, async || {
                worked_out = true;
                Ok::<_, RepositoryError>(self.ledger.read().to_string().into_bytes())
            })
            .await?;
        Ok((String::from_utf8_lossy(&answer).into_owned(), worked_out))
    }
}

fn told(commits: &str, worked_out: bool) -> (String, bool) {
    (commits.to_owned(), worked_out)
}

#[tokio::test]
async fn an_answer_is_worked_out_once_until_something_is_committed() {
    let given = Given::new(10_000).await.unwrap();

    assert_eq!(given.ask("sums").await.unwrap(), told("0", true));
    assert_eq!(given.ask("sums").await.unwrap(), told("0", false));
    assert_eq!(given.ask("other sums").await.unwrap(), told("0", true));
    given.ledger.commit();
    assert_eq!(given.ask("sums").await.unwrap(), told("1", true));
    assert_eq!(given.ask("sums").await.unwrap(), told("1", false));
    let status = given.answers.status();
    assert_eq!((status.hits, status.misses), (2, 3));
}

#[tokio::test]
async fn a_commit_while_an_answer_is_worked_out_is_in_the_next() {
    let given = Given::new(10_000).await.unwrap();

    let early = async || {
        let early = given.ledger.read().to_string().into_bytes();
        given.ledger.commit();
        Ok::<_, RepositoryError>(early)
    };
    assert_eq!(given.answers.answer("sums", early).await.unwrap(), b"0");

    assert_eq!(given.ask("sums").await.unwrap(), told("1", true));
}

#[tokio::test]
async fn a_failure_is_not_kept() {
    let given = Given::new(10_000).await.unwrap();

    let fails = async || Err(RepositoryError::Conflict);
    given.answers.answer("sums", fails).await.unwrap_err();

    assert_eq!(given.ask("sums").await.unwrap(), told("0", true));
    assert_eq!(given.ask("sums").await.unwrap(), told("0", false));
}

/// What one connection tells says nothing about what another one does, even if it is the same.
#[tokio::test(start_paused = true)]
async fn another_connection_begins_anew() {
    let given = Given::new(10_000).await.unwrap();
    assert_eq!(given.ask("sums").await.unwrap(), told("0", true));

    given.ledger.is_away.store(true, Ordering::SeqCst);
    assert_eq!(given.ask("sums").await.unwrap(), told("0", true));
    given.ledger.is_away.store(false, Ordering::SeqCst);
    while given.feed.confirm().await.is_err() {}

    assert_eq!(given.ask("sums").await.unwrap(), told("0", true));
    assert_eq!(given.ask("sums").await.unwrap(), told("0", false));
}

#[tokio::test]
async fn without_a_state_or_memory_every_answer_is_worked_out() {
    let dumb = Given::new(10_000).await.unwrap();
    dumb.ledger.is_dumb.store(true, Ordering::SeqCst);
    let forgetful = Given::new(0).await.unwrap();

    for given in [dumb, forgetful] {
        for _ in 0..3 {
            assert_eq!(given.ask("sums").await.unwrap(), told("0", true));
        }
    }
}
