//! Paths: what is no route, what is no UTF-8, and which methods there are.

use anyhow::ensure;

use super::{ARTISTS, GENERATIONS, STATS, profile_path, saved};
use crate::{
    given::body,
    http::{Request, artist},
    service::Service,
};

/// Unknown paths are problems like any other, whatever the method.
pub async fn what_is_no_route(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile()).await?;
    for path in [
        "/",
        "/api",
        "/api/v1",
        "/api/v1/",
        "/api/v1/artists/",
        "/api/v1/artists//profile",
        "/api/v1//artists",
        "//api/v1/artists",
        "/api/v1/similar/",
        "/api/v1/artists/J%20Dilla/",
        "/api/v1/artists/J%20Dilla/profile/",
        "/api/v1/artists/J%20Dilla/unknown",
        "/api/v1/artists/AC/DC/profile",
        "/api/v2/artists",
        "/API/V1/ARTISTS",
        "/health/",
        "/health/dead",
        "/favicon.ico",
    ] {
        for request in [Request::get(path), Request::delete(path), Request::post(path, "{}")] {
            service.refuse(404, "route_not_found", request).await?;
        }
    }
    Ok(())
}

/// Bytes that are no UTF-8 are refused, not replaced.
pub async fn what_is_no_utf8(service: &Service) -> anyhow::Result<()> {
    for path in [
        "/api/v1/artists/%FF",
        "/api/v1/artists/%FF/profile",
        "/api/v1/artists/Beyonc%E9/profile",
        "/api/v1/artists/%C3/history",
        "/api/v1/artists/%ED%A0%80",
        "/api/v1/artists/%C0%AF/profile",
        "/api/v1/similar/%80",
        "/api/v1/generations/%FF",
        "/%FF",
    ] {
        let problem = service.refuse(400, "invalid_path", Request::get(path)).await?;
        ensure!(problem.message()? == "the path is not percent-encoded UTF-8", "{}", problem.body);
    }
    let put = Request::put("/api/v1/artists/%FF/profile", body::profile());
    service.refuse(400, "invalid_path", put).await?;
    Ok(())
}

/// Another method is a 405 that says which there are.
pub async fn what_is_no_method(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile()).await?;
    let similar = "/api/v1/similar/J%20Dilla".to_owned();
    for (path, wrong, allowed) in [
        (ARTISTS.to_owned(), "PUT", "GET, HEAD, POST"),
        (ARTISTS.to_owned(), "DELETE", "GET, HEAD, POST"),
        (artist("J Dilla", ""), "POST", "GET, HEAD, DELETE"),
        (artist("AC/DC", ""), "PUT", "GET, HEAD, DELETE"),
        (profile_path(), "POST", "GET, HEAD, PUT, DELETE"),
        (profile_path(), "PATCH", "GET, HEAD, PUT, DELETE"),
        (artist("J Dilla", "/sources"), "DELETE", "GET, HEAD, POST"),
        (artist("J Dilla", "/history"), "POST", "GET, HEAD"),
        (similar, "POST", "GET, HEAD"),
        ("/api/v1/similar".to_owned(), "GET", "POST"),
        ("/api/v1/similar/batch".to_owned(), "PUT", "GET, HEAD, POST"),
        (GENERATIONS.to_owned(), "GET", "POST"),
        (GENERATIONS.to_owned(), "HEAD", "POST"),
        (format!("{GENERATIONS}/7"), "DELETE", "GET, HEAD"),
        (STATS.to_owned(), "POST", "GET, HEAD"),
        ("/health".to_owned(), "POST", "GET, HEAD"),
        ("/metrics".to_owned(), "DELETE", "GET, HEAD"),
        ("/openapi.json".to_owned(), "PUT", "GET, HEAD"),
        ("/openapi.json".to_owned(), "BREW", "GET, HEAD"),
    ] {
        let request = Request::new(wrong, path);
        if request.is_head() {
            let answer = service.ask(405, request).await?;
            ensure!(answer.required("allow")? == allowed, "{answer:?}");
            continue;
        }
        let problem = service.refuse(405, "method_not_allowed", request).await?;
        ensure!(problem.answer.required("allow")? == allowed, "{:?}", problem.answer);
        ensure!(problem.message()?.contains(wrong) && problem.message()?.contains(allowed));
    }
    Ok(())
}
