//! Artists who come and go while generations name them.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use domain::ArtistName;
use fastrand::Rng;
use groovebase_tests::http::{self, Request};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    books::{Books, LONGEST_WAIT, lock},
    instance::Instance,
};

/// How many artists there are at a time.
const AT_A_TIME: usize = 6;

/// Somebody who makes artists and removes them again. Nobody comes back.
pub(crate) struct Casting {
    pub(crate) books: Arc<Books>,
    pub(crate) instances: Vec<Arc<Instance>>,
    pub(crate) random: Rng,
    pub(crate) next: u32,
}

impl Casting {
    /// Makes the first artists.
    pub(crate) async fn open(&mut self) -> anyhow::Result<()> {
        while lock(&self.books.artists).len() < AT_A_TIME {
            self.make().await?;
        }
        Ok(())
    }

    /// Replaces one after the other, until it is enough.
    pub(crate) async fn go_on(mut self) -> anyhow::Result<()> {
        loop {
            self.books.advance(self.random.u64(20..80)).await;
            if self.books.is_enough() {
                return Ok(());
            }
            self.make().await?;
            self.remove().await?;
        }
    }

    async fn make(&mut self) -> anyhow::Result<()> {
        let artist = ArtistName::try_from(format!("Artist Nº {}", self.next).as_str())?;
        self.next += 1;
        let request = Request::post("/api/v1/artists", json!({ "name": artist.as_str() }));
        self.until_done(&request, &[200, 201]).await?;
        lock(&self.books.artists).push(artist);
        Ok(())
    }

    async fn remove(&mut self) -> anyhow::Result<()> {
        // Never the first one, so that there is always somebody with a long history.
        let index = self.random.usize(1..=AT_A_TIME);
        let artist = lock(&self.books.artists).get(index).cloned().context("an artist")?;
        self.until_done(&Request::delete(http::artist(artist.as_str(), "")), &[204, 404]).await?;
        // Only now: until here some are refused because of it.
        lock(&self.books.artists).retain(|other| *other != artist);
        lock(&self.books.removed).insert(artist.key().clone());
        self.books.counts.artists_removed.up();
        Ok(())
    }

    async fn until_done(&mut self, request: &Request, done: &[u16]) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let instance = self.random.choice(&self.instances).context("an instance")?;
            let answer = instance.ask(request).await;
            if answer.as_ref().is_ok_and(|answer| done.contains(&answer.status)) {
                return Ok(());
            }
            ensure!(began.elapsed() < LONGEST_WAIT, "{request} is never done: {answer:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}
