//! How a request fails: every code, its status, and what the caller is told.

use std::{error::Error, fmt, sync::Arc};

use actix_web::{
    HttpResponse, ResponseError,
    http::{Method, StatusCode, header},
};
use domain::{ArtistName, GenerationId, InvalidArtistName, RepositoryError, Version};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{causes::with_causes, freshness::Served, json::InvalidDocument, violation::Violation};

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// How much of a path a problem repeats, in bytes: more than any path that names something has.
const LONGEST_INSTANCE: usize = 4_096;

/// How many violations the message repeats.
const MOST_REPEATED: usize = 3;

/// Every code as a Markdown page.
#[must_use]
pub fn problem_reference() -> String {
    let mut page = String::from(
        "# Problems\n\n\
         <!-- Generated from crates/api/src/problem.rs. -->\n\n\
         Every failure has one of these codes in `error`, and in `type` as `urn:groovebase:problem:<code>`.\n\n\
         | code | status | meaning |\n| --- | --- | --- |\n",
    );
    for code in Code::ALL {
        let line =
            format!("| `{}` | {} | {} |\n", code.as_str(), code.status().as_u16(), code.title());
        page.push_str(&line);
    }
    page
}

/// Every way a request can fail. Codes are stable: callers decide by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The body is no JSON.
    MalformedBody,
    /// The body is JSON, but not what was asked for.
    InvalidBody,
    /// A query parameter is unknown, repeated or out of range.
    InvalidParameter,
    /// A header cannot be understood.
    InvalidHeader,
    /// The path is not percent-encoded UTF-8, or holds something that is no identity.
    InvalidPath,
    /// No artist can be called that.
    InvalidArtistName,
    /// Something else about the request cannot be understood.
    InvalidRequest,
    /// No API key is presented.
    KeyMissing,
    /// What is presented is no API key, or none of this service.
    KeyInvalid,
    /// The API key was good until its time was over.
    KeyExpired,
    /// The API key was good until somebody took it back.
    KeyRevoked,
    /// The API key does not open this.
    ScopeMissing,
    /// The route is open to nobody.
    RouteClosed,
    /// There is no such artist.
    ArtistNotFound,
    /// The artist has no style profile.
    ProfileNotFound,
    /// There is no such generation.
    GenerationNotFound,
    /// There is no such API key.
    KeyNotFound,
    /// There is nothing at this path.
    RouteNotFound,
    /// The path exists, but not with this method; `Allow` tells with which.
    MethodNotAllowed,
    /// The answer has no form that the request takes.
    NotAcceptable,
    /// The write contradicts what is stored.
    Conflict,
    /// The artist's profile has no embedding to compare.
    EmbeddingMissing,
    /// Keys are made over HTTP only while they are asked for.
    AccessOff,
    /// The stored version is not the one the request demands.
    VersionMismatch,
    /// The body is larger than the service takes.
    PayloadTooLarge,
    /// Path and query are longer than the service takes.
    UrlTooLong,
    /// The body is not declared as plain JSON.
    UnsupportedMediaType,
    /// The body took too long to arrive.
    BodyTooSlow,
    /// The client asks more often than it may; `Retry-After` tells when to try again.
    TooManyRequests,
    /// More requests are in progress than the service takes; `Retry-After` tells when to try again.
    Overloaded,
    /// The request took longer than its route may; a write may still be done.
    DeadlineExceeded,
    /// The service is at fault.
    InternalError,
    /// The database cannot be reached or is overloaded; `Retry-After` tells when to try again.
    DatabaseUnavailable,
    /// The database has no room left; reads go on, and writes once there is room.
    InsufficientStorage,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 34] = [
        Self::MalformedBody,
        Self::InvalidBody,
        Self::InvalidParameter,
        Self::InvalidHeader,
        Self::InvalidPath,
        Self::InvalidArtistName,
        Self::InvalidRequest,
        Self::KeyMissing,
        Self::KeyInvalid,
        Self::KeyExpired,
        Self::KeyRevoked,
        Self::ScopeMissing,
        Self::RouteClosed,
        Self::ArtistNotFound,
        Self::ProfileNotFound,
        Self::GenerationNotFound,
        Self::KeyNotFound,
        Self::RouteNotFound,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::Conflict,
        Self::EmbeddingMissing,
        Self::AccessOff,
        Self::VersionMismatch,
        Self::PayloadTooLarge,
        Self::UrlTooLong,
        Self::UnsupportedMediaType,
        Self::BodyTooSlow,
        Self::TooManyRequests,
        Self::Overloaded,
        Self::DeadlineExceeded,
        Self::InternalError,
        Self::DatabaseUnavailable,
        Self::InsufficientStorage,
    ];

    /// The code as callers see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().1
    }

    /// The status it is answered with.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        self.row().0
    }

    /// What it means, the same for every occurrence.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.row().2
    }

    /// After how many seconds there is some use in trying again, when that is all there is to do.
    fn retry_after_seconds(self) -> Option<u64> {
        (self.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(1)
    }

    fn urn(self) -> String {
        format!("urn:groovebase:problem:{}", self.as_str())
    }

    const fn row(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as Status;

        match self {
            Self::MalformedBody => {
                (Status::BAD_REQUEST, "malformed_body", "The body is not valid JSON")
            }
            Self::InvalidBody => {
                (Status::BAD_REQUEST, "invalid_body", "The body is not what was asked for")
            }
            Self::InvalidParameter => {
                (Status::BAD_REQUEST, "invalid_parameter", "A query parameter is invalid")
            }
            Self::InvalidHeader => (Status::BAD_REQUEST, "invalid_header", "A header is invalid"),
            Self::InvalidPath => (Status::BAD_REQUEST, "invalid_path", "The path is invalid"),
            Self::InvalidArtistName => {
                (Status::BAD_REQUEST, "invalid_artist_name", "No artist can have this name")
            }
            Self::InvalidRequest => {
                (Status::BAD_REQUEST, "invalid_request", "The request is invalid")
            }
            Self::KeyMissing => (Status::UNAUTHORIZED, "key_missing", "An API key is needed"),
            Self::KeyInvalid => (Status::UNAUTHORIZED, "key_invalid", "The API key is not valid"),
            Self::KeyExpired => (Status::UNAUTHORIZED, "key_expired", "The API key has expired"),
            Self::KeyRevoked => (Status::UNAUTHORIZED, "key_revoked", "The API key was revoked"),
            Self::ScopeMissing => (Status::FORBIDDEN, "scope_missing", "The API key lacks a scope"),
            Self::RouteClosed => (Status::FORBIDDEN, "route_closed", "The route is open to nobody"),
            Self::KeyNotFound => (Status::NOT_FOUND, "key_not_found", "The API key is not known"),
            Self::AccessOff => (Status::CONFLICT, "access_off", "Access is off"),
            Self::ArtistNotFound => {
                (Status::NOT_FOUND, "artist_not_found", "The artist is not known")
            }
            Self::ProfileNotFound => {
                (Status::NOT_FOUND, "profile_not_found", "The artist has no style profile")
            }
            Self::GenerationNotFound => {
                (Status::NOT_FOUND, "generation_not_found", "The generation is not known")
            }
            Self::RouteNotFound => {
                (Status::NOT_FOUND, "route_not_found", "There is nothing at this path")
            }
            Self::MethodNotAllowed => (
                Status::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "The path does not take this method",
            ),
            Self::NotAcceptable => (
                Status::NOT_ACCEPTABLE,
                "not_acceptable",
                "The answer has no form that the request takes",
            ),
            Self::Conflict => {
                (Status::CONFLICT, "conflict", "The request contradicts what is stored")
            }
            Self::EmbeddingMissing => {
                (Status::CONFLICT, "embedding_missing", "The profile has no embedding")
            }
            Self::VersionMismatch => (
                Status::PRECONDITION_FAILED,
                "version_mismatch",
                "The stored version is another one",
            ),
            Self::PayloadTooLarge => {
                (Status::PAYLOAD_TOO_LARGE, "payload_too_large", "The body is too large")
            }
            Self::UnsupportedMediaType => (
                Status::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "The body must be plain JSON",
            ),
            Self::UrlTooLong => {
                (Status::URI_TOO_LONG, "url_too_long", "Path and query are too long")
            }
            Self::BodyTooSlow => {
                (Status::REQUEST_TIMEOUT, "body_too_slow", "The body took too long to arrive")
            }
            Self::TooManyRequests => {
                (Status::TOO_MANY_REQUESTS, "too_many_requests", "There are too many requests")
            }
            Self::Overloaded => {
                (Status::SERVICE_UNAVAILABLE, "overloaded", "The service has too much to do")
            }
            Self::DeadlineExceeded => (
                Status::SERVICE_UNAVAILABLE,
                "deadline_exceeded",
                "The request took longer than it may",
            ),
            Self::InternalError => {
                (Status::INTERNAL_SERVER_ERROR, "internal_error", "The service failed")
            }
            Self::DatabaseUnavailable => (
                Status::SERVICE_UNAVAILABLE,
                "database_unavailable",
                "The database cannot be reached",
            ),
            Self::InsufficientStorage => (
                Status::INSUFFICIENT_STORAGE,
                "insufficient_storage",
                "The database has no room left",
            ),
        }
    }
}

