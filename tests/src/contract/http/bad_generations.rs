//! Generations that cannot be recorded: all or none, and the entry is named.

use anyhow::ensure;
use serde_json::{Value, json};

use super::{GENERATIONS, saved};
use crate::{given::body, http::Request, service::Service};

/// Members that are missing, unknown, or of the wrong kind.
pub async fn members_of_the_wrong_kind(service: &Service) -> anyhow::Result<()> {
    const WHOLE: &str = "must be a whole number from 0 to 4294967295";
    const STATUS: &str = "must be one of completed, failed, cancelled";
    const ERROR: &str = "goes with the status 'failed' or 'cancelled' only";

    let with = |pointer: &str, value: Value| body::changed(body::generation(), pointer, value);
    for (body, place, detail) in [
        (
            body::without(body::generation(), "/provider_used")?,
            "",
            "lacks the member 'provider_used'",
        ),
        (
            body::without(body::generation(), "/generation_time_ms")?,
            "",
            "lacks the member 'generation_time_ms'",
        ),
        (body::without(body::generation(), "/user_params")?, "", "lacks the member 'user_params'"),
        (with("/provider_used", json!(7))?, "/provider_used", "must be a string, not a number"),
        (with("/generation_time_ms", json!(-1))?, "/generation_time_ms", WHOLE),
        (with("/generation_time_ms", json!(1.5))?, "/generation_time_ms", WHOLE),
        (with("/generation_time_ms", json!(4_294_967_296_u64))?, "/generation_time_ms", WHOLE),
        (with("/tokens_used", json!(-1))?, "/tokens_used", WHOLE),
        (with("/tokens_used", json!("many"))?, "/tokens_used", "must be a number, not a string"),
        (with("/output_files", json!("a.mid"))?, "/output_files", "must be an array, not a string"),
        (
            with("/output_files", json!(["a.mid", 7]))?,
            "/output_files/1",
            "must be a string, not a number",
        ),
        (with("/cost", json!(1))?, "/cost", "is not a known member"),
        (with("/status", json!("done"))?, "/status", STATUS),
        (with("/status", json!("Completed"))?, "/status", STATUS),
        (with("/status", json!(true))?, "/status", "must be a string, not a boolean"),
        (with("/error", json!("quota"))?, "/error", ERROR),
        (with("/input_tokens", json!(-1))?, "/input_tokens", WHOLE),
        (with("/output_tokens", json!(0.5))?, "/output_tokens", WHOLE),
        (with("/cache_read_tokens", json!(4_294_967_296_u64))?, "/cache_read_tokens", WHOLE),
        (
            with("/cache_write_tokens", json!("1"))?,
            "/cache_write_tokens",
            "must be a number, not a string",
        ),
        (with("/reasoning_tokens", json!(-0.5))?, "/reasoning_tokens", WHOLE),
        (with("/steps", json!({}))?, "/steps", "must be an array, not an object"),
        (
            with("/steps", json!(vec![json!({"name": "a", "time_ms": 1}); 101]))?,
            "/steps",
            "must hold at most 100 steps, not 101",
        ),
        (with("/steps", json!([{"name": "a"}]))?, "/steps/0", "lacks the member 'time_ms'"),
        (with("/steps", json!([{"time_ms": 1}]))?, "/steps/0", "lacks the member 'name'"),
        (with("/steps", json!([{"name": "a", "time_ms": -1}]))?, "/steps/0/time_ms", WHOLE),
        (
            with("/steps", json!([{"name": "a", "time_ms": 1, "tokens": 1}]))?,
            "/steps/0/tokens",
            "is not a known member",
        ),
    ] {
        let problem = service.refuse(400, "invalid_body", Request::post(GENERATIONS, body)).await?;
        problem.names(&[(place, detail)])?;
    }
    for (pointer, value) in [
        ("/provider_used", json!("")),
        ("/provider_used", json!("x".repeat(51))),
        ("/provider_used", json!("a\nb")),
        ("/model", json!("")),
        ("/model", json!("x".repeat(101))),
        ("/model", json!("a\nb")),
        ("/model", json!(7)),
        ("/user_params", json!([])),
        ("/user_params", Value::Null),
        ("/id", json!("7")),
        ("/created_at", json!("yesterday")),
        ("/created_at", json!("2026-11-21")),
        ("/created_at", json!("2026-02-30T00:00:00Z")),
    ] {
        let request = Request::post(GENERATIONS, with(pointer, value)?);
        let problem = service.refuse(400, "invalid_body", request).await?;
        ensure!(problem.message()?.starts_with(pointer), "{}", problem.body);
        ensure!(problem.body["errors"].as_array().map(Vec::len) == Some(1), "{}", problem.body);
    }
    Ok(())
}

/// One bad entry among many: nothing is recorded, and the entry is named.
pub async fn one_bad_entry_stops_all(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile()).await?;
    let good = body::generation_of("J Dilla")?;
    let negative = body::changed(good.clone(), "/cost_usd", json!(-1))?;
    let stranger = body::generation_of("J Dila")?;

    let batch = json!([good, good, negative, good, 7]);
    let problem = service.refuse(400, "invalid_body", Request::post(GENERATIONS, batch)).await?;
    problem.names(&[
        ("/2/cost_usd", "a cost must not be negative"),
        ("/4", "must be an object, not a number"),
    ])?;

    let batch = json!([good, stranger, good]);
    let problem =
        service.refuse(404, "artist_not_found", Request::post(GENERATIONS, batch)).await?;
    problem.names(&[("/1/artist", "is not known")])?;
    ensure!(problem.message()? == "Artist 'J Dila' not found in database", "{}", problem.body);
    ensure!(problem.suggestions() == ["J Dilla"], "{}", problem.body);

    let single = Request::post(GENERATIONS, stranger);
    let problem = service.refuse(404, "artist_not_found", single).await?;
    problem.names(&[("/artist", "is not known")])
}

/// None, or more than a thousand at once.
pub async fn too_few_and_too_many(service: &Service) -> anyhow::Result<()> {
    for (count, detail) in [
        (0, "must hold 1 to 1000 entries, not 0"),
        (1_001, "must hold 1 to 1000 entries, not 1001"),
    ] {
        let batch = json!(vec![body::generation(); count]);
        let problem =
            service.refuse(400, "invalid_body", Request::post(GENERATIONS, batch)).await?;
        problem.names(&[("", detail)])?;
    }
    // However much is wrong, the answer stays short.
    let batch = json!(vec![json!({}); 1_000]);
    let problem = service.refuse(400, "invalid_body", Request::post(GENERATIONS, batch)).await?;
    ensure!(problem.body["errors"].as_array().map(Vec::len) == Some(100), "{}", problem.body);
    Ok(())
}

/// Identities that are none, or of nothing.
pub async fn identities(service: &Service) -> anyhow::Result<()> {
    for wrong in ["7", "not-a-uuid", "01890a5d-ac96-774b-bcce-b302099a805", "%20", "J%20Dilla"] {
        let request = Request::get(format!("{GENERATIONS}/{wrong}"));
        service.refuse(400, "invalid_path", request).await?;
    }
    let unknown = "01890a5d-ac96-774b-bcce-b302099a8057";
    let request = Request::get(format!("{GENERATIONS}/{unknown}"));
    let problem = service.refuse(404, "generation_not_found", request).await?;
    ensure!(problem.message()? == format!("generation {unknown} is not known"));
    Ok(())
}
