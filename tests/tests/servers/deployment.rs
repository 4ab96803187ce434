//! The steps of `compose.yaml` one by one: roles, migration, a key, and the service with a reader and a Redis user.
//!
//! And what all of them tell of their secrets at the most talkative level: nothing.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, anyhow, ensure};
use groovebase_tests::{
    collector::Collector,
    fault::{RedisServer, redis::Value},
    fixture::{AsApplication, Fixture},
    given::body,
    http::{Request, artist},
    program::{Program, Serving, run},
};
use migration::{Schema, Steps};
use url::Url;

const OWNER: &str = "owner-secret-6f1d";
const APPLICATION: &str = "application-secret-b27c";
const READER: &str = "reader-secret-90ae";
const ACCESS: &str = "access-secret-d41f-0123456789-0123456789";
const COLLECTOR: &str = "collector-secret-77e0";
const STRANGER: &str = "stranger-secret-1c5b";

/// An installation, as far as the next step needs it.
struct Installation {
    program: Program,
    fixture: AsApplication,
    redis: RedisServer,
    collector: Collector,
    /// What every step wrote that is not its result.
    told: Vec<String>,
}

/// What a user may do in Redis, as the file for compose has it.
fn rights() -> anyhow::Result<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/redis/users.acl");
    let users = fs::read_to_string(file)?;
    let ours = users.lines().find_map(|it| it.strip_prefix("user groovebase on #PASSWORD_SHA256 "));
    Ok(ours.context("the user of the service")?.to_owned())
}

fn with_password(url: &str, password: &str) -> anyhow::Result<String> {
    let mut url = Url::parse(url)?;
    url.set_password(Some(password)).map_err(|()| anyhow!("no password"))?;
    Ok(url.into())
}

impl Installation {
    /// An empty database, and servers that know nothing of the service but its user.
    async fn begin() -> anyhow::Result<Self> {
        let fixture = AsApplication::open().await?;
        let schema = Schema::connect(&fixture.urls().owner).await?;
        schema.down(Steps::All).await?;
        schema.close().await?;
        let redis = RedisServer::setup().user("groovebase", &rights()?).start().await?;
        Ok(Self {
            program: Program::new()?,
            fixture,
            redis,
            collector: Collector::start()?,
            told: Vec::new(),
        })
    }

    fn command(&self, arguments: &[&str], database: &str) -> Command {
        let mut command = self.program.command(arguments);
        command.env("GROOVEBASE_DATABASE_URL", database).env("GROOVEBASE_LOG", "trace");
        command.env("GROOVEBASE_ACCESS_SECRET", ACCESS);
        command
    }

    /// Runs a step that has to succeed, and returns its result.
    fn step(&mut self, command: Command) -> anyhow::Result<String> {
        let ended = run(command, "")?;
        ensure!(ended.code == Some(0), "{ended:?}");
        self.told.push(ended.errors);
        Ok(ended.output)
    }

    /// Makes roles, tables and a key for an admin, which is returned.
    fn install(&mut self) -> anyhow::Result<String> {
        let urls = self.fixture.urls().clone();
        let name = |url: &str| anyhow::Ok(Url::parse(url)?.username().to_owned());
        let (owner, application) = (name(&urls.owner)?, name(&urls.application)?);
        let reader = name(&urls.readonly)?;
        let named =
            ["roles", "--owner", &owner, "--application", &application, "--readonly", &reader];
        let mut roles = self.command(&named, self.fixture.administrator());
        roles.env("GROOVEBASE_ROLES_OWNER_PASSWORD", OWNER);
        roles.env("GROOVEBASE_ROLES_APPLICATION_PASSWORD", APPLICATION);
        roles.env("GROOVEBASE_ROLES_READONLY_PASSWORD", READER);
        let made = self.step(roles)?;
        self.told.push(made);

        let owner = with_password(&urls.owner, OWNER)?;
        let migrated = self.step(self.command(&["migrate", "up"], &owner))?;
        self.told.push(migrated);

        let application = with_password(&urls.application, APPLICATION)?;
        let create = ["keys", "create", "--name", "admin", "--scope", "admin"];
        Ok(self.step(self.command(&create, &application))?.trim_end().to_owned())
    }

