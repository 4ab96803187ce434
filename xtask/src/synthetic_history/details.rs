//! What a generation was, and what it took.

use anyhow::Context as _;
use domain::{
    Cost, GenerationDetails, GenerationStatus, GenerationStep, JsonObject, Label, Provider, Text,
    Tokens,
};
use serde_json::{Map, Value, json};

use super::{
    chance::Chance,
    model::{MODELS, Model, Usage},
};

/// Of a thousand generations, how many failed.
const FAILED: u64 = 40;
/// Of a thousand generations, how many somebody stopped.
const CANCELLED: u64 = 10;
/// Of a thousand generations, of how many it is not known what they cost.
const UNPRICED: u64 = 80;
/// Of a thousand generations, of how many it is known what they consisted of.
const WITH_STEPS: u64 = 300;
/// Of a thousand failures, how many are refusals, which come soon; the others came when patience was at its end.
const REFUSED: u64 = 600;

const REFUSALS: [&str; 4] = [
    "rate limit exceeded",
    "the provider answered with status 529",
    "the prompt was refused",
    "the answer was no pattern",
];
const TIMEOUTS: [&str; 2] = ["no answer within the time limit", "the connection was lost"];
const FEELS: [&str; 5] = ["straight", "swung", "late", "pushed", "loose"];

pub(super) fn of(number: u64, chance: &mut Chance) -> anyhow::Result<GenerationDetails> {
    let model = chance.weighted(&MODELS, |model| model.weight).context("there are models")?;
    let end = End::of(model, chance)?;
    let usage = model.tokens.as_ref().filter(|_| end.has_answer);
    let tokens = usage.map(|usage| tokens(usage, end.done, chance)).unwrap_or_default();
    let cost = if chance.is(UNPRICED) { None } else { Some(cost(usage, tokens)?) };
    let steps =
        if chance.is(WITH_STEPS) { steps(end.time_ms, end.status, chance)? } else { Vec::new() };
    let files = match end.status {
        GenerationStatus::Completed => 1 + chance.below(2),
        GenerationStatus::Failed | GenerationStatus::Cancelled => 0,
    };
    let files = (1..=files).map(|file| Text::try_from(format!("synthetic_{number:08}_{file}.mid")));
    Ok(GenerationDetails {
        provider: Provider::try_from(model.provider)?,
        model: Some(Label::try_from(model.name)?),
        status: end.status,
        error: end.error.map(|error| Text::try_from(error.to_owned())).transpose()?,
        steps,
        generation_time_ms: end.time_ms,
        tokens,
        cost,
        user_params: JsonObject::try_from(Value::Object(wishes(chance)?))?,
        output_files: files.collect::<Result<_, _>>()?,
    })
}

/// How a generation ended.
struct End {
    status: GenerationStatus,
    error: Option<&'static str>,
    time_ms: u32,
    /// Whether the model got as far as reading and writing.
    has_answer: bool,
    /// How much of it was done: from 0 to 1.
    done: f64,
}

impl End {
    fn of(model: &Model, chance: &mut Chance) -> anyhow::Result<Self> {
        let usual = model.median_ms * chance.around_one(model.spread);
        let fate = chance.below(1_000);
        if FAILED + CANCELLED <= fate {
            return Ok(Self {
                status: GenerationStatus::Completed,
                error: None,
                time_ms: whole(usual),
                has_answer: true,
                done: 1.0,
            });
        }
        if FAILED <= fate {
            let done = chance.part();
            return Ok(Self {
                status: GenerationStatus::Cancelled,
                error: None,
                time_ms: whole(usual * done),
                has_answer: true,
                done,
            });
        }
        let (errors, time_ms): (&[&str], f64) = if chance.is(REFUSED) {
            (&REFUSALS, 120.0 * chance.around_one(0.6))
        } else {
            (&TIMEOUTS, 30_000.0 + 90_000.0 * chance.part())
        };
        Ok(Self {
            status: GenerationStatus::Failed,
            error: Some(chance.one_of(errors).context("there are errors")?),
            time_ms: whole(time_ms),
            has_answer: false,
            done: 0.0,
        })
    }
}

fn tokens(usage: &Usage, done: f64, chance: &mut Chance) -> Tokens {
    let input = whole(usage.input * chance.around_one(0.35));
    let output = whole(usage.output * chance.around_one(0.5) * done);
    // Every other prompt has its beginning in common with one before it.
    let cached = if chance.is(500) { input / 2 } else { 0 };
    let reasoning = usage.reasons.then(|| whole(1_200.0 * chance.around_one(0.8) * done));
    Tokens {
        used: Some(input.saturating_add(output).saturating_add(reasoning.unwrap_or(0))),
        input: Some(input),
        output: Some(output),
        cache_read: Some(cached),
        cache_write: None,
        reasoning,
    }
}

/// Without tokens it cost nothing, which is known.
fn cost(usage: Option<&Usage>, tokens: Tokens) -> anyhow::Result<Cost> {
    let Some(usage) = usage else { return Ok(Cost::from_nanos(0)?) };
    let count = |tokens: Option<u32>| u64::from(tokens.unwrap_or(0));
    let read = count(tokens.input) * usage.input_nanos;
    // What was read from the cache costs a tenth.
    let saved = count(tokens.cache_read) * usage.input_nanos * 9 / 10;
    let written = (count(tokens.output) + count(tokens.reasoning)) * usage.output_nanos;
    Ok(Cost::from_nanos(i64::try_from(read - saved + written)?)?)
}

/// What it consisted of; together as long as the whole.
fn steps(
    time_ms: u32,
    status: GenerationStatus,
    chance: &mut Chance,
) -> anyhow::Result<Vec<GenerationStep>> {
    let prompt = whole(f64::from(time_ms) * 0.15 * chance.part());
    let step =
        |name: &str, time_ms| anyhow::Ok(GenerationStep { name: Label::try_from(name)?, time_ms });
    let mut steps = vec![step("prompt", prompt)?];
    match status {
        GenerationStatus::Completed => {
            let write = whole(f64::from(time_ms) * 0.1 * chance.part());
            steps.push(step("generate", time_ms.saturating_sub(prompt).saturating_sub(write))?);
            steps.push(step("write", write)?);
        }
        GenerationStatus::Failed | GenerationStatus::Cancelled => {
            steps.push(step("generate", time_ms.saturating_sub(prompt))?);
        }
    }
    Ok(steps)
}

fn wishes(chance: &mut Chance) -> anyhow::Result<Map<String, Value>> {
    let mut wishes = Map::new();
    wishes.insert("synthetic".to_owned(), Value::Bool(true));
    wishes.insert("bars".to_owned(), json!(2_u64 << chance.below(4)));
    wishes.insert("tempo".to_owned(), json!(60 + chance.below(120)));
    if chance.is(400) {
        let feel = chance.one_of(&FEELS).context("there are feels")?;
        wishes.insert("feel".to_owned(), json!(feel));
    }
    Ok(wishes)
}

/// The nearest whole number that there is.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is out of range becomes the nearest number"
)]
const fn whole(number: f64) -> u32 {
    number.round() as u32
}