/// One failed request. What is shown is safe for the caller; the source is for the log.
#[derive(Debug, Clone)]
pub struct Problem {
    code: Code,
    detail: Box<str>,
    errors: Vec<Violation>,
    suggestions: Box<[ArtistName]>,
    current_version: Option<Version>,
    headers: Box<ProblemHeaders>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// What an answer says beside its body.
#[derive(Debug, Clone, Default)]
struct ProblemHeaders {
    allow: Option<Box<str>>,
    served: Option<Served>,
    retry_after_seconds: Option<u64>,
}

impl Problem {
    /// A problem that is told in one sentence.
    pub fn new(code: Code, detail: impl Into<Box<str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            suggestions: Box::default(),
            current_version: None,
            headers: Box::new(ProblemHeaders {
                retry_after_seconds: code.retry_after_seconds(),
                ..ProblemHeaders::default()
            }),
            source: None,
        }
    }

    /// A problem that violations tell.
    #[must_use]
    pub fn of_violations(code: Code, errors: Vec<Violation>) -> Self {
        let mut told: Vec<String> =
            errors.iter().take(MOST_REPEATED).map(Violation::to_string).collect();
        if MOST_REPEATED < errors.len() {
            told.push(format!("and {} more", errors.len() - MOST_REPEATED));
        }
        Self { errors, ..Self::new(code, told.join("; ")) }
    }

