//! Imports and exports: what one writes the other reads, whatever the database.

mod bad_lines;
mod generations;
mod keys;
mod synthetic_history;

use std::io::Cursor;

use anyhow::{Context, ensure};
use api::command::import::{self, Event, Incomplete, Options, Report};
use domain::{BulkCounts, Limit, Version};
use futures::stream;
use serde_json::{Value, json};
use storage::Store;

use crate::{
    fixture::{Fixture, Sqlite},
    given::{self, body},
    service::exported,
};

pub use bad_lines::{
    a_bad_line_can_be_skipped, a_bad_line_stops_an_import, every_kind_of_bad_line_is_told,
    unknown_members_are_noticed_once,
};
pub use generations::{
    a_bad_generation_stops_an_import, a_range_of_time_can_be_exported,
    a_removed_artists_generations_are_exported_without_it, an_import_brings_sums_up_to_date,
    an_interrupted_import_of_generations_can_be_run_again, every_kind_of_bad_generation_is_told,
    generations_are_imported_to_the_same_bytes, importing_generations_again_counts_nothing_twice,
    many_generations_are_exported_in_order, unknown_artists_can_be_made,
};
pub use keys::{keys_are_made_listed_rotated_and_revoked, what_cannot_be_done_with_keys_is_said};
pub use synthetic_history::a_synthetic_history_can_be_loaded;

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
    let mut lines = Vec::new();
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
        lines.push(line);
    }
    let sources = [body::source("https://example.org/1")];
    lines.push(json!({"artist": "Known By Sources", "sources": sources}));
    lines.push(json!({"artist": "Nobody Yet"}));
    Ok(lines.iter().flat_map(|line| [line.to_string(), "\n".to_owned()]).collect())
}

/// Export, import into an empty store, export: the same bytes.
pub async fn an_export_is_imported_to_the_same_bytes(fixture: &impl Fixture) -> anyhow::Result<()> {
    loaded(fixture.store(), DEMO).await?;
    loaded(fixture.store(), &difficult_lines()?).await?;
    let first = exported(fixture.store()).await?;
    // One of the difficult names is in the example set too.
    ensure!(str::from_utf8(&first)?.lines().count() == 108 + 16 - 1);

    let other = Sqlite::open().await?;
    loaded(other.store(), str::from_utf8(&first)?).await?;
    let second = exported(other.store()).await?;
    other.close().await?;

    ensure!(first == second, "{} and {} bytes", first.len(), second.len());
    Ok(())
}

/// A line that says the same in another order.
fn with_sources_reversed(line: &str) -> anyhow::Result<String> {
    let mut line: Value = serde_json::from_str(line)?;
    if let Some(sources) = line.get_mut("sources").and_then(Value::as_array_mut) {
        sources.reverse();
    }
    Ok(format!("{line}\r\n"))
}

/// The same input gives the same bytes here and on SQLite, in whatever order and batches it came.
pub async fn one_input_gives_the_same_bytes_on_every_backend(
    fixture: &impl Fixture,
) -> anyhow::Result<()> {
    let input = difficult_lines()?;
    let reversed: String =
        input.lines().rev().map(with_sources_reversed).collect::<anyhow::Result<_>>()?;
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

/// As if each line were saved after the one before it, wherever batches end.
pub async fn of_lines_for_one_artist_the_last_stands(fixture: &impl Fixture) -> anyhow::Result<()> {
    let described = |artist: &str, description: &str| {
        let line = body::changed(body::profile(), "/artist", json!(artist))?;
        let line = body::changed(line, "/text_description", json!(description))?;
        let sources = json!([body::source(&format!("https://example.org/{description}"))]);
        anyhow::Ok(body::changed(line, "/sources", sources)?.to_string())
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
    let sources = fixture.store().research_sources();
    let sources = sources.page(profile.artist_id, None, None, Limit::LARGEST).await?.items;
    ensure!(sources.len() == 2, "{sources:?}");
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
