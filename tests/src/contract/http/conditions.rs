//! Conditions: who has the profile already, and which version a write demands.

use anyhow::{Context, ensure};
use serde_json::json;

use super::{profile_path, saved};
use crate::{
    given::body,
    http::{Request, artist},
    service::Service,
};

fn other_profile() -> anyhow::Result<serde_json::Value> {
    body::changed(body::profile(), "/text_description", json!("Another one"))
}

/// 304 without a body while the version is the same, and 200 once it is not.
pub async fn whoever_has_the_profile_is_told_so(service: &Service) -> anyhow::Result<()> {
    let made = saved(service, "J Dilla", body::profile_with_embedding(1)?).await?;
    let tag = made.required("etag")?;
    let with_embedding = format!("{}?include=embedding", profile_path());
    let other_tag = service.ask(200, Request::get(&with_embedding)).await?;
    let other_tag = other_tag.required("etag")?;
    let get = |known: &str| Request::get(profile_path()).with("if-none-match", known);

    for known in [tag, &format!("W/{tag}"), "*", &format!("\"0\", {tag}"), &format!("\"0\",{tag}")]
    {
        let unchanged = service.ask(304, get(known)).await?;
        ensure!(
            unchanged.required("etag")? == tag && unchanged.text()?.is_empty(),
            "{unchanged:?}"
        );
    }
    let two_lines = get("\"0\"").with("if-none-match", tag);
    service.ask(304, two_lines).await?;
    for known in ["\"0\"", other_tag] {
        service.ask(200, get(known)).await?;
    }
    let unchanged = Request::get(&with_embedding).with("if-none-match", other_tag);
    service.ask(304, unchanged).await?;
    service.ask(200, Request::get(&with_embedding).with("if-none-match", tag)).await?;

    service.ask(200, Request::put(profile_path(), other_profile()?)).await?;
    let changed = service.ask(200, get(tag)).await?;
    ensure!(changed.required("etag")? != tag && changed.at("/text_description")? == "Another one");
    Ok(())
}

/// A write that saw another version is refused with the current one, and changes nothing.
pub async fn a_write_can_insist_on_a_version(service: &Service) -> anyhow::Result<()> {
    let made = saved(service, "J Dilla", body::profile()).await?;
    let old = made.required("etag")?;
    let replaced = service.ask(200, Request::put(profile_path(), other_profile()?)).await?;
    let tag = replaced.required("etag")?;
    let put =
        |demanded: &str| Request::put(profile_path(), body::profile()).with("if-match", demanded);

    let weak = format!("W/{tag}");
    for demanded in [old, "\"0\"", "\"word\"", &weak, "\"0\", \"1\""] {
        for request in [put(demanded), Request::delete(profile_path()).with("if-match", demanded)] {
            let problem = service.refuse(412, "version_mismatch", request).await?;
            ensure!(problem.body.get("current_version") == replaced.json()?.get("version"));
        }
    }
    let unknown = Request::put(artist("Nobody", "/profile"), body::profile());
    for demanded in [tag, "*"] {
        let request = unknown.clone().with("if-match", demanded);
        let problem = service.refuse(412, "version_mismatch", request).await?;
        ensure!(problem.body.get("current_version").is_none(), "{:?}", problem.body);
    }

    let next = service.ask(200, put(tag)).await?;
    let next = service.ask(200, put(&format!("\"0\", {}", next.required("etag")?))).await?;
    let next = service.ask(200, put("\"0\"").with("if-match", next.required("etag")?)).await?;
    ensure!(next.status == 200);
    let next = service.ask(200, put("*")).await?;
    let delete = Request::delete(profile_path()).with("if-match", next.required("etag")?);
    service.ask(204, delete).await?;
    service.refuse(412, "version_mismatch", put("*")).await?;
    Ok(())
}

/// The tag of the representation with the embedding stands for the same version.
pub async fn the_tag_with_the_embedding_is_good_for_a_write(
    service: &Service,
) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile_with_embedding(1)?).await?;
    let shown = Request::get(format!("{}?include=embedding", profile_path()));
    let shown = service.ask(200, shown).await?;

    let tag = shown.required("etag")?;
    let put = Request::put(profile_path(), other_profile()?).with("if-match", tag);

    service.ask(200, put.clone()).await?;
    service.refuse(412, "version_mismatch", put).await?;
    Ok(())
}

/// `If-None-Match: *` saves a first profile only.
pub async fn a_write_can_insist_on_being_the_first(service: &Service) -> anyhow::Result<()> {
    let put = Request::put(profile_path(), body::profile()).with("if-none-match", "*");

    service.ask(201, put.clone()).await?;
    let problem = service.refuse(412, "version_mismatch", put.clone()).await?;
    ensure!(problem.body.get("current_version").is_some());

    service.ask(204, Request::delete(profile_path())).await?;
    service.ask(201, put).await.context("the artist is there, but no profile")?;
    Ok(())
}

/// A condition that cannot be understood is refused, never ignored.
pub async fn a_condition_must_be_understood(service: &Service) -> anyhow::Result<()> {
    const TAGS: &str = "must be * or entity tags such as \"7\", with commas between them";

    saved(service, "J Dilla", body::profile()).await?;
    let put = Request::put(profile_path(), body::profile());

    for malformed in ["7", "", "\"7", "\"7\" \"8\"", "\"7\",", "*, \"7\"", "'7'"] {
        for (request, header) in [
            (put.clone(), "if-match"),
            (put.clone(), "if-none-match"),
            (Request::get(profile_path()), "if-none-match"),
            (Request::delete(profile_path()), "if-match"),
        ] {
            let request = request.with(header, malformed);
            let problem = service.refuse(400, "invalid_header", request).await?;
            problem.names(&[(header, TAGS)])?;
        }
    }
    let listed = put.clone().with("if-none-match", "\"7\"");
    let problem = service.refuse(400, "invalid_header", listed).await?;
    problem.names(&[("if-none-match", "a write takes * only: when there is none yet")])?;
    let both = put.with("if-none-match", "*").with("if-match", "*");
    let problem = service.refuse(400, "invalid_header", both).await?;
    problem.names(&[("if-none-match", "does not go with If-Match")])
}
