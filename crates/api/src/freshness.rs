//! How fresh an answer has to be (`Cache-Control`), and what it says of itself (`X-Cache`, `Age`, `Warning`).

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest, HttpResponseBuilder,
    dev::Payload,
    http::header::{AGE, CACHE_CONTROL, HeaderMap, HeaderName, WARNING},
};
use cache::{Freshness, Read, Tier};

use crate::problem::Problem;

/// Which tier answered: `memory`, `redis`, `catalog` (which knows what does not exist) or `database`.
pub const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// RFC 9111 has retired the header and nothing in its place says the same to a client.
const STALE: &str = "110 groovebase \"Response is Stale\"";

/// How fresh the caller wants the answer: strict by `Cache-Control: no-cache` or `max-age=0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted(pub Freshness);

impl Wanted {
    /// Directives that are not understood are ignored, as the standard wants it.
    fn of(headers: &HeaderMap) -> Self {
        let strict = headers
            .get_all(CACHE_CONTROL)
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(','))
            .map(str::trim)
            .any(|directive| {
                ["no-cache", "max-age=0"].iter().any(|it| directive.eq_ignore_ascii_case(it))
            });
        Self(if strict { Freshness::Strict } else { Freshness::Default })
    }
}

impl FromRequest for Wanted {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request.headers())))
    }
}

/// How an answer was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    tier: Tier,
    age_seconds: u64,
    stale: bool,
}

impl Served {
    /// How this read was answered.
    #[must_use]
    pub const fn of<T>(read: &Read<T>) -> Self {
        Self { tier: read.tier, age_seconds: read.age.as_secs(), stale: read.stale }
    }

    /// Says so in the headers of the answer.
    pub fn tell(self, response: &mut HttpResponseBuilder) -> &mut HttpResponseBuilder {
        let Self { tier, age_seconds, stale } = self;
        response.insert_header((X_CACHE, tier.as_str())).insert_header((AGE, age_seconds));
        if stale {
            response.insert_header((WARNING, STALE));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn wanted(lines: &[&str]) -> Freshness {
        let mut request = TestRequest::default();
        for line in lines {
            request = request.append_header((CACHE_CONTROL, *line));
        }
        Wanted::of(request.to_http_request().headers()).0
    }

    #[test]
    fn strict_is_asked_for_by_directive() {
        for strict in
            [&["no-cache"][..], &["No-Cache"], &["no-transform, no-cache"], &["x", "max-age=0"]]
        {
            assert_eq!(wanted(strict), Freshness::Strict, "{strict:?}");
        }
        for usual in [&[][..], &[""], &["max-age=60"], &["no-cachet"], &["nonsense;;"]] {
            assert_eq!(wanted(usual), Freshness::Default, "{usual:?}");
        }
    }
}
