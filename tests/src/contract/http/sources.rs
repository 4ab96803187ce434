//! Research sources: added, listed.

use anyhow::ensure;
use serde_json::{Value, json};

use super::{ARTISTS, ensure_same, pages, take_id, take_time, texts};
use crate::{
    given::body,
    http::{Request, artist},
    service::Service,
};

async fn known_artist(service: &Service) -> anyhow::Result<String> {
    service.ask(201, Request::post(ARTISTS, json!({"name": "J Dilla"}))).await?;
    Ok(artist("j dilla", "/sources"))
}

/// One comes back as one, several as several; what was not given is null.
pub async fn adds_one_or_many(service: &Service) -> anyhow::Result<()> {
    let target = known_artist(service).await?;
    let others = json!([
        {"source_type": "midi", "file_path": "takes/1.mid"},
        {"source_type": "paper", "raw_content": "On the beat", "confidence": 1},
    ]);

    let one =
        service.ask(201, Request::post(&target, body::source("https://example.org/1"))).await?;
    let many = service.ask(201, Request::post(&target, others)).await?;

    let listed = service.ask(200, Request::get(&target)).await?.json()?;
    let expected =
        [vec![one.json()?], many.json()?.as_array().cloned().unwrap_or_default()].concat();
    ensure_same(
        &listed,
        &json!({"artist": "J Dilla", "sources": expected.clone(), "next_cursor": null}),
    )?;
    let shown: Vec<Value> = expected
        .into_iter()
        .map(|mut source| {
            take_id(&mut source)?;
            take_time(&mut source, "collected_at")?;
            Ok(source)
        })
        .collect::<anyhow::Result<_>>()?;
    ensure_same(
        &Value::from(shown),
        &json!([
            {
                "source_type": "article", "url": "https://example.org/1", "file_path": null, "raw_content": null,
                "extracted_data": {"swing_percent": 62}, "confidence": 0.75,
            },
            {
                "source_type": "midi", "url": null, "file_path": "takes/1.mid", "raw_content": null,
                "extracted_data": null, "confidence": null,
            },
            {
                "source_type": "paper", "url": null, "file_path": null, "raw_content": "On the beat",
                "extracted_data": null, "confidence": 1.0,
            },
        ]),
    )
}

/// Oldest first, each once, of one kind or all.
pub async fn lists_page_by_page(service: &Service) -> anyhow::Result<()> {
    let target = known_artist(service).await?;
    for number in 0..7 {
        let source_type = if number % 2 == 0 { "paper" } else { "audio" };
        let source = body::source(&format!("https://example.org/{number}"));
        let source = body::changed(source, "/source_type", json!(source_type))?;
        service.ask(201, Request::post(&target, source)).await?;
    }
    let urls = |numbers: &[u8]| {
        numbers.iter().map(|number| format!("https://example.org/{number}")).collect::<Vec<_>>()
    };

    for (query, sizes, numbers) in [
        ("limit=3", vec![3, 3, 1], vec![0, 1, 2, 3, 4, 5, 6]),
        ("limit=500", vec![7], vec![0, 1, 2, 3, 4, 5, 6]),
        ("limit=2&type=paper", vec![2, 2], vec![0, 2, 4, 6]),
        ("limit=1&type=audio", vec![1, 1, 1], vec![1, 3, 5]),
        ("limit=9&type=midi", vec![0], vec![]),
    ] {
        let pages = pages(service, &format!("{target}?{query}"), "sources").await?;
        ensure!(pages.iter().map(Vec::len).collect::<Vec<_>>() == sizes, "{query}: {pages:?}");
        let all = Value::from(pages.concat());
        ensure!(texts(&all, "url") == urls(&numbers), "{query}: {all}");
    }
    Ok(())
}

/// All or none: one bad source is named, and nothing is added.
pub async fn refuses_bad_sources(service: &Service) -> anyhow::Result<()> {
    const NOWHERE: &str = "a source needs at least one of url, file_path and raw_content";

    let target = known_artist(service).await?;
    let good = body::source("https://example.org/1");
    let with = |pointer: &str, value: Value| body::changed(good.clone(), pointer, value);
    let long = format!("https://example.org/{}", "u".repeat(2_048));
    let cases = [
        (json!({"source_type": "article"}), "", NOWHERE),
        (json!([good, {"source_type": "article"}]), "/1", NOWHERE),
        (
            with("/source_type", json!("book"))?,
            "/source_type",
            "a source type is one of paper, article, audio, midi",
        ),
        (body::without(good.clone(), "/source_type")?, "", "lacks the member 'source_type'"),
        (with("/url", json!(long))?, "/url", "a url has at most 2048 characters"),
        (with("/url", json!(7))?, "/url", "must be a string, not a number"),
        (with("/confidence", json!(1.01))?, "/confidence", "must be a number from 0 to 1"),
        (with("/title", json!("x"))?, "/title", "is not a known member"),
        (json!([]), "", "must hold 1 to 100 entries, not 0"),
        (json!(vec![&good; 101]), "", "must hold 1 to 100 entries, not 101"),
        (json!([good, good, 7]), "/2", "must be an object, not a number"),
    ];

    for (body, pointer, detail) in cases {
        let problem = service.refuse(400, "invalid_body", Request::post(&target, body)).await?;
        problem.names(&[(pointer, detail)])?;
    }
    let unknown = Request::post(artist("Nobody", "/sources"), &good);
    service.refuse(404, "artist_not_found", unknown).await?;
    service.ask(201, Request::post(&target, json!(vec![&good; 100]))).await?;
    Ok(())
}
