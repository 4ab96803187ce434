//! A generation to record.

use domain::{
    ArtistName, Cost, GenerationDetails, GenerationId, GenerationStatus, GenerationStep,
    JsonObject, Label, NewGeneration, Provider, Text, TimeRange, Timestamp, Tokens,
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

use crate::{
    json::{Members, Node},
    money::read_cost,
};

/// A generation to record.
#[derive(Debug, ToSchema)]
#[schema(as = NewGeneration, example = json!({
    "artist": "J Dilla",
    "provider_used": "anthropic",
    "model": "drums-large-2",
    "status": "completed",
    "generation_time_ms": 1_850,
    "steps": [{"name": "prompt", "time_ms": 150}, {"name": "generate", "time_ms": 1_700}],
    "tokens_used": 2_400,
    "input_tokens": 1_900,
    "output_tokens": 500,
    "cost_usd": 0.0125,
    "user_params": {"bars": 4, "tempo": 92},
    "output_files": ["groove_001.mid"]
}))]
#[serde(deny_unknown_fields)]
pub(crate) struct NewGenerationBody {
    /// Identity to make, so that the request can be repeated; absent makes one, from the `Idempotency-Key` if there is
    /// one.
    #[schema(value_type = Option<String>, format = Uuid)]
    pub(crate) id: Option<GenerationId>,
    /// The artist whose style was used, who must be known; absent when none was.
    #[schema(value_type = Option<String>)]
    pub(super) artist: Option<ArtistName>,
    /// Who generated: `anthropic`, `google`, `openai`, `template`, or another name.
    #[schema(value_type = String, min_length = 1, max_length = 50)]
    provider_used: Provider,
    /// With which model; absent when unknown. Upper and lower case are not the same.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
    model: Option<Label>,
    /// How it ended; absent is `completed`.
    #[schema(value_type = Option<GenerationStatusBody>)]
    status: GenerationStatus,
    /// What went wrong; only with the status `failed` or `cancelled`.
    #[schema(value_type = Option<String>)]
    error: Option<Text>,
    /// How long it took, in milliseconds.
    generation_time_ms: u32,
    /// What it consisted of, in order; absent is nothing known.
    #[schema(value_type = Option<Vec<NewStepBody>>, max_items = 100)]
    steps: Vec<GenerationStep>,
    /// How many tokens it used altogether; absent when unknown. It is not derived from the others.
    tokens_used: Option<u32>,
    /// How many tokens the model read; absent when unknown.
    input_tokens: Option<u32>,
    /// How many tokens the model wrote; absent when unknown.
    output_tokens: Option<u32>,
    /// How many tokens were read from the provider's cache; absent when unknown.
    cache_read_tokens: Option<u32>,
    /// How many tokens were written to the provider's cache; absent when unknown.
    cache_write_tokens: Option<u32>,
    /// How many tokens were spent on reasoning that is not part of the answer; absent when unknown.
    reasoning_tokens: Option<u32>,
    /// What it cost in US dollars, at most nine decimals; absent when unknown, which is not zero.
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 1_000_000)]
    cost_usd: Option<Cost>,
    /// What was asked for, in any form.
    #[schema(value_type = Object)]
    user_params: JsonObject,
    /// What came out of it; absent is nothing.
    #[schema(value_type = Option<Vec<String>>)]
    output_files: Vec<Text>,
    /// When it was made (RFC 3339): from 1970 to a year from now; absent is now.
    #[schema(value_type = Option<String>, format = DateTime)]
    created_at: Option<Timestamp>,
}

