//! What a path names: artists and identities, and the way back into a URL.

use std::{
    fmt,
    future::{Ready, ready},
};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use domain::{ArtistName, GenerationId, PublicKeyId};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::problem::{Code, Problem};

/// Everything but what RFC 3986 calls unreserved.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The artist that the segment `{artist}` names.
pub struct ArtistInPath(pub ArtistName);

impl FromRequest for ArtistInPath {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(segment(request, "artist").and_then(|text| Ok(Self(text.as_str().try_into()?))))
    }
}

/// The generation that the segment `{id}` names.
pub struct GenerationInPath(pub GenerationId);

impl FromRequest for GenerationInPath {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = segment(request, "id").and_then(|text| {
            text.parse().map_err(|error| Problem::new(Code::InvalidPath, format!("{error}")))
        });
        ready(id.map(Self))
    }
}

/// The API key that the segment `{id}` names.
pub struct KeyInPath(pub PublicKeyId);

impl FromRequest for KeyInPath {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = segment(request, "id").and_then(|text| {
            text.parse().map_err(|error| Problem::new(Code::InvalidPath, format!("{error}")))
        });
        ready(id.map(Self))
    }
}

/// A text as one segment of a path.
#[must_use]
pub fn encoded(text: &str) -> impl fmt::Display + '_ {
    utf8_percent_encode(text, SEGMENT)
}

/// Refuses a path that is not UTF-8 once decoded; the router would put other characters in its place.
///
/// # Errors
///
/// When it is not.
pub fn check(path: &str) -> Result<(), Problem> {
    match percent_decode_str(path).decode_utf8() {
        Ok(_) => Ok(()),
        Err(_) => Err(Problem::new(Code::InvalidPath, "the path is not percent-encoded UTF-8")),
    }
}

/// The router has decoded all but `%25`, `%2B` and `%2F`, so that segments stay apart; decode these too.
fn segment(request: &HttpRequest, name: &str) -> Result<String, Problem> {
    let text = request.match_info().get(name).unwrap_or_default();
    match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(Problem::new(Code::InvalidPath, "the path is not percent-encoded UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{App, HttpResponse, test, web};

    use super::*;

    #[actix_web::test]
    async fn names_survive_a_url() {
        let echo =
            |artist: ArtistInPath| async move { HttpResponse::Ok().body(artist.0.to_string()) };
        let app = test::init_service(App::new().route("/a/{artist}/b", web::get().to(echo))).await;

        for name in [
            "AC/DC",
            "+/-",
            "50% Off",
            "100%25",
            "!!!",
            "坂本龍一",
            "🥁",
            "a?b#c&d=e",
            "%2F",
            "...",
        ] {
            let request = test::TestRequest::get().uri(&format!("/a/{}/b", encoded(name)));
            let body = test::call_and_read_body(&app, request.to_request()).await;

            assert_eq!(body, name);
        }
    }

    #[::core::prelude::v1::test]
    fn refuses_what_is_not_utf8() {
        assert!(check("/a/%C3%A9").is_ok());
        assert!(check("/a/50%").is_ok());
        assert!(check("/a/%ff").is_err());
    }
}
