//! A service whose database goes away for a while.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use api::state::StateSettings;
use domain::GenerationId;
use groovebase_tests::{
    fault::{Direction, Proxy},
    fixture::{Fixture, Postgres},
    given::body,
    http::{Answer, Client, Request, artist},
    program::PATIENCE,
    service::Service,
};
use serde_json::json;
use tokio::{task::JoinSet, time::sleep};

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

/// What one writer was told: of generations that were recorded, of those about which nobody knows, and of those that were
/// not even tried, since there was too much to do.
#[derive(Default)]
struct Told {
    recorded: Vec<GenerationId>,
    refused: Vec<GenerationId>,
    sent_away: Vec<GenerationId>,
}

/// Records one after the other until the outage is over.
async fn write_through(client: Client, over: Arc<AtomicBool>) -> anyhow::Result<Told> {
    let began = Instant::now();
    let mut told = Told::default();
    loop {
        let id = GenerationId::generate();
        let generation = json!({
            "id": id.to_string(), "provider_used": "openai", "generation_time_ms": 100,
            "cost_usd": 0.5, "user_params": {},
        });
        let answer = client.send(&Request::post("/api/v1/generations", generation)).await?;
        match answer.status {
            201 => {
                told.recorded.push(id);
                // Whoever was waiting when it ended was not refused.
                if over.load(Ordering::SeqCst) {
                    return Ok(told);
                }
            }
            503 => {
                ensure!(answer.required("retry-after")? == "1", "{answer:?}");
                match answer.at("/error")?.as_str() {
                    Some("database_unavailable") => told.refused.push(id),
                    Some("overloaded") => told.sent_away.push(id),
                    _ => anyhow::bail!("{answer:?}"),
                }
            }
            _ => anyhow::bail!("{answer:?}"),
        }
        // An outage is several waits for a connection long.
        ensure!(began.elapsed() < 4 * PATIENCE, "the outage does not end");
    }
}

/// Under load: whoever writes is told so, nothing is half done, and everybody writes on without a restart.
#[tokio::test(flavor = "multi_thread")]
async fn writers_are_refused_and_write_on_afterwards() -> anyhow::Result<()> {
    const WRITERS: usize = 16;

    let outage = Outage::prepare().await?;
    let over = Arc::new(AtomicBool::new(false));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        writers.spawn(write_through(outage.service.client(), Arc::clone(&over)));
    }
    let profile = put("Before")?;
    outage.service.ask(200, profile).await?;

    outage.proxy.refuse().await;
    outage.proxy.cut().await?;
    outage.until("a write is refused", put("Meanwhile")?, |answer| answer.status == 503).await?;
    // Whoever comes now finds out at once what the others have waited for.
    for _ in 0..100 {
        outage.service.ask(503, put("Meanwhile")?).await?;
    }
    let stale = outage.service.ask(200, get()).await?;
    outage.proxy.restore().await?;
    over.store(true, Ordering::SeqCst);
    let mut told = Vec::new();
    while let Some(writer) = writers.join_next().await {
        told.push(writer??);
    }

    ensure!(stale.at("/text_description")? == "Before", "{stale:?}");
    let mut count = 0_u64;
    for Told { recorded, refused, sent_away } in &told {
        for id in recorded {
            outage.other.ask(200, Request::get(format!("/api/v1/generations/{id}"))).await?;
        }
        count += u64::try_from(recorded.len())?;
        // An answer may have been lost on its way: then it is there, altogether.
        for id in refused {
            let request = Request::get(format!("/api/v1/generations/{id}"));
            count += u64::from(outage.other.send(&request).await?.status == 200);
        }
        for id in sent_away {
            outage.other.ask(404, Request::get(format!("/api/v1/generations/{id}"))).await?;
        }
    }
    let stats = outage.service.ask(200, Request::get("/api/v1/stats")).await?;
    ensure!(stats.at("/total_generations")? == count, "{count}: {stats:?}");
    let drift = outage.fixture.store().accounts().verify(|_| ()).await?;
    ensure!(drift.different == 0 && drift.generations == count, "{drift:?}");
    outage.service.ask(200, put("After")?).await?;
    outage.end().await
}
