//! Searches that cannot be: everything wrong is named by its place, and nothing changes.

use anyhow::ensure;
use domain::FeelParameter;
use serde_json::{Value, json};

use super::{SIMILAR, similar};
use crate::{
    contract::http::saved,
    given::{self, body},
    http::Request,
    service::Service,
};

const METRIC: &str = "a metric is one of cosine, l2, inner_product";
const ENGINE: &str = "an engine is one of auto, exact, approximate";
const STATUS: &str = "a status is one of pending, researching, cached, failed";
const RANGE: &str = "must be a range such as 80..110, 80.. or ..110";
const INVERTED: &str = "a range must not end below its beginning";
const SHARE: &str = "must be a number from 0 to 1";

/// Each parameter by its name.
pub async fn parameters_that_mean_nothing(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile_with_embedding(1)?).await?;
    let all = "both ends must be from 0 to 1000";
    for (parameter, value, detail) in [
        ("metric", "manhattan", METRIC),
        ("metric", "", METRIC),
        ("metric", "COSINE", METRIC),
        ("metric", "cosine,l2", METRIC),
        ("engine", "fast", ENGINE),
        ("engine", "", ENGINE),
        ("explain", "yes", "must be true or false"),
        ("explain", "", "must be true or false"),
        ("explain", "1", "must be true or false"),
        ("status", "done", STATUS),
        ("status", "", STATUS),
        ("status", "cached,", STATUS),
        ("status", "cached,%20failed", STATUS),
        ("min_confidence", "1.1", SHARE),
        ("min_confidence", "-0.1", SHARE),
        ("min_confidence", "nan", SHARE),
        ("min_confidence", "high", SHARE),
        ("min_confidence", "", SHARE),
        ("tempo_avg", "110..80", INVERTED),
        ("tempo_avg", "..", RANGE),
        ("tempo_avg", "", RANGE),
        ("tempo_avg", "80", RANGE),
        ("tempo_avg", "80-110", RANGE),
        ("tempo_avg", "a..b", RANGE),
        ("tempo_avg", "80...110", RANGE),
        ("tempo_avg", "%2080..110", RANGE),
        ("tempo_avg", "80..110..120", RANGE),
        ("tempo_avg", "80..%00", RANGE),
        ("tempo_avg", "NaN..110", all),
        ("tempo_avg", "80..inf", all),
        ("tempo_avg", "80..1e400", all),
        ("tempo_avg", "-1..110", all),
        ("tempo_avg", "80..1000.5", all),
        ("ghost_note_prob", "40..60", "both ends must be from 0 to 1"),
        ("velocity_std", "0..128", "both ends must be from 0 to 127"),
        ("swing_percent", "50..101", "both ends must be from 0 to 100"),
        ("tempo", "80..110", "is not a known parameter"),
        ("TEMPO_AVG", "80..110", "is not a known parameter"),
    ] {
        let request = Request::get(similar("J Dilla", &format!("?{parameter}={value}")));
        let problem = service.refuse(400, "invalid_parameter", request).await?;
        problem.names(&[(parameter, detail)])?;
    }
    for parameter in FeelParameter::ALL.map(FeelParameter::as_str) {
        let request = Request::get(similar("J Dilla", &format!("?{parameter}=1..0")));
        service.refuse(400, "invalid_parameter", request).await?.names(&[(parameter, INVERTED)])?;
    }
    // Whether the artist is known is looked at after what is asked for.
    let all = "?tempo_avg=9..8&limit=0&metric=x&engine=y&status=z&min_confidence=2&explain=w";
    let problem =
        service.refuse(400, "invalid_parameter", Request::get(similar("Nobody", all))).await?;
    problem.names(&[
        ("limit", "limit must be a whole number from 1 to 20"),
        ("metric", METRIC),
        ("engine", ENGINE),
        ("status", STATUS),
        ("min_confidence", SHARE),
        ("tempo_avg", INVERTED),
        ("explain", "must be true or false"),
    ])
}

async fn refuses(
    service: &Service,
    target: &str,
    body: Value,
    places: &[(&str, &str)],
) -> anyhow::Result<()> {
    let problem = service.refuse(400, "invalid_body", Request::post(target, body)).await?;
    problem.names(places)
}

