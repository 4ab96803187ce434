//! Series: figures by hours, days, weeks and months of a time zone.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{ARTISTS, GENERATIONS, SERIES, ensure_same, texts};
use crate::{
    given::body,
    http::{Answer, Request},
    service::Service,
};

async fn record(service: &Service, batch: &[Value]) -> anyhow::Result<()> {
    for part in batch.chunks(1_000) {
        service.ask(201, Request::post(GENERATIONS, json!(part))).await?;
    }
    Ok(())
}

async fn series(service: &Service, query: &str) -> anyhow::Result<Answer> {
    service.ask(200, Request::get(format!("{SERIES}?{query}"))).await
}

/// A member of each bucket.
fn each(answer: &Answer, member: &str) -> anyhow::Result<Vec<Value>> {
    let buckets = answer.at("/series")?;
    let buckets = buckets.as_array().context("an array")?;
    Ok(buckets.iter().map(|bucket| bucket[member].clone()).collect())
}

/// Generations every half hour of this time.
fn half_hours(day: &str, hours: std::ops::Range<u32>) -> anyhow::Result<Vec<Value>> {
    let times =
        hours.flat_map(|hour| [0, 30].map(|minute| format!("{day}T{hour:02}:{minute:02}:00Z")));
    times.map(|time| body::generation_at(&time)).collect()
}

/// The day on which clocks are put forward has 23 hours, and ends by another clock.
pub async fn a_day_in_spring_is_short(service: &Service) -> anyhow::Result<()> {
    // From 2026-03-28T22:00:00Z on, which is 23:00 in Berlin, until 01:00 two days later.
    let mut batch = half_hours("2026-03-28", 22..24)?;
    batch.extend(half_hours("2026-03-29", 0..23)?);
    record(service, &batch).await?;

    let days = "tz=Europe/Berlin&from=2026-03-27T23:00:00Z&to=2026-03-30T22:00:00Z";
    let answer = series(service, &format!("bucket=day&{days}")).await?;

    let shown = answer.json()?;
    ensure!(
        texts(&shown["series"], "start")
            == [
                "2026-03-28T00:00:00+01:00",
                "2026-03-29T00:00:00+01:00",
                "2026-03-30T00:00:00+02:00"
            ],
        "{shown}"
    );
    ensure!(
        texts(&shown["series"], "end")
            == [
                "2026-03-29T00:00:00+01:00",
                "2026-03-30T00:00:00+02:00",
                "2026-03-31T00:00:00+02:00"
            ],
        "{shown}"
    );
    ensure!(each(&answer, "total_generations")? == [2, 46, 2], "23 hours: {shown}");
    ensure!(shown["tz"] == "Europe/Berlin" && shown["bucket"] == "day", "{shown}");
    ensure!(shown["from"] == "2026-03-27T23:00:00Z" && shown["to"] == "2026-03-30T22:00:00Z");
    ensure!(shown["group_by"] == Value::Null, "{shown}");
    let hours = "bucket=hour&tz=europe/berlin&from=2026-03-28T23:00:00Z&to=2026-03-29T22:00:00Z";
    let answer = series(service, hours).await?;
    ensure!(each(&answer, "total_generations")? == vec![2; 23], "{answer:?}");
    let starts = each(&answer, "start")?;
    ensure!(
        starts.get(1..3)
            == Some(&[json!("2026-03-29T01:00:00+01:00"), json!("2026-03-29T03:00:00+02:00")]),
        "{starts:?}"
    );
    Ok(())
}

/// The day on which clocks are put back has 25 hours, two of which look alike but for the offset.
pub async fn a_day_in_autumn_is_long(service: &Service) -> anyhow::Result<()> {
    // From 2026-10-24T21:00:00Z on, which is 23:00 in Berlin, until 01:00 two days later.
    let mut batch = half_hours("2026-10-24", 21..24)?;
    batch.extend(half_hours("2026-10-25", 0..24)?);
    record(service, &batch).await?;

    let days = "bucket=day&tz=Europe/Berlin&from=2026-10-23T22:00:00Z&to=2026-10-26T23:00:00Z";
    let answer = series(service, days).await?;

    ensure!(each(&answer, "total_generations")? == [2, 50, 2], "25 hours: {answer:?}");
    ensure!(answer.at("/series/1/start")? == "2026-10-25T00:00:00+02:00", "{answer:?}");
    ensure!(answer.at("/series/1/end")? == "2026-10-26T00:00:00+01:00", "{answer:?}");
    let hours = "bucket=hour&tz=Europe/Berlin&from=2026-10-24T22:00:00Z&to=2026-10-25T23:00:00Z";
    let answer = series(service, hours).await?;
    ensure!(each(&answer, "total_generations")? == vec![2; 25], "{answer:?}");
    let starts = each(&answer, "start")?;
    ensure!(
        starts.get(2..4)
            == Some(&[json!("2026-10-25T02:00:00+02:00"), json!("2026-10-25T02:00:00+01:00")]),
        "{starts:?}"
    );
    Ok(())
}

