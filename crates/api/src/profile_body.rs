//! A style profile as a request, or a line of an import, states it.

use domain::{
    ArtistName, Confidence, DrumFeel, Embedding, JsonArray, NewStyleProfile, QuantitativeParams,
    SourcesCount, TextDescription,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::json::{self, InvalidDocument, Members, Node};

/// Reads a style profile whose artist is known from elsewhere.
///
/// # Errors
///
/// When the body is no JSON, or for everything in it that is wrong.
pub fn read(body: &[u8], artist: ArtistName) -> Result<NewStyleProfile, InvalidDocument> {
    let stated = json::read(body, |node| {
        let mut members = node.members()?;
        let profile = StyleProfileBody::read(&mut members);
        members.end();
        profile
    })?;
    Ok(stated.into_profile(artist))
}

/// What research knows about how an artist plays.
#[derive(Debug, Clone, PartialEq, ToSchema)]
#[schema(as = NewStyleProfile, example = json!({
    "text_description": "Behind-the-beat swing with ghosted snares and a soft kick.",
    "quantitative_params": {
        "tempo_min": 80, "tempo_max": 102, "tempo_avg": 91.5, "swing_percent": 62,
        "ghost_note_prob": 0.4, "syncopation_level": 0.7, "velocity_mean": 84, "velocity_std": 18
    },
    "midi_templates": ["dilla_donuts.mid"],
    "confidence_score": 0.92,
    "sources_count": {"papers": 3, "articles": 12, "audio": 8, "midi": 2}
}))]
pub struct StyleProfileBody {
    /// What was found, in words.
    #[schema(value_type = String, min_length = 1, max_length = 100_000)]
    text_description: TextDescription,
    /// What was found, in numbers.
    #[schema(value_type = QuantitativeParamsBody)]
    quantitative_params: QuantitativeParams,
    /// Where the artist lies among others (all-MiniLM-L6-v2); absent when none was computed.
    #[schema(value_type = Option<Vec<f32>>, min_items = 384, max_items = 384)]
    embedding: Option<Embedding>,
    /// Drum patterns to start from, in any form; absent is none.
    #[schema(value_type = Option<Vec<serde_json::Value>>)]
    midi_templates: JsonArray,
    /// How far the profile can be trusted.
    #[schema(value_type = f64, minimum = 0, maximum = 1)]
    confidence_score: Confidence,
    /// How many sources the profile rests on; absent is none.
    #[schema(value_type = Option<SourcesCountBody>)]
    sources_count: SourcesCount,
}

impl StyleProfileBody {
    /// Takes a profile out of an object's members and notes everything that is wrong with it.
    ///
    /// The object may have more members, such as the artist's name in a line of an import.
    #[must_use]
    pub fn read(members: &mut Members<'_>) -> Option<Self> {
        let text_description = members
            .required("text_description")
            .and_then(|node| node.checked(TextDescription::try_from(node.text()?)));
        let quantitative_params =
            members.required("quantitative_params").and_then(|node| read_params(&node));
        let embedding = members.optional("embedding").and_then(|node| read_embedding(&node));
        let midi_templates = members
            .optional("midi_templates")
            .and_then(|node| node.checked(JsonArray::try_from(node.open_ended()?)))
            .unwrap_or_default();
        let confidence_score =
            members.required("confidence_score").and_then(|node| read_confidence(&node));
        let sources_count = members
            .optional("sources_count")
            .and_then(|node| read_sources_count(&node))
            .unwrap_or_default();

        Some(Self {
            text_description: text_description?,
            quantitative_params: quantitative_params?,
            embedding,
            midi_templates,
            confidence_score: confidence_score?,
            sources_count,
        })
    }

    /// The profile of this artist.
    #[must_use]
    pub fn into_profile(self, artist: ArtistName) -> NewStyleProfile {
        let Self {
            text_description,
            quantitative_params,
            embedding,
            midi_templates,
            confidence_score,
            sources_count,
        } = self;
        NewStyleProfile {
            artist,
            text_description,
            quantitative_params,
            embedding,
            midi_templates,
            confidence: confidence_score,
            sources_count,
        }
    }
}

/// A share from 0 to 1.
#[must_use]
pub fn read_confidence(node: &Node<'_>) -> Option<Confidence> {
    node.checked(Confidence::try_from(node.number()?))
}

/// As many finite numbers as an embedding has, of a length that can be compared.
#[must_use]
pub fn read_embedding(node: &Node<'_>) -> Option<Embedding> {
    node.checked(Embedding::try_from(node.floats()?))
}

