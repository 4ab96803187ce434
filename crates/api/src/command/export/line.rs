//! One artist as a line.

use std::{
    cmp::Ordering,
    io::{self, Write},
};

use domain::{Artist, Confidence, JsonObject, NewResearchSource, SourceType, StyleProfile};
use serde::Serialize;
use serde_json::{Map, Value, ser::Formatter};

use crate::{
    profile_body::{QuantitativeParamsBody, SourcesCountBody},
    source_body::SourceTypeBody,
};

/// Writes an artist and the line's end.
pub(super) fn write(
    output: &mut impl Write,
    artist: &Artist,
    profile: Option<&StyleProfile>,
    sources: &[NewResearchSource],
) -> io::Result<()> {
    let line = Line {
        artist: artist.name.as_str(),
        profile: profile.map(Profile::from),
        // A profile says also that it rests on nothing.
        sources: (profile.is_some() || !sources.is_empty())
            .then(|| sources.iter().map(Source::from).collect()),
    };
    line.serialize(&mut serde_json::Serializer::with_formatter(&mut *output, Compact))?;
    output.write_all(b"\n")
}

/// An order of sources that depends on nothing but what they say.
pub(super) fn order(one: &NewResearchSource, other: &NewResearchSource) -> Ordering {
    let place = |source: &NewResearchSource| {
        SourceType::ALL.iter().position(|&kind| kind == source.source_type)
    };
    let (here, there) = (&one.location, &other.location);
    // Those with the same kind, address and path are seldom; only then the rest is looked at.
    let data = |source: &NewResearchSource| {
        source.extracted_data.clone().map(|data| Value::from(data).to_string())
    };
    let confidence = |source: &NewResearchSource| source.confidence.map(Confidence::get);
    place(one)
        .cmp(&place(other))
        .then_with(|| here.url().cmp(&there.url()))
        .then_with(|| here.file_path().cmp(&there.file_path()))
        .then_with(|| here.raw_content().cmp(&there.raw_content()))
        .then_with(|| data(one).cmp(&data(other)))
        .then_with(|| confidence(one).partial_cmp(&confidence(other)).unwrap_or(Ordering::Equal))
}

#[derive(Serialize)]
struct Line<'a> {
    artist: &'a str,
    #[serde(flatten)]
    profile: Option<Profile<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sources: Option<Vec<Source<'a>>>,
}

#[derive(Serialize)]
struct Profile<'a> {
    text_description: &'a str,
    quantitative_params: QuantitativeParamsBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding: Option<&'a [f32]>,
    confidence_score: f64,
    sources_count: SourcesCountBody,
    midi_templates: &'a [Value],
}

impl<'a> From<&'a StyleProfile> for Profile<'a> {
    fn from(profile: &'a StyleProfile) -> Self {
        let StyleProfile {
            id: _,
            artist_id: _,
            artist: _, // The line begins with it.
            version: _,
            text_description,
            quantitative_params,
            embedding,
            midi_templates,
            confidence,
            sources_count,
            created_at: _,
            updated_at: _,
        } = profile;
        Self {
            text_description: text_description.as_str(),
            quantitative_params: (*quantitative_params).into(),
            embedding: embedding.as_ref().map(domain::Embedding::as_slice),
            confidence_score: confidence.get(),
            sources_count: (*sources_count).into(),
            midi_templates: midi_templates.elements(),
        }
    }
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the members are named so in every interface")]
struct Source<'a> {
    source_type: SourceTypeBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extracted_data: Option<&'a Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<f64>,
}

impl<'a> From<&'a NewResearchSource> for Source<'a> {
    fn from(source: &'a NewResearchSource) -> Self {
        let NewResearchSource { source_type, location, extracted_data, confidence } = source;
        Self {
            source_type: (*source_type).into(),
            url: location.url(),
            file_path: location.file_path(),
            raw_content: location.raw_content(),
            extracted_data: extracted_data.as_ref().map(JsonObject::members),
            confidence: confidence.map(Confidence::get),
        }
    }
}

/// JSON without white space. Numbers are the shortest that read back as what they are.
struct Compact;

