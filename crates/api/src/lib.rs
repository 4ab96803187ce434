#![doc = include_str!("../README.md")]

pub mod access;
pub mod batch;
pub mod body;
pub mod causes;
pub mod command;
pub mod conditions;
pub mod config;
mod document;
mod failures;
pub mod freshness;
pub mod idempotency;
pub mod json;
pub mod limits;
pub mod metrics;
pub mod money;
pub mod negotiation;
pub mod observation;
pub mod parameters;
pub mod path;
pub mod problem;
pub mod profile_body;
pub mod reading;
pub mod recall;
pub mod retention;
pub mod routes;
pub mod source_body;
pub mod state;
pub mod telemetry;
pub mod violation;

use std::rc::Rc;

use actix_web::{
    App, Error,
    body::BoxBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    middleware::from_fn,
    web,
};
use utoipa_actix_web::AppExt;
use utoipa_swagger_ui::{Config, SwaggerUi};

pub use config::configuration_reference;
pub use problem::problem_reference;

use crate::{
    access::{admission, documented},
    document::Document,
    limits::Turns,
    routes::{RouteTable, Routes},
    state::State,
};

/// The service: routes, documentation, and what happens around every request.
pub fn app(
    state: web::Data<State>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let (app, mut openapi) = App::new()
        .into_utoipa_app()
        .openapi(document::frame())
        .configure(routes::register)
        .split_for_parts();
    documented::complete(&mut openapi);
    app.app_data(state)
        .app_data(web::Data::new(Document::of(&openapi)))
        .app_data(web::Data::new(Routes::of(&openapi)))
        .app_data(web::Data::new(RouteTable::default()))
        // Each thread calls this function, and has turns of its own.
        .app_data(Rc::new(Turns::default()))
        .service(documentation())
        .default_service(web::to(routes::refuse))
        .wrap(from_fn(admission::admit))
        .wrap(from_fn(observation::observe))
        .wrap(from_fn(limits::shed))
}

/// The OpenAPI document, as `/openapi.json` serves it.
#[must_use]
pub fn openapi_json() -> String {
    let (_, mut openapi) = App::new()
        .into_utoipa_app()
        .openapi(document::frame())
        .configure(routes::register)
        .split_for_parts();
    documented::complete(&mut openapi);
    openapi.to_pretty_json().unwrap_or_default()
}

/// A page to read and try the operations on; everything it needs is in the binary.
fn documentation() -> SwaggerUi {
    // Without this the page asks a server on the internet for a badge.
    let config = Config::from("/openapi.json").validator_url("none");
    SwaggerUi::new("/docs/{_:.*}").config(config)
}
