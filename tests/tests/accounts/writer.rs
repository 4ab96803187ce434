//! Somebody who records generations, and insists on an acknowledgement.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use anyhow::Context;
use domain::{Clock, SystemClock, Timestamp};
use fastrand::Rng;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    books::{Books, LONGEST_WAIT, lock},
    instance::Instance,
    ledger::{Fate, Told},
    post::{Known, Post},
    tally::Tally,
    violation::Rule,
};

/// No answer is waited for any longer.
const PATIENCE: Duration = Duration::from_secs(15);

/// How many posts a writer remembers, to repeat one of them.
const REMEMBERED: usize = 20;

/// Somebody who records generations.
pub(crate) struct Writer {
    pub(crate) books: Arc<Books>,
    pub(crate) instances: Vec<Arc<Instance>>,
    pub(crate) random: Rng,
    pub(crate) acknowledged: VecDeque<(Post, Vec<Known>)>,
}

/// What is known after a request.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Recorded(Vec<Known>),
    Refused,
    /// Nothing: it may be recorded or not, now or in a moment.
    Nothing,
    /// There was nobody to ask.
    NotSent,
}

impl Writer {
    /// Records one after the other, until it is enough. Returns what it was told.
    pub(crate) async fn write(mut self) -> anyhow::Result<Vec<Told>> {
        let mut told = Vec::new();
        while !self.books.is_enough() {
            let number = self.books.counts.posts.up();
            let artists = lock(&self.books.artists).clone();
            let post = Post::random(number, &artists, &mut self.random)?;
            told.push(self.record(post).await?);
            if self.random.u32(0..8) == 0 {
                self.repeat().await?;
            }
        }
        Ok(told)
    }

    /// Sends a post, and notes what came of it.
    async fn record(&mut self, post: Post) -> anyhow::Result<Told> {
        let tally = Tally::of(post.details());
        self.books.send(&tally);
        let sent = SystemClock.now();
        let fate = self.insist(&post).await?;
        match &fate {
            Fate::Acknowledged(known) => {
                self.books.acknowledge(&tally);
                self.acknowledged.push_back((post.clone(), known.clone()));
                if REMEMBERED < self.acknowledged.len() {
                    self.acknowledged.pop_front();
                }
            }
            Fate::Refused => drop(self.books.counts.refused.up()),
            Fate::Unknown => drop(self.books.counts.given_up.up()),
        }
        Ok(Told { post, fate, period: (sent, SystemClock.now()) })
    }

    /// Sends a post until it is acknowledged or refused; now and then it is given up, though nobody knows what it did.
    async fn insist(&mut self, post: &Post) -> anyhow::Result<Fate> {
        let began = Instant::now();
        let mut may_be_there = false;
        loop {
            let sent = SystemClock.now();
            match self.send(post).await? {
                Said::Recorded(known) => {
                    if may_be_there && was_recorded_before(sent, post, &known) {
                        self.books.counts.done_before.up();
                    }
                    return Ok(Fate::Acknowledged(known));
                }
                Said::Refused if may_be_there => return Ok(Fate::Unknown),
                Said::Refused => return Ok(Fate::Refused),
                Said::Nothing => {
                    if self.random.u32(0..20) == 0 {
                        return Ok(Fate::Unknown);
                    }
                    may_be_there = true;
                    self.books.counts.retried.up();
                }
                Said::NotSent => {}
            }
            if LONGEST_WAIT < began.elapsed() {
                let how = format!("post {} is never acknowledged", post.number);
                self.books.broken([Rule::ServiceBehaves.broken(how)]);
                return Ok(Fate::Unknown);
            }
            // Whoever does not answer is not asked without a break.
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends a post to somebody, now and then to two at once.
    async fn send(&mut self, post: &Post) -> anyhow::Result<Said> {
        // Now and then a caller goes away, which the service may or may not notice in time.
        let patience = match self.random.u32(0..25) {
            0 => Duration::from_micros(self.random.u64(0..30_000)),
            _ => PATIENCE,
        };
        let instance = Arc::clone(self.any_instance()?);
        if self.random.u32(0..20) != 0 {
            return self.send_to(&instance, post, patience).await;
        }
        let other = Arc::clone(self.any_instance()?);
        let (one, another) = tokio::join!(
            self.send_to(&instance, post, patience),
            self.send_to(&other, post, PATIENCE)
        );
        Ok(match (one?, another?) {
            (Said::Recorded(one), Said::Recorded(another)) => {
                self.agree(post, &one, &another);
                Said::Recorded(one)
            }
            // One of the two may come after the artist was removed.
            (Said::Recorded(known), _) | (_, Said::Recorded(known)) => Said::Recorded(known),
            (Said::Nothing, _) | (_, Said::Nothing) => Said::Nothing,
            (Said::Refused, _) | (_, Said::Refused) => Said::Refused,
            (Said::NotSent, Said::NotSent) => Said::NotSent,
        })
    }

    async fn send_to(
        &self,
        instance: &Instance,
        post: &Post,
        patience: Duration,
    ) -> anyhow::Result<Said> {
        let Some(client) = instance.client() else { return Ok(Said::NotSent) };
        let request = post.request();
        let Ok(Ok(answer)) = timeout(patience, client.send(&request)).await else {
            return Ok(Said::Nothing);
        };
        match answer.status {
            201 => match post.known_by(&answer) {
                Ok(known) => return Ok(Said::Recorded(known)),
                Err(error) => {
                    self.books.broken([Rule::NothingIsAltered.broken(format!("{error:#}"))]);
                }
            },
            404 if answer.json()?.get("error").and_then(Value::as_str)
                == Some("artist_not_found") =>
            {
                return Ok(Said::Refused);
            }
            500.. => {}
            _ => {
                let how = format!("{request} is answered with {answer:?}");
                self.books.broken([Rule::ServiceBehaves.broken(how)]);
            }
        }
        Ok(Said::Nothing)
    }

    /// Sends something again that was acknowledged, in the recent past or long ago.
    async fn repeat(&mut self) -> anyhow::Result<()> {
        if self.acknowledged.is_empty() {
            return Ok(());
        }
        let index = self.random.usize(0..self.acknowledged.len());
        let (post, known) = self.acknowledged.get(index).context("within bounds")?.clone();
        match self.send(&post).await? {
            Said::Recorded(again) => {
                self.books.counts.repeated.up();
                self.agree(&post, &known, &again);
            }
            Said::Refused => {
                let how = format!("the repetition of post {} is refused", post.number);
                self.books.broken([Rule::NothingIsLost.broken(how)]);
            }
            Said::Nothing | Said::NotSent => {}
        }
        Ok(())
    }

    /// Two acknowledgements of one post say the same.
    fn agree(&self, post: &Post, one: &[Known], another: &[Known]) {
        if one != another {
            let how = format!("post {} is {one:?}, and then {another:?}", post.number);
            self.books.broken([Rule::NothingIsAltered.broken(how)]);
        }
    }

    fn any_instance(&mut self) -> anyhow::Result<&Arc<Instance>> {
        self.random.choice(&self.instances).context("an instance")
    }
}

/// Whether something that was left to the service's clock had its time before this.
fn was_recorded_before(time: Timestamp, post: &Post, known: &[Known]) -> bool {
    let mut entries = post.entries.iter().zip(known);
    entries.any(|(entry, known)| entry.created_at.is_none() && known.created_at < time)
}