fn read_params(node: &Node<'_>) -> Option<QuantitativeParams> {
    let mut members = node.members()?;
    let mut missing = Vec::new();
    let mut number = |name: &'static str| {
        members.required(name).and_then(|node| node.number()).unwrap_or_else(|| {
            missing.push(name);
            f64::NAN
        })
    };
    let feel = DrumFeel {
        tempo_min: number("tempo_min"),
        tempo_max: number("tempo_max"),
        tempo_avg: number("tempo_avg"),
        swing_percent: number("swing_percent"),
        ghost_note_prob: number("ghost_note_prob"),
        syncopation_level: number("syncopation_level"),
        velocity_mean: number("velocity_mean"),
        velocity_std: number("velocity_std"),
    };
    let object = members.object().clone();
    members.end();

    match QuantitativeParams::try_from(feel) {
        Ok(params) => Some(params),
        Err(invalid) => {
            // What could not even be read has been noted already.
            for violation in invalid.violations {
                if !missing.contains(&violation.field) {
                    object
                        .member(violation.field)
                        .refuse::<()>(format!("must be {}", violation.must));
                }
            }
            None
        }
    }
}

fn read_sources_count(node: &Node<'_>) -> Option<SourcesCount> {
    let mut members = node.members()?;
    let mut count =
        |name| members.optional(name).and_then(|node| node.whole(u16::MAX)).unwrap_or_default();
    let counts = SourcesCount {
        papers: count("papers"),
        articles: count("articles"),
        audio: count("audio"),
        midi: count("midi"),
    };
    members.end();
    Some(counts)
}

/// What was found, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
#[schema(as = QuantitativeParams)]
pub struct QuantitativeParamsBody {
    /// Slowest tempo in beats per minute.
    #[schema(exclusive_minimum = 0, maximum = 1_000)]
    tempo_min: f64,
    /// Fastest tempo in beats per minute.
    #[schema(exclusive_minimum = 0, maximum = 1_000)]
    tempo_max: f64,
    /// Mean tempo in beats per minute, from `tempo_min` to `tempo_max`.
    #[schema(exclusive_minimum = 0, maximum = 1_000)]
    tempo_avg: f64,
    /// Where the second of two eighths falls, in percent of the beat: 50 straight, 66.7 triplet.
    #[schema(minimum = 0, maximum = 100)]
    swing_percent: f64,
    /// How likely a snare note is a ghost note.
    #[schema(minimum = 0, maximum = 1)]
    ghost_note_prob: f64,
    /// How syncopated the playing is.
    #[schema(minimum = 0, maximum = 1)]
    syncopation_level: f64,
    /// Mean MIDI velocity.
    #[schema(minimum = 0, maximum = 127)]
    velocity_mean: f64,
    /// Standard deviation of MIDI velocity.
    #[schema(minimum = 0, maximum = 127)]
    velocity_std: f64,
}

impl From<QuantitativeParams> for QuantitativeParamsBody {
    fn from(params: QuantitativeParams) -> Self {
        let DrumFeel {
            tempo_min,
            tempo_max,
            tempo_avg,
            swing_percent,
            ghost_note_prob,
            syncopation_level,
            velocity_mean,
            velocity_std,
        } = *params.feel();
        Self {
            tempo_min,
            tempo_max,
            tempo_avg,
            swing_percent,
            ghost_note_prob,
            syncopation_level,
            velocity_mean,
            velocity_std,
        }
    }
}

/// How many sources of each kind a profile rests on; absent is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SourcesCount)]
pub struct SourcesCountBody {
    /// Scholarly papers.
    #[schema(required = false)]
    papers: u16,
    /// Articles and pages.
    #[schema(required = false)]
    articles: u16,
    /// Recordings.
    #[schema(required = false)]
    audio: u16,
    /// MIDI performances.
    #[schema(required = false)]
    midi: u16,
}

