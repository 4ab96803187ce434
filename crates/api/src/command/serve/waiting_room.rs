//! What answers at the service's address while its database is not there yet.

use std::{io, net::TcpListener};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::{ConnectionType, Method, header::HeaderValue},
    web,
};
use serde_json::json;

use crate::{
    observation::{REQUEST_ID, request_id},
    problem::{Code, Problem},
};

/// How long answers under way may take once the service is there, in seconds.
const CLOSING_SECONDS: u64 = 1;

/// Tells that the process is alive, and everybody else to come back later.
pub(super) struct WaitingRoom(ServerHandle);

impl WaitingRoom {
    /// Opens it on an address that somebody else goes on listening on afterwards.
    pub(super) fn open(listener: TcpListener) -> io::Result<Self> {
        let server = HttpServer::new(|| App::new().default_service(web::to(answer)))
            .workers(1)
            .shutdown_timeout(CLOSING_SECONDS)
            .disable_signals()
            .listen(listener)?
            .run();
        let handle = server.handle();
        // It ends when it is closed; whatever else ends it leaves callers waiting for the service, as without it.
        drop(tokio::spawn(server));
        Ok(Self(handle))
    }

    /// Closes it, after the answers under way.
    pub(super) async fn close(self) {
        self.0.stop(true).await;
    }
}

async fn answer(request: HttpRequest) -> HttpResponse {
    let id = request_id(request.headers());
    let is_asking = matches!(*request.method(), Method::GET | Method::HEAD);
    let mut answer = match request.path() {
        "/health/live" if is_asking => HttpResponse::Ok().json(json!({ "status": "ok" })),
        "/health" | "/health/ready" if is_asking => {
            HttpResponse::ServiceUnavailable().json(json!({ "status": "unavailable" }))
        }
        path => {
            let detail = "the service waits for its database; try again";
            Problem::new(Code::DatabaseUnavailable, detail).respond(id.as_str(), path)
        }
    };
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        answer.headers_mut().insert(REQUEST_ID, id);
    }
    // The next request is for the service.
    answer.head_mut().set_connection_type(ConnectionType::Close);
    answer
}
