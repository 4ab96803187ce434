//! Every real name works from end to end: by URL and by import, in paths, bodies and parameters.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use api::command::import;
use serde_json::{Value, json};

use super::{ARTISTS, GENERATIONS, ensure_same, pages, saved, texts};
use crate::{
    given::{self, body},
    http::{Request, artist, encoded},
    service::Service,
};

/// Names as somebody types them, and as they are shown.
fn names() -> Vec<String> {
    let longest = "長".repeat(255);
    let more =
        [".", "...", "%2F", "%", "+", " a + b ", "a//b", "?", "#", "NULL", "\u{202e}txt", "ﬁ"];
    given::DIFFICULT_NAMES.into_iter().chain(more).map(str::to_owned).chain([longest]).collect()
}

/// By URL: saved, shown, found through `Location`, listed, compared, accounted for, removed.
pub async fn by_url(service: &Service) -> anyhow::Result<()> {
    saved(service, "Reference", body::profile_with_embedding(1)?).await?;
    for (seed, name) in (2..).zip(names()) {
        let twin = body::profile_with_embedding(seed)?;
        service.ask(200, Request::put(artist("Reference", "/profile"), &twin)).await?;
        walk(service, &name, twin).await.with_context(|| format!("{name:?}"))?;
    }
    let listed = pages(service, &format!("{ARTISTS}?limit=5"), "artists").await?.concat();
    let listed = Value::from(listed);
    let shown: BTreeSet<&str> = texts(&listed, "name").into_iter().collect();
    let expected = names();
    let expected = expected.iter().map(|name| name.trim()).chain(["Reference"]).collect();
    ensure!(shown == expected, "{shown:?}");

    for name in names() {
        service.ask(204, Request::delete(artist(&name, ""))).await?;
        service.refuse(404, "artist_not_found", Request::get(artist(&name, ""))).await?;
    }
    let left = service.ask(200, Request::get(ARTISTS)).await?.json()?;
    ensure!(texts(&left["artists"], "name") == ["Reference"], "{left}");
    Ok(())
}

/// Everything that can be done with a name, for one that plays like the reference.
async fn walk(service: &Service, name: &str, profile: Value) -> anyhow::Result<()> {
    let shown = json!(name.trim());
    let made = saved(service, name, profile).await?;
    ensure_same(&made.at("/artist")?, &shown)?;
    let location = made.required("location")?;
    ensure!(location.is_ascii() && location.split('/').count() == 6, "{location}");
    let followed = service.ask(200, Request::get(location)).await?;
    ensure!(followed.json()? == made.json()?);

    let profile = service.ask(200, Request::get(artist(name, "/profile"))).await?;
    ensure!(profile.json()? == made.json()?);
    let posted = service.ask(200, Request::post(ARTISTS, json!({"name": name}))).await?;
    let found = service.ask(200, Request::get(artist(name, ""))).await?;
    ensure!(posted.json()? == found.json()?);
    ensure_same(&found.at("/name")?, &shown)?;

    let query = format!("{ARTISTS}?limit=500&q={}", encoded(name));
    let listed = service.ask(200, Request::get(query)).await?.json()?;
    ensure!(texts(&listed["artists"], "name").contains(&name.trim()), "{listed}");
    for (asked, found) in [(name, "Reference"), ("Reference", name.trim())] {
        let similar = Request::get(format!("/api/v1/similar/{}?limit=1", encoded(asked)));
        let similar = service.ask(200, similar).await?.json()?;
        ensure_same(&similar["artist"], &json!(asked.trim()))?;
        ensure!(texts(&similar["similar_artists"], "name") == [found], "{similar}");
    }

    let source = Request::post(artist(name, "/sources"), body::source("https://example.org"));
    service.ask(201, source).await?;
    let sources = service.ask(200, Request::get(artist(name, "/sources"))).await?;
    ensure_same(&sources.at("/artist")?, &shown)?;
    service.ask(201, Request::post(GENERATIONS, body::generation_of(name)?)).await?;
    let history = service.ask(200, Request::get(artist(name, "/history"))).await?;
    ensure_same(&history.at("/artist")?, &shown)?;
    ensure!(history.at("/total_generations")? == 1);
    Ok(())
}

/// By import, and then by URL.
pub async fn by_import(service: &Service) -> anyhow::Result<()> {
    let lines = names()
        .iter()
        .map(|name| Ok(body::changed(body::profile(), "/artist", json!(name))?.to_string()))
        .collect::<anyhow::Result<Vec<_>>>()?
        .join("\n");

    let report = import::run(
        std::io::Cursor::new(lines),
        service.store().bulk_load().as_ref(),
        &import::Options::default(),
        futures::stream::pending(),
        |_| (),
    )
    .await;

    report.outcome?;
    ensure!(report.counts.created == names().len() as u64, "{:?}", report.counts);
    for name in names() {
        // The import was not this instance's own.
        let request = Request::get(artist(&name, "/profile")).with("cache-control", "no-cache");
        let profile = service.ask(200, request).await?;
        ensure_same(&profile.at("/artist")?, &json!(name.trim()))?;
        let replaced = Request::put(artist(&name, "/profile"), body::profile());
        service.ask(200, replaced).await?;
    }
    Ok(())
}

/// Spellings of one name are one artist, shown as first stored; other names are others.
pub async fn spellings_meet(service: &Service) -> anyhow::Result<()> {
    for (first, others) in [
        ("Beyoncé", vec!["Beyonce\u{301}", "BEYONCÉ", "ｂｅｙｏｎｃé"]),
        ("J Dilla", vec!["j dilla", "J  DILLA", " j\u{a0}dilla ", "J\u{3000}Dilla"]),
        ("Straße", vec!["STRASSE", "strasse"]),
        ("Мумий Тролль", vec!["МУМИЙ ТРОЛЛЬ", "Муми\u{438}\u{306} Тролль"]),
        ("Σίσυφος", vec!["ΣΊΣΥΦΟΣ", "σίσυφοσ"]),
    ] {
        let made = saved(service, first, body::profile()).await?.json()?;
        for other in others {
            let request = Request::get(artist(other, "/profile"));
            let found = service.ask(200, request).await.with_context(|| other.to_owned())?;
            ensure_same(&found.json()?, &made)?;
        }
    }
    for other in ["Beyonce", "JDilla", "J-Dilla", "Strase"] {
        service.refuse(404, "artist_not_found", Request::get(artist(other, ""))).await?;
    }
    Ok(())
}

/// What looks encoded is taken as it is, once.
pub async fn nothing_is_decoded_twice(service: &Service) -> anyhow::Result<()> {
    for name in ["AC/DC", "AC%2FDC", "AC%252FDC", "a+b", "a b", "a%20b"] {
        saved(service, name, body::profile()).await?;
    }

    for (segment, name) in [
        ("AC%2FDC", "AC/DC"),
        ("ac%2fdc", "AC/DC"),
        ("AC%252FDC", "AC%2FDC"),
        ("AC%25252FDC", "AC%252FDC"),
        ("a+b", "a+b"),
        ("a%2Bb", "a+b"),
        ("a%20b", "a b"),
        ("a%2520b", "a%20b"),
    ] {
        let request = Request::get(format!("{ARTISTS}/{segment}/profile"));
        ensure!(service.ask(200, request).await?.at("/artist")? == name, "{segment}");
    }
    Ok(())
}
