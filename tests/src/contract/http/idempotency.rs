//! Requests with an `Idempotency-Key`: sent again, they count once.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{ARTISTS, GENERATIONS, STATS, ensure_same};
use crate::{given::body, http::Request, service::Service};

const HEADER: &str = "idempotency-key";
const KEY: &str = "8e03978e-40d5-43dd-bc93-6894a57f9324";

#[expect(clippy::needless_pass_by_value, reason = "bodies are made where they are sent")]
fn keyed(key: &str, body: impl ToString) -> Request {
    Request::post(GENERATIONS, body.to_string()).with(HEADER, key)
}

async fn total(service: &Service) -> anyhow::Result<Value> {
    service.ask(200, Request::get(STATS)).await?.at("/total_generations")
}

/// One generation, whatever the key is quoted with, and in whatever form it is sent.
pub async fn a_single_one_counts_once(service: &Service) -> anyhow::Result<()> {
    let first = service.ask(201, keyed(KEY, body::generation())).await?;
    let again = service.ask(201, keyed(KEY, body::generation())).await?;
    let quoted = service.ask(201, keyed(&format!("\"{KEY}\""), body::generation())).await?;

    for answer in [&again, &quoted] {
        ensure_same(&answer.json()?, &first.json()?)?;
        ensure!(answer.header("location") == first.header("location"), "{answer:?}");
    }
    let many = service.ask(201, keyed(KEY, json!([body::generation()]))).await?;
    ensure_same(&many.json()?, &json!([first.json()?]))?;
    ensure!(total(service).await? == 1);
    service.ask(201, keyed("another", body::generation())).await?;
    service.ask(201, Request::post(GENERATIONS, body::generation())).await?;
    ensure!(total(service).await? == 3, "another key, and none, are other requests");
    Ok(())
}

/// Every entry of an array has its place; equal entries at different places are different generations.
pub async fn an_array_counts_once(service: &Service) -> anyhow::Result<()> {
    service.ask(201, Request::post(ARTISTS, json!({"name": "J Dilla"}))).await?;
    let mut batch = vec![body::generation(); 999];
    batch.push(body::generation_of("J Dilla")?);
    let batch = json!(batch);

    let first = service.ask(201, keyed(KEY, &batch)).await?;
    let again = service.ask(201, keyed(KEY, &batch)).await?;

    ensure_same(&again.json()?, &first.json()?)?;
    ensure!(total(service).await? == 1_000);
    Ok(())
}

/// However many send it at once, it counts once, and all are told the same.
pub async fn at_once_it_counts_once(service: &Service) -> anyhow::Result<()> {
    let batch = json!(vec![body::generation(); 20]);
    let senders = (0..8).map(|_| service.ask(201, keyed(KEY, &batch)));

    let answers = futures::future::try_join_all(senders).await?;

    let first = answers.first().context("answers")?.json()?;
    for answer in &answers {
        ensure_same(&answer.json()?, &first)?;
    }
    ensure!(total(service).await? == 20);
    Ok(())
}

/// What a key was used for stays: the place that differs is named, and nothing is recorded.
pub async fn other_content_is_refused(service: &Service) -> anyhow::Result<()> {
    const USED: &str = "is not what the key was used for";

    let slower = body::changed(body::generation(), "/generation_time_ms", json!(7))?;
    service.ask(201, keyed(KEY, json!([body::generation(), body::generation()]))).await?;

    for (body, place) in [
        (json!([body::generation(), slower, body::generation()]), "/1"),
        (json!([slower]), "/0"),
        (slower.clone(), ""),
    ] {
        let problem = service.refuse(409, "conflict", keyed(KEY, body)).await?;
        problem.names(&[(place, USED)])?;
        let told = format!("something else is recorded under the idempotency-key '{KEY}'");
        ensure!(problem.message()? == told, "{}", problem.body);
    }
    ensure!(total(service).await? == 2);
    Ok(())
}

/// An entry with an identity of its own keeps it, and is named by it.
pub async fn own_identities_come_first(service: &Service) -> anyhow::Result<()> {
    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    let own = body::changed(body::generation(), "/id", json!(ID))?;
    let batch = json!([body::generation(), own]);
    let first = service.ask(201, keyed(KEY, &batch)).await?;
    ensure!(first.at("/1/id")? == ID && first.at("/0/id")? != ID, "{first:?}");
    ensure_same(&service.ask(201, keyed(KEY, &batch)).await?.json()?, &first.json()?)?;

    let other = body::changed(own, "/generation_time_ms", json!(7))?;
    let request = keyed(KEY, json!([body::generation(), other]));
    let problem = service.refuse(409, "conflict", request).await?;
    problem.names(&[("/1/id", "is the identity of another generation")])
}

/// A key that is refused, or a request that is, uses up nothing.
pub async fn a_refused_request_uses_up_no_key(service: &Service) -> anyhow::Result<()> {
    let bad = body::changed(body::generation(), "/cost_usd", json!(-1))?;
    let request = keyed(KEY, json!([body::generation(), bad]));
    service.refuse(400, "invalid_body", request).await?;
    let stranger = body::generation_of("Nobody")?;
    let request = keyed(KEY, json!([body::generation(), stranger]));
    service.refuse(404, "artist_not_found", request).await?;

    let slower = body::changed(body::generation(), "/generation_time_ms", json!(7))?;
    service.ask(201, keyed(KEY, slower)).await?;

    ensure!(total(service).await? == 1);
    Ok(())
}

/// Keys that are none, and two of them.
pub async fn bad_keys(service: &Service) -> anyhow::Result<()> {
    let long = "x".repeat(256);
    for key in ["", "\"\"", "\"", "\"open", "a b", "\"a b\"", "schl\u{fc}ssel", &long] {
        let problem = service.refuse(400, "invalid_header", keyed(key, body::generation())).await?;
        problem.names(&[(HEADER, "must be 1 to 255 visible ASCII characters")])?;
    }
    let twice = keyed(KEY, body::generation()).with(HEADER, KEY);
    let problem = service.refuse(400, "invalid_header", twice).await?;
    problem.names(&[(HEADER, "is given more than once")])?;
    service.ask(201, keyed(&"x".repeat(255), body::generation())).await?;
    Ok(())
}
