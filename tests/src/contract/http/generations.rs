//! Generations: recorded once, listed by artist, summed up.

use anyhow::ensure;
use serde_json::{Value, json};

use super::{
    ARTISTS, GENERATIONS, STATS, ensure_same, pages, saved, take, take_id, take_time, texts,
};
use crate::{
    given::body,
    http::{Request, artist},
    service::Service,
};

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

async fn known_artist(service: &Service) -> anyhow::Result<()> {
    service.ask(201, Request::post(ARTISTS, json!({"name": "J Dilla"}))).await?;
    Ok(())
}

/// 201 and where it is; the history shows exactly the promised members.
pub async fn records_and_shows_one(service: &Service) -> anyhow::Result<()> {
    known_artist(service).await?;
    let given = body::changed(
        body::generation_of("j  DILLA")?,
        "/created_at",
        json!("2026-11-21T09:30:00.25+01:00"),
    )?;

    let recorded = service.ask(201, Request::post(GENERATIONS, given)).await?;

    let shown = service.ask(200, Request::get(recorded.required("location")?)).await?;
    ensure_same(&shown.json()?, &recorded.json()?)?;
    let mut entry = recorded.json()?;
    ensure_same(&take(&mut entry, "artist")?, &json!("J Dilla"))?;
    let history = service.ask(200, Request::get(artist("J DILLA", "/history"))).await?.json()?;
    ensure_same(
        &history,
        &json!({"artist": "J Dilla", "total_generations": 1, "history": [entry], "next_cursor": null}),
    )?;
    take_id(&mut entry)?;
    ensure_same(
        &entry,
        &json!({
            "provider_used": "anthropic",
            "model": null,
            "status": "completed",
            "error": null,
            "generation_time_ms": 1850,
            "steps": [],
            "tokens_used": 2400,
            "input_tokens": null,
            "output_tokens": null,
            "cache_read_tokens": null,
            "cache_write_tokens": null,
            "reasoning_tokens": null,
            "cost_usd": 0.0125,
            "user_params": {"bars": 4, "feel": "late"},
            "output_files": ["groove_001.mid"],
            "created_at": "2026-11-21T08:30:00.25Z",
        }),
    )
}

/// An array comes back as one, in its order; what was not given is null, empty or now.
pub async fn records_many(service: &Service) -> anyhow::Result<()> {
    known_artist(service).await?;
    let bare = json!({"provider_used": " OpenAI ", "generation_time_ms": 0, "user_params": {}});
    let batch = json!([body::generation_of("J Dilla")?, bare, body::generation()]);

    let recorded = service.ask(201, Request::post(GENERATIONS, batch)).await?;

    ensure!(recorded.header("location").is_none(), "{recorded:?}");
    let all = recorded.json()?;
    ensure!(texts(&all, "provider_used") == ["anthropic", "openai", "anthropic"], "{all}");
    let mut bare = all[1].clone();
    take_id(&mut bare)?;
    take_time(&mut bare, "created_at")?;
    ensure_same(
        &bare,
        &json!({
            "artist": null, "provider_used": "openai", "model": null, "status": "completed", "error": null,
            "generation_time_ms": 0, "steps": [], "tokens_used": null, "input_tokens": null, "output_tokens": null,
            "cache_read_tokens": null, "cache_write_tokens": null, "reasoning_tokens": null,
            "cost_usd": null, "user_params": {}, "output_files": [],
        }),
    )?;
    let largest: Vec<Value> = vec![body::generation(); 1_000];
    let recorded = service.ask(201, Request::post(GENERATIONS, json!(largest))).await?;
    ensure!(recorded.json()?.as_array().map(Vec::len) == Some(1_000));
    ensure!(service.ask(200, Request::get(STATS)).await?.at("/total_generations")? == 1_003);
    Ok(())
}

/// With an identity a request can be repeated, and counts once; another generation cannot take it.
pub async fn repeating_counts_nothing_twice(service: &Service) -> anyhow::Result<()> {
    known_artist(service).await?;
    let generation = body::changed(body::generation_of("J Dilla")?, "/id", json!(ID))?;

    let first = service.ask(201, Request::post(GENERATIONS, &generation)).await?;
    let second = service.ask(201, Request::post(GENERATIONS, &generation)).await?;

    ensure_same(&first.json()?, &second.json()?)?;
    ensure!(first.required("location")? == format!("{GENERATIONS}/{ID}"));
    let other = body::changed(generation, "/generation_time_ms", json!(7))?;
    for (body, place) in [(other.clone(), "/id"), (json!([body::generation(), other]), "/1/id")] {
        let problem = service.refuse(409, "conflict", Request::post(GENERATIONS, body)).await?;
        problem.names(&[(place, "is the identity of another generation")])?;
        let told = format!("generation {ID} is recorded with something else in it");
        ensure!(problem.message()? == told, "{}", problem.body);
    }
    let stats = service.ask(200, Request::get(STATS)).await?;
    ensure!(stats.at("/total_generations")? == 1 && stats.at("/total_cost_usd")? == 0.0125);
    Ok(())
}

