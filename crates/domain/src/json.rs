//! Open-ended JSON that belongs to the caller and is handed back as it came.

use serde_json::{Map, Value};

/// How deep arrays and objects may nest.
const MAX_DEPTH: usize = 32;

/// A JSON object without U+0000 in it, nested at most 32 deep.
///
/// Numbers keep their value, not their spelling; keys come back in code point order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JsonObject(Map<String, Value>);

impl JsonObject {
    /// The object's members.
    #[must_use]
    pub const fn members(&self) -> &Map<String, Value> {
        &self.0
    }
}

impl TryFrom<Value> for JsonObject {
    type Error = InvalidJson;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        check(&value)?;
        match value {
            Value::Object(members) => Ok(Self(members)),
            _ => Err(InvalidJson::NotAnObject),
        }
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
}

impl TryFrom<Value> for JsonArray {
    type Error = InvalidJson;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        check(&value)?;
        match value {
            Value::Array(elements) => Ok(Self(elements)),
            _ => Err(InvalidJson::NotAnArray),
        }
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
