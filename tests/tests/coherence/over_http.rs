//! An instance that is a process of its own, asked over HTTP.

use std::{
    fs,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, bail};
use async_trait::async_trait;
use cache::Bounds;
use domain::Version;
use groovebase_tests::{
    history::{Answer, Mode, State, Tier, Write},
    http::{self, Client, Request},
    program::{Program, Serving},
};
use serde_json::{Value, json};

use crate::{
    instance::{self, Done, Instance},
    world::Addresses,
};

/// An instance that is a process of its own.
pub(crate) struct OverHttp {
    program: Program,
    /// `None` while it is down.
    serving: Mutex<Option<Serving>>,
}

impl OverHttp {
    /// Starts the service.
    pub(crate) fn start(addresses: &Addresses, bounds: Bounds) -> anyhow::Result<Self> {
        let program = Program::new()?;
        // Read by the service from its working folder.
        let settings = [
            ("DATABASE_URL", addresses.postgres.clone()),
            ("DATABASE_POOL_KEPT", "0".to_owned()),
            ("DATABASE_POOL_MOST", "12".to_owned()),
            ("DATABASE_ACQUIRE_TIMEOUT_MS", "2000".to_owned()),
            ("DATABASE_STATEMENT_TIMEOUT_MS", "5000".to_owned()),
            ("REDIS_URL", addresses.redis.clone()),
            ("CACHE_MAX_STALENESS_MS", bounds.max_staleness.as_millis().to_string()),
            ("CACHE_MAX_STALE_IF_ERROR_SECONDS", bounds.max_stale_if_error.as_secs().to_string()),
        ];
        let lines = settings.map(|(name, value)| format!("GROOVEBASE_{name}='{value}'"));
        fs::write(program.file(".env"), lines.join("\n"))?;
        let serving = Mutex::new(Some(program.serve()?));
        Ok(Self { program, serving })
    }

    /// Ends the process at once, in the middle of whatever it does (SIGKILL).
    pub(crate) fn kill(&self) {
        drop(self.serving.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Starts it again.
    pub(crate) fn restart(&self) -> anyhow::Result<()> {
        self.kill();
        let serving = self.program.serve()?;
        *self.serving.lock().unwrap_or_else(PoisonError::into_inner) = Some(serving);
        Ok(())
    }

    fn client(&self) -> anyhow::Result<Client> {
        let serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(serving.as_ref().context("it is down")?.client())
    }

    async fn find(&self, key: u16, mode: Mode) -> anyhow::Result<Answer> {
        let artist = instance::artist(key)?;
        let request = Request::get(http::artist(artist.as_str(), "/profile"));
        let request = match mode {
            Mode::Default => request,
            Mode::Strict => request.with("cache-control", "no-cache"),
        };
        let answer = self.client()?.send(&request).await?;
        let state = match answer.status {
            200 => {
                let body = answer.json()?;
                let text = body.get("text_description").and_then(Value::as_str);
                let templates = body.get("midi_templates").and_then(Value::as_array);
                State::Profile {
                    version: version(answer.required("etag")?)?,
                    content: instance::content(
                        text.context("no text")?,
                        templates.context("no templates")?,
                    )?,
                }
            }
            404 => State::Nothing,
            status => bail!("{status}"),
        };
        let tier = match answer.header("x-cache") {
            Some("catalog") => Tier::Catalog,
            Some("memory") => Tier::Memory,
            Some("redis") => Tier::Redis,
            Some("database") => Tier::Database,
            Some(other) => bail!("a tier called {other}"),
            None => Tier::Untold,
        };
        // Whole seconds, rounded down.
        let age = answer.header("age").map(str::parse).transpose()?;
        let age = age.map(|seconds: u64| Duration::from_secs(seconds + 1));
        Ok(Answer { state, tier, age, stale: answer.header("warning").is_some() })
    }
}

#[async_trait]
impl Instance for OverHttp {
    fn most_at_once(&self) -> usize {
        1
    }

    async fn read(&self, keys: &[u16], mode: Mode) -> anyhow::Result<Vec<Answer>> {
        let mut answers = Vec::with_capacity(keys.len());
        for key in keys {
            answers.push(self.find(*key, mode).await?);
        }
        Ok(answers)
    }

    async fn write(&self, key: u16, write: Write) -> anyhow::Result<Done> {
        let artist = instance::artist(key)?;
        let name = artist.as_str();
        let request = match write {
            Write::Save(content) | Write::Edit(content) => {
                Request::put(http::artist(name, "/profile"), body(key, content)?)
            }
            Write::RemoveProfile => Request::delete(http::artist(name, "/profile")),
            Write::RemoveArtist => Request::delete(http::artist(name, "")),
            Write::Create | Write::Touch => {
                Request::post("/api/v1/artists", json!({ "name": name }))
            }
        };
        let answer = self.client()?.send(&request).await?;
        Ok(match (write, answer.status) {
            (Write::Save(_) | Write::Edit(_), 200 | 201) => {
                Done::Changed(Some(version(answer.required("etag")?)?))
            }
            (Write::RemoveProfile | Write::RemoveArtist, 204) => Done::Changed(None),
            (Write::Create | Write::Touch, 201) => {
                let version = answer.at("/version")?.as_u64().context("no version")?;
                Done::Changed(Some(Version::new(version)))
            }
            (Write::RemoveProfile | Write::RemoveArtist, 404)
            | (Write::Create | Write::Touch, 200) => Done::Needless,
            (_, status) => bail!("{status}"),
        })
    }
}

/// The body of a request that saves a profile.
fn body(key: u16, content: groovebase_tests::history::OperationId) -> anyhow::Result<Value> {
    let profile = instance::profile(key, content)?;
    let mut body = groovebase_tests::given::body::profile();
    let embedding = profile.embedding.as_ref().map(domain::Embedding::as_slice);
    let members = body.as_object_mut().context("an object")?;
    members.insert("text_description".to_owned(), json!(profile.text_description.as_str()));
    members.insert("midi_templates".to_owned(), instance::templates(content));
    members.insert("embedding".to_owned(), json!(embedding));
    Ok(body)
}

/// The version in an entity tag.
fn version(tag: &str) -> anyhow::Result<Version> {
    tag.trim_matches('"').parse().with_context(|| tag.to_owned())
}
