//! What the OpenAPI document says of access: taken from the table of routes, so that no handler has to.

use std::collections::btree_map::Entry;

use actix_web::http::Method;
use domain::Scope;
use utoipa::openapi::{
    OpenApi, PathItem, RefOr,
    path::Operation,
    security::{
        ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
    },
};

use super::Need;
use crate::{
    failures::{Broken, Limited, NotAdmitted, OR},
    limits::is_watching,
    routes::need_of,
};

const BEARER: &str = "bearer";
const HEADER: &str = "api_key";

/// Adds to each operation what it needs, and how it refuses those who do not have it.
pub(crate) fn complete(document: &mut OpenApi) {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An API key, `gb_<id>_<secret>`. Not needed while access is off."))
        .build();
    let header = ApiKeyValue::with_description("x-api-key", "The same key in a header of its own.");
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(BEARER, SecurityScheme::Http(bearer));
    components.add_security_scheme(HEADER, SecurityScheme::ApiKey(ApiKey::Header(header)));

    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let is_guarded = match need_of(&method, path) {
                Some(Need::Scope(scope)) => {
                    guard(operation, scope);
                    true
                }
                Some(Need::Public) | None => false,
            };
            let has_body = operation.request_body.is_some();
            add(operation, Limited::responses(has_body, is_watching(path), is_guarded));
        }
    }
}

fn guard(operation: &mut Operation, scope: Scope) {
    operation.security = Some(
        [BEARER, HEADER].map(|scheme| SecurityRequirement::new(scheme, [scope.as_str()])).into(),
    );
    let more = NotAdmitted::responses(scope).into_iter().chain(Broken::access_unknown());
    add(operation, more);
}

/// Adds what an operation may answer as well, example by example.
fn add(
    operation: &mut Operation,
    more: impl IntoIterator<Item = (String, RefOr<utoipa::openapi::Response>)>,
) {
    for (status, response) in more {
        let RefOr::T(response) = response else { continue };
        let known = match operation.responses.responses.entry(status) {
            Entry::Vacant(place) => {
                place.insert(RefOr::T(response));
                continue;
            }
            Entry::Occupied(known) => known.into_mut(),
        };
        if let RefOr::T(known) = known {
            known.description = format!("{}{OR}{}", known.description, response.description);
            known.headers.extend(response.headers);
            for (media_type, content) in response.content {
                let known = known.content.entry(media_type).or_insert_with(|| content.clone());
                if let (RefOr::T(known), RefOr::T(content)) = (known, content) {
                    known.examples.extend(content.examples);
                }
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let PathItem { get, put, post, delete, .. } = item;
    let all =
        [(Method::GET, get), (Method::PUT, put), (Method::POST, post), (Method::DELETE, delete)];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}
