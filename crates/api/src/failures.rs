//! How each failure is documented: one unit type a status, to be listed in the `responses` of an operation.

use std::collections::BTreeMap;

use actix_web::http::header;
use domain::{ArtistName, RepositoryError, Scope, Version};
use utoipa::{
    IntoResponses,
    openapi::{
        ContentBuilder, Header, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Type,
        example::ExampleBuilder,
    },
};

use crate::{
    idempotency,
    limits::{RATE_LIMIT, RATE_LIMIT_POLICY},
    negotiation,
    problem::{self, Code, Problem},
    violation::Violation,
};

/// What is between the titles of problems that one status can mean.
pub(crate) const OR: &str = "; or: ";

const RETRY_AFTER: &str = "After how many seconds there is some use in trying again, if there is";
const POLICY: &str = "Each limit of this client: `\"name\";q=<requests>;w=<seconds>`";
const STANDING: &str = "What is left of each limit, and after how many seconds there is more: `\"name\";r=<requests>;t=<seconds>`";

/// The identity in every example.
const IDENTITY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// 400, for an operation that has parameters at most.
pub(crate) struct BadQuery;

/// 400, for an operation at an identity.
pub(crate) struct BadId;

/// 400, for an operation at an artist.
pub(crate) struct BadArtist;

/// 400, for an operation at an artist with conditions in its headers.
pub(crate) struct BadCondition;

/// 400, for an operation with a body.
pub(crate) struct BadBody;

/// 400, for an operation at an artist with a body.
pub(crate) struct BadArtistBody;

/// 400, for an operation at an artist with a body and with conditions in its headers.
pub(crate) struct BadConditionalBody;

/// 400, for an operation with a body that can be repeated by a key.
pub(crate) struct BadKeyedBody;

/// 404: no such artist.
pub(crate) struct NoArtist;

/// 404: no such artist, or an artist without a profile.
pub(crate) struct NoProfile;

/// 404: no such generation.
pub(crate) struct NoGeneration;

/// 409: the profile has no embedding.
pub(crate) struct NoEmbedding;

/// 406: the answer has no form that the request takes.
pub(crate) struct Unacceptable;

/// 409: the write contradicts what is stored.
pub(crate) struct Contradiction;

/// 412: the stored version is another one.
pub(crate) struct OtherVersion;

/// 413 and 415: the body is too large or no plain JSON.
pub(crate) struct UnusableBody;

/// 500, 503 and 507: the service or its database is at fault.
pub(crate) struct Broken;

/// 404: no such key.
pub(crate) struct NoKey;

/// 409: the key opens nothing any more, or access is off.
pub(crate) struct NotIssued;

/// 401 and 403: no good key, or one without the scope. Added to every route that needs one.
pub(crate) struct NotAdmitted;

impl NotAdmitted {
    pub(crate) fn responses(scope: Scope) -> Responses {
        documented([
            Problem::new(
                Code::KeyMissing,
                "an API key is needed: send it as Authorization: Bearer <key>, or as X-API-Key",
            ),
            Problem::new(Code::KeyInvalid, "the API key is not valid"),
            Problem::new(Code::KeyExpired, "the API key has expired"),
            Problem::new(Code::KeyRevoked, "the API key was revoked"),
            Problem::new(Code::ScopeMissing, format!("the API key lacks the scope '{scope}'")),
        ])
    }
}

/// 414, 429 and 503: what every operation may answer to too much, and 408 of a body. Added to every operation; those that
/// ask how the service is are never too many, but keys that are not good are.
pub(crate) struct Limited;

impl Limited {
    pub(crate) fn responses(has_body: bool, is_watching: bool, is_guarded: bool) -> Responses {
        let mut problems = vec![
            Problem::new(Code::UrlTooLong, "path and query have at most 16384 bytes"),
            Problem::new(Code::DeadlineExceeded, "the request took too long; try again"),
        ];
        if !is_watching || is_guarded {
            problems.push(
                Problem::new(Code::TooManyRequests, "too many requests; try again in 1 s")
                    .retry_after(1),
            );
        }
        if !is_watching {
            problems.push(Problem::new(
                Code::Overloaded,
                "too many requests are in progress; try again",
            ));
        }
        if has_body {
            problems.push(Problem::new(Code::BodyTooSlow, "a body arrives within 10000 ms"));
        }
        documented(problems)
    }
}

impl Broken {
    /// 503, on routes that would do without the database if keys did.
    pub(crate) fn access_unknown() -> Responses {
        let detail = "the database cannot be reached, so nobody can tell whether the API key is good; try again";
        documented([Problem::new(Code::DatabaseUnavailable, detail)])
    }
}

impl IntoResponses for NoKey {
    fn responses() -> Responses {
        documented([Problem::key_not_found()])
    }
}

impl IntoResponses for NotIssued {
    fn responses() -> Responses {
        documented([Problem::access_off(), Problem::key_over()])
    }
}

impl IntoResponses for BadQuery {
    fn responses() -> Responses {
        documented([parameter()])
    }
}

impl IntoResponses for BadId {
    fn responses() -> Responses {
        documented([parameter(), path()])
    }
}

impl IntoResponses for BadArtist {
    fn responses() -> Responses {
        documented([parameter(), path(), name()])
    }
}

impl IntoResponses for BadCondition {
    fn responses() -> Responses {
        documented([parameter(), path(), name(), header()])
    }
}

impl IntoResponses for BadBody {
    fn responses() -> Responses {
        documented(body().into_iter().chain([parameter(), name()]))
    }
}

impl IntoResponses for BadArtistBody {
    fn responses() -> Responses {
        documented(body().into_iter().chain([parameter(), path(), name()]))
    }
}

