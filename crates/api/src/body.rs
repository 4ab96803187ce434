//! The body of a request: plain JSON of bounded size.

use std::{future::Future, pin::Pin, time::Duration};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header,
    web::{self, Bytes, BytesMut},
};
use futures::StreamExt;
use tokio::time::{Instant, timeout_at};

use crate::{
    problem::{Code, Problem},
    state::{State, StateSettings},
};

/// No body takes longer, whatever the service.
const LONGEST: Duration = Duration::from_mins(1);

/// The bytes of a body that is declared as JSON, at most as many as the service takes.
pub struct JsonBody(pub Bytes);

impl FromRequest for JsonBody {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let declared = check_declaration(request);
        let most = request
            .app_data::<web::Data<State>>()
            .map_or(StateSettings::DEFAULT_BODY_LIMIT_BYTES, |state| state.body_limit_bytes());
        let declared_length = header_text(request, &header::CONTENT_LENGTH)
            .and_then(|length| length.parse::<usize>().ok());
        let patience = request
            .app_data::<web::Data<State>>()
            .map_or(LONGEST, |state| state.limits().body_timeout);
        let mut payload = payload.take();

        Box::pin(async move {
            declared?;
            if declared_length.is_some_and(|length| most < length) {
                return Err(too_large(most));
            }
            let mut body = BytesMut::with_capacity(declared_length.unwrap_or_default());
            let end = Instant::now() + patience;
            while let Some(chunk) =
                timeout_at(end, payload.next()).await.map_err(|_| too_slow(patience))?
            {
                let chunk = chunk.map_err(|error| {
                    Problem::new(Code::MalformedBody, format!("the body broke off: {error}"))
                })?;
                if most < body.len() + chunk.len() {
                    return Err(too_large(most));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Self(body.freeze()))
        })
    }
}

fn check_declaration(request: &HttpRequest) -> Result<(), Problem> {
    let unsupported = |detail: &str| Err(Problem::new(Code::UnsupportedMediaType, detail));
    match header_text(request, &header::CONTENT_TYPE) {
        Some(declared) if is_json(declared) => {}
        Some(_) => return unsupported("the header content-type must be application/json"),
        None => {
            return unsupported("the header content-type is missing, it must be application/json");
        }
    }
    match header_text(request, &header::CONTENT_ENCODING) {
        None => Ok(()),
        Some(coding) if coding.eq_ignore_ascii_case("identity") => Ok(()),
        Some(_) => unsupported("the body must not be compressed"),
    }
}

fn is_json(declared: &str) -> bool {
    let media_type = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type == "application/json"
        || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

fn too_large(most: usize) -> Problem {
    Problem::new(Code::PayloadTooLarge, format!("a body has at most {most} bytes"))
}

fn too_slow(patience: Duration) -> Problem {
    let milliseconds = patience.as_millis();
    Problem::new(Code::BodyTooSlow, format!("a body arrives within {milliseconds} ms"))
}

fn header_text<'a>(request: &'a HttpRequest, name: &header::HeaderName) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}