/// A body that is around nothing, around two things, or around something that cannot be.
pub async fn searches_that_are_none(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile_with_embedding(1)?).await?;
    let numbers = given::embedding(1)?.as_slice().to_vec();
    let with = |index: usize, value: Value| {
        let mut elements: Vec<Value> = numbers.iter().map(|&number| json!(number)).collect();
        if let Some(element) = elements.get_mut(index) {
            *element = value;
        }
        json!({"embedding": elements})
    };
    let neither = "lacks the member 'embedding' or 'like'";
    let zeros = "an embedding must not be all zeros";
    let scale = "the length of an embedding must lie between 1e-15 and 1e15";
    let named: Vec<String> = (0..21).map(|index| index.to_string()).collect();
    for (body, place, detail) in [
        (json!({}), "", neither),
        (json!({"unlike": ["J Dilla"]}), "", neither),
        (json!({"embedding": null}), "/embedding", "must be an array, not null"),
        (json!({"embedding": "AAAA"}), "/embedding", "must be an array, not a string"),
        (json!({"embedding": []}), "/embedding", "an embedding has 384 numbers, this one has 0"),
        (
            json!({"embedding": vec![0.1; 383]}),
            "/embedding",
            "an embedding has 384 numbers, this one has 383",
        ),
        (
            json!({"embedding": vec![0.1; 385]}),
            "/embedding",
            "an embedding has 384 numbers, this one has 385",
        ),
        (json!({"embedding": vec![0; 384]}), "/embedding", zeros),
        (json!({"embedding": vec![-0.0; 384]}), "/embedding", zeros),
        (json!({"embedding": vec![1e-30; 384]}), "/embedding", scale),
        (json!({"embedding": vec![1e20; 384]}), "/embedding", scale),
        (with(17, Value::Null), "/embedding/17", "must be a number, not null"),
        (with(383, json!("NaN")), "/embedding/383", "must be a number, not a string"),
        (with(7, json!(1e39)), "/embedding/7", "is too large a number for single precision"),
        (with(0, json!(-1e300)), "/embedding/0", "is too large a number for single precision"),
        (json!({"like": null}), "/like", "must be an array, not null"),
        (json!({"like": "J Dilla"}), "/like", "must be an array, not a string"),
        (json!({"like": []}), "/like", "must name 1 to 20 artists, not 0"),
        (json!({"like": named}), "/like", "must name 1 to 20 artists, not 21"),
        (
            json!({"like": ["J Dilla"], "unlike": named}),
            "/unlike",
            "must name 0 to 20 artists, not 21",
        ),
        (json!({"like": ["J Dilla", 7]}), "/like/1", "must be a string, not a number"),
        (json!({"like": [" "]}), "/like/0", "an artist name must not be empty"),
        (json!({"like": ["A", "B", " a "]}), "/like/2", "'a' is named already"),
        (json!({"like": ["A"], "unlike": ["B", "A"]}), "/unlike/1", "'A' is named already"),
        (
            body::changed(with(0, json!(1)), "/like", json!(["J Dilla"]))?,
            "/like",
            "cannot be given beside 'embedding'",
        ),
        (body::changed(with(0, json!(1)), "/unlike", json!([]))?, "/unlike", "needs 'like'"),
        (
            body::changed(with(0, json!(1)), "/explain", json!(true))?,
            "/explain",
            "needs artists to compare with, not an embedding",
        ),
        (json!({"like": ["A"], "limit": 0}), "/limit", "must be a whole number from 1 to 20"),
        (json!({"like": ["A"], "limit": 21}), "/limit", "must be a whole number from 1 to 20"),
        (json!({"like": ["A"], "limit": 1.5}), "/limit", "must be a whole number from 1 to 20"),
        (json!({"like": ["A"], "limit": "5"}), "/limit", "must be a number, not a string"),
        (json!({"like": ["A"], "metric": "l1"}), "/metric", METRIC),
        (json!({"like": ["A"], "metric": 2}), "/metric", "must be a string, not a number"),
        (json!({"like": ["A"], "engine": "gpu"}), "/engine", ENGINE),
        (json!({"like": ["A"], "explain": "true"}), "/explain", "must be a boolean, not a string"),
        (json!({"like": ["A"], "filters": {}}), "/filters", "is not a known member"),
    ] {
        refuses(service, SIMILAR, body, &[(place, detail)]).await?;
    }
    for literal in ["NaN", "Infinity", "-Infinity"] {
        let text = with(7, json!("here")).to_string().replace("\"here\"", literal);
        let problem = service.refuse(400, "malformed_body", Request::post(SIMILAR, text)).await?;
        ensure!(problem.message()?.contains("line 1, column "), "{}", problem.body);
    }
    Ok(())
}

