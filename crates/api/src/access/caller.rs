//! Who asks.

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload};
use domain::{Actor, ApiKey, Author, RequestId};

use crate::problem::Problem;

/// Who asks. Every request that was admitted has one.
#[derive(Debug, Clone)]
pub enum Caller {
    /// Anybody: access is off, or the route is open.
    Anonymous,
    /// Whoever has this key.
    Key(Arc<ApiKey>),
}

impl Caller {
    fn actor(&self) -> Actor {
        match self {
            Self::Anonymous => Actor::Anonymous,
            Self::Key(key) => {
                Actor::Key { id: key.id, public_id: key.public_id.clone(), name: key.name.clone() }
            }
        }
    }
}

/// Whoever is behind a write, as an argument of its handler.
pub struct By(pub Author);

impl FromRequest for By {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let extensions = request.extensions();
        ready(match (extensions.get::<Caller>(), extensions.get::<RequestId>()) {
            (Some(caller), Some(id)) => {
                Ok(Self(Author { actor: caller.actor(), request: id.clone() }))
            }
            _ => Err(Problem::internal(Arc::new(NotAdmitted))),
        })
    }
}

/// A request came to a handler past those who look at every request.
#[derive(Debug, thiserror::Error)]
#[error("a request was not admitted by anybody")]
struct NotAdmitted;
