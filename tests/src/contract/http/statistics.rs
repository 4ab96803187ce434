//! Statistics: every generation in figures, exact as of the answer before.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{ARTISTS, GENERATIONS, STATS, ensure_same, saved, take};
use crate::{
    given::body,
    http::{Answer, Request},
    service::Service,
};

#[expect(clippy::needless_pass_by_value, reason = "costs are made where they are given")]
fn generation(provider: &str, time: u32, cost: Value) -> Value {
    json!({"provider_used": provider, "generation_time_ms": time, "cost_usd": cost, "user_params": {}})
}

async fn record(service: &Service, body: Value) -> anyhow::Result<Answer> {
    service.ask(201, Request::post(GENERATIONS, body)).await
}

async fn stats(service: &Service, query: &str) -> anyhow::Result<Answer> {
    service.ask(200, Request::get(format!("{STATS}?{query}"))).await
}

/// Without generations everything is zero or null.
pub async fn nothing_is_zero_or_unknown(service: &Service) -> anyhow::Result<()> {
    let mut empty = stats(service, "").await?.json()?;

    take(&mut empty, "percentiles")?;
    ensure_same(
        &empty,
        &json!({
            "from": null, "to": null, "total_generations": 0, "completed": 0, "failed": 0, "cancelled": 0,
            "avg_generation_time_ms": null, "p50_generation_time_ms": null, "p95_generation_time_ms": null,
            "p99_generation_time_ms": null, "total_cost_usd": 0, "avg_cost_per_generation": null,
            "priced_generations": 0, "unpriced_generations": 0,
            "tokens": {"used": 0, "input": 0, "output": 0, "cache_read": 0, "cache_write": 0, "reasoning": 0},
            "provider_usage": {}, "cached_artists": 0,
        }),
    )
}

/// All figures, to the last digit; what is unknown is counted as such.
pub async fn sums_up(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile()).await?;
    service.ask(201, Request::post(ARTISTS, json!({"name": "Pending"}))).await?;
    let failed = body::changed(generation("template", 3, json!(0)), "/status", json!("failed"))?;
    let cancelled = generation("我的模型", 4_294_967_295, json!(0.5));
    let cancelled = body::changed(cancelled, "/status", json!("cancelled"))?;
    let mut counted = generation("anthropic", 20, json!(0.25));
    for (place, name) in [
        "tokens_used",
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
    ]
    .into_iter()
    .enumerate()
    {
        counted = body::changed(counted, &format!("/{name}"), json!(place + 1))?;
    }
    let largest = json!(4_294_967_295_u32);
    let unpriced = generation("Anthropic", 10, Value::Null);
    let unpriced = body::changed(unpriced, "/reasoning_tokens", largest)?;
    record(service, json!([counted, unpriced, failed, cancelled])).await?;

    let mut shown = stats(service, "").await?.json()?;

    let percentiles = take(&mut shown, "percentiles")?;
    ensure_same(&percentiles, &json!({"exact": false, "relative_error": 0.015_625}))?;
    let p99 = take(&mut shown, "p99_generation_time_ms")?.as_f64().context("a number")?;
    let p95 = take(&mut shown, "p95_generation_time_ms")?.as_f64().context("a number")?;
    for percentile in [p95, p99] {
        ensure!((percentile / 4_294_967_295.0 - 1.0).abs() <= 0.015_625, "{percentile}");
    }
    ensure_same(
        &shown,
        &json!({
            "from": null, "to": null,
            "total_generations": 4, "completed": 2, "failed": 1, "cancelled": 1,
            "avg_generation_time_ms": 1_073_741_832.0,
            "p50_generation_time_ms": 10,
            "total_cost_usd": 0.75,
            "avg_cost_per_generation": 0.25,
            "priced_generations": 3,
            "unpriced_generations": 1,
            "tokens": {
                "used": 1, "input": 2, "output": 3, "cache_read": 4, "cache_write": 5, "reasoning": 4_294_967_301_u64
            },
            "provider_usage": {"anthropic": 2, "template": 1, "我的模型": 1},
            "cached_artists": 1,
        }),
    )
}

