//! Requests that record generations.

use anyhow::{Context, ensure};
use domain::{
    ArtistName, Clock, Cost, GenerationDetails, GenerationId, GenerationStatus, GenerationStep,
    JsonObject, Label, Provider, SystemClock, Text, Timestamp, Tokens,
};
use fastrand::Rng;
use groovebase_tests::http::{Answer, Request};
use sea_orm::prelude::Uuid;
use serde_json::{Map, Value, json};

const DAY_MICROS: i64 = 86_400_000_000;

/// A request that records generations, and can be repeated: each entry has an `id`, or there is a key.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    pub(crate) number: u64,
    pub(crate) key: Option<String>,
    pub(crate) is_array: bool,
    pub(crate) entries: Vec<Entry>,
}

/// A generation to record.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The caller's identity; with a key there need not be one.
    pub(crate) id: Option<GenerationId>,
    pub(crate) artist: Option<ArtistName>,
    /// `None` is left to the service.
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) details: GenerationDetails,
}

/// What a caller was told of an entry, beside what the caller knew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) id: GenerationId,
    pub(crate) created_at: Timestamp,
}

impl Post {
    /// Any one of any form, by some of these artists.
    pub(crate) fn random(
        number: u64,
        artists: &[ArtistName],
        random: &mut Rng,
    ) -> anyhow::Result<Self> {
        let is_array = random.u32(0..5) == 0;
        let entries = match random.u32(0..4) {
            _ if !is_array => 1,
            0 => random.usize(2..=50),
            _ => random.usize(2..=6),
        };
        // A name that nobody else makes, even in another run on the same database.
        let key = random.bool().then(|| format!("{:032x}", random.u128(..)));
        let entries = (0..entries)
            .map(|place| {
                // With a key some may still have an identity of their own.
                let has_id = key.is_none() || random.u32(0..8) == 0;
                let id = has_id.then(|| uuid(random));
                Ok(Entry { id, ..Entry::random((number, place), artists, random)? })
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { number, key, is_array, entries })
    }

    /// The request.
    pub(crate) fn request(&self) -> Request {
        let mut bodies: Vec<Value> = self.entries.iter().map(Entry::body).collect();
        let body = match bodies.pop() {
            Some(body) if !self.is_array => body,
            last => bodies.into_iter().chain(last).collect(),
        };
        let request = Request::post("/api/v1/generations", body);
        match &self.key {
            Some(key) => request.with("idempotency-key", key),
            None => request,
        }
    }

    /// What an acknowledgement says, which must be of this request.
    pub(crate) fn known_by(&self, answer: &Answer) -> anyhow::Result<Vec<Known>> {
        let body = answer.json()?;
        let views = match &body {
            Value::Array(views) if self.is_array => views.as_slice(),
            view => std::slice::from_ref(view),
        };
        ensure!(views.len() == self.entries.len(), "{} entries are answered", views.len());
        let known = |(entry, view): (&Entry, &Value)| {
            entry.known_by(view).with_context(|| format!("{view} for {}", entry.body()))
        };
        self.entries.iter().zip(views).map(known).collect()
    }

    /// What the generations are.
    pub(crate) fn details(&self) -> impl Iterator<Item = &GenerationDetails> {
        self.entries.iter().map(|entry| &entry.details)
    }
}

impl Entry {
    fn random(
        (post, place): (u64, usize),
        artists: &[ArtistName],
        random: &mut Rng,
    ) -> anyhow::Result<Self> {
        let status = match random.u32(0..10) {
            0 => GenerationStatus::Failed,
            1 => GenerationStatus::Cancelled,
            _ => GenerationStatus::Completed,
        };
        let went_wrong = status != GenerationStatus::Completed && random.bool();
        let error = went_wrong.then(|| Text::try_from("the provider's quota: 100 %".to_owned()));
        let model = match random.u32(0..4) {
            0 => None,
            number => Some(Label::try_from(format!("Model-{number}").as_str())?),
        };
        let (step, longest) = (random.u32(0..5_000), 1 << random.u32(1..=31));
        let mut tokens = |most: u32| random.bool().then(|| random.u32(0..most));
        let tokens = Tokens {
            used: tokens(100_000),
            input: tokens(50_000),
            output: tokens(50_000),
            cache_read: tokens(1_000),
            cache_write: tokens(1_000),
            reasoning: tokens(u32::MAX),
        };
        let cost = match random.u32(0..20) {
            0..4 => None,
            4 => Some(0),
            5 => Some(random.i64(0..=1_000_000_000_000_000)),
            _ => Some(random.i64(0..5_000_000_000)),
        };
        let details = GenerationDetails {
            provider: Provider::try_from(
                *random
                    .choice(["anthropic", "google", "openai", "template", "udio"].iter())
                    .context("some")?,
            )?,
            model,
            status,
            error: error.transpose()?,
            steps: vec![GenerationStep { name: Label::try_from("prompt")?, time_ms: step }],
            generation_time_ms: random.u32(0..longest),
            tokens,
            cost: cost.map(Cost::from_nanos).transpose()?,
            user_params: JsonObject::try_from(json!({ "post": post, "place": place }))?,
            output_files: vec![Text::try_from(format!("take-{place}.mid"))?],
        };
        let artist = random.bool().then(|| random.choice(artists)).flatten().cloned();
        let created_at = match random.u32(0..10) {
            0 => Some(any_time(random)?),
            _ => None,
        };
        Ok(Self { id: None, artist, created_at, details })
    }

