//! What happens before anything else: a request is let in, or sent away for a second.

use actix_web::{
    Error, HttpMessage,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header::HeaderValue,
    middleware::Next,
    web,
};

use super::{ConnectionWatch, is_watching};
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
    let Some(permit) = state.limits().in_progress.enter() else {
        let id = request_id(request.headers());
        let problem =
            Problem::new(Code::Overloaded, "too many requests are in progress; try again");
        let mut answer = problem.respond(id.as_str(), request.path());
        if let Ok(id) = HeaderValue::from_str(id.as_str()) {
            answer.headers_mut().insert(REQUEST_ID, id);
        }
        return Ok(request.into_response(answer));
    };
    // A write goes on when nobody waits for it any more; then it takes the permit along.
    request.extensions_mut().insert(std::rc::Rc::new(permit));
    Ok(next.call(request).await?.map_into_boxed_body())
}