impl Formatter for Compact {
    /// Databases differ in whether zero keeps a sign.
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        let value = if value == 0.0 { 0.0 } else { value };
        serde_json::to_writer(writer, &value).map_err(io::Error::from)
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        ArtistId, ArtistName, DrumFeel, Embedding, JsonArray, QuantitativeParams, ResearchStatus,
        SourceLocation, SourcesCount, StyleProfileId, Text, TextDescription, Timestamp, Version,
    };
    use serde_json::json;

    use super::*;

    fn artist() -> Artist {
        Artist {
            id: ArtistId::generate(),
            name: ArtistName::try_from("Sigur Rós").unwrap(),
            research_status: ResearchStatus::Cached,
            sources_count: 1,
            confidence: Confidence::NONE,
            version: Version::ZERO,
            created_at: Timestamp::from_unix_micros(0).unwrap(),
            last_updated: Timestamp::from_unix_micros(0).unwrap(),
        }
    }

    fn profile() -> StyleProfile {
        let feel = DrumFeel {
            tempo_min: 80.0,
            tempo_max: 102.0,
            tempo_avg: 91.5,
            swing_percent: -0.0,
            ghost_note_prob: 0.1 + 0.2,
            syncopation_level: 1.0,
            velocity_mean: 84.0,
            velocity_std: 18.0,
        };
        let artist = artist();
        StyleProfile {
            id: StyleProfileId::generate(),
            artist_id: artist.id,
            artist: artist.name,
            version: Version::ZERO,
            text_description: TextDescription::try_from("“Slow”\n".to_owned()).unwrap(),
            quantitative_params: QuantitativeParams::try_from(feel).unwrap(),
            embedding: None,
            midi_templates: JsonArray::try_from(json!([{"bars": 2, "at": -0.0}, "a.mid"])).unwrap(),
            confidence: Confidence::try_from(0.453).unwrap(),
            sources_count: SourcesCount { articles: 1, ..SourcesCount::default() },
            created_at: Timestamp::from_unix_micros(0).unwrap(),
            updated_at: Timestamp::from_unix_micros(0).unwrap(),
        }
    }

    fn source(source_type: SourceType, url: &str) -> NewResearchSource {
        let url = Text::try_from(url.to_owned()).unwrap();
        NewResearchSource {
            source_type,
            location: SourceLocation::new(Some(url), None, None).unwrap(),
            extracted_data: None,
            confidence: Some(Confidence::try_from(0.8).unwrap()),
        }
    }

    fn written(profile: Option<&StyleProfile>, sources: &[NewResearchSource]) -> String {
        let mut line = Vec::new();
        write(&mut line, &artist(), profile, sources).unwrap();
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn writes_the_members_in_the_order_of_an_import_file() {
        assert_eq!(
            written(Some(&profile()), &[source(SourceType::Article, "http://example.org")]),
            concat!(
                r#"{"artist":"Sigur Rós","text_description":"“Slow”\n","quantitative_params":{"tempo_min":80.0,"#,
                r#""tempo_max":102.0,"tempo_avg":91.5,"swing_percent":0.0,"ghost_note_prob":0.30000000000000004,"#,
                r#""syncopation_level":1.0,"velocity_mean":84.0,"velocity_std":18.0},"confidence_score":0.453,"#,
                r#""sources_count":{"papers":0,"articles":1,"audio":0,"midi":0},"#,
                r#""midi_templates":[{"at":0.0,"bars":2},"a.mid"],"#,
                r#""sources":[{"source_type":"article","url":"http://example.org","confidence":0.8}]}"#,
                "\n"
            )
        );
    }

    #[test]
    fn writes_an_artist_without_a_profile() {
        let sources = [source(SourceType::Paper, "u")];

        assert_eq!(written(None, &[]), "{\"artist\":\"Sigur Rós\"}\n");
        assert_eq!(
            written(None, &sources),
            "{\"artist\":\"Sigur Rós\",\"sources\":[{\"source_type\":\"paper\",\"url\":\"u\",\"confidence\":0.8}]}\n"
        );
    }

    #[test]
    fn writes_embeddings_that_read_back_bit_by_bit() {
        let mut numbers = vec![0.1_f32; 384];
        numbers[..5].copy_from_slice(&[-0.0, f32::MIN_POSITIVE, 0.020_772, 16_777_217.0, 1e-45]);
        let embedding = Embedding::try_from(numbers.clone()).unwrap();

        let line = written(Some(&StyleProfile { embedding: Some(embedding), ..profile() }), &[]);

        let start = line.find("\"embedding\":").unwrap() + 12;
        let end = line[start..].find(']').unwrap();
        let read: Vec<f32> = serde_json::from_str(&line[start..=start + end]).unwrap();
        let bits = |numbers: &[f32]| numbers.iter().map(|n| n.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&read), bits(&numbers));
    }

    #[test]
    fn orders_sources_by_what_they_say() {
        let mut sources = [
            source(SourceType::Midi, "a"),
            source(SourceType::Paper, "b"),
            NewResearchSource { confidence: None, ..source(SourceType::Paper, "b") },
            source(SourceType::Paper, "a"),
        ];

        sources.sort_by(order);

        assert_eq!(
            sources,
            [
                source(SourceType::Paper, "a"),
                NewResearchSource { confidence: None, ..source(SourceType::Paper, "b") },
                source(SourceType::Paper, "b"),
                source(SourceType::Midi, "a"),
            ]
        );
    }
}