/// What a query refuses of a filter, a body refuses too, each at its place.
pub async fn the_two_forms_of_a_filter_refuse_the_same(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile_with_embedding(1)?).await?;
    let ends = "needs 'from', 'to' or both";
    for (filter, place, detail) in [
        (json!([]), "", "must be an object, not an array"),
        (json!({"status": "cached"}), "/status", "must be an array, not a string"),
        (json!({"status": []}), "/status", "must name at least one status"),
        (json!({"status": ["cached", "done"]}), "/status/1", STATUS),
        (json!({"status": [null]}), "/status/0", "must be a string, not null"),
        (json!({"min_confidence": 1.1}), "/min_confidence", SHARE),
        (json!({"min_confidence": "0.5"}), "/min_confidence", "must be a number, not a string"),
        (json!({"tempo_avg": "80..110"}), "/tempo_avg", "must be an object, not a string"),
        (json!({"tempo_avg": {}}), "/tempo_avg", ends),
        (json!({"tempo_avg": {"from": null, "to": null}}), "/tempo_avg", ends),
        (json!({"tempo_avg": {"from": 110, "to": 80}}), "/tempo_avg", INVERTED),
        (json!({"tempo_avg": {"from": -1}}), "/tempo_avg/from", "must be from 0 to 1000"),
        (json!({"velocity_mean": {"to": 128}}), "/velocity_mean/to", "must be from 0 to 127"),
        (json!({"tempo_avg": {"from": "80"}}), "/tempo_avg/from", "must be a number, not a string"),
        (
            json!({"tempo_avg": {"from": 80, "till": 110}}),
            "/tempo_avg/till",
            "is not a known member",
        ),
        (json!({"tempo": {"from": 80}}), "/tempo", "is not a known member"),
    ] {
        let place = format!("/filter{place}");
        for (target, around) in [
            (SIMILAR.to_owned(), json!({"like": ["J Dilla"]})),
            (format!("{SIMILAR}/batch"), json!({"artists": ["J Dilla"]})),
        ] {
            let body = body::changed(around, "/filter", filter.clone())?;
            refuses(service, &target, body, &[(&place, detail)]).await?;
        }
    }
    Ok(())
}

/// Too few, too many, and no names.
pub async fn batches_that_are_none(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile_with_embedding(1)?).await?;
    let target = format!("{SIMILAR}/batch");
    for (body, places) in [
        (json!({}), &[("", "lacks the member 'artists'")][..]),
        (json!({"artists": null}), &[("/artists", "must be an array, not null")]),
        (json!({"artists": []}), &[("/artists", "must name 1 to 100 artists, not 0")]),
        (
            json!({"artists": vec!["J Dilla"; 101]}),
            &[("/artists", "must name 1 to 100 artists, not 101")],
        ),
        (
            json!({"artists": ["J Dilla", "", null, "a\u{7}b"], "metric": "l1", "limit": 21, "like": []}),
            &[
                ("/artists/1", "an artist name must not be empty"),
                ("/artists/2", "must be a string, not null"),
                (
                    "/artists/3",
                    "an artist name must not hold control characters, this one has one at character 1",
                ),
                ("/limit", "must be a whole number from 1 to 20"),
                ("/metric", METRIC),
                ("/like", "is not a known member"),
            ],
        ),
    ] {
        refuses(service, &target, body, places).await?;
    }
    Ok(())
}
