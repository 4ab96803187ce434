//! What happens around every request: its identity, its log lines, its metrics, its trace, and the shape of its failure.

mod exchange_span;
mod server_timing;

use std::{
    any::Any,
    cell::Cell,
    panic::AssertUnwindSafe,
    pin::pin,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    Error, HttpMessage, HttpResponse,
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
use domain::RequestId;
use futures::FutureExt;
use tracing::{Instrument, field::Empty};

use self::exchange_span::ExchangeSpan;
use crate::{
    limits::{RateStanding, check_sizes},
    path,
    problem::Problem,
    state::State,
    telemetry::LOGGED_SPAN,
};

/// The header that carries a request's identity, both ways.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A read that takes this long is told in the log however it ends.
const SLOW: Duration = Duration::from_millis(500);

/// The route of a request that no route took.
const NO_ROUTE: &str = "none";

/// Wraps every request.
pub(crate) async fn observe(
    state: web::Data<State>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let exchange = Exchange {
        id: request_id(request.headers()),
        method: request.method().clone(),
        path: request.uri().path().to_owned(),
        began: Instant::now(),
        span: ExchangeSpan::begin(request.method(), request.headers()),
        noted: Rc::default(),
        state,
    };
    // Whoever asks for the head of an answer gets that of GET; the body is left out when it is written.
    if exchange.method == Method::HEAD {
        request.head_mut().method = Method::GET;
    }
    request.extensions_mut().insert(exchange.id.clone());
    request.extensions_mut().insert(Rc::clone(&exchange.noted));
    let traced = exchange.span.clone();
    let logged = tracing::info_span!(
        parent: traced.span(),
        LOGGED_SPAN,
        request_id = %exchange.id,
        key = Empty,
        trace_id = Empty
    );
    if let Some(trace_id) = traced.trace_id() {
        logged.record("trace_id", trace_id);
    }
    let answering = pin!(async move {
        let most_bytes = exchange.state.limits().url_bytes;
        let sizes = check_sizes(&exchange.path, request.uri().query(), most_bytes);
        if let Err(problem) = sizes.and_then(|()| path::check(&exchange.path)) {
            return Ok(exchange.finish(request.error_response(problem).map_into_boxed_body()));
        }
        match AssertUnwindSafe(next.call(request)).catch_unwind().await {
            Ok(Ok(response)) => Ok(exchange.finish(response.map_into_boxed_body())),
            Ok(Err(error)) => {
                Err(exchange.fail(&problem_of(&error, error.as_response_error().status_code())))
            }
            Err(panic) => Err(exchange.fail(&Problem::internal(Arc::new(Panicked::of(&*panic))))),
        }
    });
    // Who does not see the one span finds its parent in the other, among those that are entered.
    answering.instrument(logged).instrument(traced.span().clone()).await
}

/// A request under way.
struct Exchange {
    id: RequestId,
    method: Method,
    path: String,
    began: Instant,
    span: ExchangeSpan,
    noted: Rc<Noted>,
    state: web::Data<State>,
}

/// What is found out about a request on its way, and told with its answer, even if that has lost the request.
#[derive(Debug, Default)]
pub(crate) struct Noted {
    route: Cell<Option<&'static str>>,
    standing: Cell<RateStanding>,
}

impl Noted {
    /// The template of the route that takes the request.
    pub(crate) fn route(&self, template: &'static str) {
        self.route.set(Some(template));
    }

    /// How the client stands.
    pub(crate) fn standing(&self, standing: RateStanding) {
        self.standing.set(standing);
    }
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
        let (request, mut answer) = response.into_parts();
        self.complete(&mut answer);
        ServiceResponse::new(request, answer)
    }

    /// For a failure that took the request with it.
    fn fail(&self, problem: &Problem) -> Error {
        let mut answer = self.answer(problem);
        self.complete(&mut answer);
        InternalError::from_response(problem.clone(), answer).into()
    }

    fn answer(&self, problem: &Problem) -> HttpResponse {
        if let Some(causes) = problem.causes() {
            tracing::error!(code = problem.code().as_str(), error = causes, "Request failed");
        }
        problem.respond(self.id.as_str(), &self.path)
    }

    fn complete(&self, answer: &mut HttpResponse) {
        let route = self.noted.route.get().unwrap_or(NO_ROUTE);
        self.noted.standing.take().tell(answer.headers_mut());
        tell_request_id(&self.id, answer.headers_mut());
        if self.state.is_stopping() {
            answer.head_mut().set_connection_type(ConnectionType::Close);
        }
        let duration = self.began.elapsed();
        let status = answer.status();
        self.span.end(&self.method, route, status);
        self.span.tell(answer.headers_mut());
        if self.state.tells_timing() {
            server_timing::tell(answer.headers_mut(), duration, self.span.spent_in_database());
        }
        self.state.metrics().observe(&self.method, route, status, duration);
        let duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let is_read = matches!(self.method, Method::GET | Method::HEAD);
        let is_failure = status.is_client_error() || status.is_server_error();
        if is_read && !is_failure && duration < SLOW {
            // Writing a line takes as long as answering from memory; metrics count these as well.
            tracing::debug!(method = %self.method, route, status = status.as_u16(), duration_us, "Request answered");
        } else {
            tracing::info!(method = %self.method, route, status = status.as_u16(), duration_us, "Request answered");
        }
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

/// The caller's `x-request-id` if it can be used, else a new one.
pub(crate) fn request_id(headers: &HeaderMap) -> RequestId {
    let given = headers.get(REQUEST_ID).map(HeaderValue::as_bytes);
    given.and_then(|id| RequestId::try_from(id).ok()).unwrap_or_else(RequestId::generate)
}

/// Says which request is answered.
pub(crate) fn tell_request_id(id: &RequestId, headers: &mut HeaderMap) {
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        headers.insert(REQUEST_ID, id);
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
        request_id(&headers).as_str().to_owned()
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
