//! Profiles that cannot be: everything wrong is named by JSON pointer, and nothing is written.

use anyhow::ensure;
use serde_json::{Value, json};

use super::{profile_path, saved};
use crate::{
    given::{self, body},
    http::{Request, artist},
    service::Service,
};

/// Checks that a change of one member is refused, for an artist with a profile and for a new one.
async fn refuses(
    service: &Service,
    pointer: &str,
    value: Value,
    expected: &[(&str, &str)],
) -> anyhow::Result<()> {
    let body = body::changed(body::profile(), pointer, value)?;
    for target in [profile_path(), artist("Somebody New", "/profile")] {
        let problem = service.refuse(400, "invalid_body", Request::put(target, &body)).await?;
        problem.names(expected)?;
    }
    Ok(())
}

/// Numbers out of their range, and what contradicts another number.
pub async fn parameters_out_of_range(service: &Service) -> anyhow::Result<()> {
    const TEMPO: &str = "must be above 0 and at most 1000";
    const SHARE: &str = "must be from 0 to 1";
    const VELOCITY: &str = "must be from 0 to 127";

    saved(service, "J Dilla", body::profile()).await?;
    for (member, value, detail) in [
        ("tempo_min", json!(-1), TEMPO),
        ("tempo_min", json!(0), TEMPO),
        ("tempo_max", json!(1_000.01), TEMPO),
        ("tempo_avg", json!(-0.0001), TEMPO),
        ("tempo_min", json!(102.6), "must be at most tempo_max"),
        ("tempo_avg", json!(79.9), "must be from tempo_min to tempo_max"),
        ("tempo_avg", json!(102.6), "must be from tempo_min to tempo_max"),
        ("swing_percent", json!(100.1), "must be from 0 to 100"),
        ("swing_percent", json!(-1), "must be from 0 to 100"),
        ("ghost_note_prob", json!(1.000_001), SHARE),
        ("ghost_note_prob", json!(-0.1), SHARE),
        ("syncopation_level", json!(2), SHARE),
        ("velocity_mean", json!(127.5), VELOCITY),
        ("velocity_std", json!(-1), VELOCITY),
        ("tempo_min", json!("80"), "must be a number, not a string"),
        ("tempo_min", Value::Null, "must be a number, not null"),
        ("groove", json!(1), "is not a known member"),
    ] {
        let pointer = format!("/quantitative_params/{member}");
        refuses(service, &pointer, value, &[(&pointer, detail)]).await?;
    }
    let huge = body::profile().to_string().replace("102.5", "1e999");
    let problem = service.refuse(400, "invalid_body", Request::put(profile_path(), huge)).await?;
    problem.names(&[("/quantitative_params/tempo_max", "is too large a number")])
}

/// An embedding has 384 numbers, all of them numbers, not all zero, none beyond single precision.
pub async fn embeddings_that_are_none(service: &Service) -> anyhow::Result<()> {
    saved(service, "J Dilla", body::profile_with_embedding(1)?).await?;
    let numbers = given::embedding(1)?.as_slice().to_vec();
    let with = |index: usize, value: Value| {
        let mut elements: Vec<Value> = numbers.iter().map(|&number| json!(number)).collect();
        if let Some(element) = elements.get_mut(index) {
            *element = value;
        }
        Value::from(elements)
    };
    for (value, place, detail) in [
        (json!(vec![0.1; 383]), "/embedding", "an embedding has 384 numbers, this one has 383"),
        (json!(vec![0.1; 385]), "/embedding", "an embedding has 384 numbers, this one has 385"),
        (json!([]), "/embedding", "an embedding has 384 numbers, this one has 0"),
        (json!(vec![0; 384]), "/embedding", "an embedding must not be all zeros"),
        (json!(vec![-0.0; 384]), "/embedding", "an embedding must not be all zeros"),
        (with(17, Value::Null), "/embedding/17", "must be a number, not null"),
        (with(383, json!("0.5")), "/embedding/383", "must be a number, not a string"),
        (with(0, json!([1])), "/embedding/0", "must be a number, not an array"),
        (with(5, json!(1e39)), "/embedding/5", "is too large a number for single precision"),
        (
            json!(vec![1e-30; 384]),
            "/embedding",
            "the length of an embedding must lie between 1e-15 and 1e15",
        ),
        (json!("AAAA"), "/embedding", "must be an array, not a string"),
    ] {
        refuses(service, "/embedding", value, &[(place, detail)]).await?;
    }
    Ok(())
}