impl From<SourcesCount> for SourcesCountBody {
    fn from(counts: SourcesCount) -> Self {
        let SourcesCount { papers, articles, audio, midi } = counts;
        Self { papers, articles, audio, midi }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn good() -> Value {
        json!({
            "text_description": "Behind the beat.",
            "quantitative_params": {
                "tempo_min": 80, "tempo_max": 102, "tempo_avg": 91.5, "swing_percent": 62,
                "ghost_note_prob": 0.4, "syncopation_level": 0.7, "velocity_mean": 84, "velocity_std": 18
            },
            "embedding": vec![0.5; 384],
            "midi_templates": ["a.mid", {"bars": 2}],
            "confidence_score": 0.92,
            "sources_count": {"papers": 3}
        })
    }

    fn parsed(body: &Value) -> Result<NewStyleProfile, InvalidDocument> {
        read(body.to_string().as_bytes(), ArtistName::try_from("J Dilla").unwrap())
    }

    fn told(change: impl FnOnce(&mut Value)) -> String {
        let mut body = good();
        change(&mut body);
        parsed(&body).unwrap_err().to_string()
    }

    #[test]
    fn reads_a_whole_profile() {
        let profile = parsed(&good()).unwrap();

        assert_eq!(profile.artist.as_str(), "J Dilla");
        assert_eq!(profile.text_description.as_str(), "Behind the beat.");
        assert_eq!(profile.quantitative_params.feel().tempo_avg.to_string(), "91.5");
        assert_eq!(profile.embedding.unwrap().as_slice(), [0.5; 384]);
        assert_eq!(profile.midi_templates.elements().len(), 2);
        assert_eq!(profile.sources_count, SourcesCount { papers: 3, ..SourcesCount::default() });
    }

    #[test]
    fn reads_a_profile_without_what_may_be_absent() {
        let mut body = good();
        body.as_object_mut().unwrap().retain(|name, _| {
            !["embedding", "midi_templates", "sources_count"].contains(&name.as_str())
        });

        let profile = parsed(&body).unwrap();

        assert_eq!(profile.embedding, None);
        assert_eq!(profile.midi_templates, JsonArray::default());
        assert_eq!(profile.sources_count, SourcesCount::default());
    }

    #[test]
    fn points_at_what_is_wrong() {
        let cases: [(&str, Value, &str); 14] = [
            ("/text_description", json!(" "), "/text_description: must not be empty"),
            ("/text_description", json!(7), "/text_description: must be a string, not a number"),
            (
                "/text_description",
                json!("a\0b"),
                "/text_description: must not hold the character U+0000",
            ),
            (
                "/quantitative_params",
                json!([]),
                "/quantitative_params: must be an object, not an array",
            ),
            (
                "/quantitative_params/tempo_min",
                json!(103),
                "/quantitative_params/tempo_min: must be at most tempo_max",
            ),
            (
                "/quantitative_params/swing_percent",
                json!("62"),
                "/quantitative_params/swing_percent: must be a number, not a string",
            ),
            (
                "/quantitative_params/velocity_std",
                json!(128),
                "/quantitative_params/velocity_std: must be from 0 to 127",
            ),
            (
                "/embedding",
                json!([1, 2]),
                "/embedding: an embedding has 384 numbers, this one has 2",
            ),
            ("/embedding", json!(vec![0; 384]), "/embedding: an embedding must not be all zeros"),
            ("/embedding/17", json!("x"), "/embedding/17: must be a number, not a string"),
            (
                "/embedding/18",
                json!(1e39),
                "/embedding/18: is too large a number for single precision",
            ),
            ("/midi_templates", json!({}), "/midi_templates: must be a JSON array"),
            ("/confidence_score", json!(1.1), "/confidence_score: must be a number from 0 to 1"),
            (
                "/sources_count/papers",
                json!(-1),
                "/sources_count/papers: must be a whole number from 0 to 65535",
            ),
        ];
        for (place, value, expected) in cases {
            let told = told(|body| *body.pointer_mut(place).unwrap() = value);

            assert_eq!(told, expected);
        }
    }

    #[test]
    fn tells_everything_at_once() {
        let told = told(|body| {
            body["confidence"] = json!(1);
            body["text_description"] = json!("");
            body["quantitative_params"]["tempo_max"] = Value::Null;
            body["quantitative_params"]["ghost_note_prob"] = json!(2);
            body.as_object_mut().unwrap().remove("confidence_score");
        });

        assert_eq!(
            told,
            "/text_description: must not be empty; /quantitative_params/tempo_max: must be a number, not null; \
             /quantitative_params/ghost_note_prob: must be from 0 to 1; lacks the member 'confidence_score'; \
             /confidence: is not a known member"
        );
    }

    #[test]
    fn reads_the_documented_example() {
        let schema =
            serde_json::to_value(<StyleProfileBody as utoipa::PartialSchema>::schema()).unwrap();

        assert!(parsed(&schema["example"]).is_ok());
    }

    #[test]
    fn documents_exactly_the_members_it_reads() {
        let schema =
            serde_json::to_value(<StyleProfileBody as utoipa::PartialSchema>::schema()).unwrap();

        let mut documented: Vec<&String> =
            schema["properties"].as_object().unwrap().keys().collect();
        documented.sort();
        let read = good();
        let mut read: Vec<&String> = read.as_object().unwrap().keys().collect();
        read.sort();
        assert_eq!(documented, read);
        assert_eq!(
            schema["required"],
            json!(["text_description", "quantitative_params", "confidence_score"])
        );
    }
}
