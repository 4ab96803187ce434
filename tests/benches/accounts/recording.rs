//! Writing, beside `pgbench` or the disk.

use std::{
    io::{Seek, SeekFrom, Write},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use domain::NewGeneration;
use groovebase_tests::{fixture::Fixture, given};
use storage::Store;

use crate::measured::{median, say};

const CLIENTS: usize = 32;
const TURNS: usize = 5;
const TURN: Duration = Duration::from_secs(4);

pub(crate) async fn sqlite(store: &Store) -> anyhow::Result<()> {
    let (mut single, mut arrays, mut disk) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        disk.push(syncs()?);
        single.push(rate(store, CLIENTS, 1).await?);
        arrays.push(rate(store, 2, 1_000).await?);
    }
    say(&format!("  syncs of a file alone: {:.0} a second", median(disk)));
    at_least(&format!("SQLite, single posts of {CLIENTS} callers"), median(single), 5_000.0);
    at_least("SQLite, rows in arrays of 1000", median(arrays), 100_000.0);
    Ok(())
}

pub(crate) async fn postgres(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    store.accounts().prepare_months().await?;
    let (mut ratios, mut single, mut bare, mut arrays) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let alone = pgbench(fixture.url())?;
        let ours = rate(store, CLIENTS, 1).await?;
        bare.push(alone);
        single.push(ours);
        ratios.push(ours / alone);
        arrays.push(rate(store, 4, 500).await?);
    }
    say(&format!(
        "PostgreSQL, single posts of {CLIENTS} callers: {:.0} a second, pgbench {:.0}",
        median(single),
        median(bare)
    ));
    at_least("  of what pgbench inserts", median(ratios), 0.8);
    at_least("PostgreSQL, rows in arrays of 500", median(arrays), 20_000.0);
    Ok(())
}

fn at_least(what: &str, measured: f64, least: f64) {
    let kept = if least <= measured { "kept" } else { "NOT KEPT" };
    say(&format!("{what}: {measured:.2} (promised: at least {least}) {kept}"));
}

/// How many rows so many callers record in a second, each an array after the other.
async fn rate(store: &Store, callers: usize, array: usize) -> anyhow::Result<f64> {
    let folding = cache::RollupKeeper::start(store.generation_rollups(), store.recordings());
    let began = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..callers {
        let generations = store.generations();
        tasks.push(tokio::spawn(async move {
            let mut rows = 0_usize;
            while began.elapsed() < TURN {
                let entries: Vec<NewGeneration> = (0..array)
                    .map(|_| given::generation("openai"))
                    .collect::<anyhow::Result<_>>()?;
                rows += generations
                    .record(entries, &domain::Author::at_the_command_line())
                    .await?
                    .len();
            }
            anyhow::Ok(rows)
        }));
    }
    let mut rows = 0;
    for task in tasks {
        rows += task.await??;
    }
    let rate = rows as f64 / began.elapsed().as_secs_f64();
    folding.stop();
    while store.generation_rollups().fold().await? != 0 {}
    Ok(rate)
}

/// How often a second a row at the end of a file is made durable.
fn syncs() -> anyhow::Result<f64> {
    let mut file = tempfile::tempfile()?;
    let began = Instant::now();
    let mut count = 0_u32;
    while began.elapsed() < Duration::from_secs(1) {
        file.seek(SeekFrom::End(0))?;
        file.write_all(&[7; 512])?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}

/// How many of the same rows `pgbench` inserts in a second, each by itself, with as many clients.
fn pgbench(url: &str) -> anyhow::Result<f64> {
    let entry = given::generation("openai")?.details;
    let script = format!(
        "INSERT INTO generation_history (id, provider_used, model, status, steps, generation_time_ms, tokens_used, \
         input_tokens, cost, user_params, output_files, created_at) VALUES (gen_random_uuid(), '{}', 'large-2', \
         'completed', '[{{\"name\": \"prompt\", \"time_ms\": 150}}]', {}, 900, 700, 12500000, \
         '{{\"bars\": 4, \"feel\": \"late\"}}', '[\"take-1.mid\"]', clock_timestamp());",
        entry.provider, entry.generation_time_ms
    );
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(script.as_bytes())?;
    let output = Command::new("pgbench")
        .args(["--no-vacuum", "--protocol=prepared", "--jobs=2"])
        .arg(format!("--client={CLIENTS}"))
        .arg(format!("--time={}", TURN.as_secs()))
        .arg("--file")
        .arg(file.path())
        .arg(url)
        .output()
        .context("pgbench, which PostgreSQL's own packages bring, cannot be run")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let line = text.lines().find(|line| line.starts_with("tps = ")).context("a rate")?;
    let number = line.trim_start_matches("tps = ").split(' ').next().context("a number")?;
    Ok(number.parse()?)
}