    /// There is no such artist.
    #[must_use]
    pub fn artist_not_found(artist: &ArtistName) -> Self {
        Self::new(Code::ArtistNotFound, format!("Artist '{artist}' not found in database"))
    }

    /// The artist has no style profile.
    #[must_use]
    pub fn profile_not_found(artist: &ArtistName) -> Self {
        Self::new(Code::ProfileNotFound, format!("Artist '{artist}' has no style profile"))
    }

    /// The identity of a generation is recorded with something else in it.
    #[must_use]
    pub fn generation_taken(id: GenerationId) -> Self {
        let detail = format!("generation {id} is recorded with something else in it");
        Self::new(Code::Conflict, detail)
    }

    /// There is no such API key.
    #[must_use]
    pub fn key_not_found() -> Self {
        Self::new(Code::KeyNotFound, "there is no API key with this id")
    }

    /// The API key opens nothing any more, so there is nothing to hand on.
    #[must_use]
    pub fn key_over() -> Self {
        Self::new(Code::Conflict, "the API key has expired, was revoked or was rotated before")
    }

    /// Nobody has to prove to be an admin, so nobody is handed a key.
    #[must_use]
    pub fn access_off() -> Self {
        let detail =
            "access is off, so anybody could ask for a key: turn it on, or use `groovebase keys`";
        Self::new(Code::AccessOff, detail)
    }

    /// The artist's profile has no embedding to compare.
    #[must_use]
    pub fn embedding_missing(artist: &ArtistName) -> Self {
        let detail = format!("the style profile of '{artist}' has no embedding to compare");
        Self::new(Code::EmbeddingMissing, detail)
    }

    /// The path exists, but not with this method.
    #[must_use]
    pub fn method_not_allowed(method: &Method, allowed: &[Method]) -> Self {
        let allowed = allowed.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        let mut problem = Self::new(
            Code::MethodNotAllowed,
            format!("the method {method} is not allowed here, only {allowed}"),
        );
        problem.headers.allow = Some(allowed.into());
        problem
    }

    /// The service is at fault, for a reason that only the log tells.
    #[must_use]
    pub fn internal(source: Arc<dyn Error + Send + Sync>) -> Self {
        let problem = Self::new(Code::InternalError, "the service failed; the log tells why");
        Self { source: Some(source), ..problem }
    }