/// Whatever was answered with 201 is in the next answer, on every instance.
pub async fn every_acknowledged_generation_counts(service: &Service) -> anyhow::Result<()> {
    let other = service.another(api::state::StateSettings::default()).await?;
    for round in 1..=20_u64 {
        let by = if round % 2 == 0 { service } else { &other };
        record(by, generation("openai", 10, json!(0.1))).await?;

        for asked in [service, &other] {
            let shown = stats(asked, "").await?;
            ensure!(shown.at("/total_generations")? == round, "{round}: {shown:?}");
            let dimes = if round % 10 == 0 {
                format!("{}", round / 10)
            } else {
                format!("{}.{}", round / 10, round % 10)
            };
            ensure!(shown.spelled("total_cost_usd")? == dimes, "{round}: {shown:?}");
            ensure!(shown.at("/provider_usage/openai")? == round, "{round}: {shown:?}");
        }
    }
    other.stop().await;
    Ok(())
}

/// Each condition alone, and all together; how many artists have a profile does not depend on them.
pub async fn counts_what_is_asked_for(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile()).await?;
    let mut batch = Vec::new();
    for hour in 0..24 {
        let time = format!("2026-03-29T{hour:02}:07:30Z");
        let mut generation = body::generation_at(&time)?;
        if hour % 2 == 0 {
            generation = body::changed(generation, "/artist", json!("J Dilla"))?;
        }
        if hour % 3 == 0 {
            generation = body::changed(generation, "/provider_used", json!("google"))?;
        }
        if hour % 4 == 0 {
            generation = body::changed(generation, "/model", json!("Large 2"))?;
        }
        batch.push(generation);
    }
    record(service, json!(batch)).await?;

    for (query, expected) in [
        ("", 24),
        ("artist=j%20%20dilla", 12),
        ("provider=Google", 8),
        ("model=Large%202", 6),
        ("model=large%202", 0),
        ("provider=nobody", 0),
        ("artist=J%20Dilla&provider=google&model=Large%202", 2),
        ("from=2026-03-29T12:07:30Z", 12),
        ("from=2026-03-29T12:07:30.000001Z", 11),
        ("to=2026-03-29T12:07:30Z", 12),
        ("from=2026-03-29T02:00:00%2B02:00&to=2026-03-29T05:00:00%2B02:00", 3),
        ("from=2026-03-29T02:00:00+02:00&to=2026-03-29T05:00:00+02:00", 3),
        ("from=2026-03-29T12:07:30Z&to=2026-03-29T12:07:30Z", 0),
        ("from=2026-03-29T06:00:00Z&to=2026-03-29T18:00:00Z&provider=google&artist=J%20Dilla", 2),
    ] {
        for exact in ["", "&exact=false", "&exact=true"] {
            let shown = stats(service, &format!("{query}{exact}")).await?;
            ensure!(shown.at("/total_generations")? == expected, "{query}: {shown:?}");
            ensure!(shown.at("/cached_artists")? == 1, "{query}: {shown:?}");
        }
    }
    let shown =
        stats(service, "from=2026-03-29T02:00:00%2B02:00&to=2026-04-01T00:00:00.5Z").await?;
    ensure!(shown.at("/from")? == "2026-03-29T00:00:00Z", "{shown:?}");
    ensure!(shown.at("/to")? == "2026-04-01T00:00:00.5Z", "{shown:?}");
    Ok(())
}

/// By class within the stated error, and exactly when that is asked for.
pub async fn percentiles_are_what_they_say(service: &Service) -> anyhow::Result<()> {
    // A thousand times, each another one, in no order: 1,000 to 10,990 in steps of 10.
    let times = (0..1_000_u32).map(|number| 1_000 + (number * 617 % 1_000) * 10);
    let batch: Vec<Value> = times.map(|time| generation("openai", time, json!(0))).collect();
    record(service, json!(batch)).await?;
    let expected = [("p50", 5_990.0), ("p95", 10_490.0), ("p99", 10_890.0)];

    let classified = stats(service, "").await?;
    let exact = stats(service, "exact=true").await?;

    let told = |answer: &Answer, name: &str| {
        let value = answer.at(&format!("/{name}_generation_time_ms"))?;
        value.as_f64().with_context(|| format!("{name} is {value}"))
    };
    ensure_same(&exact.at("/percentiles/exact")?, &json!(true))?;
    ensure!(exact.at("/percentiles/relative_error")?.as_f64() == Some(0.0), "{exact:?}");
    let error = classified.at("/percentiles/relative_error")?.as_f64().context("a number")?;
    ensure!(classified.at("/percentiles/exact")? == false && error < 0.016, "{classified:?}");
    for (name, time) in expected {
        ensure!((told(&exact, name)? - time).abs() < 0.5, "{name}: {exact:?}");
        let off = (told(&classified, name)? - time).abs();
        ensure!(off <= error * time, "{name} is off by {off}: {classified:?}");
    }
    Ok(())
}

