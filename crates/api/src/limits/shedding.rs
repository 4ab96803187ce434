//! What happens before anything else: a request is let in, or sent away for a second.

use std::{
    future::poll_fn,
    pin::pin,
    rc::Rc,
    task::Poll,
    time::Instant,
};

use actix_web::{
    Error, HttpMessage, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{Method, header::HeaderValue},
    middleware::Next,
    web,
};

use super::{ConnectionWatch, Limits, is_watching, turns::Turns};
use crate::{
    observation::{REQUEST_ID, request_id},
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
    let may_wait = limits.waiting.has_room();
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    // Whatever is no read waits, for its body if for nothing else.
    if !has_time || (!may_wait && !is_read) {
        limits.in_progress.note_shed();
        let answer = overloaded(&request);
        return Ok(request.into_response(answer));
    }
    let Some(permit) = limits.in_progress.enter() else {
        let answer = overloaded(&request);
        return Ok(request.into_response(answer));
    };
    // A write goes on when nobody waits for it any more; then it takes the permit along.
    request.extensions_mut().insert(Rc::new(permit));
    // The request is gone when it turns out that it has to wait.
    let instead = (!may_wait).then(|| overloaded(&request));
    wait(limits, instead, request, next).await
}

/// Answers, unless the answer has to wait and there is another one instead.
async fn wait(
    limits: &Limits,
    instead: Option<HttpResponse>,
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
    if let Some(instead) = instead {
        limits.in_progress.note_shed();
        return Err(InternalError::from_response("overloaded", instead).into());
    }
    let place = limits.waiting.enter(began);
    let answer = answering.await?;
    // How long a failure takes says nothing about how long an answer does.
    if answer.status().is_success()
        && let Some(route) = answer.request().match_pattern()
    {
        let method = answer.request().method();
        place.answered(&format!("{method} {route}"));
    }
    Ok(answer.map_into_boxed_body())
}

fn overloaded(request: &ServiceRequest) -> HttpResponse {
    let id = request_id(request.headers());
    let problem = Problem::new(Code::Overloaded, "too many requests are in progress; try again");
    let mut answer = problem.respond(id.as_str(), request.path());
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        answer.headers_mut().insert(REQUEST_ID, id);
    }
    answer
}
