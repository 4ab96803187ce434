//! Style profiles: saved, replaced, shown, removed.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{ARTISTS, GENERATIONS, ensure_same, profile_path, saved, take, take_id, take_time};
use crate::{
    given::{self, body},
    http::{Request, artist},
    service::Service,
};

/// The first time 201 and where it is, then 200 and the same identity; what was given comes back.
pub async fn saves_and_replaces(service: &Service) -> anyhow::Result<()> {
    let given = body::profile();
    let made = saved(service, "J Dilla", given.clone()).await?;
    let followed = service.ask(200, Request::get(made.required("location")?)).await?;
    let other = body::changed(given.clone(), "/text_description", json!("Later still"))?;
    let replaced = service.ask(200, Request::put(artist("j  dilla", "/profile"), &other)).await?;
    let shown = service.ask(200, Request::get(profile_path())).await?;

    ensure!(made.json()? == followed.json()? && replaced.json()? == shown.json()?);
    ensure!(made.header("etag") == followed.header("etag"), "{made:?} {followed:?}");
    ensure!(replaced.header("etag") == shown.header("etag"), "{replaced:?} {shown:?}");
    ensure!(replaced.header("location").is_none(), "{replaced:?}");
    let (mut first, mut second) = (made.json()?, replaced.json()?);
    ensure!(take_id(&mut first)? == take_id(&mut second)?);
    let created_at = take_time(&mut first, "created_at")?;
    ensure!(created_at == take_time(&mut second, "created_at")?);
    ensure!(take_time(&mut first, "updated_at")? < take_time(&mut second, "updated_at")?);
    let versions = [&mut first, &mut second].map(|body| take(body, "version"));
    let [before, after] = versions.map(|version| version.ok().and_then(|it| it.as_u64()));
    ensure!(before < after && before.is_some(), "{before:?} {after:?}");
    ensure!(made.required("etag")? == format!("\"{}\"", before.context("checked")?));
    ensure!(replaced.required("etag")? == format!("\"{}\"", after.context("checked")?));
    ensure_same(&first, &body::changed(given, "/artist", json!("J Dilla"))?)?;
    ensure_same(&second, &body::changed(other, "/artist", json!("J Dilla"))?)
}

/// A save makes the artist, who shows what the profile says of confidence and sources, and is cached.
pub async fn a_save_updates_the_artist(service: &Service) -> anyhow::Result<()> {
    let made =
        service.ask(201, Request::post(ARTISTS, json!({"name": "J Dilla"}))).await?.json()?;

    let profile = saved(service, "J DILLA", body::profile()).await?.json()?;

    let shown = service.ask(200, Request::get(artist("J Dilla", ""))).await?.json()?;
    let mut expected = made.clone();
    expected["research_status"] = json!("cached");
    expected["sources_count"] = json!(10);
    expected["confidence_score"] = json!(0.92);
    expected["version"] = profile["version"].clone();
    expected["last_updated"] = profile["updated_at"].clone();
    ensure_same(&shown, &expected)?;
    ensure!(made["version"].as_u64() < shown["version"].as_u64(), "{made} {shown}");
    Ok(())
}

/// Absent and null are the same: no embedding, no templates, no sources.
pub async fn what_is_left_out_is_empty(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile_with_embedding(1)?).await?;
    let mut bare = body::profile();
    for member in ["/midi_templates", "/sources_count"] {
        bare = body::without(bare, member)?;
    }
    let mut null = bare.clone();
    for member in ["/midi_templates", "/sources_count", "/embedding"] {
        null = body::changed(null, member, Value::Null)?;
    }
    let partial = body::changed(bare.clone(), "/sources_count", json!({"audio": 3}))?;

    for (body, audio) in [(bare, 0), (null, 0), (partial, 3)] {
        let replaced = service.ask(200, Request::put(profile_path(), body)).await?;
        ensure!(replaced.at("/midi_templates")? == json!([]));
        let counts = json!({"papers": 0, "articles": 0, "audio": audio, "midi": 0});
        ensure_same(&replaced.at("/sources_count")?, &counts)?;
        let request = Request::get(format!("{}?include=embedding", profile_path()));
        ensure!(service.ask(200, request).await?.at("/embedding")?.is_null());
    }
    Ok(())
}

/// Every number of an embedding comes back as it was, but only when asked for.
pub async fn shows_the_embedding_when_asked(service: &Service) -> anyhow::Result<()> {
    let made = saved(service, "J Dilla", body::profile_with_embedding(7)?).await?;

    let without = service.ask(200, Request::get(profile_path())).await?;
    let with = Request::get(format!("{}?include=embedding", profile_path()));
    let with = service.ask(200, with).await?;

    ensure!(made.json()?.get("embedding").is_none() && without.json()? == made.json()?);
    ensure!(without.required("etag")? != with.required("etag")?, "another representation");
    let shown = with.at("/embedding")?;
    #[expect(clippy::cast_possible_truncation, reason = "embeddings are single precision")]
    let numbers: Vec<f32> =
        shown.as_array().into_iter().flatten().filter_map(|it| Some(it.as_f64()? as f32)).collect();
    ensure!(numbers == given::embedding(7)?.as_slice(), "{shown}");
    Ok(())
}

/// The profile goes, the artist stays as pending, and so does its history.
pub async fn removes_a_profile(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile_with_embedding(1)?).await?;
    service.ask(201, Request::post(GENERATIONS, body::generation_of("J Dilla")?)).await?;

    let removed = service.ask(204, Request::delete(profile_path())).await?;

    ensure!(removed.text()?.is_empty());
    for request in [
        Request::get(profile_path()),
        Request::delete(profile_path()),
        Request::get("/api/v1/similar/J%20Dilla"),
    ] {
        let problem = service.refuse(404, "profile_not_found", request).await?;
        ensure!(problem.message()? == "Artist 'J Dilla' has no style profile");
    }
    let shown = service.ask(200, Request::get(artist("J Dilla", ""))).await?.json()?;
    ensure_same(&shown["research_status"], &json!("pending"))?;
    ensure_same(&shown["sources_count"], &json!(0))?;
    ensure_same(&shown["confidence_score"], &json!(0.0))?;
    let history = service.ask(200, Request::get(artist("J Dilla", "/history"))).await?;
    ensure!(history.at("/total_generations")? == 1);
    saved(service, "J Dilla", body::profile()).await?;
    Ok(())
}
