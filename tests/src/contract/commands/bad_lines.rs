//! Lines that cannot be loaded, and members that mean nothing.

use anyhow::ensure;
use api::command::import::{Incomplete, OnError, Options};
use serde_json::{Value, json};

use super::{imported, line, lines, loaded, stored_names};
use crate::{fixture::Fixture, given::body};

fn skipping() -> Options {
    Options { on_error: OnError::Skip, ..Options::default() }
}

/// What came before it is stored, and nothing after it.
pub async fn a_bad_line_stops_an_import(fixture: &impl Fixture) -> anyhow::Result<()> {
    let input = lines(&["A", "B"])? + "\n{\"artist\": 7}\n" + &lines(&["C"])?;

    for batch_lines in [1, 1_000] {
        let options = Options { batch_lines, ..Options::default() };
        let (report, bad) = imported(fixture.store(), &input, &options).await;

        let Err(Incomplete::BadLine(stopped)) = &report.outcome else {
            anyhow::bail!("{report:?}");
        };
        ensure!(stopped.line == 4 && report.line == 3, "{report:?}");
        ensure!(report.written == 2 && report.bad == 1, "{report:?}");
        ensure!(bad == [(4, "/artist: must be a string, not a number".to_owned())], "{bad:?}");
        ensure!(stored_names(fixture.store()).await? == ["A", "B"]);
    }
    Ok(())
}

/// Everything but the bad lines is stored, and each of them is told.
pub async fn a_bad_line_can_be_skipped(fixture: &impl Fixture) -> anyhow::Result<()> {
    let input = format!(
        "\u{feff}{}\r\n\n{{\n{}not JSON\n{}",
        line("A")?,
        lines(&["B", "C"])?,
        line("D")? // Without an end.
    );

    let (report, bad) = imported(fixture.store(), &input, &skipping()).await;

    ensure!(report.outcome.is_ok(), "{report:?}");
    ensure!((report.written, report.bad, report.line) == (4, 2, 7), "{report:?}");
    ensure!(bad.iter().map(|(line, _)| *line).collect::<Vec<_>>() == [3, 6], "{bad:?}");
    ensure!(stored_names(fixture.store()).await? == ["A", "B", "C", "D"]);
    Ok(())
}

/// A line of each kind, with its number and the reason.
pub async fn every_kind_of_bad_line_is_told(fixture: &impl Fixture) -> anyhow::Result<()> {
    let good = body::changed(body::profile(), "/artist", json!("A"))?;
    let with = |pointer: &str, value: Value| {
        anyhow::Ok(body::changed(good.clone(), pointer, value)?.to_string())
    };
    let cases = [
        ("{".to_owned(), "malformed JSON at column 1: EOF while parsing an object"),
        ("[]".to_owned(), "must be an object, not an array"),
        ("{}".to_owned(), "lacks the member 'artist'"),
        (with("/artist", json!(" "))?, "/artist: an artist name must not be empty"),
        (
            with("/artist", json!("x".repeat(256)))?,
            "/artist: an artist name has at most 255 characters, this one has 256",
        ),
        (
            with("/artist", json!("a\nb"))?,
            "/artist: an artist name must not hold control characters, this one has one at character 1",
        ),
        (
            body::without(good.clone(), "/text_description")?.to_string(),
            "lacks the member 'text_description'",
        ),
        (
            with("/quantitative_params/tempo_min", json!(-1))?,
            "/quantitative_params/tempo_min: must be above 0 and at most 1000",
        ),
        (
            with("/quantitative_params/ghost_note_prob", json!(1.5))?,
            "/quantitative_params/ghost_note_prob: must be from 0 to 1",
        ),
        (
            with("/embedding", json!(vec![0.5; 383]))?,
            "/embedding: an embedding has 384 numbers, this one has 383",
        ),
        (
            with("/embedding", json!(vec![0; 384]))?,
            "/embedding: an embedding must not be all zeros",
        ),
        (with("/embedding", json!([0.5, null]))?, "/embedding/1: must be a number, not null"),
        (
            with("/sources_count", json!({"papers": -1}))?,
            "/sources_count/papers: must be a whole number from 0 to 65535",
        ),
        (
            with("/sources", json!([{"source_type": "book", "url": "x"}]))?,
            "/sources/0/source_type: a source type is one of paper, article, audio, midi",
        ),
        (
            with(
                "/sources",
                json!([body::source("https://example.org/1"), {"source_type": "midi"}]),
            )?,
            "/sources/1: a source needs at least one of url, file_path and raw_content",
        ),
        (
            json!({"artist": "A", "sources": [{"source_type": "midi", "url": 7}]}).to_string(),
            "/sources/0/url: must be a string, not a number",
        ),
        (r#"{"artist": "A", "artist": "B"}"#.to_owned(), "/artist: is given more than once"),
    ];
    let input: String = cases.iter().flat_map(|(line, _)| [line, "\n"]).collect();

    let (report, bad) = imported(fixture.store(), &input, &skipping()).await;

    ensure!(report.outcome.is_ok() && report.written == 0, "{report:?} {bad:#?}");
    let expected: Vec<(u64, String)> =
        (1..).zip(&cases).map(|(number, (_, reason))| (number, (*reason).to_owned())).collect();
    ensure!(bad == expected, "expected {expected:#?}\ngot {bad:#?}");
    ensure!(stored_names(fixture.store()).await?.is_empty());
    Ok(())
}

/// Members that mean nothing to an import are left out and counted, not refused.
pub async fn unknown_members_are_noticed_once(fixture: &impl Fixture) -> anyhow::Result<()> {
    let with = |artist: &str, member: &str| {
        anyhow::Ok(
            body::changed(serde_json::from_str(&line(artist)?)?, member, json!(1))?.to_string(),
        )
    };
    let input = [
        with("A", "/genre")?,
        with("B", "/genre")?,
        with("C", "/Genre")?,
        json!({"artist": "D", "genre": null, "id": 7}).to_string(),
    ]
    .join("\n");

    let report = loaded(fixture.store(), &input).await?;

    let unknown: Vec<(&str, u64)> =
        report.unknown.iter().map(|(name, &lines)| (name.as_str(), lines)).collect();
    ensure!(unknown == [("Genre", 1), ("genre", 3), ("id", 1)], "{unknown:?}");
    ensure!(stored_names(fixture.store()).await? == ["A", "B", "C", "D"]);
    Ok(())
}
