//! Imports and exports: what one writes the other reads, whatever the database.

use std::io::Cursor;

use anyhow::{Context, ensure};
use api::command::import::{self, Event, Incomplete, OnError, Options, Report};
use domain::{BulkCounts, Version};
use futures::stream;
use serde_json::{Value, json};
use storage::Store;

use crate::{
    fixture::{Fixture, Sqlite},
    given::{self, body},
    service::exported,
};

/// The example set of the demo.
const DEMO: &str = include_str!("../../../crates/api/demo/artists.jsonl");

/// Imports and returns what was said about bad lines, one by one.
async fn imported(store: &Store, input: &str, options: &Options) -> (Report, Vec<(u64, String)>) {
    let mut bad = Vec::new();
    let input = Cursor::new(input.to_owned());
    let report =
        import::run(input, store.bulk_load().as_ref(), options, stream::pending(), |event| {
            if let Event::BadLine(line) = event {
                bad.push((line.line, line.reason.to_string()));
            }
        })
        .await;
    (report, bad)
}

/// Imports what must be all good.
async fn loaded(store: &Store, input: &str) -> anyhow::Result<Report> {
    let (report, bad) = imported(store, input, &Options::default()).await;
    ensure!(report.outcome.is_ok() && bad.is_empty(), "{report:?} {bad:?}");
    Ok(report)
}

fn skipping() -> Options {
    Options { on_error: OnError::Skip, ..Options::default() }
}

/// A line with a profile and a source.
fn line(artist: &str) -> anyhow::Result<String> {
    let line = body::changed(body::profile(), "/artist", json!(artist))?;
    let sources = json!([body::source("https://example.org/1")]);
    Ok(body::changed(line, "/sources", sources)?.to_string())
}

fn lines(artists: &[&str]) -> anyhow::Result<String> {
    artists.iter().map(|artist| Ok(line(artist)? + "\n")).collect()
}

async fn stored_names(store: &Store) -> anyhow::Result<Vec<String>> {
    let text = String::from_utf8(exported(store).await?)?;
    text.lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line)?;
            Ok(line.get("artist").and_then(Value::as_str).context("a name")?.to_owned())
        })
        .collect()
}

/// Lines that try what is difficult: every name, numbers at their ends, text that needs escapes.
fn difficult_lines() -> anyhow::Result<String> {
    let mut input = String::new();
    for (seed, artist) in (0..).zip(given::DIFFICULT_NAMES) {
        let mut line =
            body::changed(body::profile_with_embedding(seed)?, "/artist", json!(artist))?;
        for (pointer, value) in [
            (
                "/text_description",
                json!("Tab\t, \"quotes\", \\ and \u{2028}\nsecond line \u{1f941}"),
            ),
            ("/quantitative_params/tempo_min", json!(f64::MIN_POSITIVE)),
            ("/quantitative_params/ghost_note_prob", json!(0.1 + 0.2)),
            ("/quantitative_params/velocity_std", json!(-0.0)),
            ("/confidence_score", json!(1)),
            (
                "/midi_templates",
                json!([null, true, "x", {"b": [1, 2.5, -3], "a": {}}, 1e300, u64::MAX, i64::MIN]),
            ),
            (
                "/sources",
                json!([
                    {"source_type": "midi", "file_path": "b.mid"},
                    body::source("https://example.org/2"),
                    body::source("https://example.org/1"),
                    {"source_type": "paper", "raw_content": "ß".repeat(10), "confidence": 0},
                ]),
            ),
        ] {
            line = body::changed(line, pointer, value)?;
        }
        input.push_str(&format!("{line}\n"));
    }
    let sources = [body::source("https://example.org/1")];
    input.push_str(&format!("{}\n", json!({"artist": "Known By Sources", "sources": sources})));
    input.push_str(&format!("{}\n", json!({"artist": "Nobody Yet"})));
    Ok(input)
}

/// Export, import into an empty store, export: the same bytes.
pub async fn an_export_is_imported_to_the_same_bytes(fixture: &impl Fixture) -> anyhow::Result<()> {
    loaded(fixture.store(), DEMO).await?;
    loaded(fixture.store(), &difficult_lines()?).await?;
    let first = exported(fixture.store()).await?;
    // One of the difficult names is in the example set too.
    ensure!(first.iter().filter(|&&byte| byte == b'\n').count() == 108 + 16 - 1);

    let other = Sqlite::open().await?;
    loaded(other.store(), str::from_utf8(&first)?).await?;
    let second = exported(other.store()).await?;
    other.close().await?;

    ensure!(first == second, "{} and {} bytes", first.len(), second.len());
    Ok(())
}

