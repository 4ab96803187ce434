//! `Idempotency-Key`: a request that is sent again with the same key does what it did the first time, and nothing twice.

use std::{
    fmt,
    future::{Ready, ready},
};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{HeaderMap, HeaderName, HeaderValue},
};
use domain::GenerationId;
use uuid::Uuid;

use crate::{
    problem::{Code, Problem},
    violation::Violation,
};

/// The header that a key is in.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What identities are derived in. It must never change: a request that is sent again would count again.
const NAMESPACE: Uuid = Uuid::from_u128(0x5b1c_6c0e_3f1d_4f0a_9d6e_2a44_7c5e_90b3);

/// A caller's name for a request: 1 to [`IdempotencyKey::MAX_CHARS`] visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(Box<str>);

impl IdempotencyKey {
    /// The longest key, in characters.
    pub const MAX_CHARS: usize = 255;

    /// The identity of the entry at this place of the request.
    ///
    /// It depends on nothing but the key and the place, so that nobody has to remember keys.
    #[must_use]
    pub fn identity(&self, index: usize) -> GenerationId {
        // No key holds a line break, so that no two pairs of key and place are the same text.
        let name = format!("{self}\n{index}");
        GenerationId::from_uuid(Uuid::new_v5(&NAMESPACE, name.as_bytes()))
    }

    fn of(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let mut lines = headers.get_all(IDEMPOTENCY_KEY);
        match (lines.next(), lines.next()) {
            (None, _) => Ok(None),
            (Some(line), None) => Self::read(line).map(Some).ok_or_else(|| {
                invalid(format!("must be 1 to {} visible ASCII characters", Self::MAX_CHARS))
            }),
            (Some(_), Some(_)) => Err(invalid("is given more than once")),
        }
    }

    fn read(line: &HeaderValue) -> Option<Self> {
        let text = line.to_str().ok()?.trim();
        let key = match text.strip_prefix('"') {
            Some(rest) => unquoted(rest)?,
            None => text.to_owned(),
        };
        let is_visible = key.bytes().all(|byte| byte.is_ascii_graphic());
        let is_valid = is_visible && !key.is_empty() && key.len() <= Self::MAX_CHARS;
        is_valid.then(|| Self(key.into()))
    }
}

/// What is between quotes, the first of which was taken off: a string as in RFC 9651.
fn unquoted(rest: &str) -> Option<String> {
    let mut text = String::with_capacity(rest.len());
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => return characters.next().is_none().then_some(text),
            '\\' => text.push(characters.next().filter(|it| matches!(it, '"' | '\\'))?),
            character => text.push(character),
        }
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The key that a request has, if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyed(pub Option<IdempotencyKey>);

impl FromRequest for Keyed {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(IdempotencyKey::of(request.headers()).map(Self))
    }
}

/// A key that is none.
pub(crate) fn invalid(detail: impl Into<String>) -> Problem {
    let violation = Violation::of_header(IDEMPOTENCY_KEY.as_str(), detail);
    Problem::of_violations(Code::InvalidHeader, vec![violation])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(lines: &[&str]) -> Result<Option<String>, Code> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(IDEMPOTENCY_KEY, HeaderValue::from_str(line).unwrap());
        }
        let key = IdempotencyKey::of(&headers).map_err(|problem| problem.code())?;
        Ok(key.map(|key| key.to_string()))
    }

    #[test]
    fn reads_keys_with_and_without_quotes() {
        assert_eq!(key(&[]), Ok(None));
        for (line, read) in [
            ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
            ("\"8e03978e\"", "8e03978e"),
            ("a\"b", "a\"b"),
            (r#""a\"b\\c""#, r#"a"b\c"#),
            ("!~", "!~"),
        ] {
            assert_eq!(key(&[line]), Ok(Some(read.to_owned())), "{line}");
        }
        assert_eq!(key(&["x".repeat(255).as_str()]).unwrap().map(|key| key.len()), Some(255));
    }

    #[test]
    fn refuses_what_is_no_key() {
        let long = "x".repeat(256);
        for line in ["", "\"\"", "\"", "\"a", "\"a\"b", "a b", "\"a b\"", r#""a\b""#, &long] {
            assert_eq!(key(&[line]), Err(Code::InvalidHeader), "{line:?}");
        }
        assert_eq!(key(&["a", "a"]), Err(Code::InvalidHeader));
    }

    #[test]
    fn identities_depend_on_key_and_place_alone() {
        let key = |text: &str| IdempotencyKey(text.into());

        assert_eq!(key("a").identity(0), key("a").identity(0));
        assert_ne!(key("a").identity(0), key("a").identity(1));
        assert_ne!(key("a1").identity(1), key("a").identity(11));
        assert_eq!(key("a").identity(0).to_string(), "d3729f3e-cfba-5d2d-a2f2-ef2075716238");
    }
}
