//! What each route needs and how long it may take, in one table. A route that is not in it is open to nobody.

use actix_web::http::Method;
use domain::Scope;

use crate::{access::Need, limits::Deadline};

const READ: Need = Need::Scope(Scope::Read);
const WRITE: Need = Need::Scope(Scope::Write);
const GENERATE: Need = Need::Scope(Scope::Generate);
const ADMIN: Need = Need::Scope(Scope::Admin);

/// Every route, by its method and the template that the OpenAPI document has. `HEAD` needs what `GET` needs.
pub const ROUTE_TABLE: [(Method, &str, Need, Deadline); 31] = [
    (Method::GET, "/api/v1/artists", READ, Deadline::Read),
    (Method::POST, "/api/v1/artists", WRITE, Deadline::Write),
    (Method::GET, "/api/v1/artists/{artist}", READ, Deadline::Read),
    (Method::DELETE, "/api/v1/artists/{artist}", WRITE, Deadline::Write),
    (Method::GET, "/api/v1/artists/{artist}/profile", READ, Deadline::Read),
    (Method::PUT, "/api/v1/artists/{artist}/profile", WRITE, Deadline::Write),
    (Method::DELETE, "/api/v1/artists/{artist}/profile", WRITE, Deadline::Write),
    (Method::GET, "/api/v1/artists/{artist}/sources", READ, Deadline::Read),
    (Method::POST, "/api/v1/artists/{artist}/sources", WRITE, Deadline::Write),
    (Method::GET, "/api/v1/artists/{artist}/history", READ, Deadline::Sums),
    (Method::GET, "/api/v1/similar/{artist}", READ, Deadline::Search),
    (Method::POST, "/api/v1/similar", READ, Deadline::Search),
    (Method::POST, "/api/v1/similar/batch", READ, Deadline::Sums),
    (Method::POST, "/api/v1/generations", GENERATE, Deadline::Bulk),
    (Method::GET, "/api/v1/generations/{id}", READ, Deadline::Read),
    (Method::GET, "/api/v1/stats", READ, Deadline::Sums),
    (Method::GET, "/api/v1/stats/series", READ, Deadline::Sums),
    (Method::GET, "/api/v1/keys", ADMIN, Deadline::Read),
    (Method::POST, "/api/v1/keys", ADMIN, Deadline::Write),
    (Method::GET, "/api/v1/keys/{id}", ADMIN, Deadline::Read),
    (Method::DELETE, "/api/v1/keys/{id}", ADMIN, Deadline::Write),
    (Method::POST, "/api/v1/keys/{id}/rotate", ADMIN, Deadline::Write),
    (Method::GET, "/api/v1/audit", ADMIN, Deadline::Read),
    (Method::GET, "/health", READ, Deadline::Read),
    (Method::GET, "/health/live", Need::Public, Deadline::Read),
    (Method::GET, "/health/ready", Need::Public, Deadline::Read),
    (Method::GET, "/metrics", READ, Deadline::Read),
    (Method::GET, "/openapi.json", Need::Public, Deadline::Read),
    (Method::GET, "/docs", Need::Public, Deadline::Read),
    // The pages behind it, which the OpenAPI document does not list.
    (Method::GET, "/docs/", Need::Public, Deadline::Read),
    (Method::GET, "/docs/{_:.*}", Need::Public, Deadline::Read),
];

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) template: &'static str,
    pub(crate) need: Need,
    pub(crate) deadline: Deadline,
}

/// What a route needs, by its method and template.
#[must_use]
pub(crate) fn need_of(method: &Method, template: &str) -> Option<Need> {
    ROUTE_TABLE
        .into_iter()
        .find(|(known, path, ..)| known == method && *path == template)
        .map(|(_, _, need, _)| need)
}

/// The table, ready to look requests up in.
pub(crate) struct RouteTable(Vec<Row>);

#[derive(Debug)]
struct Row {
    method: Method,
    parts: Vec<Part>,
    route: Route,
}

/// More than any template has.
const MOST_SEGMENTS: usize = 8;

/// What lies between two slashes of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// This text.
    Text(&'static str),
    /// Anything, but not nothing.
    Parameter,
    /// Whatever follows, slashes as well.
    Rest,
}

impl Default for RouteTable {
    fn default() -> Self {
        let rows = ROUTE_TABLE.into_iter().map(|(method, template, need, deadline)| Row {
            method,
            parts: template.split('/').map(Part::of).collect(),
            route: Route { template, need, deadline },
        });
        Self(rows.collect())
    }
}

impl Part {
    fn of(text: &'static str) -> Self {
        match text {
            "{_:.*}" => Self::Rest,
            _ if text.starts_with('{') => Self::Parameter,
            _ => Self::Text(text),
        }
    }
}

