//! The door: every request is let in or refused here, before its body is read.

use std::{net::IpAddr, rc::Rc};

use actix_web::{
    Error, HttpMessage,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::StatusCode,
    middleware::Next,
    web,
};
use cache::{KeyRefusal, Keyring};

use super::{
    caller::Caller,
    credentials::{invalid, presented},
    need::Need,
};
use crate::{
    limits::{Counted, client_network, is_watching, within},
    observation::Noted,
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
    let noted = request.extensions().get::<Rc<Noted>>().cloned().unwrap_or_default();
    if let Some(route) = route {
        noted.route(route.template);
    }
    let admitted = match caller(&state, &request, route.map(|route| route.need)).await {
        Ok(caller) => counted(&state, &request, &noted, &caller).await.map(|()| caller),
        Err(problem) => Err(instead_of(&state, &request, problem).await),
    };
    // Whoever is known is counted whatever they ask for.
    let admitted = admitted.and_then(|caller| {
        let Some(route) = route else {
            return Err(routes.refusal(request.method(), request.match_info().as_str()));
        };
        allowed(&caller, route.need)?;
        Ok((route, caller))
    });
    match admitted {
        Ok((Route { template, need: _, deadline }, caller)) => {
            request.extensions_mut().insert(caller);
            let answer = within(&state, template, deadline, next.call(request)).await?;
            Ok(answer.map_into_boxed_body())
        }
        Err(problem) => Ok(request.error_response(problem).map_into_boxed_body()),
    }
}

/// Counts the request, unless it asks how the service is.
async fn counted(
    state: &State,
    request: &ServiceRequest,
    noted: &Noted,
    caller: &Caller,
) -> Result<(), Problem> {
    if is_watching(request.path()) {
        return Ok(());
    }
    let who = match caller {
        Caller::Anonymous => Counted::Address(network(state, request)),
        Caller::Key(key) => Counted::Key(key),
    };
    let (standing, admitted) = state.limits().rates.take(who).await;
    noted.standing(standing);
    admitted
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

/// Who asks. What no route takes is answered to those only who have a key.
async fn caller(
    state: &State,
    request: &ServiceRequest,
    need: Option<Need>,
) -> Result<Caller, Problem> {
    match state.keyring() {
        Some(keyring) if need != Some(Need::Public) => identify(state, keyring, request).await,
        Some(_) | None => Ok(Caller::Anonymous),
    }
}

async fn identify(
    state: &State,
    keyring: &Keyring,
    request: &ServiceRequest,
) -> Result<Caller, Problem> {
    let presented = presented(request.headers())?;
    let key = keyring.check(&presented, state.now()).await.map_err(refused)?;
    tracing::Span::current().record("key", key.public_id.prefix());
    Ok(Caller::Key(key))
}

/// Whether a caller has what a route needs. Whoever is anonymous has everything, while access is off, or needs nothing.
fn allowed(caller: &Caller, need: Need) -> Result<(), Problem> {
    match (caller, need) {
        (Caller::Key(key), Need::Scope(scope)) if !key.scopes.allow(scope) => {
            Err(Problem::new(Code::ScopeMissing, format!("the API key lacks the scope '{scope}'")))
        }
        _ => Ok(()),
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
