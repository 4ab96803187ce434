//! Open-ended JSON that belongs to the caller and is handed back as it came.

use std::fmt;

use serde_json::{Map, Number, Value};

/// How deep arrays and objects may nest.
const MAX_DEPTH: usize = 32;

/// A JSON object without U+0000 in it, nested at most 32 deep.
///
/// Numbers keep their value, not their spelling (whole ones are integers, zero has no sign); keys come back in code
/// point order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JsonObject(Map<String, Value>);

impl JsonObject {
    /// The object's members.
    #[must_use]
    pub const fn members(&self) -> &Map<String, Value> {
        &self.0
    }
}

/// Writes JSON.
impl fmt::Display for JsonObject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(&self.0).map_err(|_| fmt::Error)?;
        formatter.write_str(&text)
    }
}

impl TryFrom<Value> for JsonObject {
    type Error = InvalidJson;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        check(&value)?;
        let Value::Object(mut members) = value else { return Err(InvalidJson::NotAnObject) };
        members.values_mut().for_each(make_canonical);
        Ok(Self(members))
    }
}

impl From<JsonObject> for Value {
    fn from(object: JsonObject) -> Self {
        Self::Object(object.0)
    }
}

/// A JSON array without U+0000 in it, nested at most 32 deep.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JsonArray(Vec<Value>);

impl JsonArray {
    /// The array's elements.
    #[must_use]
    pub fn elements(&self) -> &[Value] {
        &self.0
    }

    /// About how many bytes the elements take in memory.
    #[must_use]
    pub fn approximate_bytes(&self) -> usize {
        self.0.iter().map(approximate_bytes).sum()
    }
}

/// The depth is bounded, see [`check`].
fn approximate_bytes(value: &Value) -> usize {
    let owned = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(elements) => elements.iter().map(approximate_bytes).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| size_of::<String>() + key.len() + approximate_bytes(value))
            .sum(),
    };
    size_of::<Value>() + owned
}

impl TryFrom<Value> for JsonArray {
    type Error = InvalidJson;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        check(&value)?;
        let Value::Array(mut elements) = value else { return Err(InvalidJson::NotAnArray) };
        elements.iter_mut().for_each(make_canonical);
        Ok(Self(elements))
    }
}

impl From<JsonArray> for Value {
    fn from(array: JsonArray) -> Self {
        Self::Array(array.0)
    }
}

/// Why a JSON value cannot be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidJson {
    /// An object was asked for.
    #[error("must be a JSON object")]
    NotAnObject,
    /// An array was asked for.
    #[error("must be a JSON array")]
    NotAnArray,
    /// A string or a member's name holds U+0000.
    #[error("must not hold the character U+0000")]
    Nul,
    /// Nested deeper than 32.
    #[error("must not nest deeper than 32")]
    TooDeep,
}

/// Walks without recursion, since the depth is what is in doubt.
fn check(value: &Value) -> Result<(), InvalidJson> {
    let mut pending = vec![(value, 1)];
    while let Some((value, depth)) = pending.pop() {
        let nests = matches!(value, Value::Array(_) | Value::Object(_));
        if nests && MAX_DEPTH < depth {
            return Err(InvalidJson::TooDeep);
        }
        match value {
            Value::String(text) if text.contains('\0') => return Err(InvalidJson::Nul),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            Value::Array(elements) => {
                pending.extend(elements.iter().map(|element| (element, depth + 1)));
            }
            Value::Object(members) => {
                if members.keys().any(|name| name.contains('\0')) {
                    return Err(InvalidJson::Nul);
                }
                pending.extend(members.values().map(|member| (member, depth + 1)));
            }
        }
    }
    Ok(())
}

/// Gives each number the one form in which every backend returns it: PostgreSQL keeps decimal numbers, which have no
/// negative zero and do not tell `1e16` from `10000000000000000`.
fn make_canonical(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(canonical) = canonical_number(number) {
                *number = canonical;
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(make_canonical),
        Value::Object(members) => members.values_mut().for_each(make_canonical),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// The other form, of a number that has one.
fn canonical_number(number: &Number) -> Option<Number> {
    /// From here on floats are whole, and written without a fraction.
    const WHOLE: f64 = 1e16;
    const ABOVE_U64: f64 = 18_446_744_073_709_551_616.0;
    const ABOVE_I64: f64 = 9_223_372_036_854_775_808.0;

    let float = number.as_f64().filter(|_| number.is_f64())?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and in range, so the casts are exact"
    )]
    if float == 0.0 {
        Number::from_f64(0.0)
    } else if (WHOLE..ABOVE_U64).contains(&float) {
        Some(Number::from(float as u64))
    } else if (WHOLE..=ABOVE_I64).contains(&-float) {
        Some(Number::from(float as i64))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn takes_what_every_backend_can_keep() {
        assert!(JsonObject::try_from(json!({"tempo": 92, "feel": ["late", null]})).is_ok());
        assert!(JsonArray::try_from(json!([])).is_ok());
    }

    #[test]
    fn a_number_has_one_form() {
        let given = json!([-0.0, 1e16, 1.8e19, -9_223_372_036_854_775_808.0, 1e300, 1.5, 2.0, -3]);

        let kept = JsonArray::try_from(given).unwrap();

        assert_eq!(
            Value::from(kept).to_string(),
            "[0.0,10000000000000000,18000000000000000000,-9223372036854775808,1e+300,1.5,2.0,-3]"
        );
    }

    #[test]
    fn refuses_the_rest() {
        let mut deep = json!([]);
        for _ in 0..32 {
            deep = json!([deep]);
        }

        assert_eq!(JsonObject::try_from(json!([])), Err(InvalidJson::NotAnObject));
        assert_eq!(JsonArray::try_from(json!({})), Err(InvalidJson::NotAnArray));
        assert_eq!(JsonObject::try_from(json!({"a": {"b\0": 1}})), Err(InvalidJson::Nul));
        assert_eq!(JsonArray::try_from(json!(["a\0"])), Err(InvalidJson::Nul));
        assert_eq!(JsonArray::try_from(deep), Err(InvalidJson::TooDeep));
    }
}