    /// What a status means that was answered without a problem.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        let code = match status {
            StatusCode::NOT_FOUND => Code::RouteNotFound,
            StatusCode::PAYLOAD_TOO_LARGE => Code::PayloadTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMediaType,
            status if status.is_client_error() => Code::InvalidRequest,
            _ => Code::InternalError,
        };
        Self::new(code, code.title())
    }

    /// Names known artists that the caller may have meant.
    #[must_use]
    pub fn suggesting(self, suggestions: Vec<ArtistName>) -> Self {
        Self { suggestions: suggestions.into(), ..self }
    }

    /// Says from which tier it is known.
    #[must_use]
    pub fn served(mut self, served: Served) -> Self {
        self.headers.served = Some(served);
        self
    }

    /// After how many seconds there is some use in trying again.
    #[must_use]
    pub fn retries_after_seconds(&self) -> Option<u64> {
        self.headers.retry_after_seconds
    }

    /// Says when to try again, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.headers.retry_after_seconds = Some(seconds);
        self
    }

    /// Says where in the request the problem lies.
    #[must_use]
    pub fn at(mut self, violation: Violation) -> Self {
        self.errors.push(violation);
        self
    }

    /// The problem's code.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// What happened, in words for the caller.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Why it happened, for the log: everything down to the root.
    #[must_use]
    pub fn causes(&self) -> Option<String> {
        self.source.as_deref().map(|source| with_causes(source))
    }

    /// The whole answer.
    #[must_use]
    pub fn respond(&self, request_id: &str, path: &str) -> HttpResponse {
        let ProblemHeaders { allow, served, retry_after_seconds } = &*self.headers;
        let mut response = HttpResponse::build(self.code.status());
        if let Some(allow) = allow {
            response.insert_header((header::ALLOW, &**allow));
        }
        if let Some(served) = served {
            served.tell(&mut response);
        }
        if self.code.status() == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if let Some(seconds) = retry_after_seconds {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        response.content_type(MEDIA_TYPE).json(self.body(request_id, path))
    }

    /// The problem of one entry, in an answer that other entries are not failed by.
    #[must_use]
    pub fn of_entry(&self) -> EntryProblemBody {
        EntryProblemBody {
            problem_type: self.code.urn(),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: self.detail.to_string(),
            error: self.code.as_str(),
        }
    }

    /// The body of the answer.
    #[must_use]
    pub fn body(&self, request_id: &str, path: &str) -> ProblemBody {
        let Self { code, detail, errors, suggestions, current_version, headers: _, source: _ } =
            self;
        ProblemBody {
            problem_type: code.urn(),
            title: code.title(),
            status: code.status().as_u16(),
            detail: detail.to_string(),
            // A path that is too long is not sent back either.
            instance: path.get(..LONGEST_INSTANCE).unwrap_or(path).to_owned(),
            error: code.as_str(),
            message: detail.to_string(),
            request_id: request_id.to_owned(),
            errors: errors.clone(),
            suggestions: suggestions.iter().map(ArtistName::to_string).collect(),
            current_version: current_version.map(Version::number),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code.as_str(), self.detail)
    }
}

/// The answer is completed where the request's identity is known, in [`crate::observation`].
impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.code.status())
    }
}

impl From<RepositoryError> for Problem {
    fn from(error: RepositoryError) -> Self {
        match error {
            RepositoryError::Conflict => {
                Self::new(Code::Conflict, "the request contradicts what is stored")
            }
            RepositoryError::TakenGeneration(id) => Self::generation_taken(id),
            RepositoryError::UnknownArtist(artist) => Self::artist_not_found(&artist),
            RepositoryError::VersionMismatch { current } => {
                let detail = current.map_or_else(
                    || "there is no style profile".to_owned(),
                    |version| format!("the style profile is at version {version}"),
                );
                Self { current_version: current, ..Self::new(Code::VersionMismatch, detail) }
            }
            RepositoryError::Unavailable(source) => {
                let detail = "the database cannot be reached or is overloaded; try again";
                Self { source: Some(source), ..Self::new(Code::DatabaseUnavailable, detail) }
            }
            RepositoryError::Full(source) => {
                let detail = "the database has no room left; nothing was written";
                Self { source: Some(source), ..Self::new(Code::InsufficientStorage, detail) }
            }
            RepositoryError::Internal(source) => Self::internal(source),
        }
    }
}

impl From<InvalidDocument> for Problem {
    fn from(invalid: InvalidDocument) -> Self {
        match invalid {
            InvalidDocument::Malformed { .. } => {
                Self::new(Code::MalformedBody, invalid.to_string())
            }
            InvalidDocument::Violations(violations) => {
                Self::of_violations(Code::InvalidBody, violations)
            }
        }
    }
}

