//! A research source as a request, or a line of an import, states it.

use domain::{
    Confidence, InvalidResearchSource, JsonObject, NewResearchSource, SourceLocation, SourceType,
    Text,
};
use utoipa::ToSchema;

use crate::{
    json::{Members, Node},
    profile_body::read_confidence,
};

/// Something a profile rests on. At least one of `url`, `file_path` and `raw_content` says where it is.
#[derive(Debug, Clone, PartialEq, ToSchema)]
#[schema(as = NewResearchSource, example = json!({
    "source_type": "article",
    "url": "https://example.org/dilla-time",
    "extracted_data": {"swing_percent": 62},
    "confidence": 0.8
}))]
#[serde(deny_unknown_fields)]
pub struct SourceBody {
    /// Which kind it is.
    #[schema(value_type = SourceTypeBody)]
    source_type: SourceType,
    /// Its address.
    #[schema(value_type = Option<String>, max_length = 2_048)]
    url: Option<Text>,
    /// Its path.
    #[schema(value_type = Option<String>, max_length = 2_048)]
    file_path: Option<Text>,
    /// Its content.
    #[schema(value_type = Option<String>)]
    raw_content: Option<Text>,
    /// What was read out of it, in any form.
    #[schema(value_type = Option<Object>)]
    extracted_data: Option<JsonObject>,
    /// How far it can be trusted, if that was judged.
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 1)]
    confidence: Option<Confidence>,
}

impl SourceBody {
    /// Reads a source and notes everything that is wrong with it.
    #[must_use]
    pub fn read(node: &Node<'_>) -> Option<NewResearchSource> {
        let mut members = node.members()?;
        let source_type = members
            .required("source_type")
            .and_then(|node| node.checked(node.text()?.parse::<SourceType>()));
        let url = read_text(&mut members, "url");
        let file_path = read_text(&mut members, "file_path");
        let raw_content = read_text(&mut members, "raw_content");
        let extracted_data = members
            .optional("extracted_data")
            .and_then(|node| node.checked(JsonObject::try_from(node.open_ended()?)));
        let confidence = members.optional("confidence").and_then(|node| read_confidence(&node));
        members.end();

        let unreadable = url.is_err() || file_path.is_err() || raw_content.is_err();
        let body = Self {
            source_type: source_type?,
            url: url.unwrap_or_default(),
            file_path: file_path.unwrap_or_default(),
            raw_content: raw_content.unwrap_or_default(),
            extracted_data,
            confidence,
        };
        // Where it is cannot be judged by the half that could be read.
        if unreadable { None } else { body.into_source(node) }
    }

    fn into_source(self, node: &Node<'_>) -> Option<NewResearchSource> {
        let Self { source_type, url, file_path, raw_content, extracted_data, confidence } = self;
        let location = SourceLocation::new(url, file_path, raw_content).map_err(|invalid| {
            let place = match invalid {
                InvalidResearchSource::UrlTooLong => node.member("url"),
                InvalidResearchSource::FilePathTooLong => node.member("file_path"),
                _ => node.clone(),
            };
            place.refuse::<()>(invalid.to_string())
        });
        Some(NewResearchSource {
            source_type,
            location: location.ok()?,
            extracted_data,
            confidence,
        })
    }
}

struct Unreadable;

fn read_text(members: &mut Members<'_>, name: &str) -> Result<Option<Text>, Unreadable> {
    let Some(node) = members.optional(name) else { return Ok(None) };
    let text = node.text().and_then(|text| node.checked(Text::try_from(text)));
    text.map(Some).ok_or(Unreadable)
}

/// Which kind of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, ToSchema)]
#[schema(as = SourceType)]
#[serde(rename_all = "snake_case")]
pub enum SourceTypeBody {
    /// A scholarly paper.
    Paper,
    /// An article or page.
    Article,
    /// A recording.
    Audio,
    /// A MIDI performance.
    Midi,
}

impl From<SourceType> for SourceTypeBody {
    fn from(source_type: SourceType) -> Self {
        match source_type {
            SourceType::Paper => Self::Paper,
            SourceType::Article => Self::Article,
            SourceType::Audio => Self::Audio,
            SourceType::Midi => Self::Midi,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{self, InvalidDocument};

    fn parsed(text: &str) -> Result<NewResearchSource, InvalidDocument> {
        json::read(text.as_bytes(), SourceBody::read)
    }

    #[test]
    fn reads_a_source() {
        let source = parsed(
            r#"{"source_type": "paper", "url": "u", "extracted_data": {"a": 1}, "confidence": 0.5}"#,
        )
        .unwrap();

        assert_eq!(source.source_type, SourceType::Paper);
        assert_eq!(source.location.url(), Some("u"));
        assert_eq!(source.extracted_data.unwrap().members().len(), 1);
        assert_eq!(source.confidence.map(Confidence::get), Some(0.5));
    }

    #[test]
    fn reads_the_documented_example() {
        let schema = serde_json::to_value(<SourceBody as utoipa::PartialSchema>::schema()).unwrap();

        assert!(parsed(&schema["example"].to_string()).is_ok());
    }

    #[test]
    fn points_at_what_is_wrong() {
        let long = format!(r#"{{"source_type": "midi", "url": "{}"}}"#, "u".repeat(2_049));
        let cases = [
            (r#"{"url": "u"}"#, "lacks the member 'source_type'"),
            (
                r#"{"source_type": "book", "url": "u"}"#,
                "/source_type: a source type is one of paper, article, audio, midi",
            ),
            (
                r#"{"source_type": "midi", "url": " "}"#,
                "a source needs at least one of url, file_path and raw_content",
            ),
            (r#"{"source_type": "midi", "url": 1}"#, "/url: must be a string, not a number"),
            (long.as_str(), "/url: a url has at most 2048 characters"),
            (
                r#"{"source_type": "midi", "url": "u", "extracted_data": []}"#,
                "/extracted_data: must be a JSON object",
            ),
            (r#"{"source_type": "midi", "url": "u", "title": 1}"#, "/title: is not a known member"),
        ];
        for (text, expected) in cases {
            assert_eq!(parsed(text).unwrap_err().to_string(), expected);
        }
    }
}