/// An artist who is not known is named, with those who may be meant.
pub async fn an_unknown_artist_is_named(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile()).await?;
    for target in
        [format!("{STATS}?artist=J%20Dila"), format!("{STATS}/series?bucket=day&artist=J%20Dila")]
    {
        let problem = service.refuse(404, "artist_not_found", Request::get(target)).await?;
        problem.names(&[("artist", "is not known")])?;
        ensure!(problem.suggestions() == ["J Dilla"], "{}", problem.body);
    }
    Ok(())
}

/// A period that ends before it begins names both ends.
pub async fn a_period_runs_forward(service: &Service) -> anyhow::Result<()> {
    let ends = "from=2026-11-21T00:00:00Z&to=2026-11-20T23:59:59.999999Z";
    for target in [format!("{STATS}?{ends}"), format!("{STATS}/series?bucket=day&{ends}")] {
        let problem = service.refuse(400, "invalid_parameter", Request::get(target)).await?;
        problem
            .names(&[("from", "must not be after 'to'"), ("to", "must not be before 'from'")])?;
    }
    Ok(())
}

/// The same figures in one line, exactly, with a name for each.
pub async fn fills_a_table(service: &Service) -> anyhow::Result<()> {
    let batch = json!([
        generation("open,ai", 10, json!(0.000_000_001)),
        generation("a \"b\"", 21, Value::Null),
    ]);
    record(service, batch).await?;

    let table =
        Request::get(format!("{STATS}?from=2026-01-01T00:00:00Z")).with("accept", "text/csv");
    let answer = service.ask(200, table).await?;

    ensure!(
        answer.required("content-type")? == "text/csv; charset=utf-8; header=present",
        "{answer:?}"
    );
    ensure!(answer.required("vary")?.eq_ignore_ascii_case("accept"), "{answer:?}");
    ensure!(
        answer.text()?
            == "from,to,total_generations,completed,failed,cancelled,avg_generation_time_ms,p50_generation_time_ms,\
                p95_generation_time_ms,p99_generation_time_ms,total_cost_usd,avg_cost_per_generation,\
                priced_generations,unpriced_generations,tokens_used,input_tokens,output_tokens,cache_read_tokens,\
                cache_write_tokens,reasoning_tokens,provider_usage,cached_artists,percentiles_exact,\
                percentiles_relative_error\r\n\
                2026-01-01T00:00:00Z,,2,2,0,0,15.5,10,21,21,0.000000001,0.000000001,1,1,0,0,0,0,0,0,\
                \"{\"\"a \\\"\"b\\\"\"\"\":1,\"\"open,ai\"\":1}\",0,false,0.015625\r\n",
        "{}",
        answer.text()?
    );
    Ok(())
}

/// What is preferred is answered, JSON when nothing is; neither is a 406.
pub async fn the_form_is_negotiated(service: &Service) -> anyhow::Result<()> {
    for target in [STATS.to_owned(), format!("{STATS}/series?bucket=day")] {
        for (accept, expected) in [
            (None, "application/json"),
            (Some(""), "application/json"),
            (Some("*/*"), "application/json"),
            (Some("text/html, application/xhtml+xml, */*;q=0.8"), "application/json"),
            (Some("text/csv;q=0.5, application/json;q=0.5"), "application/json"),
            (Some("text/csv"), "text/csv"),
            (Some("text/csv, application/json;q=0.9"), "text/csv"),
            (Some("application/json;q=0, */*"), "text/csv"),
        ] {
            let request = Request::get(&target);
            let request = accept
                .map_or_else(|| request.clone(), |accept| request.clone().with("accept", accept));
            let answer = service.ask(200, request).await?;
            ensure!(answer.media_type() == Some(expected), "{accept:?}: {answer:?}");
            ensure!(answer.required("vary")?.eq_ignore_ascii_case("accept"), "{answer:?}");
        }
        for accept in
            ["text/html", "application/xml;q=0.9, text/plain", "text/csv;q=0, application/json;q=0"]
        {
            let request = Request::get(&target).with("accept", accept);
            service.refuse(406, "not_acceptable", request).await?;
        }
    }
    Ok(())
}