/// Where the offset is no whole hour, hours begin at half past in UTC; the first and last are cut by the period.
pub async fn offsets_of_half_an_hour(service: &Service) -> anyhow::Result<()> {
    record(service, &half_hours("2026-11-21", 17..20)?).await?;

    let query =
        "bucket=hour&tz=Asia/Kolkata&from=2026-11-21T17:00:00Z&to=2026-11-21T19:30:00.000001Z";
    let answer = series(service, query).await?;

    ensure!(
        each(&answer, "start")?
            == [
                "2026-11-21T22:00:00+05:30",
                "2026-11-21T23:00:00+05:30",
                "2026-11-22T00:00:00+05:30",
                "2026-11-22T01:00:00+05:30",
            ],
        "{answer:?}"
    );
    ensure!(each(&answer, "total_generations")? == [1, 2, 2, 1], "{answer:?}");
    ensure!(answer.at("/series/3/end")? == "2026-11-22T02:00:00+05:30", "{answer:?}");
    let days = "bucket=day&tz=Asia/Kolkata&from=2026-11-20T18:30:00Z&to=2026-11-22T18:30:00Z";
    ensure!(each(&series(service, days).await?, "total_generations")? == [3, 3]);
    Ok(())
}

/// Weeks begin on Monday, months on the first; buckets without a generation are there, with zeros and nulls.
pub async fn empty_buckets_are_there(service: &Service) -> anyhow::Result<()> {
    let times = ["2026-01-31T23:59:59.999999Z", "2026-02-01T00:00:00Z", "2026-04-30T12:00:00Z"];
    let batch = times.into_iter().map(body::generation_at).collect::<anyhow::Result<Vec<_>>>()?;
    record(service, &batch).await?;

    let months = "bucket=month&from=2026-01-01T00:00:00Z&to=2026-05-01T00:00:00Z";
    let answer = series(service, months).await?;

    ensure!(each(&answer, "total_generations")? == [1, 1, 0, 1], "{answer:?}");
    ensure_same(
        &answer.at("/series/2")?,
        &json!({
            "start": "2026-03-01T00:00:00+00:00", "end": "2026-04-01T00:00:00+00:00",
            "total_generations": 0, "completed": 0, "failed": 0, "cancelled": 0,
            "avg_generation_time_ms": null, "p50_generation_time_ms": null, "p95_generation_time_ms": null,
            "p99_generation_time_ms": null, "total_cost_usd": 0, "avg_cost_per_generation": null,
            "priced_generations": 0, "unpriced_generations": 0,
            "tokens": {"used": 0, "input": 0, "output": 0, "cache_read": 0, "cache_write": 0, "reasoning": 0},
        }),
    )?;
    let weeks = "bucket=week&from=2026-01-26T00:00:00Z&to=2026-02-09T00:00:00Z&group_by=provider";
    let answer = series(service, weeks).await?;
    ensure!(each(&answer, "start")? == ["2026-01-26T00:00:00+00:00", "2026-02-02T00:00:00+00:00"]);
    ensure!(each(&answer, "total_generations")? == [2, 0], "{answer:?}");
    ensure!(answer.at("/series/1/groups")? == json!([]), "{answer:?}");
    let none = "bucket=day&from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z";
    ensure!(series(service, none).await?.at("/series")? == json!([]));
    Ok(())
}

