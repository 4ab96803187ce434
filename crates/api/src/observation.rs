//! What happens around every request: its identity, its log lines, its metrics, and the shape of its failure.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use actix_web::{
    Error, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        ConnectionType, Method, StatusCode,
        header::{HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};
use domain::Id;
use futures::FutureExt;
use tracing::Instrument;

use crate::{path, problem::Problem, state::State};

/// The header that carries a request's identity, both ways.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The route of a request that no route took.
const NO_ROUTE: &str = "none";

/// Wraps every request.
pub(crate) async fn observe(
    state: web::Data<State>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let exchange = Exchange {
        id: RequestId::of(request.headers()),
        method: request.method().clone(),
        path: request.uri().path().to_owned(),
        began: Instant::now(),
        state,
    };
    // Whoever asks for the head of an answer gets that of GET; the body is left out when it is written.
    if exchange.method == Method::HEAD {
        request.head_mut().method = Method::GET;
    }
    let span = tracing::info_span!("request", request_id = %exchange.id.0);
    async move {
        if let Err(problem) = path::check(&exchange.path) {
            return Ok(exchange.finish(request.error_response(problem).map_into_boxed_body()));
        }
        match AssertUnwindSafe(next.call(request)).catch_unwind().await {
            Ok(Ok(response)) => Ok(exchange.finish(response.map_into_boxed_body())),
            Ok(Err(error)) => {
                Err(exchange.fail(&problem_of(&error, error.as_response_error().status_code())))
            }
            Err(panic) => Err(exchange.fail(&Problem::internal(Arc::new(Panicked::of(&*panic))))),
        }
    }
    .instrument(span)
    .await
}

/// A request under way.
struct Exchange {
    id: RequestId,
    method: Method,
    path: String,
    began: Instant,
    state: web::Data<State>,
}

impl Exchange {
    fn finish(&self, response: ServiceResponse) -> ServiceResponse {
        let response = match failure_of(&response) {
            None => response,
            Some(problem) => {
                let answer = self.answer(&problem);
                response.into_response(answer)
            }
        };
        let route = response.request().match_pattern();
        let (request, mut answer) = response.into_parts();
        self.complete(&mut answer, route.as_deref().unwrap_or(NO_ROUTE));
        ServiceResponse::new(request, answer)
    }

    /// For a failure that took the request with it.
    fn fail(&self, problem: &Problem) -> Error {
        let mut answer = self.answer(problem);
        self.complete(&mut answer, NO_ROUTE);
        InternalError::from_response(problem.clone(), answer).into()
    }

    fn answer(&self, problem: &Problem) -> HttpResponse {
        if let Some(causes) = problem.causes() {
            tracing::error!(code = problem.code().as_str(), error = causes, "Request failed");
        }
        problem.respond(&self.id.0, &self.path)
    }

    fn complete(&self, answer: &mut HttpResponse, route: &str) {
        if let Ok(id) = HeaderValue::from_str(&self.id.0) {
            answer.headers_mut().insert(REQUEST_ID, id);
        }
        if self.state.is_stopping() {
            answer.head_mut().set_connection_type(ConnectionType::Close);
        }
        let duration = self.began.elapsed();
        let status = answer.status();
        self.state.metrics().observe(&self.method, route, status, duration);
        let duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        tracing::info!(method = %self.method, route, status = status.as_u16(), duration_us, "Request answered");
    }
}

/// What went wrong, if the answer does not tell it yet.
fn failure_of(response: &ServiceResponse) -> Option<Problem> {
    let answer = response.response();
    let status = answer.status();
    if let Some(error) = answer.error() {
        return Some(problem_of(error, status));
    }
    let is_empty = matches!(answer.body().size(), BodySize::None | BodySize::Sized(0));
    let is_failure = status.is_client_error() || status.is_server_error();
    (is_failure && is_empty).then(|| Problem::of_status(status))
}

fn problem_of(error: &Error, status: StatusCode) -> Problem {
    error.as_error::<Problem>().cloned().unwrap_or_else(|| Problem::of_status(status))
}

/// The caller's `x-request-id` if it is 1 to 128 visible ASCII characters, else a new UUID.
pub(crate) struct RequestId(String);

impl RequestId {
    const MAX_CHARS: usize = 128;

    /// The one that the request gives, if it can be used, or a new one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(REQUEST_ID).map(HeaderValue::as_bytes);
        let usable = given.filter(|id| {
            (1..=Self::MAX_CHARS).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
        });
        match usable.and_then(|id| str::from_utf8(id).ok()) {
            Some(id) => Self(id.to_owned()),
            None => Self(Id::<Self>::generate().to_string()),
        }
    }

    /// The identity as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A handler panicked.
#[derive(Debug, thiserror::Error)]
#[error("a handler panicked: {0}")]
struct Panicked(String);

impl Panicked {
    fn of(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        Self(text.or_else(|| panic.downcast_ref().cloned()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{App, middleware::from_fn, test};

    use super::*;

    fn id_of(given: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_str(given).unwrap());
        RequestId::of(&headers).0
    }

    #[actix_web::test]
    async fn a_panic_is_answered() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("panic.db").display());
        let limits = storage::PoolLimits { kept: 0, ..storage::PoolLimits::default() };
        let store = storage::connect(&url, &limits, Arc::new(domain::SystemClock)).await.unwrap();
        let state = web::Data::new(State::new(store, crate::state::StateSettings::default()));
        let boom = || async { panic!("secret reason") as HttpResponse };
        let service = test::init_service(
            App::new().app_data(state).route("/boom", web::get().to(boom)).wrap(from_fn(observe)),
        )
        .await;

        let request = test::TestRequest::get().uri("/boom").to_request();
        let error = test::try_call_service(&service, request).await.unwrap_err();

        let answer = error.error_response();
        assert_eq!(answer.status(), 500);
        assert!(answer.headers().contains_key(REQUEST_ID));
        let body = answer.into_body().try_into_bytes().unwrap();
        let body = str::from_utf8(&body).unwrap();
        assert!(body.contains("internal_error") && !body.contains("secret reason"), "{body}");
    }

    #[::core::prelude::v1::test]
    fn keeps_a_usable_request_id() {
        let longest = "x".repeat(128);

        assert_eq!(id_of("trace-7/a"), "trace-7/a");
        assert_eq!(id_of(&longest), longest);
    }

    #[::core::prelude::v1::test]
    fn makes_an_identity_when_there_is_no_usable_one() {
        for given in ["", "two words", "caf\u{e9}", &"x".repeat(129)] {
            assert_eq!(id_of(given).len(), 36, "{given}");
        }
    }
}