impl NewGenerationBody {
    /// Reads a generation that was made within a stretch of time, and notes everything that is wrong with it.
    pub(crate) fn read(node: &Node<'_>, made: TimeRange) -> Option<Self> {
        let mut members = node.members()?;
        let id = members.optional("id").and_then(|node| node.checked(node.text()?.parse()));
        let artist = members
            .optional("artist")
            .and_then(|node| node.checked(ArtistName::try_from(node.text()?.as_str())));
        let provider_used = members
            .required("provider_used")
            .and_then(|node| node.checked(Provider::try_from(node.text()?.as_str())));
        let model = members
            .optional("model")
            .and_then(|node| node.checked(Label::try_from(node.text()?.as_str())));
        let status = members.optional("status").map_or(Some(GenerationStatus::default()), |node| {
            node.checked(GenerationStatus::try_from(node.text()?.as_str()))
        });
        let error = read_error(&mut members, status);
        let generation_time_ms =
            members.required("generation_time_ms").and_then(|node| node.whole(u32::MAX));
        let steps =
            members.optional("steps").and_then(|node| read_steps(&node)).unwrap_or_default();
        let mut tokens = |name: &str| members.optional(name).and_then(|node| node.whole(u32::MAX));
        let tokens_used = tokens("tokens_used");
        let input_tokens = tokens("input_tokens");
        let output_tokens = tokens("output_tokens");
        let cache_read_tokens = tokens("cache_read_tokens");
        let cache_write_tokens = tokens("cache_write_tokens");
        let reasoning_tokens = tokens("reasoning_tokens");
        let cost_usd = members.optional("cost_usd").and_then(|node| read_cost(&node));
        let user_params = members
            .required("user_params")
            .and_then(|node| node.checked(JsonObject::try_from(node.open_ended()?)));
        let output_files =
            members.optional("output_files").and_then(|node| read_files(&node)).unwrap_or_default();
        let created_at = members.optional("created_at").and_then(|node| read_time(&node, made));
        members.end();

        Some(Self {
            id,
            artist,
            provider_used: provider_used?,
            model,
            status: status?,
            error,
            generation_time_ms: generation_time_ms?,
            steps,
            tokens_used,
            input_tokens,
            output_tokens,
            cache_read_tokens,
            cache_write_tokens,
            reasoning_tokens,
            cost_usd,
            user_params: user_params?,
            output_files,
            created_at,
        })
    }

    /// The generation to record under this identity.
    pub(crate) fn into_generation(self, id: GenerationId) -> NewGeneration {
        let Self {
            id: _,
            artist,
            provider_used,
            model,
            status,
            error,
            generation_time_ms,
            steps,
            tokens_used,
            input_tokens,
            output_tokens,
            cache_read_tokens,
            cache_write_tokens,
            reasoning_tokens,
            cost_usd,
            user_params,
            output_files,
            created_at,
        } = self;
        let details = GenerationDetails {
            provider: provider_used,
            model,
            status,
            error,
            steps,
            generation_time_ms,
            tokens: Tokens {
                used: tokens_used,
                input: input_tokens,
                output: output_tokens,
                cache_read: cache_read_tokens,
                cache_write: cache_write_tokens,
                reasoning: reasoning_tokens,
            },
            cost: cost_usd,
            user_params,
            output_files,
        };
        NewGeneration { id, artist, created_at, details }
    }
}

/// A part of a generation to record.
#[derive(ToSchema)]
#[schema(as = NewGenerationStep)]
#[expect(dead_code, reason = "it documents what is read into the domain at once")]
struct NewStepBody {
    /// What it is called.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// How long it took, in milliseconds.
    time_ms: u32,
}

/// How a generation's end is documented.
pub(super) struct GenerationStatusBody;

impl PartialSchema for GenerationStatusBody {
    fn schema() -> RefOr<Schema> {
        let words = GenerationStatus::ALL.map(GenerationStatus::as_str);
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(words))
            .description(Some(
                "How it ended: with a result, with an error, or because somebody stopped it",
            ))
            .into()
    }
}

impl ToSchema for GenerationStatusBody {
    fn name() -> std::borrow::Cow<'static, str> {
        "GenerationStatus".into()
    }
}

/// Without a status that can be read, nobody knows whether the error goes with it, and enough is told.
fn read_error(members: &mut Members<'_>, status: Option<GenerationStatus>) -> Option<Text> {
    let node = members.optional("error")?;
    let error = node.checked(Text::try_from(node.text()?))?;
    match status {
        Some(GenerationStatus::Completed) => {
            node.refuse("goes with the status 'failed' or 'cancelled' only")
        }
        Some(GenerationStatus::Failed | GenerationStatus::Cancelled) | None => Some(error),
    }
}

fn read_steps(node: &Node<'_>) -> Option<Vec<GenerationStep>> {
    let nodes = node.elements()?;
    if GenerationStep::MOST < nodes.len() {
        let most = GenerationStep::MOST;
        return node.refuse(format!("must hold at most {most} steps, not {}", nodes.len()));
    }
    // Each is read, so that everything wrong is found.
    let steps: Vec<Option<GenerationStep>> = nodes.iter().map(read_step).collect();
    steps.into_iter().collect()
}