/// Groups by each of the four, the largest first, ties by name; they add up to their bucket.
pub async fn groups_add_up(service: &Service) -> anyhow::Result<()> {
    for name in ["J Dilla", "Questlove"] {
        service.ask(201, Request::post(ARTISTS, json!({"name": name}))).await?;
    }
    let mut batch = Vec::new();
    for (artist, provider, model, status, cost, count) in [
        (Some("J Dilla"), "openai", Some("b"), "completed", json!(0.1), 3),
        (Some("Questlove"), "google", Some("a"), "failed", json!(0.000_000_001), 3),
        (None, "google", None, "cancelled", Value::Null, 2),
    ] {
        let generation = json!({
            "artist": artist, "provider_used": provider, "model": model, "status": status, "cost_usd": cost,
            "generation_time_ms": 20, "input_tokens": 5, "user_params": {}, "created_at": "2026-11-21T08:30:00Z",
        });
        batch.extend(vec![generation; count]);
    }
    record(service, &batch).await?;

    for (group_by, expected) in [
        ("provider", json!([["google", 5], ["openai", 3]])),
        ("model", json!([["a", 3], ["b", 3], [null, 2]])),
        ("artist", json!([["J Dilla", 3], ["Questlove", 3], [null, 2]])),
        ("status", json!([["completed", 3], ["failed", 3], ["cancelled", 2]])),
    ] {
        let query = format!(
            "bucket=day&from=2026-11-20T00:00:00Z&to=2026-11-22T00:00:00Z&group_by={group_by}"
        );
        let answer = series(service, &query).await?;
        let bucket = answer.at("/series/1")?;
        let groups = bucket["groups"].as_array().context("groups")?;
        let found: Vec<Value> = groups
            .iter()
            .map(|group| json!([group[group_by], group["total_generations"]]))
            .collect();
        ensure!(json!(found) == expected, "{group_by}: {found:?}");
        ensure!(groups.iter().all(|group| group.get(group_by).is_some()), "{group_by}: {bucket}");
        for figure in [
            "total_generations",
            "completed",
            "failed",
            "cancelled",
            "priced_generations",
            "unpriced_generations",
        ] {
            let sum: u64 = groups.iter().filter_map(|group| group[figure].as_u64()).sum();
            ensure!(bucket[figure] == sum, "{group_by}, {figure}: {bucket}");
        }
        let sum: u64 = groups.iter().filter_map(|group| group["tokens"]["input"].as_u64()).sum();
        ensure!(sum == 40 && bucket["tokens"]["input"] == 40, "{group_by}: {bucket}");
        ensure!(bucket["total_cost_usd"] == json!(0.300_000_003), "{group_by}: {bucket}");
        ensure!(answer.at("/group_by")? == group_by && answer.at("/series/0/groups")? == json!([]));
    }
    let filtered = "bucket=day&from=2026-11-21T00:00:00Z&to=2026-11-22T00:00:00Z&artist=questlove&provider=google&model=a";
    ensure!(each(&series(service, filtered).await?, "total_generations")? == [3]);
    Ok(())
}

/// A hundred artists are told by name, the same in every bucket; the rest is one group, and nobody's another.
pub async fn most_artists_are_others(service: &Service) -> anyhow::Result<()> {
    let mut batch = vec![body::generation_at("2026-11-20T08:00:00Z")?];
    for number in 0..102 {
        let name = format!("Artist {number:03}");
        service.ask(201, Request::post(ARTISTS, json!({"name": name}))).await?;
        let generation = body::generation_at("2026-11-21T08:00:00Z")?;
        let generation = body::changed(generation, "/artist", json!(name))?;
        // The last two have most, and come first.
        batch.extend(vec![generation; if number < 100 { 1 } else { 2 }]);
    }
    // Of those with one generation in all, the last two by name have none of their own.
    let late = body::changed(
        body::generation_of("Artist 099")?,
        "/created_at",
        json!("2026-11-20T08:00:00Z"),
    )?;
    batch.push(late);
    record(service, &batch).await?;

    let query = "bucket=day&from=2026-11-20T00:00:00Z&to=2026-11-22T00:00:00Z&group_by=artist";
    let answer = series(service, query).await?;

    let groups = answer.at("/series/1/groups")?;
    let named = texts(&groups, "artist");
    ensure!(named.len() == 100, "{named:?}");
    ensure!(named.starts_with(&["Artist 100", "Artist 101", "Artist 000"]), "{named:?}");
    ensure!(!named.contains(&"Artist 097") && named.contains(&"Artist 099"), "{named:?}");
    let last = groups.as_array().and_then(|groups| groups.last()).context("groups")?;
    ensure!(last["artist"] == Value::Null && last["others"] == true, "{last}");
    ensure!(last["total_generations"] == 2, "{last}");
    let first = answer.at("/series/0/groups")?;
    let told: Vec<Value> = first
        .as_array()
        .context("groups")?
        .iter()
        .map(|group| json!([group["artist"], group.get("others"), group["total_generations"]]))
        .collect();
    ensure!(json!(told) == json!([["Artist 099", null, 1], [null, null, 1]]), "{told:?}");
    Ok(())
}

