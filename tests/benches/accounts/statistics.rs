//! Asking, while something is recorded before each question.

use std::{collections::BTreeMap, time::Instant};

use anyhow::Context;
use domain::{Artists as _, HistoryFilter, Limit};
use groovebase_tests::given;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use xtask::synthetic_history::SyntheticHistory;

use crate::{
    Accounts,
    measured::{median, micros, say, verdict},
    server::Server,
};

/// The questions that a dashboard asks, and how they are called in the report.
const QUESTIONS: [(&str, &str); 8] = [
    ("stats", "/api/v1/stats"),
    ("24 hours", "/api/v1/stats/series?bucket=hour"),
    ("30 days", "/api/v1/stats/series?bucket=day"),
    ("30 days in Berlin", "/api/v1/stats/series?bucket=day&tz=Europe/Berlin"),
    ("30 days by provider", "/api/v1/stats/series?bucket=day&group_by=provider"),
    ("12 months", "/api/v1/stats/series?bucket=month"),
    ("12 months in Kolkata", "/api/v1/stats/series?bucket=month&tz=Asia/Kolkata"),
    ("12 months by provider", "/api/v1/stats/series?bucket=month&group_by=provider"),
];

const ROUNDS: usize = 100;
/// PostgreSQL plans a statement anew for the first five times on each connection.
const WARMING: usize = 200;

/// Times every question, of every size in turns, and compares each with that of the first size.
pub(crate) async fn measure(accounts: &mut [Accounts]) -> anyhow::Result<()> {
    for Accounts { name, server, .. } in accounts.iter_mut() {
        let mut first = Vec::new();
        for (question, target) in QUESTIONS {
            let began = Instant::now();
            server.get(target).await?;
            first.push(format!("{question} {:.1} ms", micros(began.elapsed()) / 1e3));
        }
        say(&format!("{name}, the first time, nothing kept: {}", first.join(", ")));
    }

    let mut taken: BTreeMap<(&str, String), Vec<f64>> = BTreeMap::new();
    for _ in 0..ROUNDS {
        for (question, target) in QUESTIONS {
            for Accounts { name, server, .. } in accounts.iter_mut() {
                server
                    .state()
                    .generations
                    .record(
                        vec![given::generation("openai")?],
                        &domain::Author::at_the_command_line(),
                    )
                    .await?;
                let began = Instant::now();
                server.get(target).await?;
                let times = taken.entry((question, name.clone())).or_default();
                times.push(micros(began.elapsed()) / 1e3);
            }
        }
    }
    for (question, _) in QUESTIONS {
        let mut smallest = None;
        for Accounts { name, .. } in accounts.iter() {
            let p50 = median(taken.remove(&(question, name.clone())).context("measured")?);
            verdict(&format!("{name}, {question}, p50"), p50, 5.0, " ms");
            let smallest = *smallest.get_or_insert(p50);
            verdict("  times that of the smallest history", p50 / smallest, 1.5, "");
        }
    }

    for Accounts { name, url, history, server } in accounts {
        say(name);
        history_pages(server, history).await?;
        artist(server, history).await?;
        raw(url).await?;
    }
    Ok(())
}

async fn history_pages(server: &mut Server, history: &SyntheticHistory) -> anyhow::Result<()> {
    let name = history.artists().first().context("artist")?;
    let artist = server.state().artists.find(name.key()).await?.context("artist")?.id;
    let mut taken = Vec::new();
    for round in 0..WARMING + ROUNDS {
        let began = Instant::now();
        let page = server
            .state()
            .generations
            .history(artist, &HistoryFilter::default(), None, Limit::new(100)?)
            .await?;
        if WARMING <= round {
            taken.push(micros(began.elapsed()) / 1e3);
        }
        if taken.len() == ROUNDS {
            let total = page.total;
            verdict(
                &format!("  page of 100 of an artist with {total} generations, p50"),
                median(taken.clone()),
                2.0,
                " ms",
            );
        }
    }
    Ok(())
}

/// What is not promised, but asked.
async fn artist(server: &mut Server, history: &SyntheticHistory) -> anyhow::Result<()> {
    for place in [0, 99] {
        let name = history.artists().get(place).context("artist")?.as_str().replace(' ', "%20");
        for (what, target) in [
            ("stats", format!("/api/v1/stats?artist={name}")),
            ("30 days", format!("/api/v1/stats/series?bucket=day&artist={name}")),
            ("12 months", format!("/api/v1/stats/series?bucket=month&artist={name}")),
        ] {
            let mut taken = Vec::new();
            for _ in 0..5 {
                let began = Instant::now();
                server.get(&target).await?;
                taken.push(micros(began.elapsed()) / 1e3);
            }
            let rank = place + 1;
            say(&format!("  {what} of the artist of rank {rank}, p50: {:.1} ms", median(taken)));
        }
    }
    for (what, target) in [
        ("30 days by artist", "/api/v1/stats/series?bucket=day&group_by=artist"),
        ("30 days with exact percentiles", "/api/v1/stats/series?bucket=day&exact=true"),
    ] {
        let began = Instant::now();
        server.get(target).await?;
        say(&format!("  {what}: {:.0} ms", micros(began.elapsed()) / 1e3));
    }
    Ok(())
}

/// The same sums from the rows, by the database.
async fn raw(url: &str) -> anyhow::Result<()> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    #[expect(clippy::disallowed_methods, reason = "what the database does by itself")]
    let database: DatabaseConnection = Database::connect(options).await?;
    for (what, sql) in [
        (
            "stats",
            "SELECT provider_used, count(*), avg(generation_time_ms), count(cost), sum(cost / 1000000000), \
             sum(cost % 1000000000), sum(tokens_used) FROM generation_history GROUP BY provider_used",
        ),
        (
            "months by provider",
            "SELECT provider_used, width, count(*), avg(time_ms) FROM (SELECT provider_used, \
             generation_time_ms AS time_ms, %month AS width FROM generation_history) AS rows GROUP BY 1, 2",
        ),
    ] {
        let month = match database.get_database_backend() {
            sea_orm::DbBackend::Sqlite => "strftime('%Y-%m', created_at / 1000000, 'unixepoch')",
            _ => "date_trunc('month', created_at)",
        };
        let sql = sql.replace("%month", month);
        let mut taken = Vec::new();
        for _ in 0..3 {
            let began = Instant::now();
            database.execute_unprepared(&sql).await?;
            taken.push(micros(began.elapsed()) / 1e3);
        }
        say(&format!("  {what} by plain SQL over the rows: {:.1} ms", median(taken)));
    }
    database.close().await?;
    Ok(())
}