fn read_step(node: &Node<'_>) -> Option<GenerationStep> {
    let mut members = node.members()?;
    let name = members
        .required("name")
        .and_then(|node| node.checked(Label::try_from(node.text()?.as_str())));
    let time_ms = members.required("time_ms").and_then(|node| node.whole(u32::MAX));
    members.end();
    Some(GenerationStep { name: name?, time_ms: time_ms? })
}

fn read_files(node: &Node<'_>) -> Option<Vec<Text>> {
    let read = |node: &Node<'_>| node.checked(Text::try_from(node.text()?));
    let files: Vec<Option<Text>> = node.elements()?.iter().map(read).collect();
    files.into_iter().collect()
}

/// When a generation that a request brings may have been made: from 1970 to a year from now.
///
/// Each month has a table of its own on some databases, and nobody shall be able to ask for all of ten thousand years.
pub(super) fn made_until_about(now: Timestamp) -> TimeRange {
    const YEAR_MICROS: i64 = 366 * 24 * 60 * 60 * 1_000_000;
    TimeRange::clipped(0, now.unix_micros().saturating_add(YEAR_MICROS))
}

fn read_time(node: &Node<'_>, made: TimeRange) -> Option<Timestamp> {
    let time: Timestamp = node.checked(node.text()?.parse())?;
    if made.contains(time) {
        return Some(time);
    }
    let end = made.to().map_or_else(String::new, |end| format!(" and before {end}"));
    node.refuse(format!("must lie from {} on{end}", made.from()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{batch::Batch, json, routes::generations::MOST_AT_ONCE};

    fn told(body: &str) -> String {
        let made = made_until_about("2026-11-21T08:30:00Z".parse().unwrap());
        let read = json::read(body.as_bytes(), |node| {
            Batch::read(node, MOST_AT_ONCE, |node| NewGenerationBody::read(node, made))
                .map(|batch| batch.items.len())
        });
        read.map_or_else(|invalid| invalid.to_string(), |count| count.to_string())
    }

    #[test]
    fn reads_the_documented_example() {
        let schema = NewGenerationBody::schema();
        let example = &serde_json::to_value(schema).unwrap()["example"];

        assert_eq!(told(&example.to_string()), "1");
        assert_eq!(told(&format!("[{example}, {example}]")), "2");
    }

    #[test]
    fn points_into_an_array() {
        let good = r#"{"provider_used": "template", "generation_time_ms": 1, "user_params": {}}"#;
        let bad =
            r#"{"provider_used": 1, "generation_time_ms": -1, "user_params": [], "cost_usd": "1"}"#;

        assert_eq!(
            told(&format!("[{good}, {bad}]")),
            "/1/provider_used: must be a string, not a number; \
             /1/generation_time_ms: must be a whole number from 0 to 4294967295; \
             /1/cost_usd: must be a number, not a string; /1/user_params: must be a JSON object"
        );
        assert_eq!(told("[]"), "must hold 1 to 1000 entries, not 0");
    }

    #[test]
    fn refuses_times_that_cannot_be_meant() {
        let made = |time: &str| {
            told(&format!(
                r#"{{"provider_used": "template", "generation_time_ms": 1, "user_params": {{}}, "created_at": "{time}"}}"#
            ))
        };

        assert_eq!([made("1970-01-01T00:00:00Z"), made("2027-11-22T08:29:59Z")], ["1", "1"]);
        for time in ["1969-12-31T23:59:59Z", "2027-11-22T08:30:00Z", "9999-12-31T23:59:59Z"] {
            assert_eq!(
                made(time),
                "/created_at: must lie from 1970-01-01T00:00:00Z on and before 2027-11-22T08:30:00Z"
            );
        }
    }

    #[test]
    fn an_error_goes_with_a_bad_end_only() {
        let ended = |rest: &str| {
            told(&format!(
                r#"{{"provider_used": "template", "generation_time_ms": 1, "user_params": {{}}, {rest}}}"#
            ))
        };
        let refused = "/error: goes with the status 'failed' or 'cancelled' only";

        assert_eq!(ended(r#""error": "quota", "status": "failed""#), "1");
        assert_eq!(ended(r#""error": "by hand", "status": "cancelled""#), "1");
        assert_eq!(ended(r#""error": null, "status": "completed""#), "1");
        assert_eq!(ended(r#""error": "quota""#), refused);
        assert_eq!(ended(r#""error": "quota", "status": "completed""#), refused);
        assert_eq!(
            ended(r#""error": "quota", "status": "done""#),
            "/status: must be one of completed, failed, cancelled"
        );
    }
}
