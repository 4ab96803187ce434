//! How fresh an answer has to be (`Cache-Control`), and what it says of itself (`X-Cache`, `Age`, `Warning`).

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest, HttpResponseBuilder,
    dev::Payload,
    http::header::{AGE, CACHE_CONTROL, HeaderMap, HeaderName, WARNING},
};
use cache::{Freshness, Read, SearchSource, SimilarRead};
use utoipa::{
    IntoParams,
    openapi::{
        ObjectBuilder, Required,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::{SchemaType, Type},
    },
};

use crate::problem::Problem;

/// Which tier answered: `memory`, `redis`, `catalog` (which knows what does not exist), `index` (which searches compare
/// in memory) or `database`.
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

impl IntoParams for Wanted {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let text = SchemaType::from_iter([Type::String, Type::Null]);
        let header = ParameterBuilder::new()
            .name("cache-control")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some("`no-cache`: include every write acknowledged anywhere"))
            .schema(Some(ObjectBuilder::new().schema_type(text)))
            .example(Some("no-cache".into()));
        vec![header.build()]
    }
}

/// How an answer was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    by: &'static str,
    age_seconds: u64,
    stale: bool,
}

impl Served {
    /// How this read was answered.
    #[must_use]
    pub const fn of<T>(read: &Read<T>) -> Self {
        Self { by: read.tier.as_str(), age_seconds: read.age.as_secs(), stale: read.stale }
    }

    /// How this search was answered.
    #[must_use]
    pub const fn of_search(read: &SimilarRead) -> Self {
        Self { by: read.source.as_str(), age_seconds: read.age.as_secs(), stale: read.stale }
    }

    /// How these searches were answered as a whole, which is as well as the costliest of them; nothing without any.
    #[must_use]
    pub fn of_searches(reads: &[SimilarRead]) -> Option<Self> {
        let costliest = reads.iter().max_by_key(|read| match read.source {
            SearchSource::Memory => 0,
            SearchSource::Index => 1,
            SearchSource::Database => 2,
        })?;
        let each = reads.iter().map(Self::of_search);
        Some(each.fold(Self::of_search(costliest), Self::resting_on))
    }

    /// The same for an answer that rests on another one besides: it is no younger, and no better, than that.
    #[must_use]
    pub fn resting_on(self, other: Self) -> Self {
        Self {
            by: self.by,
            age_seconds: self.age_seconds.max(other.age_seconds),
            stale: self.stale || other.stale,
        }
    }

    /// Says so in the headers of the answer.
    pub fn tell(self, response: &mut HttpResponseBuilder) -> &mut HttpResponseBuilder {
        let Self { by, age_seconds, stale } = self;
        response.insert_header((X_CACHE, by)).insert_header((AGE, age_seconds));
        if stale {
            response.insert_header((WARNING, STALE));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use actix_web::test::TestRequest;
    use domain::{Exactness, Neighbours, SearchMode};

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
    fn search(source: SearchSource, age_seconds: u64, stale: bool) -> SimilarRead {
        let exactness =
            Exactness { mode: SearchMode::Exact, compared: 0, as_of: domain::Version::ZERO };
        SimilarRead {
            answer: Arc::new(Neighbours { neighbours: Vec::new(), exactness }),
            source,
            age: Duration::from_secs(age_seconds),
            stale,
        }
    }

    #[test]
    fn an_answer_is_no_better_than_what_it_rests_on() {
        let young = Served::of_search(&search(SearchSource::Index, 0, false));
        let stale = Served::of_search(&search(SearchSource::Database, 7, true));

        let (one, other) = (young.resting_on(stale), stale.resting_on(young));

        assert_eq!(one, Served { by: "index", age_seconds: 7, stale: true });
        assert_eq!(other, Served { by: "database", age_seconds: 7, stale: true });
    }

    #[test]
    fn several_searches_are_as_well_answered_as_the_costliest() {
        let reads = [
            search(SearchSource::Memory, 3, false),
            search(SearchSource::Database, 0, false),
            search(SearchSource::Index, 1, true),
        ];

        let served = Served::of_searches(&reads);

        assert_eq!(served, Some(Served { by: "database", age_seconds: 3, stale: true }));
        assert_eq!(Served::of_searches(&[]), None);
    }
}
