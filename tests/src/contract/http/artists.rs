//! Artists: made once, shown, listed, removed.

use anyhow::ensure;
use serde_json::{Value, json};

use super::{ARTISTS, GENERATIONS, STATS, ensure_same, pages, saved, take_id, take_time, texts};
use crate::{
    given::body,
    http::{Request, artist},
    service::Service,
};

/// 201 and where it is; the next time 200, whatever the spelling.
pub async fn makes_an_artist_once(service: &Service) -> anyhow::Result<()> {
    let made = service.ask(201, Request::post(ARTISTS, json!({"name": " J  Dilla "}))).await?;
    let found = service.ask(200, Request::post(ARTISTS, json!({"name": "j dilla"}))).await?;
    let followed = service.ask(200, Request::get(made.required("location")?)).await?;

    ensure!(made.json()? == found.json()? && made.json()? == followed.json()?);
    ensure!(found.header("location").is_none(), "{found:?}");
    let mut shown = made.json()?;
    take_id(&mut shown)?;
    ensure!(take_time(&mut shown, "created_at")? == take_time(&mut shown, "last_updated")?);
    let version = shown.get("version").and_then(Value::as_u64);
    ensure!(version.is_some_and(|version| 0 < version), "{shown}");
    ensure_same(
        &shown,
        &json!({
            "name": "J  Dilla",
            "research_status": "pending",
            "sources_count": 0,
            "confidence_score": 0.0,
            "version": version,
        }),
    )
}

/// Any spelling finds the artist; an unknown one is told the nearest names.
pub async fn finds_by_any_spelling_and_suggests(service: &Service) -> anyhow::Result<()> {
    for name in ["J Dilla", "Tony Allen", "Tony Williams"] {
        service.ask(201, Request::post(ARTISTS, json!({"name": name}))).await?;
    }

    let found = service.ask(200, Request::get(artist("j  DILLA", ""))).await?;
    ensure!(found.at("/name")? == "J Dilla");
    for rest in ["", "/profile", "/sources", "/history"] {
        let request = Request::get(artist("Tony Alen", rest));
        let problem = service.refuse(404, "artist_not_found", request).await?;
        ensure!(problem.message()? == "Artist 'Tony Alen' not found in database");
        ensure!(problem.suggestions().first() == Some(&"Tony Allen"), "{:?}", problem.body);
        ensure!(!problem.suggestions().contains(&"J Dilla"), "{:?}", problem.body);
    }
    let request = Request::get(artist("Unknown Artist", "/profile"));
    let problem = service.refuse(404, "artist_not_found", request).await?;
    ensure!(problem.message()? == "Artist 'Unknown Artist' not found in database");
    Ok(())
}

/// Pages in the order of keys, each artist once, as each is shown alone.
pub async fn lists_page_by_page(service: &Service) -> anyhow::Result<()> {
    for name in ["tony allen", "AC/DC", "Мумий Тролль", "Beyoncé", "j dilla", "坂本龍一", "!!!"]
    {
        service.ask(201, Request::post(ARTISTS, json!({"name": name}))).await?;
    }
    let in_order = ["!!!", "AC/DC", "Beyoncé", "j dilla", "tony allen", "Мумий Тролль", "坂本龍一"];

    for (limit, sizes) in [(1, vec![1; 7]), (3, vec![3, 3, 1]), (7, vec![7]), (500, vec![7])] {
        let pages = pages(service, &format!("{ARTISTS}?limit={limit}"), "artists").await?;
        ensure!(pages.iter().map(Vec::len).collect::<Vec<_>>() == sizes, "{pages:?}");
        let all = Value::from(pages.concat());
        ensure!(texts(&all, "name") == in_order, "{all}");
        for shown in pages.concat() {
            let name = shown.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            ensure_same(&service.ask(200, Request::get(artist(&name, ""))).await?.json()?, &shown)?;
        }
    }
    let listed = service.ask(200, Request::get(ARTISTS)).await?;
    ensure!(listed.at("/artists")?.as_array().map(Vec::len) == Some(7));
    Ok(())
}

/// By status and by part of the name, without case and diacritics.
pub async fn lists_what_is_asked_for(service: &Service) -> anyhow::Result<()> {
    saved(service, "Sigur Rós", body::profile()).await?;
    for name in ["Rosetta", "50% Off", "J Dilla"] {
        service.ask(201, Request::post(ARTISTS, json!({"name": name}))).await?;
    }

    for (query, expected) in [
        ("q=ROS", vec!["Rosetta", "Sigur Rós"]),
        ("q=r%C3%B3s", vec!["Rosetta", "Sigur Rós"]),
        ("q=ros&status=pending", vec!["Rosetta"]),
        ("status=cached", vec!["Sigur Rós"]),
        ("q=%25", vec!["50% Off"]),
        ("q=_", vec![]),
        ("q=j+d", vec!["J Dilla"]),
        ("status=failed", vec![]),
        ("status=researching", vec![]),
    ] {
        let listed = service.ask(200, Request::get(format!("{ARTISTS}?{query}"))).await?.json()?;
        ensure_same(&json!(texts(&listed["artists"], "name")), &json!(expected))?;
        ensure_same(&listed["next_cursor"], &Value::Null)?;
    }
    Ok(())
}

/// The artist goes with everything but the account.
pub async fn removes_all_but_the_account(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile_with_embedding(1)?).await?;
    let source =
        Request::post(artist("J Dilla", "/sources"), body::source("https://example.org/1"));
    service.ask(201, source).await?;
    let generation = Request::post(GENERATIONS, body::generation_of("J Dilla")?);
    let recorded = service.ask(201, generation).await?;
    let before = service.ask(200, Request::get(STATS)).await?.json()?;

    let removed = service.ask(204, Request::delete(artist("j dilla", ""))).await?;

    ensure!(removed.text()?.is_empty());
    for rest in ["", "/profile", "/sources", "/history"] {
        service.refuse(404, "artist_not_found", Request::get(artist("J Dilla", rest))).await?;
    }
    let again = Request::delete(artist("J Dilla", ""));
    service.refuse(404, "artist_not_found", again).await?;
    let mut kept = recorded.json()?;
    kept["artist"] = Value::Null;
    let shown = service.ask(200, Request::get(recorded.required("location")?)).await?;
    ensure_same(&shown.json()?, &kept)?;
    let mut after = service.ask(200, Request::get(STATS)).await?.json()?;
    ensure_same(&after["cached_artists"], &json!(0))?;
    after["cached_artists"] = json!(1);
    ensure_same(&after, &before)?;
    let made = service.ask(201, Request::post(ARTISTS, json!({"name": "J Dilla"}))).await?;
    let history = service.ask(200, Request::get(artist("J Dilla", "/history"))).await?;
    ensure!(history.at("/total_generations")? == 0, "a new artist has no history: {made:?}");
    Ok(())
}