impl Row {
    /// As the router does, without its expressions: it will look for the route itself.
    fn takes(&self, segments: &[&str]) -> bool {
        let fits = |(part, segment): (&Part, &&str)| match part {
            Part::Text(text) => text == segment,
            Part::Parameter => !segment.is_empty(),
            Part::Rest => true,
        };
        let has_rest = self.parts.last() == Some(&Part::Rest);
        let (own, given) = (self.parts.len(), segments.len());
        (own == given || has_rest && own < given) && self.parts.iter().zip(segments).all(fits)
    }
}

/// What lies between the slashes of a path; the last of [`MOST_SEGMENTS`] is all that is left.
fn segments_of<'a, 'b>(path: &'b str, into: &'a mut [&'b str; MOST_SEGMENTS]) -> &'a [&'b str] {
    let mut count = 0;
    for (place, segment) in into.iter_mut().zip(path.splitn(MOST_SEGMENTS, '/')) {
        *place = segment;
        count += 1;
    }
    into.get(..count).unwrap_or_default()
}

impl RouteTable {
    /// The route of a request; `None` when none of the table takes it.
    ///
    /// The path is the router's own form of it, in which an encoded slash is not one. Of several routes that a path fits
    /// the one counts that needs most.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Option<Route> {
        let mut segments = [""; MOST_SEGMENTS];
        let segments = segments_of(path, &mut segments);
        self.0
            .iter()
            .filter(|row| row.method == *method && row.takes(segments))
            .map(|row| row.route)
            .max_by_key(|route| route.need)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use actix_web::dev::ResourceDef;

    use super::*;

    #[test]
    fn takes_what_the_router_takes() {
        let beginnings = ["", "/", "//", "/api/v1", "/api/v1/artists", "/docs", "/health", "/x"];
        let ends = [
            "",
            "/",
            "//",
            "/x",
            "/x/",
            "/x/profile",
            "/x/profile/",
            "/x//profile",
            "/batch",
            "/%2F/profile",
        ];
        let more = [
            "/\u{1f941}/history",
            "/x\n/profile",
            "/series",
            "/x/rotate",
            "/live",
            "/index.html/../x",
        ];
        for row in RouteTable::default().0 {
            assert!(row.parts.len() < MOST_SEGMENTS, "{row:?}");
            let router = ResourceDef::new(row.route.template);
            let own = row.route.template;
            for beginning in beginnings.into_iter().chain([own]) {
                for end in ends.into_iter().chain(more) {
                    let path = format!("{beginning}{end}");
                    let mut segments = [""; MOST_SEGMENTS];
                    let segments = segments_of(&path, &mut segments);
                    assert_eq!(row.takes(segments), router.is_match(&path), "{own} {path:?}");
                }
            }
        }
    }

    #[test]
    fn finds_the_route_of_a_request() {
        let table = RouteTable::default();
        let of = |method: &Method, path: &str| {
            table.find(method, path).map(|route| (route.need, route.deadline))
        };

        assert_eq!(
            of(&Method::GET, "/api/v1/artists/AC%2FDC/profile"),
            Some((READ, Deadline::Read))
        );
        assert_eq!(of(&Method::PUT, "/api/v1/artists/x/profile"), Some((WRITE, Deadline::Write)));
        assert_eq!(of(&Method::POST, "/api/v1/generations"), Some((GENERATE, Deadline::Bulk)));
        assert_eq!(of(&Method::POST, "/api/v1/similar/batch"), Some((READ, Deadline::Sums)));
        assert_eq!(of(&Method::POST, "/api/v1/keys/x/rotate"), Some((ADMIN, Deadline::Write)));
        assert_eq!(of(&Method::GET, "/docs/index.html"), Some((Need::Public, Deadline::Read)));
        for (method, path) in [
            (Method::GET, "/"),
            (Method::GET, "/api/v1/artists/"),
            (Method::PUT, "/api/v1/artists"),
            (Method::GET, "/api/v1/keys/x/rotate"),
            (Method::OPTIONS, "/health/live"),
            (Method::GET, "/health/live/"),
        ] {
            assert_eq!(of(&method, path), None, "{method} {path}");
        }
    }

    #[test]
    fn routes_that_one_path_fits_need_the_same() {
        let table = RouteTable::default();

        for (method, path, need, _) in ROUTE_TABLE {
            let found = table.find(&method, path).map(|route| route.need);
            assert_eq!(found, Some(need), "{method} {path}");
        }
    }

    #[test]
    fn every_deadline_is_shorter_than_the_patience_of_clients() {
        for (_, path, _, deadline) in ROUTE_TABLE {
            assert!(deadline.time() < Duration::from_secs(30), "{path}");
        }
    }

    #[test]
    fn writes_go_on_and_reads_do_not() {
        for (method, path, _, deadline) in ROUTE_TABLE {
            let is_search = path.starts_with("/api/v1/similar");
            assert_eq!(deadline.goes_on(), method != Method::GET && !is_search, "{method} {path}");
        }
    }
}