/// The other members, one by one.
pub async fn members_of_the_wrong_kind(service: &Service) -> anyhow::Result<()> {
    const COUNT: &str = "must be a whole number from 0 to 65535";
    const SHARE: &str = "must be a number from 0 to 1";

    saved(service, "J Dilla", body::profile()).await?;
    for (pointer, value, detail) in [
        ("/text_description", json!(7), "must be a string, not a number"),
        ("/text_description", Value::Null, "must be a string, not null"),
        ("/quantitative_params", json!([]), "must be an object, not an array"),
        ("/confidence_score", json!(1.01), SHARE),
        ("/confidence_score", json!(-0.01), SHARE),
        ("/confidence_score", json!("high"), "must be a number, not a string"),
        ("/sources_count", json!(10), "must be an object, not a number"),
        ("/sources_count/papers", json!(-1), COUNT),
        ("/sources_count/midi", json!(1.5), COUNT),
        ("/sources_count/audio", json!(65_536), COUNT),
        ("/sources_count/books", json!(1), "is not a known member"),
        ("/artist", json!("J Dilla"), "is not a known member"),
        ("/confidence", json!(0.5), "is not a known member"),
        ("/a~1b", json!(1), "is not a known member"),
    ] {
        // In a pointer, the slash of a name is spelled otherwise.
        let place = pointer.replace("~1", "~01");
        refuses(service, pointer, value, &[(&place, detail)]).await?;
    }
    for value in [json!(""), json!("  \n")] {
        let body = body::changed(body::profile(), "/text_description", value)?;
        let problem =
            service.refuse(400, "invalid_body", Request::put(profile_path(), body)).await?;
        ensure!(problem.message()?.starts_with("/text_description: "), "{}", problem.body);
    }
    for value in [json!({"a": 1}), json!("a.mid")] {
        let body = body::changed(body::profile(), "/midi_templates", value)?;
        let problem =
            service.refuse(400, "invalid_body", Request::put(profile_path(), body)).await?;
        ensure!(problem.message()?.starts_with("/midi_templates: "), "{}", problem.body);
    }
    let long = json!("x".repeat(100_001));
    let body = body::changed(body::profile(), "/text_description", long)?;
    let problem = service.refuse(400, "invalid_body", Request::put(profile_path(), body)).await?;
    ensure!(problem.message()?.contains("100000"), "{}", problem.body);
    Ok(())
}

/// Everything that is wrong is told at once, in the order of the members.
pub async fn everything_wrong_is_told_at_once(service: &Service) -> anyhow::Result<()> {
    let body = json!({
        "text_description": 7,
        "quantitative_params": {"tempo_min": -1, "tempo_max": 90, "tempo_avg": "fast", "swing_percent": 120},
        "embedding": [1, null, 2],
        "sources_count": {"papers": -3},
        "confidence": 1,
    });

    let request = Request::put(profile_path(), body);
    let problem = service.refuse(400, "invalid_body", request).await?;

    let params = "/quantitative_params";
    problem.names(&[
        ("/text_description", "must be a string, not a number"),
        (&format!("{params}/tempo_avg"), "must be a number, not a string"),
        (params, "lacks the member 'ghost_note_prob'"),
        (params, "lacks the member 'syncopation_level'"),
        (params, "lacks the member 'velocity_mean'"),
        (params, "lacks the member 'velocity_std'"),
        (&format!("{params}/tempo_min"), "must be above 0 and at most 1000"),
        (&format!("{params}/swing_percent"), "must be from 0 to 100"),
        ("/embedding/1", "must be a number, not null"),
        ("", "lacks the member 'confidence_score'"),
        ("/sources_count/papers", "must be a whole number from 0 to 65535"),
        ("/confidence", "is not a known member"),
    ])
}
