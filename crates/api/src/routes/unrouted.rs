//! What no route takes: an unknown path, or a known one with another method.

use actix_web::{HttpRequest, dev::ResourceDef, http::Method, web};
use utoipa::openapi::{OpenApi, PathItem};

use crate::problem::{Code, Problem};

/// Every method that some path takes.
const ANSWERED: [Method; 5] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE];

/// Which methods each path takes, as the OpenAPI document tells it.
pub(crate) struct Routes(Vec<(ResourceDef, Vec<Method>)>);

impl Routes {
    pub(crate) fn of(document: &OpenApi) -> Self {
        let paths = document.paths.paths.iter();
        Self(paths.map(|(path, item)| (ResourceDef::new(path.as_str()), methods(item))).collect())
    }

    /// The methods of every route that the path fits: `/similar/batch` is one of its own, and an artist's.
    fn allowed(&self, path: &str) -> Vec<Method> {
        let routes = self.0.iter().filter(|(route, _)| route.is_match(path));
        let offered: Vec<&Method> = routes.flat_map(|(_, methods)| methods).collect();
        ANSWERED.into_iter().filter(|method| offered.contains(&method)).collect()
    }

    /// What to answer to a request that no route of the table of needs takes.
    pub(crate) fn refusal(&self, method: &Method, path: &str) -> Problem {
        match self.allowed(path).as_slice() {
            [] => Problem::new(Code::RouteNotFound, "there is nothing at this path"),
            allowed if allowed.contains(method) => {
                Problem::new(Code::RouteClosed, "nobody said who may use this route")
            }
            allowed => Problem::method_not_allowed(method, allowed),
        }
    }
}

/// Answers what no route takes.
pub(crate) async fn refuse(
    request: HttpRequest,
    routes: web::Data<Routes>,
) -> Result<actix_web::HttpResponse, Problem> {
    // The router's own form of the path, in which an encoded slash is not one.
    Err(routes.refusal(request.method(), request.match_info().as_str()))
}

fn methods(item: &PathItem) -> Vec<Method> {
    let get = item.get.is_some();
    let taken = [get, get, item.post.is_some(), item.put.is_some(), item.delete.is_some()];
    ANSWERED.into_iter().zip(taken).filter(|(_, taken)| *taken).map(|(method, _)| method).collect()
}
