//! The door: every request is let in or refused here, before its body is read.

use std::net::IpAddr;

use actix_web::{
    Error, HttpMessage,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::StatusCode,
    middleware::Next,
    web,
};
use cache::{KeyRefusal, Keyring};
use domain::Scope;

use super::{
    caller::Caller,
    credentials::{invalid, presented},
    need::Need,
};
use crate::{
    limits::{Counted, RateStanding, client_network, is_watching, within},
    problem::{Code, Problem},
    routes::{Route, RouteTable, Routes},
    state::State,
};

/// Lets a request through to its route, with a [`Caller`] and for as long as the route may take, or refuses it.
pub(crate) async fn admit(
    state: web::Data<State>,
    table: web::Data<RouteTable>,
    routes: web::Data<Routes>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    // The router's own form of the path, so that it and the table mean the same.
    let route = table.find(request.method(), request.match_info().as_str());
    let admitted = match caller(&state, &request, route.map(|route| route.need)).await {
        Ok(caller) => counted(&state, &request, caller).await,
        Err(problem) => Err(instead_of(&state, &request, problem).await),
    };
    let admitted = admitted.and_then(|admitted| match route {
        Some(route) => Ok((route, admitted)),
        None => Err(routes.refusal(request.method(), request.match_info().as_str())),
    });
    match admitted {
        Ok((Route { template, need: _, deadline }, (caller, standing))) => {
            request.extensions_mut().insert(caller);
            let answer = within(&state, template, deadline, next.call(request)).await?;
            let mut answer = answer.map_into_boxed_body();
            if let Some(standing) = standing {
                standing.tell(answer.headers_mut());
            }
            Ok(answer)
        }
        Err(problem) => Ok(request.error_response(problem).map_into_boxed_body()),
    }
}

/// Counts the request, unless it asks how the service is.
async fn counted(
    state: &State,
    request: &ServiceRequest,
    caller: Caller,
) -> Result<(Caller, Option<RateStanding>), Problem> {
    if is_watching(request.path()) {
        return Ok((caller, None));
    }
    let standing = match &caller {
        Caller::Anonymous => {
            state.limits().rates.take(Counted::Address(network(state, request))).await?
        }
        Caller::Key(key) => state.limits().rates.take(Counted::Key(key)).await?,
    };
    Ok((caller, standing))
}

/// What somebody is told who is not let in: the same for as long as it does not happen too often.
async fn instead_of(state: &State, request: &ServiceRequest, problem: Problem) -> Problem {
    if problem.code().status() != StatusCode::UNAUTHORIZED {
        return problem;
    }
    state.limits().rates.take_failed(network(state, request)).await.unwrap_or(problem)
}

fn network(state: &State, request: &ServiceRequest) -> IpAddr {
    client_network(request.peer_addr(), request.headers(), &state.limits().trusted_proxies)
}

/// Who asks, if they may. What no route takes is answered to those only who have a key.
async fn caller(
    state: &State,
    request: &ServiceRequest,
    need: Option<Need>,
) -> Result<Caller, Problem> {
    let needed = match (state.keyring(), need) {
        (None, _) | (Some(_), Some(Need::Public)) => return Ok(Caller::Anonymous),
        (Some(keyring), Some(Need::Scope(scope))) => (keyring, Some(scope)),
        (Some(keyring), None) => (keyring, None),
    };
    let (keyring, scope) = needed;
    identify(state, keyring, request, scope).await
}

async fn identify(
    state: &State,
    keyring: &Keyring,
    request: &ServiceRequest,
    scope: Option<Scope>,
) -> Result<Caller, Problem> {
    let presented = presented(request.headers())?;
    let key = keyring.check(&presented, state.now()).await.map_err(refused)?;
    tracing::Span::current().record("key", key.public_id.prefix());
    match scope {
        Some(scope) if !key.scopes.allow(scope) => {
            Err(Problem::new(Code::ScopeMissing, format!("the API key lacks the scope '{scope}'")))
        }
        Some(_) | None => Ok(Caller::Key(key)),
    }
}

fn refused(refusal: KeyRefusal) -> Problem {
    match refusal {
        KeyRefusal::Unknown => invalid(),
        // Whoever is told so has proved to have the key.
        KeyRefusal::Expired => Problem::new(Code::KeyExpired, "the API key has expired"),
        KeyRefusal::Revoked => Problem::new(Code::KeyRevoked, "the API key was revoked"),
        KeyRefusal::Unavailable => Problem::new(
            Code::DatabaseUnavailable,
            "the database cannot be reached, so nobody can tell whether the API key is good; try again",
        ),
    }
}
