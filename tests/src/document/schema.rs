//! Whether a value is what a schema of the document says: the part of JSON Schema that the document uses.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{document, members};

/// What is wrong with a value, each with its place. A member that the schema does not mention is wrong too.
#[must_use]
pub fn violations(schema: &'static Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, value, "", &mut found);
    found
}

/// What a reference stands for.
#[must_use]
pub fn resolved(schema: &'static Value) -> &'static Value {
    let reference = schema.get("$ref").and_then(Value::as_str);
    reference
        .and_then(|reference| document().pointer(reference.trim_start_matches('#')))
        .map_or(schema, resolved)
}

fn check(schema: &'static Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let parts = parts(schema);
    let mut properties = BTreeMap::new();
    let mut open = true;
    for part in &parts {
        if let Some(wrong) = wrong_kind(part, value) {
            return found.push(format!("{place}: {wrong}"));
        }
        found.extend(wrong_size(part, value).map(|wrong| format!("{place}: {wrong}")));
        properties.extend(members(part.get("properties")));
        open &= !part.contains_key("properties");
        for name in elements(part.get("required")).filter_map(Value::as_str) {
            if value.is_object() && value.get(name).is_none() {
                found.push(format!("{place}: lacks {name}"));
            }
        }
        for choices in ["oneOf", "anyOf"].iter().filter_map(|keyword| part.get(*keyword)) {
            let mut choices = elements(Some(choices));
            if !choices.any(|choice| violations(choice, value).is_empty()) {
                found.push(format!("{place}: is none of the choices"));
            }
            open = true;
        }
        if let (Some(schema), Some(values)) = (part.get("items"), value.as_array()) {
            for (index, value) in values.iter().enumerate() {
                check(schema, value, &format!("{place}/{index}"), found);
            }
        }
    }
    let others = parts.iter().find_map(|part| part.get("additionalProperties"));
    for (name, value) in value.as_object().into_iter().flatten() {
        match (properties.get(name.as_str()), others) {
            (Some(schema), _) => check(schema, value, &format!("{place}/{name}"), found),
            (None, Some(schema)) => check(schema, value, &format!("{place}/{name}"), found),
            (None, None) if open => {}
            (None, None) => found.push(format!("{place}/{name}: is not documented")),
        }
    }
}

/// A schema and all that it says must hold as well.
fn parts(schema: &'static Value) -> Vec<&'static serde_json::Map<String, Value>> {
    let schema = resolved(schema);
    let others = elements(schema.get("allOf")).flat_map(parts);
    schema.as_object().into_iter().chain(others.collect::<Vec<_>>()).collect()
}

fn wrong_kind(schema: &serde_json::Map<String, Value>, value: &Value) -> Option<String> {
    let kinds: Vec<&str> = match schema.get("type") {
        None => Vec::new(),
        Some(Value::String(kind)) => vec![kind],
        kinds => kinds
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect(),
    };
    let is = |kind: &&str| match *kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    if !kinds.is_empty() && !kinds.iter().any(is) {
        return Some(format!("{value} is not {kinds:?}"));
    }
    let choices = schema.get("enum").and_then(Value::as_array)?;
    (!choices.contains(value)).then(|| format!("{value} is not one of {choices:?}"))
}

fn wrong_size(schema: &serde_json::Map<String, Value>, value: &Value) -> Option<String> {
    #[expect(clippy::cast_precision_loss, reason = "lengths are small")]
    let (size, least, most) = match value {
        Value::Number(number) => (number.as_f64()?, "minimum", "maximum"),
        Value::String(text) => (text.chars().count() as f64, "minLength", "maxLength"),
        Value::Array(values) => (values.len() as f64, "minItems", "maxItems"),
        Value::Null | Value::Bool(_) | Value::Object(_) => return None,
    };
    let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_f64);
    let too_small = bound(least).is_some_and(|least| size < least);
    let too_large = bound(most).is_some_and(|most| most < size);
    (too_small || too_large).then(|| format!("{size} is out of range"))
}

fn elements(array: Option<&'static Value>) -> impl Iterator<Item = &'static Value> {
    array.and_then(Value::as_array).into_iter().flatten()
}