/// The same input gives the same bytes here and on SQLite, in whatever order and batches it came.
pub async fn one_input_gives_the_same_bytes_on_every_backend(
    fixture: &impl Fixture,
) -> anyhow::Result<()> {
    let input = difficult_lines()?;
    let reversed: String = input.lines().rev().flat_map(|line| [line, "\r\n"]).collect();
    let small = Options { batch_lines: 4, ..Options::default() };

    loaded(fixture.store(), &input).await?;
    let other = Sqlite::open().await?;
    let (report, _) = imported(other.store(), &reversed, &small).await;
    report.outcome?;
    let (here, there) = (exported(fixture.store()).await?, exported(other.store()).await?);
    other.close().await?;

    ensure!(here == there, "{}\n{}", String::from_utf8(here)?, String::from_utf8(there)?);
    let keys = stored_names(fixture.store()).await?;
    let keys = keys.iter().map(|name| given::key(name)).collect::<anyhow::Result<Vec<_>>>()?;
    ensure!(keys.is_sorted(), "{keys:?}");
    Ok(())
}

/// The same file once more: every line unchanged, no version moved, no source added.
pub async fn importing_again_changes_nothing(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let first = loaded(store, &difficult_lines()?).await?;
    let counts = BulkCounts { created: 16, replaced: 0, unchanged: 0, sources: 14 * 4 + 1 };
    ensure!(first.written == 16 && first.counts == counts, "{first:?}");
    let before = (exported(store).await?, store.changes().since(Version::ZERO, 100).await?);

    let second = loaded(store, &difficult_lines()?).await?;

    let counts = BulkCounts { created: 0, replaced: 0, unchanged: 16, sources: 0 };
    ensure!(second.written == 16 && second.counts == counts, "{second:?}");
    let after = (exported(store).await?, store.changes().since(Version::ZERO, 100).await?);
    ensure!(before == after);
    Ok(())
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

/// As if each line were saved after the one before it, wherever batches end.
pub async fn of_lines_for_one_artist_the_last_stands(fixture: &impl Fixture) -> anyhow::Result<()> {
    let described = |artist: &str, description: &str| {
        let line = body::changed(
            serde_json::from_str(&line(artist)?)?,
            "/text_description",
            json!(description),
        )?;
        anyhow::Ok(line.to_string())
    };
    let input = [
        described("J Dilla", "first")?,
        described("Tony Allen", "only")?,
        described("j  dilla", "second")?,
        json!({"artist": "J DILLA"}).to_string(),
    ]
    .join("\n");

    let mut seen = Vec::new();
    for batch_lines in [1, 2, 1_000] {
        let store = Sqlite::open().await?;
        let options = Options { batch_lines, ..Options::default() };
        imported(store.store(), &input, &options).await.0.outcome?;
        seen.push(exported(store.store()).await?);
        store.close().await?;
    }
    loaded(fixture.store(), &input).await?;
    seen.push(exported(fixture.store()).await?);

    ensure!(stored_names(fixture.store()).await? == ["J Dilla", "Tony Allen"]);
    let profile = fixture.store().style_profiles().find(&given::key("J Dilla")?).await?;
    let profile = profile.context("stored")?;
    ensure!(profile.text_description.as_str() == "second", "{profile:?}");
    seen.dedup();
    ensure!(seen.len() == 1, "batches matter");
    Ok(())
}

/// The batch under way is written; running it again does the rest.
pub async fn an_interrupted_import_can_be_run_again(fixture: &impl Fixture) -> anyhow::Result<()> {
    let names: Vec<String> = (0..200).map(|number| format!("Artist {number:03}")).collect();
    let input = lines(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
    let options = Options { batch_lines: 10, ..Options::default() };
    let (stop, stopped) = futures::channel::mpsc::unbounded();
    let store = fixture.store();

    let report = import::run(
        Cursor::new(input.clone()),
        store.bulk_load().as_ref(),
        &options,
        stopped,
        |event| {
            if matches!(event, Event::Written { report, .. } if report.line == 50) {
                drop(stop.unbounded_send(()));
            }
        },
    )
    .await;

    ensure!(matches!(report.outcome, Err(Incomplete::Interrupted)), "{report:?}");
    ensure!(report.line == 50 && stored_names(store).await?.len() == 50, "{report:?}");
    let rest = loaded(store, &input).await?;
    ensure!(rest.counts.unchanged == 50 && rest.counts.created == 150, "{rest:?}");
    Ok(())
}
