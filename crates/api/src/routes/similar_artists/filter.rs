//! Whom a search looks at, in a query string and in a body.

use domain::{
    Confidence, FeelParameter, FeelRange, InvalidConfidence, InvalidFeelRange, ResearchStatus,
    SearchFilter, UnknownStatus,
};
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, RefOr, Schema, Type,
        path::Parameter,
        schema::{Array, ArrayBuilder},
    },
};

use super::wishes::in_query;
use crate::{json::Node, parameters::Parameters, profile_body::read_confidence};

const ABOUT_STATUS: &str = "Only artists with one of these research statuses";
const ABOUT_CONFIDENCE: &str = "Only artists whose profile can be trusted so far, 0 to 1";

/// Takes a filter out of a query and notes everything that is wrong with it.
pub(super) fn from_parameters(parameters: &mut Parameters) -> SearchFilter {
    let statuses = parameters.optional("status", statuses).unwrap_or_default();
    let least_confidence = parameters.optional("min_confidence", confidence);
    let range = |parameter: FeelParameter| {
        parameters.optional(parameter.as_str(), |text| range(parameter, text))
    };
    let ranges = FeelParameter::ALL.into_iter().filter_map(range).collect();
    SearchFilter { statuses, least_confidence, ranges }
}

/// Reads a filter and notes everything that is wrong with it.
pub(super) fn read(node: &Node<'_>) -> Option<SearchFilter> {
    let mut members = node.members()?;
    let statuses = members.optional("status").map_or(Some(Vec::new()), |node| read_statuses(&node));
    let least_confidence = members.optional("min_confidence").map(|node| read_confidence(&node));
    let mut range = |parameter: FeelParameter| {
        let node = members.optional(parameter.as_str())?;
        Some(read_range(&node, parameter))
    };
    let ranges: Vec<Option<FeelRange>> =
        FeelParameter::ALL.into_iter().filter_map(&mut range).collect();
    members.end();
    Some(SearchFilter {
        statuses: statuses?,
        least_confidence: least_confidence.map_or(Some(None), |read| read.map(Some))?,
        ranges: ranges.into_iter().collect::<Option<_>>()?,
    })
}

/// Each once and in one order, so that searches for the same are the same search.
fn in_order(named: &[ResearchStatus]) -> Vec<ResearchStatus> {
    ResearchStatus::ALL.into_iter().filter(|status| named.contains(status)).collect()
}

fn statuses(text: &str) -> Result<Vec<ResearchStatus>, UnknownStatus> {
    let named = text.split(',').map(str::parse).collect::<Result<Vec<_>, _>>()?;
    Ok(in_order(&named))
}

fn read_statuses(node: &Node<'_>) -> Option<Vec<ResearchStatus>> {
    let nodes = node.elements()?;
    if nodes.is_empty() {
        return node.refuse("must name at least one status");
    }
    // Each is read, so that everything wrong is found.
    let read: Vec<Option<ResearchStatus>> =
        nodes.iter().map(|node| node.checked(node.text()?.parse())).collect();
    Some(in_order(&read.into_iter().collect::<Option<Vec<_>>>()?))
}

fn confidence(text: &str) -> Result<Confidence, InvalidConfidence> {
    text.parse::<f64>().map_err(|_| InvalidConfidence).and_then(Confidence::try_from)
}

/// A range such as `80..110`; an end that is left out is as far as the parameter goes.
fn range(parameter: FeelParameter, text: &str) -> Result<FeelRange, InvalidRange> {
    let (from, to) = text.split_once("..").ok_or(InvalidRange::Form)?;
    if from.is_empty() && to.is_empty() {
        return Err(InvalidRange::Form);
    }
    let (least, most) = parameter.bounds();
    let end = |text: &str, open: f64| match text {
        "" => Ok(open),
        // Rust reads `1.` and `.5`, which `1...5` would be cut into in one of two ways.
        text if text.starts_with('.') || text.ends_with('.') => Err(InvalidRange::Form),
        text => match text.parse::<f64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            Ok(_) => Err(InvalidRange::Bounds { least, most }),
            Err(_) => Err(InvalidRange::Form),
        },
    };
    Ok(FeelRange::new(parameter, end(from, least)?, end(to, most)?)?)
}

/// Why a text is no range of a parameter.
#[derive(Debug, PartialEq, thiserror::Error)]
enum InvalidRange {
    #[error("must be a range such as 80..110, 80.. or ..110")]
    Form,
    #[error("both ends must be from {least} to {most}")]
    Bounds { least: f64, most: f64 },
    #[error(transparent)]
    Ends(#[from] InvalidFeelRange),
}

fn read_range(node: &Node<'_>, parameter: FeelParameter) -> Option<FeelRange> {
    let mut ends = node.members()?;
    let (from, to) = (ends.optional("from"), ends.optional("to"));
    ends.end();
    if from.is_none() && to.is_none() {
        return node.refuse("needs 'from', 'to' or both");
    }
    let (least, most) = parameter.bounds();
    // Both are read, so that everything wrong is found.
    let from = from.map_or(Some(least), |node| within(&node, parameter));
    let to = to.map_or(Some(most), |node| within(&node, parameter));
    node.checked(FeelRange::new(parameter, from?, to?))
}

fn within(node: &Node<'_>, parameter: FeelParameter) -> Option<f64> {
    let number = node.number()?;
    let (least, most) = parameter.bounds();
    if (least..=most).contains(&number) {
        Some(number)
    } else {
        node.refuse(format!("must be from {least} to {most}"))
    }
}

/// How the parameters of a query are documented.
pub(super) fn parameters() -> Vec<Parameter> {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let several = format!("{ABOUT_STATUS}, separated by commas");
    let mut parameters = vec![
        in_query("status", &several, text()).example(Some(json!("cached"))).build(),
        in_query("min_confidence", ABOUT_CONFIDENCE, share()).example(Some(json!(0.5))).build(),
    ];
    parameters.extend(FeelParameter::ALL.map(|parameter| {
        let name = parameter.as_str();
        let (least, most) = parameter.bounds();
        let about = format!(
            "Only artists whose `{name}` lies in this range, both ends included; an end that is left out is {least} or {most}"
        );
        in_query(name, &about, text()).example(Some(json!(example(parameter)))).build()
    }));
    parameters
}

const fn example(parameter: FeelParameter) -> &'static str {
    match parameter {
        FeelParameter::TempoMin | FeelParameter::TempoMax | FeelParameter::TempoAvg => "80..110",
        FeelParameter::SwingPercent => "54..67",
        FeelParameter::GhostNoteProb | FeelParameter::SyncopationLevel => "0.25..0.5",
        FeelParameter::VelocityMean => "60..",
        FeelParameter::VelocityStd => "..20",
    }
}

