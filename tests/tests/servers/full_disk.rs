//! A disk that is full, under an SQLite file. It is a small file system in memory, which only root on Linux can make.

use std::{path::Path, process::Command};

use anyhow::{Context, ensure};
use domain::GenerationId;
use groovebase_tests::{
    given::body,
    http::{Answer, Request, artist},
    program::{Program, Serving, run},
};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::json;
use tempfile::TempDir;

/// A file system with so little room. It is gone when this is dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn make(size: &str) -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix("groovebase-disk-")?;
        mount(&["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"], folder.path())?;
        Ok(Self(folder))
    }

    /// Gives it other room.
    fn resize(&self, size: &str) -> anyhow::Result<()> {
        mount(&["-o", &format!("remount,size={size}")], self.0.path())
    }

    fn url(&self) -> anyhow::Result<String> {
        let folder = self.0.path().to_str().context("temporary folder")?;
        Ok(format!("sqlite://{folder}/groovebase.db"))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(self.0.path()).status());
    }
}

fn mount(arguments: &[&str], folder: &Path) -> anyhow::Result<()> {
    let ended = Command::new("mount").args(arguments).arg(folder).output()?;
    ensure!(ended.status.success(), "only root on Linux can mount: {ended:?}");
    Ok(())
}

async fn ask(serving: &Serving, status: u16, request: Request) -> anyhow::Result<Answer> {
    let answer = serving.client().send(&request).await?;
    ensure!(answer.status == status, "{request}: expected {status}, got {answer:?}");
    Ok(answer)
}

fn found(id: GenerationId) -> Request {
    Request::get(format!("/api/v1/generations/{id}"))
}

fn profile(text: &str) -> anyhow::Result<Request> {
    let body = body::changed(body::profile(), "/text_description", json!(text))?;
    Ok(Request::put(artist("J Dilla", "/profile"), body))
}

/// Records until there is no room, and returns what was acknowledged and what was refused.
async fn fill(serving: &Serving) -> anyhow::Result<(Vec<GenerationId>, Vec<GenerationId>)> {
    const MOST: usize = 10_000;

    let (mut recorded, mut refused) = (Vec::new(), Vec::new());
    // Small ones still fit where large ones do not; folding takes room as well.
    for length in [20_000, 2_000, 20] {
        let mut refused_in_a_row = 0;
        while refused_in_a_row < 3 {
            let id = GenerationId::generate();
            let generation = json!({
                "id": id.to_string(), "provider_used": "openai", "generation_time_ms": 100,
                "cost_usd": 0.5, "user_params": {"prompt": "x".repeat(length)},
            });
            let request = Request::post("/api/v1/generations", generation);
            let answer = serving.client().send(&request).await?;
            if answer.status == 201 {
                recorded.push(id);
                refused_in_a_row = 0;
                ensure!(recorded.len() < MOST, "the disk does not fill up");
            } else {
                ensure!(answer.status == 507, "{answer:?}");
                ensure!(answer.at("/error")? == "insufficient_storage", "{answer:?}");
                refused.push(id);
                refused_in_a_row += 1;
            }
        }
    }
    Ok((recorded, refused))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_and_loses_nothing() -> anyhow::Result<()> {
    let disk = SmallDisk::make("6m")?;
    let url = disk.url()?;
    let program = Program::new()?;
    let mut command = program.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("GROOVEBASE_DATABASE_URL", &url);
    let serving = Serving::start(command)?;
    ask(&serving, 201, profile("Before")?).await?;

    let (recorded, refused) = fill(&serving).await?;

    ask(&serving, 507, profile(&"After".repeat(3_000))?).await?;
    let strict = Request::get(artist("J Dilla", "/profile")).with("cache-control", "no-cache");
    ensure!(ask(&serving, 200, strict).await?.at("/text_description")? == "Before");
    let counted = ask(&serving, 200, Request::get("/api/v1/stats")).await?;
    ensure!(counted.at("/total_generations")? == recorded.len(), "{counted:?}");
    ask(&serving, 200, Request::get("/health/ready")).await?;
    for id in &recorded {
        ask(&serving, 200, found(*id)).await?;
    }

    disk.resize("64m")?;
    ask(&serving, 200, profile("After")?).await?;
    let more = record_one(&serving).await?;
    for id in &refused {
        ask(&serving, 404, found(*id)).await?;
    }
    serving.terminate()?;
    serving.ended()?;

    let mut verify = program.command(&["stats", "verify"]);
    verify.env("GROOVEBASE_DATABASE_URL", &url);
    let verified = run(verify, "")?;
    ensure!(verified.code == Some(0), "{verified:?}");
    ensure!(integrity(&url).await? == "ok");
    let mut command = program.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("GROOVEBASE_DATABASE_URL", &url);
    let serving = Serving::start(command)?;
    for id in recorded.iter().chain([&more]) {
        ask(&serving, 200, found(*id)).await?;
    }
    serving.terminate()?;
    serving.ended()?;
    Ok(())
}

/// Records one more.
async fn record_one(serving: &Serving) -> anyhow::Result<GenerationId> {
    let id = GenerationId::generate();
    let generation = json!({
        "id": id.to_string(), "provider_used": "openai", "generation_time_ms": 100, "user_params": {},
    });
    ask(serving, 201, Request::post("/api/v1/generations", generation)).await?;
    Ok(id)
}

#[expect(clippy::disallowed_methods, reason = "stands for tools that know nothing of the store")]
async fn integrity(url: &str) -> anyhow::Result<String> {
    let database = sea_orm::Database::connect(url).await?;
    let backend = database.get_database_backend();
    let check = Statement::from_string(backend, "PRAGMA integrity_check");
    let row = database.query_one_raw(check).await?.context("no row")?;
    let told = row.try_get_by_index(0)?;
    database.close().await?;
    Ok(told)
}
