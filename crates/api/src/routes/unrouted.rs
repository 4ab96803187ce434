//! What no route takes: an unknown path, or a known one with another method.

use actix_web::{HttpRequest, dev::ResourceDef, http::Method, web};
use utoipa::openapi::{OpenApi, PathItem};

use crate::problem::{Code, Problem};

/// Which methods each path takes, as the OpenAPI document tells it.
pub(crate) struct Routes(Vec<(ResourceDef, Vec<Method>)>);

impl Routes {
    pub(crate) fn of(document: &OpenApi) -> Self {
        let paths = document.paths.paths.iter();
        Self(paths.map(|(path, item)| (ResourceDef::new(path.as_str()), methods(item))).collect())
    }

    fn allowed(&self, path: &str) -> Option<&[Method]> {
        let route = self.0.iter().find(|(route, _)| route.is_match(path));
        route.map(|(_, methods)| methods.as_slice())
    }
}

/// Answers what no route takes.
pub(crate) async fn refuse(
    request: HttpRequest,
    routes: web::Data<Routes>,
) -> Result<actix_web::HttpResponse, Problem> {
    // The router's own form of the path, in which an encoded slash is not one.
    let path = request.match_info().as_str();
    Err(match routes.allowed(path) {
        Some(allowed) => Problem::method_not_allowed(request.method(), allowed),
        None => Problem::new(Code::RouteNotFound, "there is nothing at this path"),
    })
}

fn methods(item: &PathItem) -> Vec<Method> {
    let answered = [
        (Method::GET, item.get.is_some()),
        (Method::HEAD, item.get.is_some()),
        (Method::POST, item.post.is_some()),
        (Method::PUT, item.put.is_some()),
        (Method::DELETE, item.delete.is_some()),
    ];
    answered.into_iter().filter(|(_, is_answered)| *is_answered).map(|(method, _)| method).collect()
}