/// How a filter in a body is documented.
pub(super) struct FilterBody;

impl PartialSchema for FilterBody {
    fn schema() -> RefOr<Schema> {
        let status = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(ResearchStatus::ALL.map(ResearchStatus::as_str)));
        let statuses: Array = ArrayBuilder::new()
            .items(status)
            .min_items(Some(1))
            .description(Some(ABOUT_STATUS))
            .build();
        let filter = ObjectBuilder::new()
            .description(Some("Whom a search looks at; all conditions hold together."))
            .property("status", statuses)
            .property("min_confidence", share().description(Some(ABOUT_CONFIDENCE)));
        FeelParameter::ALL
            .into_iter()
            .fold(filter, |filter, parameter| filter.property(parameter.as_str(), ends(parameter)))
            .into()
    }
}

impl ToSchema for FilterBody {
    fn name() -> std::borrow::Cow<'static, str> {
        "SearchFilter".into()
    }
}

fn share() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Number).minimum(Some(0)).maximum(Some(1))
}

fn ends(parameter: FeelParameter) -> ObjectBuilder {
    let (least, most) = parameter.bounds();
    let end = |about: &str| {
        ObjectBuilder::new()
            .schema_type(Type::Number)
            .minimum(Some(least))
            .maximum(Some(most))
            .description(Some(about))
    };
    ObjectBuilder::new()
        .description(Some("A range; at least one of its ends has to be given."))
        .property("from", end("The lower end, included"))
        .property("to", end("The upper end, included"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{self, InvalidDocument};

    fn ends_of(text: &str) -> Result<(f64, f64), String> {
        let range = range(FeelParameter::TempoAvg, text);
        range.map(|range| (range.from(), range.to())).map_err(|error| error.to_string())
    }

    fn parsed(text: &str) -> Result<SearchFilter, InvalidDocument> {
        json::read(text.as_bytes(), read)
    }

    #[test]
    fn a_range_may_be_open_at_one_end() {
        for (text, from, to) in [
            ("80..110", 80.0, 110.0),
            ("92.5..92.5", 92.5, 92.5),
            ("80..", 80.0, 1_000.0),
            ("..110", 0.0, 110.0),
            ("8e1..1.1e2", 80.0, 110.0),
        ] {
            assert_eq!(ends_of(text), Ok((from, to)), "{text}");
        }
    }

    #[test]
    fn documented_ranges_can_be_read() {
        for parameter in FeelParameter::ALL {
            assert!(range(parameter, example(parameter)).is_ok(), "{parameter:?}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in
            ["", "..", "80", "80-110", "80...110", "80.. 110", "a..b", "80..110..120", "5..."]
        {
            let form = "must be a range such as 80..110, 80.. or ..110";
            assert_eq!(ends_of(text).unwrap_err(), form, "{text}");
        }
        for text in ["-1..5", "5..1001", "NaN..5", "5..inf"] {
            assert_eq!(ends_of(text).unwrap_err(), "both ends must be from 0 to 1000", "{text}");
        }
        let inverted = "a range must not end below its beginning";
        assert_eq!(ends_of("110..80").unwrap_err(), inverted);
    }

    #[test]
    fn one_filter_has_one_form() {
        let one = parsed(
            r#"{"status": ["failed", "cached", "failed"], "velocity_std": {"to": 9}, "tempo_min": {"from": 70}}"#,
        );
        let same = parsed(
            r#"{"tempo_min": {"from": 70, "to": 1000}, "velocity_std": {"from": -0.0, "to": 9.0}, "status": ["cached", "failed"]}"#,
        );

        assert_eq!(one, same);
        assert_eq!(parsed("{}").unwrap(), SearchFilter::EVERYBODY);
    }

    #[test]
    fn everything_wrong_is_told() {
        let told = parsed(
            r#"{
                "status": ["cached", "done", 7], "min_confidence": 2, "tempo_avg": {"from": 110, "to": 80},
                "swing_percent": {}, "ghost_note_prob": {"from": 40, "to": "60"}, "velocity_mean": [1, 2], "groove": {}
            }"#,
        )
        .unwrap_err()
        .to_string();

        assert_eq!(
            told,
            "/status/1: a status is one of pending, researching, cached, failed; \
             /status/2: must be a string, not a number; /min_confidence: must be a number from 0 to 1; \
             /tempo_avg: a range must not end below its beginning; /swing_percent: needs 'from', 'to' or both; \
             /ghost_note_prob/from: must be from 0 to 1; /ghost_note_prob/to: must be a number, not a string; \
             /velocity_mean: must be an object, not an array; /groove: is not a known member"
        );
        assert_eq!(
            parsed(r#"{"status": []}"#).unwrap_err().to_string(),
            "/status: must name at least one status"
        );
    }
}