/// Without ends it is up to now, as many buckets as are usual; with one, as many from or to there.
pub async fn ends_may_be_left_out(service: &Service) -> anyhow::Result<()> {
    service.ask(201, Request::post(GENERATIONS, body::generation())).await?;

    for (bucket, count) in [("hour", 24), ("day", 30), ("week", 12), ("month", 12)] {
        let answer = series(service, &format!("bucket={bucket}&tz=America/St_Johns")).await?;
        let counts = each(&answer, "total_generations")?;
        ensure!(counts.len() == count, "{bucket}: {counts:?}");
        let sum: u64 = counts.iter().filter_map(Value::as_u64).sum();
        ensure!(sum == 1, "{bucket}: {counts:?}");

        let to = format!("bucket={bucket}&to=2026-03-01T00:00:00Z");
        let answer = series(service, &to).await?;
        ensure!(each(&answer, "start")?.len() == count, "{bucket}: {answer:?}");
        ensure!(answer.at("/to")? == "2026-03-01T00:00:00Z", "{bucket}: {answer:?}");
        let from = answer.at("/from")?;
        let all =
            series(service, &format!("bucket=month&from={}", from.as_str().unwrap_or_default()))
                .await?;
        let sum: u64 = each(&all, "total_generations")?.iter().filter_map(Value::as_u64).sum();
        ensure!(sum == 1 && all.at("/from")? == from, "from only goes on until now: {all:?}");
    }
    let future = Request::get(format!("{SERIES}?bucket=day&from=9999-01-01T00:00:00Z"));
    let problem = service.refuse(400, "invalid_parameter", future).await?;
    problem.names(&[("from", "must not be after the current bucket unless 'to' is given")])
}

/// Every figure of every bucket and group, with line breaks as in RFC 4180; no name is a formula.
pub async fn fills_a_table(service: &Service) -> anyhow::Result<()> {
    const HEADER: &str = "start,end,group,group_kind,total_generations,completed,failed,cancelled,\
        avg_generation_time_ms,p50_generation_time_ms,p95_generation_time_ms,p99_generation_time_ms,total_cost_usd,\
        avg_cost_per_generation,priced_generations,unpriced_generations,tokens_used,input_tokens,output_tokens,\
        cache_read_tokens,cache_write_tokens,reasoning_tokens,percentiles_exact,percentiles_relative_error";
    const FIRST: &str = "2026-11-20T00:00:00+01:00,2026-11-21T00:00:00+01:00,,all,0,0,0,0,,,,,0,,0,0,0,0,0,0,0,0,true,0";
    const SECOND: &str = "2026-11-21T00:00:00+01:00,2026-11-22T00:00:00+01:00";

    let mut batch = Vec::new();
    for (model, cost) in [
        (json!("=1+1, \"x\""), json!(0.1)),
        (json!("=1+1, \"x\""), json!(0.2)),
        (Value::Null, Value::Null),
    ] {
        let generation = body::generation_at("2026-11-21T08:00:00Z")?;
        let generation = body::changed(generation, "/model", model)?;
        batch.push(body::changed(generation, "/cost_usd", cost)?);
    }
    record(service, &batch).await?;
    let period =
        "bucket=day&tz=Europe/Berlin&from=2026-11-19T23:00:00Z&to=2026-11-21T23:00:00Z&exact=true";
    let table = |more: &str| {
        Request::get(format!("{SERIES}?{period}{more}"))
            .with("accept", "text/csv, application/json;q=0.5")
    };

    let plain = service.ask(200, table("")).await?;
    let grouped = service.ask(200, table("&group_by=model")).await?;

    ensure!(plain.required("content-type")? == "text/csv; charset=utf-8; header=present");
    let lines: Vec<&str> = plain.text()?.split("\r\n").collect();
    let all =
        format!("{SECOND},,all,3,3,0,0,1850,1850,1850,1850,0.3,0.15,2,1,7200,0,0,0,0,0,true,0");
    ensure!(lines == [HEADER, FIRST, &all, ""], "{lines:#?}");
    let lines: Vec<&str> = grouped.text()?.split("\r\n").collect();
    let named = format!(
        "{SECOND},\"'=1+1, \"\"x\"\"\",named,2,2,0,0,1850,1850,1850,1850,0.3,0.15,2,0,4800,0,0,0,0,0,true,0"
    );
    let none = format!("{SECOND},,none,1,1,0,0,1850,1850,1850,1850,0,,0,1,2400,0,0,0,0,0,true,0");
    ensure!(lines == [HEADER, FIRST, &named, &none, ""], "{lines:#?}");
    let empty = format!("{SERIES}?bucket=day&from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z");
    let empty = service.ask(200, Request::get(empty).with("accept", "text/csv")).await?;
    ensure!(empty.text()? == format!("{HEADER}\r\n"), "{empty:?}");
    Ok(())
}

