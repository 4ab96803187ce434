//! The key that a request presents.

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use domain::KeyText;

use crate::problem::{Code, Problem};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Reads `Authorization: Bearer <key>` or `X-API-Key: <key>`.
pub(super) fn presented(headers: &HeaderMap) -> Result<KeyText, Problem> {
    let bearer = headers.get_all(AUTHORIZATION).map(bearer);
    let plain = headers.get_all(X_API_KEY).map(|value| value.to_str().ok());
    let mut keys = bearer.chain(plain);
    match (keys.next(), keys.next()) {
        (None, _) => Err(Problem::new(
            Code::KeyMissing,
            "an API key is needed: send it as Authorization: Bearer <key>, or as X-API-Key",
        )),
        (Some(_), Some(_)) => {
            Err(Problem::new(Code::KeyInvalid, "more than one API key is presented, send one"))
        }
        (Some(key), None) => key.and_then(|key| key.parse().ok()).ok_or_else(invalid),
    }
}

/// What to say of every key that is none, so that a stranger learns nothing.
pub(super) fn invalid() -> Problem {
    Problem::new(Code::KeyInvalid, "the API key is not valid")
}

fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "gb_LygHa16AHYF_0123456789012345678901234567890123456789abc";

    fn read(given: &[(&'static str, &str)]) -> Result<String, Code> {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        presented(&headers).map(|key| key.expose()).map_err(|problem| problem.code())
    }

    #[test]
    fn a_key_comes_in_either_header() {
        let bearer = format!("Bearer {KEY}");
        let lower = format!("bearer  {KEY}");

        assert_eq!(read(&[("authorization", &bearer)]), Ok(KEY.to_owned()));
        assert_eq!(read(&[("authorization", &lower)]), Ok(KEY.to_owned()));
        assert_eq!(read(&[("x-api-key", KEY)]), Ok(KEY.to_owned()));
    }

    #[test]
    fn anything_else_is_no_key() {
        let bearer = format!("Bearer {KEY}");
        let basic = format!("Basic {KEY}");

        assert_eq!(read(&[]), Err(Code::KeyMissing));
        assert_eq!(read(&[("authorization", &basic)]), Err(Code::KeyInvalid));
        assert_eq!(read(&[("authorization", KEY)]), Err(Code::KeyInvalid));
        assert_eq!(read(&[("x-api-key", "")]), Err(Code::KeyInvalid));
        assert_eq!(read(&[("x-api-key", &bearer)]), Err(Code::KeyInvalid));
        assert_eq!(read(&[("authorization", &bearer), ("x-api-key", KEY)]), Err(Code::KeyInvalid));
    }

    #[test]
    fn what_is_presented_is_not_repeated() {
        let mut headers = HeaderMap::new();
        headers.insert(X_API_KEY, HeaderValue::from_static("hunter2"));

        let problem = presented(&headers).unwrap_err();

        assert!(!format!("{problem:?}").contains("hunter2"));
    }
}
