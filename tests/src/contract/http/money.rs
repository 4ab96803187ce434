//! Money: exact, digit by digit, from the request to every answer.

use anyhow::ensure;
use serde_json::Value;

use super::{GENERATIONS, STATS, saved};
use crate::{
    given::body,
    http::{Request, artist},
    service::Service,
};

/// A generation as text, so that the cost is spelled as it is given here.
fn generation(cost: &str) -> String {
    format!(
        r#"{{"artist": "J Dilla", "provider_used": "anthropic", "generation_time_ms": 1, "cost_usd": {cost}, "user_params": {{}}}}"#
    )
}

/// Three times ten cents are thirty, without a trace of binary fractions.
pub async fn adds_up(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile()).await?;
    for _ in 0..3 {
        let recorded = service.ask(201, Request::post(GENERATIONS, generation("0.1"))).await?;
        ensure!(recorded.spelled("cost_usd")? == "0.1", "{recorded:?}");
    }

    let stats = service.ask(200, Request::get(STATS)).await?;
    ensure!(stats.spelled("total_cost_usd")? == "0.3", "{stats:?}");
    ensure!(stats.spelled("avg_cost_per_generation")? == "0.1", "{stats:?}");

    service.ask(201, Request::post(GENERATIONS, generation("0.000000001"))).await?;
    let stats = service.ask(200, Request::get(STATS)).await?;
    ensure!(stats.spelled("total_cost_usd")? == "0.300000001", "{stats:?}");
    Ok(())
}

/// Every spelling of a number is read exactly and comes back in one form.
pub async fn reads_every_spelling(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile()).await?;
    for (given, shown) in [
        ("0.000000001", "0.000000001"),
        ("1e-9", "0.000000001"),
        ("1E-9", "0.000000001"),
        ("12.5e-3", "0.0125"),
        ("1e+2", "100"),
        ("0", "0"),
        ("-0", "0"),
        ("0.0", "0"),
        ("0e5", "0"),
        ("1", "1"),
        ("1.50", "1.5"),
        ("0.1000000000000", "0.1"),
        ("123456.123456789", "123456.123456789"),
        ("1000000", "1000000"),
        ("999999.999999999", "999999.999999999"),
        ("null", "null"),
    ] {
        let recorded = service.ask(201, Request::post(GENERATIONS, generation(given))).await?;
        ensure!(recorded.spelled("cost_usd")? == shown, "{given}: {recorded:?}");
        let history = Request::get(artist("J Dilla", "/history?limit=1"));
        let history = service.ask(200, history).await?;
        ensure!(history.spelled("cost_usd")? == shown, "{given}: {history:?}");
    }
    Ok(())
}

/// What a nano-dollar cannot say is refused, never rounded.
pub async fn refuses_what_is_no_amount(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile()).await?;
    for (given, detail) in [
        ("0.0000000001", "a cost has at most nine decimals"),
        ("0.1000000001", "a cost has at most nine decimals"),
        ("1e-10", "a cost has at most nine decimals"),
        ("-0.000000001", "a cost must not be negative"),
        ("-1", "a cost must not be negative"),
        ("1000000.000000001", "a cost is at most 1000000 dollars"),
        ("1e300", "a cost is at most 1000000 dollars"),
        ("\"0.1\"", "must be a number, not a string"),
        ("true", "must be a number, not a boolean"),
        ("[1]", "must be a number, not an array"),
    ] {
        let request = Request::post(GENERATIONS, generation(given));
        let problem = service.refuse(400, "invalid_body", request).await?;
        problem.names(&[("/cost_usd", detail)])?;
    }
    for no_json in ["NaN", "Infinity", ".1", "1.", "+1", "01"] {
        let request = Request::post(GENERATIONS, generation(no_json));
        service.refuse(400, "malformed_body", request).await?;
    }
    Ok(())
}

/// A cost that nobody knows is null, and takes no part in sum and mean.
pub async fn unknown_is_not_zero(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile()).await?;
    let absent = body::without(body::generation_of("J Dilla")?, "/cost_usd")?;
    service.ask(201, Request::post(GENERATIONS, absent)).await?;

    let stats = service.ask(200, Request::get(STATS)).await?;
    ensure!(stats.at("/avg_cost_per_generation")? == Value::Null);
    ensure!(stats.spelled("total_cost_usd")? == "0", "{stats:?}");

    for cost in ["null", "0", "0.5"] {
        service.ask(201, Request::post(GENERATIONS, generation(cost))).await?;
    }
    let stats = service.ask(200, Request::get(STATS)).await?;
    ensure!(stats.spelled("total_cost_usd")? == "0.5", "{stats:?}");
    ensure!(stats.spelled("avg_cost_per_generation")? == "0.25", "of two: {stats:?}");
    ensure!(stats.at("/unpriced_generations")? == 2 && stats.at("/total_generations")? == 4);
    Ok(())
}