impl IntoResponses for BadConditionalBody {
    fn responses() -> Responses {
        documented(body().into_iter().chain([parameter(), path(), name(), header()]))
    }
}

impl IntoResponses for BadKeyedBody {
    fn responses() -> Responses {
        let key = idempotency::invalid("is given more than once");
        documented(body().into_iter().chain([parameter(), name(), key]))
    }
}

impl IntoResponses for NoArtist {
    fn responses() -> Responses {
        documented(artist("J Dila").map(|it| Problem::artist_not_found(&it).suggesting(known())))
    }
}

impl IntoResponses for NoProfile {
    fn responses() -> Responses {
        let unknown = artist("J Dila").map(|it| Problem::artist_not_found(&it).suggesting(known()));
        let bare = artist("J Dilla").map(|it| Problem::profile_not_found(&it));
        documented(unknown.into_iter().chain(bare))
    }
}

impl IntoResponses for NoGeneration {
    fn responses() -> Responses {
        let detail = format!("generation {IDENTITY} is not known");
        documented([Problem::new(Code::GenerationNotFound, detail)])
    }
}

impl IntoResponses for NoEmbedding {
    fn responses() -> Responses {
        documented(artist("J Dilla").map(|it| Problem::embedding_missing(&it)))
    }
}

impl IntoResponses for Contradiction {
    fn responses() -> Responses {
        let key = IDENTITY.parse().map(Problem::generation_taken).ok();
        let place = Violation::at_pointer("/3/id", "is recorded with something else in it");
        documented(key.map(|problem| problem.at(place)))
    }
}

impl IntoResponses for Unacceptable {
    fn responses() -> Responses {
        documented([negotiation::unacceptable()])
    }
}

impl IntoResponses for OtherVersion {
    fn responses() -> Responses {
        let current = Some(Version::new(42));
        documented([Problem::from(RepositoryError::VersionMismatch { current })])
    }
}

impl IntoResponses for UnusableBody {
    fn responses() -> Responses {
        documented([
            Problem::new(Code::PayloadTooLarge, "a body has at most 1048576 bytes"),
            Problem::new(
                Code::UnsupportedMediaType,
                "the header content-type must be application/json",
            ),
        ])
    }
}

impl IntoResponses for Broken {
    fn responses() -> Responses {
        let unavailable = "the database cannot be reached or is overloaded; try again";
        documented([
            Problem::new(Code::InternalError, "the service failed; the log tells why"),
            Problem::new(Code::DatabaseUnavailable, unavailable),
            Problem::new(
                Code::InsufficientStorage,
                "the database has no room left; nothing was written",
            ),
        ])
    }
}

fn parameter() -> Problem {
    let limit = Violation::of_parameter("limit", "limit must be a whole number from 1 to 20");
    Problem::of_violations(Code::InvalidParameter, vec![limit])
}

fn path() -> Problem {
    Problem::new(Code::InvalidPath, "the path is not percent-encoded UTF-8")
}

fn name() -> Problem {
    Problem::new(Code::InvalidArtistName, "an artist name must not be empty")
}

fn header() -> Problem {
    Problem::new(Code::InvalidHeader, "the header if-match must be * or quoted entity tags")
}

fn body() -> [Problem; 2] {
    let violations = vec![
        Violation::at_pointer("", "lacks the member 'confidence_score'"),
        Violation::at_pointer("/embedding/17", "must be a number, not a string"),
    ];
    [
        Problem::of_violations(Code::InvalidBody, violations),
        Problem::new(Code::MalformedBody, "malformed JSON at line 3, column 7: expected value"),
    ]
}

type Responses = BTreeMap<String, RefOr<Response>>;

fn artist(name: &str) -> Option<ArtistName> {
    ArtistName::try_from(name).ok()
}

fn known() -> Vec<ArtistName> {
    artist("J Dilla").into_iter().collect()
}

/// One response a status, with the problems that lead to it as examples: made by the code that answers them.
fn documented(problems: impl IntoIterator<Item = Problem>) -> Responses {
    let mut by_status: BTreeMap<String, Vec<Problem>> = BTreeMap::new();
    for problem in problems {
        by_status.entry(problem.code().status().as_str().to_owned()).or_default().push(problem);
    }
    by_status.into_iter().map(|(status, problems)| (status, response(&problems).into())).collect()
}

fn response(problems: &[Problem]) -> Response {
    let titles: Vec<&str> = problems.iter().map(|problem| problem.code().title()).collect();
    let examples = problems.iter().map(|problem| {
        let body = problem.body(IDENTITY, "/api/v1/example");
        let example = ExampleBuilder::new()
            .summary(problem.code().title())
            .value(serde_json::to_value(body).ok())
            .build();
        (problem.code().as_str(), example)
    });
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .examples_from_iter(examples)
        .build();
    let mut response =
        ResponseBuilder::new().description(titles.join(OR)).content(problem::MEDIA_TYPE, content);
    if problems.iter().any(|problem| problem.retries_after_seconds().is_some()) {
        response = response.header(header::RETRY_AFTER.as_str(), text(RETRY_AFTER));
    }
    if problems.iter().any(|problem| problem.code() == Code::TooManyRequests) {
        response = response
            .header(RATE_LIMIT_POLICY.as_str(), text(POLICY))
            .header(RATE_LIMIT.as_str(), text(STANDING));
    }
    response.build()
}

fn text(description: &str) -> Header {
    let mut header = Header::new(ObjectBuilder::new().schema_type(Type::String));
    header.description = Some(description.to_owned());
    header
}