    /// How it is sent.
    fn body(&self) -> Value {
        let mut body = self.view();
        let artist = self.artist.as_ref().map(ArtistName::as_str);
        body.insert("artist".to_owned(), json!(artist));
        body.insert("id".to_owned(), json!(self.id.map(|id| id.to_string())));
        body.insert("created_at".to_owned(), json!(self.created_at.map(|time| time.to_string())));
        Value::Object(body)
    }

    /// How it is shown, save what may not be known in advance.
    fn view(&self) -> Map<String, Value> {
        let GenerationDetails {
            provider,
            model,
            status,
            error,
            steps,
            generation_time_ms,
            tokens: Tokens { used, input, output, cache_read, cache_write, reasoning },
            cost,
            user_params,
            output_files,
        } = &self.details;
        let step = |it: &GenerationStep| json!({ "name": it.name.as_str(), "time_ms": it.time_ms });
        let members = [
            ("provider_used", json!(provider.as_str())),
            ("model", json!(model.as_ref().map(Label::as_str))),
            ("status", json!(status.as_str())),
            ("error", json!(error.as_ref().map(Text::to_string))),
            ("generation_time_ms", json!(generation_time_ms)),
            ("steps", steps.iter().map(step).collect()),
            ("tokens_used", json!(used)),
            ("input_tokens", json!(input)),
            ("output_tokens", json!(output)),
            ("cache_read_tokens", json!(cache_read)),
            ("cache_write_tokens", json!(cache_write)),
            ("reasoning_tokens", json!(reasoning)),
            ("cost_usd", cost.map_or(Value::Null, number)),
            ("user_params", json!(user_params.members())),
            ("output_files", output_files.iter().map(Text::to_string).collect()),
        ];
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn known_by(&self, view: &Value) -> anyhow::Result<Known> {
        let mut view = view.as_object().context("no object")?.clone();
        let text = |value: Value| value.as_str().map(str::to_owned);
        let artist = view.remove("artist").context("no artist")?;
        let id = view.remove("id").and_then(text).context("no id")?.parse()?;
        let created_at = view.remove("created_at").and_then(text).context("no time")?.parse()?;

        ensure!(view == self.view(), "something else in it");
        ensure!(self.id.is_none_or(|own| own == id), "another identity");
        ensure!(self.created_at.is_none_or(|own| own == created_at), "another time");
        // The artist may have been removed before a repetition.
        let own = self.artist.as_ref().map(ArtistName::as_str);
        ensure!(artist.is_null() || artist.as_str() == own, "another artist");
        Ok(Known { id, created_at })
    }
}

/// Fifteen digits at most, which a binary fraction keeps.
fn number(cost: Cost) -> Value {
    serde_json::from_str(&cost.to_string()).unwrap_or_default()
}

/// A random identity (version 4).
fn uuid(random: &mut Rng) -> GenerationId {
    let bits = random.u128(..) & !(0xf << 76) & !(0x3 << 62);
    GenerationId::from_uuid(Uuid::from_u128(bits | (0x4 << 76) | (0x2 << 62)))
}

/// A time up to a hundred days ago, or in the next forty.
fn any_time(random: &mut Rng) -> anyhow::Result<Timestamp> {
    let now = SystemClock.now().unix_micros();
    let micros = now + random.i64(-100 * DAY_MICROS..40 * DAY_MICROS);
    Ok(Timestamp::from_unix_micros(micros)?)
}
