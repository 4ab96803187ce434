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
            "generation_time_ms": 1850,
            "tokens_used": 2400,
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
            "artist": null, "provider_used": "openai", "generation_time_ms": 0, "tokens_used": null,
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
    for body in [other.clone(), json!([body::generation(), other])] {
        service.refuse(409, "conflict", Request::post(GENERATIONS, body)).await?;
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

/// Nothing is zero or unknown, as it should be; then all figures, to the last digit.
pub async fn sums_up(service: &Service) -> anyhow::Result<()> {
    let empty = service.ask(200, Request::get(STATS)).await?;
    ensure_same(
        &empty.json()?,
        &json!({
            "total_generations": 0, "avg_generation_time_ms": null, "total_cost_usd": 0, "provider_usage": {},
            "avg_cost_per_generation": null, "cached_artists": 0, "unpriced_generations": 0,
        }),
    )?;
    saved(service, "J Dilla", body::profile()).await?;
    service.ask(201, Request::post(ARTISTS, json!({"name": "Pending"}))).await?;
    let generation = |provider: &str, time: u32, cost: Value| {
        json!({
            "provider_used": provider, "generation_time_ms": time, "cost_usd": cost, "user_params": {},
        })
    };
    let batch = json!([
        generation("anthropic", 1_000, json!(0.25)),
        generation("Anthropic", 2_000, Value::Null),
        generation("template", 3, json!(0)),
        generation("我的模型", 4_294_967_295, json!(0.5)),
    ]);
    service.ask(201, Request::post(GENERATIONS, batch)).await?;

    let stats = service.ask(200, Request::get(STATS)).await?;

    ensure_same(
        &stats.json()?,
        &json!({
            "total_generations": 4,
            "avg_generation_time_ms": 1_073_742_574.5,
            "total_cost_usd": 0.75,
            "provider_usage": {"anthropic": 2, "template": 1, "我的模型": 1},
            "avg_cost_per_generation": 0.25,
            "cached_artists": 1,
            "unpriced_generations": 1,
        }),
    )
}
