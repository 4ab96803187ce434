//! What each route needs, in one table. A route that is not in it is open to nobody.

use actix_web::{dev::ResourceDef, http::Method};
use domain::Scope;

/// What somebody needs to use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Nothing.
    Public,
    /// A key with this scope, when access is on.
    Scope(Scope),
}

const READ: Need = Need::Scope(Scope::Read);
const WRITE: Need = Need::Scope(Scope::Write);
const GENERATE: Need = Need::Scope(Scope::Generate);
const ADMIN: Need = Need::Scope(Scope::Admin);

/// Every route. `HEAD` needs what `GET` needs.
pub const NEEDS: [(Method, &str, Need); 31] = [
    (Method::GET, "/api/v1/artists", READ),
    (Method::POST, "/api/v1/artists", WRITE),
    (Method::GET, "/api/v1/artists/{artist}", READ),
    (Method::DELETE, "/api/v1/artists/{artist}", WRITE),
    (Method::GET, "/api/v1/artists/{artist}/profile", READ),
    (Method::PUT, "/api/v1/artists/{artist}/profile", WRITE),
    (Method::DELETE, "/api/v1/artists/{artist}/profile", WRITE),
    (Method::GET, "/api/v1/artists/{artist}/sources", READ),
    (Method::POST, "/api/v1/artists/{artist}/sources", WRITE),
    (Method::GET, "/api/v1/artists/{artist}/history", READ),
    (Method::GET, "/api/v1/similar/{artist}", READ),
    (Method::POST, "/api/v1/similar", READ),
    (Method::POST, "/api/v1/similar/batch", READ),
    (Method::POST, "/api/v1/generations", GENERATE),
    (Method::GET, "/api/v1/generations/{id}", READ),
    (Method::GET, "/api/v1/stats", READ),
    (Method::GET, "/api/v1/stats/series", READ),
    (Method::GET, "/api/v1/keys", ADMIN),
    (Method::POST, "/api/v1/keys", ADMIN),
    (Method::GET, "/api/v1/keys/{id}", ADMIN),
    (Method::DELETE, "/api/v1/keys/{id}", ADMIN),
    (Method::POST, "/api/v1/keys/{id}/rotate", ADMIN),
    (Method::GET, "/api/v1/audit", ADMIN),
    (Method::GET, "/health", READ),
    (Method::GET, "/health/live", Need::Public),
    (Method::GET, "/health/ready", Need::Public),
    (Method::GET, "/metrics", READ),
    (Method::GET, "/openapi.json", Need::Public),
    (Method::GET, "/docs", Need::Public),
    // The pages behind it, which the OpenAPI document does not list.
    (Method::GET, "/docs/", Need::Public),
    (Method::GET, "/docs/{_:.*}", Need::Public),
];

/// What a route needs, by the method and template that the OpenAPI document has.
#[must_use]
pub fn need_of(method: &Method, template: &str) -> Option<Need> {
    NEEDS
        .into_iter()
        .find(|(known, path, _)| known == method && *path == template)
        .map(|(_, _, need)| need)
}

/// The table, ready to look requests up in.
pub(crate) struct Guard(Vec<Guarded>);

struct Guarded {
    method: Method,
    template: ResourceDef,
    /// What every path of the template begins with: cheaper to compare than the whole.
    beginning: &'static str,
    need: Need,
}

impl Default for Guard {
    fn default() -> Self {
        let guarded = NEEDS.into_iter().map(|(method, path, need)| Guarded {
            method,
            template: ResourceDef::new(path),
            beginning: path.split('{').next().unwrap_or(path),
            need,
        });
        Self(guarded.collect())
    }
}

impl Guard {
    /// What a request needs; `None` when no route of the table takes it.
    ///
    /// The path is the router's own form of it, in which an encoded slash is not one. Of several routes that a path fits
    /// the one counts that needs most.
    pub(crate) fn need(&self, method: &Method, path: &str) -> Option<Need> {
        self.0
            .iter()
            .filter(|guarded| {
                guarded.method == *method
                    && path.starts_with(guarded.beginning)
                    && guarded.template.is_match(path)
            })
            .map(|guarded| guarded.need)
            .max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_request_needs() {
        let guard = Guard::default();
        let need = |method: &Method, path: &str| guard.need(method, path);

        assert_eq!(need(&Method::GET, "/api/v1/artists/AC%2FDC/profile"), Some(READ));
        assert_eq!(need(&Method::PUT, "/api/v1/artists/x/profile"), Some(WRITE));
        assert_eq!(need(&Method::POST, "/api/v1/generations"), Some(GENERATE));
        assert_eq!(need(&Method::POST, "/api/v1/keys/x/rotate"), Some(ADMIN));
        assert_eq!(need(&Method::GET, "/docs/index.html"), Some(Need::Public));
        for (method, path) in [
            (Method::GET, "/"),
            (Method::GET, "/api/v1/artists/"),
            (Method::PUT, "/api/v1/artists"),
            (Method::GET, "/api/v1/keys/x/rotate"),
            (Method::OPTIONS, "/health/live"),
            (Method::GET, "/health/live/"),
        ] {
            assert_eq!(need(&method, path), None, "{method} {path}");
        }
    }

    #[test]
    fn routes_that_one_path_fits_need_the_same() {
        let guard = Guard::default();

        for (method, path, need) in NEEDS {
            assert_eq!(guard.need(&method, path), Some(need), "{method} {path}");
        }
    }
}