    /// The service, with the environment that compose gives it.
    fn service(&self, redis: &str) -> anyhow::Result<Command> {
        let urls = self.fixture.urls();
        let application = with_password(&urls.application, APPLICATION)?;
        let mut serve = self.command(&["serve", "--listen", "127.0.0.1:0"], &application);
        serve.env("GROOVEBASE_DATABASE_READ_URL", with_password(&urls.readonly, READER)?);
        serve.env("GROOVEBASE_REDIS_URL", redis).env("GROOVEBASE_REDIS_BUDGET_MS", "10000");
        serve.env("GROOVEBASE_ACCESS", "on").env("GROOVEBASE_LOG_FILE", "service.log");
        serve.env("GROOVEBASE_OTLP_ENDPOINT", self.collector.endpoint());
        serve.env("OTEL_EXPORTER_OTLP_HEADERS", format!("authorization=Bearer {COLLECTOR}"));
        Ok(serve)
    }

    /// Saves, reads, records and asks for figures; returns what answered these, and the state of Redis.
    async fn work(&self, serving: &Serving, key: &str) -> anyhow::Result<(String, String)> {
        let ask = async |status: u16, request: Request| {
            let request = request.with("authorization", format!("Bearer {key}"));
            let answer = serving.client().send(&request).await?;
            ensure!(answer.status == status, "{request}: {answer:?}");
            Ok(answer)
        };
        let profile = artist("J Dilla", "/profile");
        ask(201, Request::put(&profile, body::profile())).await?;
        ask(200, Request::get(&profile)).await?;
        ask(201, Request::post("/api/v1/generations", body::generation())).await?;
        let figures = ask(200, Request::get("/api/v1/stats")).await?;
        ask(204, Request::delete(profile)).await?;
        ask(204, Request::delete(artist("J Dilla", ""))).await?;
        let health = ask(200, Request::get("/health")).await?;
        let redis = health.at("/redis/state")?.as_str().unwrap_or_default().to_owned();
        Ok((figures.required("x-read-from")?.to_owned(), redis))
    }

    fn stop(&mut self, serving: Serving) -> anyhow::Result<()> {
        serving.terminate()?;
        self.told.extend(serving.ended()?);
        Ok(())
    }

    async fn close(self) -> anyhow::Result<()> {
        self.fixture.close().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_steps_of_compose_make_a_service() -> anyhow::Result<()> {
    let mut installation = Installation::begin().await?;
    let key = installation.install()?;

    let serving = Serving::start(installation.service(installation.redis.url())?)?;
    let (read_from, redis) = installation.work(&serving, &key).await?;
    installation.stop(serving)?;

    ensure!(read_from == "read_database", "{read_from}");
    ensure!(redis == "ok", "{redis}");
    // The rights of the user were enough: Redis refused nothing.
    let log = installation.redis.run(&["ACL", "LOG"]).await?;
    ensure!(log == Value::Array(Vec::new()), "{log:?}");
    installation.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_told() -> anyhow::Result<()> {
    let mut installation = Installation::begin().await?;
    let key = installation.install()?;
    let (_, key_secret) = key.rsplit_once('_').context("a key has a secret")?;

    let serving = Serving::start(installation.service(installation.redis.url())?)?;
    installation.work(&serving, &key).await?;
    for stranger in [STRANGER.to_owned(), format!("Bearer {key}{STRANGER}")] {
        let request = Request::get("/api/v1/artists").with("authorization", stranger);
        ensure!(serving.client().send(&request).await?.status == 401);
    }
    installation.stop(serving)?;
    // A Redis and a database that refuse what they are told.
    let wrong = with_password(installation.redis.url(), STRANGER)?;
    let serving = Serving::start(installation.service(&wrong)?)?;
    let (_, redis) = installation.work(&serving, &key).await?;
    installation.stop(serving)?;
    let urls = installation.fixture.urls();
    let refused = with_password(&urls.application, STRANGER)?;
    let refused = run(installation.command(&["serve", "--listen", "127.0.0.1:0"], &refused), "")?;

    ensure!(redis != "ok", "{redis}");
    ensure!(refused.code != Some(0), "{refused:?}");
    installation.told.push(refused.errors);
    let file = fs::read_to_string(installation.program.file("service.log"))?;
    let told = installation.told.join("\n");
    // It was as talkative as it can be.
    for text in [&told, &file] {
        ensure!(text.contains(r#""TRACE""#) && text.contains("Request answered"), "{text}");
    }
    let redis = Url::parse(installation.redis.url())?;
    let redis = redis.password().context("a password")?;
    for secret in
        [OWNER, APPLICATION, READER, ACCESS, COLLECTOR, STRANGER, key_secret, redis, "a:b@c/d%"]
    {
        for text in [&told, &file] {
            let line = text.lines().find(|line| line.contains(secret));
            ensure!(line.is_none(), "{secret} is told: {line:?}");
        }
    }
    installation.close().await
}