/// Newest first, each once, with the number of all on every page.
pub async fn lists_page_by_page(service: &Service) -> anyhow::Result<()> {
    known_artist(service).await?;
    saved(service, "Somebody Else", body::profile()).await?;
    for minute in 0..12 {
        // Two of each time, recorded in another order than they were made.
        let time = format!("2026-11-21T08:{:02}:00Z", (minute * 5) % 12 / 2);
        let generation =
            body::changed(body::generation_of("J Dilla")?, "/created_at", json!(time))?;
        service.ask(201, Request::post(GENERATIONS, generation)).await?;
    }
    service.ask(201, Request::post(GENERATIONS, body::generation_of("somebody else")?)).await?;
    service.ask(201, Request::post(GENERATIONS, body::generation())).await?;

    let target = artist("J Dilla", "/history");
    for (limit, sizes) in [(1, vec![1; 12]), (5, vec![5, 5, 2]), (12, vec![12]), (100, vec![12])] {
        let pages = pages(service, &format!("{target}?limit={limit}"), "history").await?;
        ensure!(pages.iter().map(Vec::len).collect::<Vec<_>>() == sizes, "{limit}: {pages:?}");
        let all = Value::from(pages.concat());
        let times = texts(&all, "created_at");
        ensure!(times.is_sorted_by(|one, other| other <= one), "{times:?}");
        let mut ids = texts(&all, "id");
        ids.sort_unstable();
        ids.dedup();
        ensure!(ids.len() == 12, "{ids:?}");
    }
    let first = service.ask(200, Request::get(target)).await?;
    ensure!(
        first.at("/history")?.as_array().map(Vec::len) == Some(10),
        "ten unless told otherwise"
    );
    ensure!(first.at("/total_generations")? == 12);
    Ok(())
}

/// What went wrong, of what it consisted and which tokens were used for what.
pub async fn every_detail_comes_back(service: &Service) -> anyhow::Result<()> {
    let given = json!({
        "id": ID,
        "artist": null,
        "provider_used": "anthropic",
        "model": "  Large 2 ",
        "status": "failed",
        "error": "quota exceeded",
        "generation_time_ms": 4_294_967_295_u32,
        "steps": [{"name": "prompt", "time_ms": 0}, {"name": "prompt", "time_ms": 4_294_967_295_u32}],
        "tokens_used": 1,
        "input_tokens": 2,
        "output_tokens": 3,
        "cache_read_tokens": 4,
        "cache_write_tokens": 5,
        "reasoning_tokens": 4_294_967_295_u32,
        "cost_usd": 0,
        "user_params": {"bars": 4},
        "output_files": [],
        "created_at": "1999-12-31T23:59:59.999999Z",
    });

    let recorded = service.ask(201, Request::post(GENERATIONS, &given)).await?;

    let expected = body::changed(given, "/model", json!("Large 2"))?;
    ensure_same(&recorded.json()?, &expected)?;
    let shown = service.ask(200, Request::get(format!("{GENERATIONS}/{ID}"))).await?;
    ensure_same(&shown.json()?, &expected)?;
    let most = vec![json!({"name": "step", "time_ms": 1}); 100];
    for status in ["completed", "failed", "cancelled"] {
        let generation = body::changed(body::generation(), "/status", json!(status))?;
        let generation = body::changed(generation, "/steps", json!(most))?;
        let recorded = service.ask(201, Request::post(GENERATIONS, generation)).await?;
        ensure!(recorded.at("/status")? == status && recorded.at("/error")? == Value::Null);
        ensure!(recorded.at("/steps")? == json!(most));
    }
    Ok(())
}

/// An identity twice in one request is one generation when both are the same, else a contradiction at both places.
pub async fn an_identity_given_twice(service: &Service) -> anyhow::Result<()> {
    let generation = body::changed(body::generation(), "/id", json!(ID))?;
    let other = body::changed(generation.clone(), "/tokens_used", json!(7))?;

    let contradiction = json!([generation, body::generation(), other]);
    let request = Request::post(GENERATIONS, contradiction);
    let problem = service.refuse(409, "conflict", request).await?;
    problem.names(&[
        ("/0/id", "is the identity of another generation"),
        ("/2/id", "is the identity of another generation"),
    ])?;

    let twice = Request::post(GENERATIONS, json!([generation, generation]));
    let recorded = service.ask(201, twice).await?.json()?;
    ensure_same(&recorded[0], &recorded[1])?;
    ensure!(service.ask(200, Request::get(STATS)).await?.at("/total_generations")? == 1);
    Ok(())
}
