//! Query parameters out of range, unknown, repeated: refused by name, never clamped or ignored.

use anyhow::ensure;

use super::{ARTISTS, STATS, profile_path, saved};
use crate::{
    given::body,
    http::{Request, artist},
    service::Service,
};

/// A limit out of range is a 400 that names the range; the ends of the range are in it.
pub async fn limits(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile_with_embedding(1)?).await?;
    for (target, most) in [
        ("/api/v1/similar/J%20Dilla".to_owned(), 20),
        (artist("J Dilla", "/history"), 100),
        (artist("J Dilla", "/sources"), 500),
        (ARTISTS.to_owned(), 500),
    ] {
        let range = format!("limit must be a whole number from 1 to {most}");
        let above = (most + 1).to_string();
        for wrong in
            ["0", &above, "abc", "-1", "", "1.5", "1e1", "%20", "65536", "99999999999999999999"]
        {
            let request = Request::get(format!("{target}?limit={wrong}"));
            let problem = service.refuse(400, "invalid_parameter", request).await?;
            problem.names(&[("limit", &range)])?;
            ensure!(problem.message()? == range, "{}", problem.body);
        }
        for right in [1, most] {
            service.ask(200, Request::get(format!("{target}?limit={right}"))).await?;
        }
    }
    Ok(())
}

/// Values that mean nothing.
pub async fn values(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile()).await?;
    let profile = profile_path();
    let sources = artist("J Dilla", "/sources");
    for (target, parameter) in [
        (format!("{ARTISTS}?status=done"), "status"),
        (format!("{ARTISTS}?status="), "status"),
        (format!("{ARTISTS}?q="), "q"),
        (format!("{ARTISTS}?q=%00"), "q"),
        (format!("{ARTISTS}?cursor=garbage"), "cursor"),
        (format!("{ARTISTS}?cursor="), "cursor"),
        (format!("{sources}?type=book"), "type"),
        (format!("{sources}?cursor=garbage"), "cursor"),
        (format!("{}?cursor=garbage", artist("J Dilla", "/history")), "cursor"),
        (format!("{}?provider=", artist("J Dilla", "/history")), "provider"),
        (format!("{}?status=done", artist("J Dilla", "/history")), "status"),
        (format!("{}?from=yesterday", artist("J Dilla", "/history")), "from"),
        (format!("{}?to=2026-11-21", artist("J Dilla", "/history")), "to"),
        (format!("{STATS}?from=2026-13-01T00:00:00Z"), "from"),
        (format!("{STATS}?to="), "to"),
        (format!("{STATS}?artist="), "artist"),
        (format!("{STATS}?provider=%09"), "provider"),
        (format!("{STATS}?model="), "model"),
        (format!("{STATS}?exact=yes"), "exact"),
        (format!("{STATS}?group_by=provider"), "group_by"),
        (format!("{profile}?include=everything"), "include"),
        (format!("{profile}?include="), "include"),
    ] {
        let problem = service.refuse(400, "invalid_parameter", Request::get(target)).await?;
        let errors = problem.body["errors"].as_array().cloned().unwrap_or_default();
        ensure!(
            errors.len() == 1 && errors.iter().all(|it| it["parameter"] == parameter),
            "{errors:?}"
        );
    }
    service.refuse(400, "invalid_parameter", Request::get(format!("{ARTISTS}?q=%FF"))).await?;
    Ok(())
}

/// Unknown and repeated parameters, on every route, whatever the method.
pub async fn unknown_and_repeated(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile_with_embedding(1)?).await?;
    for request in [
        Request::get(format!("{ARTISTS}?page=2")),
        Request::post(format!("{ARTISTS}?page=2"), r#"{"name": "New"}"#),
        Request::get(artist("J Dilla", "?page=2")),
        Request::delete(artist("J Dilla", "?page=2")),
        Request::get(format!("{}?page=2", profile_path())),
        Request::put(format!("{}?page=2", profile_path()), body::profile()),
        Request::delete(format!("{}?page=2", profile_path())),
        Request::get(artist("J Dilla", "/sources?page=2")),
        Request::post(artist("J Dilla", "/sources?page=2"), body::source("https://example.org")),
        Request::get(artist("J Dilla", "/history?page=2")),
        Request::get("/api/v1/similar/J%20Dilla?page=2"),
        Request::post("/api/v1/similar?page=2", r#"{"like": ["J Dilla"]}"#),
        Request::post("/api/v1/similar/batch?page=2", r#"{"artists": ["J Dilla"]}"#),
        Request::post("/api/v1/generations?page=2", body::generation()),
        Request::get("/api/v1/generations/01890a5d-ac96-774b-bcce-b302099a8057?page=2"),
        Request::get(format!("{STATS}?page=2")),
        Request::get(format!("{STATS}/series?bucket=day&page=2")),
        Request::get("/health?page=2"),
        Request::get("/health/live?page=2"),
        Request::get("/health/ready?page=2"),
        Request::get("/metrics?page=2"),
        Request::get("/openapi.json?page=2"),
    ] {
        let problem = service.refuse(400, "invalid_parameter", request).await?;
        problem.names(&[("page", "is not a known parameter")])?;
    }
    let twice = Request::get("/api/v1/similar/J%20Dilla?limit=5&limit=5");
    let problem = service.refuse(400, "invalid_parameter", twice).await?;
    problem.names(&[("limit", "is given more than once")])?;
    let all = Request::get(format!("{ARTISTS}?limit=0&Limit=1&status=done"));
    let problem = service.refuse(400, "invalid_parameter", all).await?;
    ensure!(problem.body["errors"].as_array().map(Vec::len) == Some(3), "{}", problem.body);
    Ok(())
}
