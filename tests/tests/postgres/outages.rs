//! A service whose database goes away for a while.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use api::state::StateSettings;
use groovebase_tests::{
    fault::{Direction, Proxy},
    fixture::{Fixture, Postgres},
    given::body,
    http::{Answer, Request, artist},
    program::PATIENCE,
    service::Service,
};
use serde_json::json;
use tokio::time::sleep;

const MOMENT: Duration = Duration::from_millis(20);

/// A service behind a network that can fail, beside one that is always well.
struct Outage {
    fixture: Postgres,
    proxy: Proxy,
    service: Service,
    other: Service,
}

impl Outage {
    /// Both know the same profile.
    async fn prepare() -> anyhow::Result<Self> {
        let fixture = Postgres::open().await?;
        let (proxy, url) = Proxy::before(fixture.url()).await?;
        let service = Service::start_at(&url, StateSettings::default()).await?;
        let other = Service::start(&fixture).await?;
        other.ask(201, put("Late")?).await?;
        service.ask(200, get().with("cache-control", "no-cache")).await?;
        Ok(Self { fixture, proxy, service, other })
    }

    async fn end(self) -> anyhow::Result<()> {
        let Self { fixture, proxy, service, other } = self;
        proxy.restore().await?;
        service.stop().await;
        other.stop().await;
        fixture.close().await
    }

    /// Asks until the answer is as wanted.
    async fn until(
        &self,
        what: &str,
        request: Request,
        wanted: impl Fn(&Answer) -> bool,
    ) -> anyhow::Result<Answer> {
        let began = Instant::now();
        loop {
            let answer = self.service.send(&request).await?;
            if wanted(&answer) {
                return Ok(answer);
            }
            ensure!(began.elapsed() < PATIENCE, "waited in vain until {what}: {answer:?}");
            sleep(MOMENT).await;
        }
    }

    /// What is promised while the database cannot be reached, however that shows.
    async fn ensure_last_good(&self) -> anyhow::Result<()> {
        let is_stale = |answer: &Answer| answer.header("warning").is_some();
        let stale = self.until("an answer is stale", get(), is_stale).await?;
        ensure!(stale.status == 200 && stale.at("/text_description")? == "Late", "{stale:?}");
        ensure!(1 <= stale.required("age")?.parse::<u64>()?, "{stale:?}");
        let unknown = self.service.ask(404, Request::get(artist("Nobody", "/profile"))).await?;
        ensure!(is_stale(&unknown), "{unknown:?}");
        self.service.ask(503, get().with("cache-control", "no-cache")).await?;
        self.service.ask(503, put("Later")?).await?;
        let health = self.service.ask(503, Request::get("/health")).await?;
        ensure!(health.at("/feed/state")? == "unavailable", "{health:?}");
        Ok(())
    }

    /// What was written meanwhile is seen by the first strict read that has an answer, and by all that follow.
    async fn ensure_recovers(&self) -> anyhow::Result<()> {
        let written = self.other.ask(200, put("Written meanwhile")?).await?;
        self.proxy.restore().await?;

        let strict = get().with("cache-control", "no-cache");
        let answered = self.until("a strict read works", strict, |it| it.status == 200).await?;

        ensure!(answered.header("etag") == written.header("etag"), "{answered:?}");
        let next = self.service.ask(200, get()).await?;
        ensure!(next.header("etag") == written.header("etag"), "{next:?}");
        ensure!(next.header("warning").is_none(), "{next:?}");
        self.service.ask(200, put("Written again")?).await?;
        let metrics = self.service.ask(200, Request::get("/metrics")).await?;
        let connections = metrics.text()?.lines().find_map(|line| {
            line.strip_prefix("groovebase_feed_connections_total ")?.parse::<u64>().ok()
        });
        ensure!(2 <= connections.context("counted")?, "the broken connection was replaced");
        Ok(())
    }
}

fn get() -> Request {
    Request::get(artist("J Dilla", "/profile"))
}

fn put(text: &str) -> anyhow::Result<Request> {
    let body = body::changed(body::profile(), "/text_description", json!(text))?;
    Ok(Request::put(artist("J Dilla", "/profile"), body))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_costs_freshness_only() -> anyhow::Result<()> {
    let outage = Outage::prepare().await?;

    outage.proxy.refuse().await;
    outage.proxy.cut().await?;

    outage.ensure_last_good().await?;
    outage.ensure_recovers().await?;
    outage.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_swallows_everything_costs_freshness_only() -> anyhow::Result<()> {
    let outage = Outage::prepare().await?;

    outage.proxy.swallow(Direction::Both);

    outage.ensure_last_good().await?;
    outage.ensure_recovers().await?;
    outage.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_got_no_answer_is_not_waited_for_once_there_are_answers() -> anyhow::Result<()>
{
    let outage = Outage::prepare().await?;
    let other = Request::put(artist("Tony Allen", "/profile"), body::profile());
    outage.other.ask(201, other).await?;
    let load = || Request::get(artist("Tony Allen", "/profile"));
    // The catalog knows the artist, and the service has a connection that it believes in.
    let strict = Request::get(artist("Nobody", "")).with("cache-control", "no-cache");
    outage.service.ask(404, strict).await?;

    outage.proxy.swallow(Direction::Both);
    let client = outage.service.client();
    let lost = tokio::spawn(async move { client.send(&load()).await });
    outage.ensure_last_good().await?;
    outage.ensure_recovers().await?;

    outage.service.ask(200, load()).await?;
    lost.abort();
    outage.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_of_the_feed_costs_nothing() -> anyhow::Result<()> {
    let outage = Outage::prepare().await?;

    for round in 0..10 {
        let written = outage.other.ask(200, put(&format!("Round {round}"))?).await?;
        outage.proxy.cut().await?;
        let answer = outage.service.ask(200, get().with("cache-control", "no-cache")).await?;

        ensure!(answer.header("etag") == written.header("etag"), "{round}: {answer:?}");
        ensure!(answer.header("warning").is_none(), "{round}: {answer:?}");
    }
    outage.end().await
}