/// Percentiles of each bucket, within the stated error or exact.
pub async fn percentiles_are_what_they_say(service: &Service) -> anyhow::Result<()> {
    let mut batch = Vec::new();
    for day in [20, 21] {
        for time in 1..=100_u32 {
            let generation = body::generation_at(&format!("2026-11-{day}T08:00:00Z"))?;
            batch.push(body::changed(generation, "/generation_time_ms", json!(time * 100 + day))?);
        }
    }
    record(service, &batch).await?;
    let query = "bucket=day&from=2026-11-20T00:00:00Z&to=2026-11-22T00:00:00Z&group_by=provider";

    let classified = series(service, query).await?;
    let exact = series(service, &format!("{query}&exact=true")).await?;

    let error = classified.at("/percentiles/relative_error")?.as_f64().context("a number")?;
    ensure!(classified.at("/percentiles/exact")? == false && error < 0.016, "{classified:?}");
    ensure!(exact.at("/percentiles/exact")? == true, "{exact:?}");
    for (bucket, day) in [20.0, 21.0].into_iter().enumerate() {
        for (name, rank) in [("p50", 50.0), ("p95", 95.0), ("p99", 99.0)] {
            let time = rank * 100.0 + day;
            for place in ["", "/groups/0"] {
                let pointer = format!("/series/{bucket}{place}/{name}_generation_time_ms");
                let (near, same) =
                    (classified.at(&pointer)?.as_f64(), exact.at(&pointer)?.as_f64());
                let (near, same) = near.zip(same).context("numbers")?;
                ensure!((same - time).abs() < 0.5, "{pointer}: {same}");
                ensure!((near - time).abs() <= error * time, "{pointer}: {near}");
            }
        }
    }
    Ok(())
}

/// What cannot be understood is named; so is a period with too many buckets.
pub async fn bad_parameters(service: &Service) -> anyhow::Result<()> {
    const BUCKET: &str = "a bucket is one of hour, day, week, month";
    const ZONE: &str = "a time zone is given by its IANA name, for example Europe/Berlin";
    const TIME: &str = "a time is written as RFC 3339, for example 2026-11-21T08:30:00Z";
    const MANY: &str = "the time range has more than 1000 buckets of this width";

    for (query, expected) in [
        ("", vec![("bucket", "is missing")]),
        ("bucket=year", vec![("bucket", BUCKET)]),
        ("bucket=", vec![("bucket", BUCKET)]),
        ("bucket=day&tz=Europe/Atlantis", vec![("tz", ZONE)]),
        ("bucket=day&tz=%2B02:00", vec![("tz", ZONE)]),
        ("bucket=day&tz=", vec![("tz", ZONE)]),
        (
            "bucket=day&group_by=nobody",
            vec![("group_by", "must be one of provider, model, artist, status")],
        ),
        ("bucket=day&from=2026-11-21", vec![("from", TIME)]),
        ("bucket=day&to=tomorrow", vec![("to", TIME)]),
        (
            "tz=x&exact=1&from=7",
            vec![
                ("bucket", "is missing"),
                ("tz", ZONE),
                ("from", TIME),
                ("exact", "must be true or false"),
            ],
        ),
        (
            "bucket=hour&from=2026-05-01T00:00:00Z&to=2026-06-11T16:00:00.000001Z",
            vec![("from", MANY), ("to", MANY)],
        ),
        ("bucket=day&from=0001-01-01T00:00:00Z", vec![("from", MANY)]),
    ] {
        let request = Request::get(format!("{SERIES}?{query}"));
        let problem = service.refuse(400, "invalid_parameter", request).await?;
        problem.names(&expected).with_context(|| query.to_owned())?;
    }
    let thousand = "bucket=hour&from=2026-05-01T00:00:00Z&to=2026-06-11T16:00:00Z";
    ensure!(each(&series(service, thousand).await?, "start")?.len() == 1_000);
    Ok(())
}