impl From<InvalidArtistName> for Problem {
    fn from(invalid: InvalidArtistName) -> Self {
        Self::new(Code::InvalidArtistName, invalid.to_string())
    }
}

/// A failed request (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// `urn:groovebase:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(value_type = String, format = "uri")]
    problem_type: String,
    /// What the code means, the same for every occurrence.
    #[schema(value_type = String)]
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened this time.
    detail: String,
    /// The path of the request.
    instance: String,
    /// The stable code to decide by.
    #[schema(value_type = String)]
    error: &'static str,
    /// The same as `detail`, for older clients.
    message: String,
    /// The request's identity, also in the header `x-request-id` and in every log line.
    request_id: String,
    /// Everything that is wrong with the request, at most 100.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<Violation>,
    /// Known artists that may have been meant, the closest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    suggestions: Vec<String>,
    /// The stored version, when a request demanded another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    current_version: Option<u64>,
}

/// Why one entry of many could not be answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EntryProblem)]
pub struct EntryProblemBody {
    /// `urn:groovebase:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(value_type = String, format = "uri")]
    problem_type: String,
    /// What the code means, the same for every occurrence.
    #[schema(value_type = String)]
    title: &'static str,
    /// The HTTP status that a request for this entry alone would have.
    status: u16,
    /// What happened this time.
    detail: String,
    /// The stable code to decide by.
    #[schema(value_type = String)]
    error: &'static str,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::json;

    use super::*;

    fn shown(problem: &Problem) -> serde_json::Value {
        serde_json::to_value(problem.body("r1", "/p")).unwrap()
    }

    #[test]
    fn an_unknown_artist_reads_as_it_always_did() {
        let artist = ArtistName::try_from("Unknown Artist").unwrap();
        let near = ArtistName::try_from("Known Artist").unwrap();

        let problem = Problem::artist_not_found(&artist).suggesting(vec![near]);

        assert_eq!(
            shown(&problem),
            json!({
                "type": "urn:groovebase:problem:artist_not_found",
                "title": "The artist is not known",
                "status": 404,
                "detail": "Artist 'Unknown Artist' not found in database",
                "instance": "/p",
                "error": "artist_not_found",
                "message": "Artist 'Unknown Artist' not found in database",
                "request_id": "r1",
                "suggestions": ["Known Artist"],
            })
        );
    }

    #[test]
    fn violations_are_listed_and_the_first_are_repeated() {
        let errors = (0..5).map(|index| Violation::at_pointer(format!("/{index}"), "is wrong"));

        let problem = Problem::of_violations(Code::InvalidBody, errors.collect());

        let shown = shown(&problem);
        assert_eq!(shown["detail"], "/0: is wrong; /1: is wrong; /2: is wrong; and 2 more");
        assert_eq!(shown["errors"][4], json!({"pointer": "/4", "detail": "is wrong"}));
    }

    #[test]
    fn what_a_store_says_stays_in_the_log() {
        let source = Arc::new(std::io::Error::other("password=hunter2"));

        let problem = Problem::from(RepositoryError::Internal(source));

        assert!(!shown(&problem).to_string().contains("hunter2"));
        assert_eq!(problem.causes().as_deref(), Some("password=hunter2"));
    }

    #[test]
    fn every_failure_of_a_store_has_its_status() {
        let source = || Arc::new(std::io::Error::other("x"));
        let current = Some(Version::new(7));
        let cases = [
            (RepositoryError::Conflict, 409),
            (RepositoryError::TakenGeneration(GenerationId::generate()), 409),
            (RepositoryError::VersionMismatch { current }, 412),
            (RepositoryError::Unavailable(source()), 503),
            (RepositoryError::Full(source()), 507),
            (RepositoryError::Internal(source()), 500),
        ];
        for (error, status) in cases {
            assert_eq!(Problem::from(error).respond("r1", "/p").status().as_u16(), status);
        }
        assert_eq!(
            shown(&RepositoryError::VersionMismatch { current }.into())["current_version"],
            7
        );
    }

    #[test]
    fn codes_are_distinct() {
        let codes: HashSet<&str> = Code::ALL.into_iter().map(Code::as_str).collect();

        assert_eq!(codes.len(), Code::ALL.len());
    }
}
