//! What happens before anything else: a request is let in, or sent away for a second.

use std::{future::poll_fn, pin::pin, rc::Rc, task::Poll, time::Instant};

use actix_web::{
    Error, HttpMessage, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::Method,
    middleware::Next,
    web,
};
use domain::RequestId;

use super::{ConnectionWatch, Limits, is_watching, turns::Turns};
use crate::{
    observation::{request_id, tell_request_id},
    problem::{Code, Problem},
    state::State,
};

/// Lets a request in, or answers at once, without reading its body, without a log line and without a trace.
pub(crate) async fn shed(
    state: web::Data<State>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let _under_way = request.conn_data::<ConnectionWatch>().map(ConnectionWatch::begin);
    if is_watching(request.path()) {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let limits = state.limits();
    let has_time = request.app_data::<Rc<Turns>>().is_none_or(Turns::has_time);
    if !has_time {
        limits.waiting.note_line(Instant::now());
    }
    let may_wait = has_time && limits.waiting.has_room();
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    // Whatever is no read waits, for its body if for nothing else.
    let permit = if has_time && (may_wait || is_read) { limits.in_progress.enter() } else { None };
    let Some(permit) = permit else {
        limits.in_progress.note_shed();
        let answer = Refused::of(&request).answer();
        return Ok(request.into_response(answer));
    };
    // A write goes on when nobody waits for it any more; then it takes the permit along.
    request.extensions_mut().insert(Rc::new(permit));
    // The request is gone when it turns out that it has to wait.
    let refused = (!may_wait).then(|| Refused::of(&request));
    wait(limits, refused, request, next).await
}

/// What has to be known of a request to send it away.
struct Refused {
    id: RequestId,
    path: String,
}

/// Answers, unless the answer has to wait and must not.
async fn wait(
    limits: &Limits,
    refused: Option<Refused>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let began = Instant::now();
    let mut answering = pin!(next.call(request));
    // What is in memory is answered at once, and held up by nobody who waits.
    let at_once = poll_fn(|context| Poll::Ready(answering.as_mut().poll(context))).await;
    if let Poll::Ready(answer) = at_once {
        return Ok(answer?.map_into_boxed_body());
    }
    if let Some(refused) = refused {
        limits.in_progress.note_shed();
        return Err(InternalError::from_response("overloaded", refused.answer()).into());
    }
    let place = limits.waiting.enter(began, limits.in_progress.shed());
    let answer = answering.await?;
    // How long a failure takes says nothing about how long an answer does.
    if answer.status().is_success()
        && let Some(route) = answer.request().match_pattern()
    {
        let method = answer.request().method();
        place.answered(&format!("{method} {route}"), limits.in_progress.shed());
    }
    Ok(answer.map_into_boxed_body())
}

impl Refused {
    fn of(request: &ServiceRequest) -> Self {
        Self { id: request_id(request.headers()), path: request.path().to_owned() }
    }

    fn answer(&self) -> HttpResponse {
        let Self { id, path } = self;
        let problem =
            Problem::new(Code::Overloaded, "too many requests are in progress; try again");
        let mut answer = problem.respond(id.as_str(), path);
        tell_request_id(id, answer.headers_mut());
        answer
    }
}
