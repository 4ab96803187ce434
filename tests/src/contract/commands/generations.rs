//! Generations that come and go as lines.

use std::{collections::BTreeMap, io::Cursor};

use anyhow::{Context, ensure};
use api::command::{
    export,
    import::{
        self, Account, AccountCounts, Event, Incomplete, OnError, Options, Report, UnknownArtists,
    },
};
use domain::{GenerationKind, GenerationStatus, ResearchStatus, Sums, TimeRange};
use futures::stream;
use serde_json::{Value, json};
use storage::Store;

use crate::{
    account,
    fixture::{Fixture, Sqlite},
    given::{self, body},
};

/// Lines may name anybody.
const CREATING: UnknownArtists = UnknownArtists::Create;

/// Imports and returns what was said about bad lines, in their order.
pub(super) async fn imported(
    store: &Store,
    input: &str,
    unknown_artists: UnknownArtists,
    options: &Options,
) -> (Report<AccountCounts>, Vec<(u64, String)>) {
    let mut bad = Vec::new();
    let account = Account::of(store, unknown_artists);
    let input = Cursor::new(input.to_owned());
    let report = import::run(input, account, options, stream::pending(), |event| {
        if let Event::BadLine(line) = event {
            bad.push((line.line, line.reason.to_string()));
        }
    })
    .await;
    bad.sort();
    (report, bad)
}

/// Imports what must be all good.
pub(super) async fn loaded(store: &Store, input: &str) -> anyhow::Result<Report<AccountCounts>> {
    let (report, bad) = imported(store, input, CREATING, &Options::default()).await;
    ensure!(report.outcome.is_ok() && bad.is_empty(), "{report:?} {bad:?}");
    Ok(report)
}

/// What an export writes.
pub(super) async fn exported(store: &Store, range: TimeRange) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let generations = store.generations();
    export::run_generations(generations.as_ref(), range, &mut bytes, |_| ()).await?;
    Ok(String::from_utf8(bytes)?)
}

/// All there is of an account: each generation, and the sums.
async fn contents(store: &Store) -> anyhow::Result<(String, BTreeMap<GenerationKind, Sums>)> {
    Ok((exported(store, TimeRange::ALL).await?, account::sums_by_kind(store).await?))
}

fn id(number: u32) -> String {
    format!("01990a5d-ac96-774b-bcce-{number:012x}")
}

fn line(number: u32) -> anyhow::Result<Value> {
    let body = body::changed(body::generation(), "/id", json!(id(number)))?;
    let seconds = format!("2026-11-21T08:{:02}:{:02}Z", number / 60 % 60, number % 60);
    body::changed(body, "/created_at", json!(seconds))
}

fn line_of(number: u32, artist: &str) -> anyhow::Result<Value> {
    body::changed(line(number)?, "/artist", json!(artist))
}

fn lines(all: impl IntoIterator<Item = anyhow::Result<Value>>) -> anyhow::Result<String> {
    all.into_iter().map(|line| Ok(format!("{}\n", line?))).collect()
}

/// A member of each line of an export, in its order.
fn members(text: &str, name: &str) -> anyhow::Result<Vec<Value>> {
    text.lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line)?;
            line.get(name).cloned().with_context(|| format!("no {name} in {line}"))
        })
        .collect()
}

/// The identities of an export, in its order.
fn ids(text: &str) -> anyhow::Result<Vec<String>> {
    let told = |id: Value| id.as_str().map(str::to_owned).context("an id");
    members(text, "id")?.into_iter().map(told).collect()
}

/// Lines that try what is difficult: every name, amounts and times at their ends, all members and hardly any.
fn difficult_lines() -> anyhow::Result<String> {
    let mut all = Vec::new();
    for (number, artist) in (1..).zip(given::DIFFICULT_NAMES) {
        all.push(line_of(number, artist)?);
    }
    // Two of one microsecond, told apart by their identity, and times before 1970 and at their ends.
    for (number, time) in (100..).zip([
        "2026-11-21T08:00:01.000001Z",
        "2026-11-21T08:00:01.000001Z",
        "1969-12-31T23:59:59.999999Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
        "2026-11-21T10:00:00.25+02:00",
    ]) {
        all.push(body::changed(line(number)?, "/created_at", json!(time))?);
    }
    let mut full = line_of(200, "J Dilla")?;
    for (pointer, value) in [
        ("/provider_used", json!("A Provider Ünlike Others")),
        ("/model", json!("GPT \"5\" \u{1f941}")),
        ("/status", json!("failed")),
        ("/error", json!("Tab\t, \"quotes\", \\ and \u{2028}\nsecond line")),
        ("/generation_time_ms", json!(u32::MAX)),
        ("/steps", json!([{"name": "prompt", "time_ms": 0}, {"name": "ß", "time_ms": u32::MAX}])),
        ("/tokens_used", json!(u32::MAX)),
        ("/input_tokens", json!(0)),
        ("/output_tokens", json!(2)),
        ("/cache_read_tokens", json!(3)),
        ("/cache_write_tokens", json!(4)),
        ("/reasoning_tokens", json!(5)),
        (
            "/user_params",
            json!({"z": [null, true, -0.0, 0.1, 1e300, u64::MAX, i64::MIN], "a": {"b": "\u{1f941}"}}),
        ),
        ("/output_files", json!(["a b.mid", "ü/\"q\".mid"])),
    ] {
        full = body::changed(full, pointer, value)?;
    }
    all.push(full);
    let mut text = lines(all.into_iter().map(Ok))?;
    // Amounts that no binary fraction is, which a value of a test would be.
    for (number, cost) in
        (300..).zip(["0", "0.000000001", "0.1", "0.3", "123456.789012345", "1000000"])
    {
        text.push_str(&line(number)?.to_string().replace("0.0125", cost));
        text.push('\n');
    }
    let least = json!({
        "id": id(400),
        "provider_used": "template",
        "generation_time_ms": 0,
        "user_params": {},
        "cost_usd": null,
        "created_at": "2026-11-21T08:00:00Z",
    });
    text.push_str(&least.to_string());
    text.push('\n');
    Ok(text)
}

/// Export, import into an empty store, export: the same bytes, and the same sums.
pub async fn generations_are_imported_to_the_same_bytes(
    fixture: &impl Fixture,
) -> anyhow::Result<()> {
    loaded(fixture.store(), &difficult_lines()?).await?;
    let first = contents(fixture.store()).await?;
    ensure!(first.0.lines().count() == 14 + 6 + 1 + 6 + 1, "{}", first.0);
    ensure!(first.0.contains("\"cost_usd\":123456.789012345,"), "{}", first.0);

    let other = Sqlite::open().await?;
    let report = loaded(other.store(), &first.0).await?;
    let second = contents(other.store()).await?;
    other.close().await?;

    ensure!(report.counts == AccountCounts { recorded: 28, artists: 14 }, "{report:?}");
    ensure!(first == second, "{}\n{}", first.0, second.0);
    let times = members(&first.0, "created_at")?;
    ensure!(times.first() == Some(&json!("0001-01-01T00:00:00Z")), "{times:?}");
    ensure!(times.contains(&json!("2026-11-21T08:00:00.25Z")), "{times:?}");
    let order = ids(&first.0)?;
    let place = |number| order.iter().position(|it| *it == id(number));
    ensure!(place(100).is_some() && place(100) < place(101), "{order:?}");
    Ok(())
}

/// Whatever order and batches lines come in, an export is the same, also where it has many pages.
pub async fn many_generations_are_exported_in_order(fixture: &impl Fixture) -> anyhow::Result<()> {
    // Many in one second, so that pages end among them.
    let mut all: Vec<Value> = (0..2_300)
        .map(|number| {
            let time = format!("2026-11-21T08:00:{:02}Z", number % 3);
            body::changed(line(number)?, "/created_at", json!(time))
        })
        .collect::<anyhow::Result<_>>()?;
    loaded(fixture.store(), &lines(all.iter().cloned().map(Ok))?).await?;
    let other = Sqlite::open().await?;
    all.reverse();
    let options = Options { batch_lines: 700, ..Options::default() };
    let reversed = lines(all.into_iter().map(Ok))?;
    imported(other.store(), &reversed, UnknownArtists::Refuse, &options).await.0.outcome?;

    let (here, there) = (contents(fixture.store()).await?, contents(other.store()).await?);
    other.close().await?;

    ensure!(here == there);
    let order = ids(&here.0)?;
    let expected: Vec<String> = (0..3).flat_map(|rest| (rest..2_300).step_by(3)).map(id).collect();
    ensure!(order == expected);
    Ok(())
}

/// The same file once more: nothing is counted twice, and each line is confirmed.
pub async fn importing_generations_again_counts_nothing_twice(
    fixture: &impl Fixture,
) -> anyhow::Result<()> {
    let store = fixture.store();
    let input = difficult_lines()?;
    loaded(store, &input).await?;
    let before = contents(store).await?;

    let again = loaded(store, &input).await?;
    let own = loaded(store, &before.0).await?;
    // Twice in one file.
    let twice = loaded(store, &format!("{input}{}", lines([line(1_000), line(1_000)])?)).await?;

    ensure!(again.counts == AccountCounts { recorded: 28, artists: 0 }, "{again:?}");
    ensure!(own.counts == AccountCounts { recorded: 28, artists: 0 }, "{own:?}");
    ensure!(twice.written == 30, "{twice:?}");
    let after = contents(store).await?;
    ensure!(after.0.lines().count() == 29);
    ensure!(account::totals(store).await?.generations == 29);
    Ok(())
}

/// A removed artist's generations are nobody's from then on, and the file that names it can still be imported again.
pub async fn a_removed_artists_generations_are_exported_without_it(
    fixture: &impl Fixture,
) -> anyhow::Result<()> {
    let store = fixture.store();
    let input = lines([line_of(1, "J Dilla"), line_of(2, "Tony Allen")])?;
    loaded(store, &input).await?;
    store
        .artists()
        .remove(&given::key("J Dilla")?, &given::author())
        .await?
        .context("it was there")?;

    let text = exported(store, TimeRange::ALL).await?;
    let artists = members(&text, "artist")?;
    ensure!(artists == [Value::Null, json!("Tony Allen")], "{text}");

    for unknown_artists in [UnknownArtists::Refuse, UnknownArtists::Create] {
        let input = format!("{input}{}{}", line_of(3, "Tony Allen")?, "\n");
        let (report, bad) = imported(store, &input, unknown_artists, &Options::default()).await;
        ensure!(report.outcome.is_ok() && bad.is_empty(), "{report:?} {bad:?}");
        ensure!(report.counts == AccountCounts { recorded: 3, artists: 0 }, "{report:?}");
    }
    ensure!(store.artists().find(&given::key("J Dilla")?).await?.is_none());
    // With somebody new beside it, too.
    let report = loaded(store, &format!("{input}{}\n", line_of(4, "Nobody Yet")?)).await?;
    ensure!(report.counts == AccountCounts { recorded: 3, artists: 1 }, "{report:?}");
    ensure!(store.artists().find(&given::key("J Dilla")?).await?.is_none());
    Ok(())
}

/// Whoever is not known is made when that is asked for: once, pending, in the spelling that comes first by code point.
pub async fn unknown_artists_can_be_made(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    store.artists().find_or_create(&given::name("J Dilla")?, &given::author()).await?;
    let input =
        lines([line_of(1, "j dilla"), line_of(2, "Questlove"), line_of(3, "QUESTLOVE"), line(4)])?;

    let report = loaded(store, &input).await?;

    ensure!(report.counts == AccountCounts { recorded: 4, artists: 1 }, "{report:?}");
    let made = store.artists().find(&given::key("Questlove")?).await?.context("made")?;
    ensure!(made.research_status == ResearchStatus::Pending, "{made:?}");
    ensure!(made.name.as_str() == "QUESTLOVE", "{made:?}");
    let text = exported(store, TimeRange::ALL).await?;
    ensure!(text.matches("\"artist\":\"J Dilla\"").count() == 1, "{text}");
    ensure!(text.matches("\"artist\":\"QUESTLOVE\"").count() == 2, "{text}");
    Ok(())
}

/// A line of each kind, with its number and the reason; the good ones between them are recorded.
pub async fn every_kind_of_bad_generation_is_told(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    store.artists().find_or_create(&given::name("J Dilla")?, &given::author()).await?;
    loaded(store, &lines([line(1), line(2)])?).await?;
    let with = |number: u32, pointer: &str, value: Value| {
        anyhow::Ok(body::changed(line(number)?, pointer, value)?.to_string())
    };
    let good = |number| anyhow::Ok((line_of(number, "J Dilla")?.to_string(), None));
    let taken = |number| format!("/id: {} is recorded with something else in it", id(number));
    let bad = |line: String, reason: &str| anyhow::Ok((line, Some(reason.to_owned())));
    let no_id =
        "lacks the member 'id', by which it would not be counted again when it is imported again";
    let cases = [
        good(10)?,
        bad("{".to_owned(), "malformed JSON at column 1: EOF while parsing an object")?,
        bad("[]".to_owned(), "must be an object, not an array")?,
        bad(body::generation().to_string(), no_id)?,
        bad(with(11, "/id", Value::Null)?, no_id)?,
        bad(
            body::changed(body::generation(), "/cost_usd", json!(-1))?.to_string(),
            &format!("/cost_usd: a cost must not be negative; {no_id}"),
        )?,
        bad(
            with(11, "/id", json!("7"))?,
            "/id: an id is a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057",
        )?,
        bad(with(11, "/cost_usd", json!("0.1"))?, "/cost_usd: must be a number, not a string")?,
        bad(with(11, "/cost_us", json!(1))?, "/cost_us: is not a known member")?,
        bad(
            with(11, "/created_at", json!("yesterday"))?,
            "/created_at: a time is written as RFC 3339, for example 2026-11-21T08:30:00Z",
        )?,
        bad(
            with(11, "/error", json!("quota"))?,
            "/error: goes with the status 'failed' or 'cancelled' only",
        )?,
        bad(line_of(12, "Nobody")?.to_string(), "/artist: 'Nobody' is not known")?,
        good(13)?,
        bad(line_of(14, "No  One")?.to_string(), "/artist: 'No  One' is not known")?,
        // The identity of one that is recorded, and of one of this file.
        bad(with(1, "/generation_time_ms", json!(7))?, &taken(1))?,
        good(15)?,
        bad(with(15, "/generation_time_ms", json!(7))?, &taken(15))?,
        bad(with(2, "/created_at", json!("2026-11-21T08:00:03Z"))?, &taken(2))?,
        (line(2)?.to_string(), None),
        good(16)?,
    ];
    let input: String = cases.iter().flat_map(|(line, _)| [line, "\n"]).collect();

    let skipping = Options { on_error: OnError::Skip, ..Options::default() };
    let (report, told) = imported(store, &input, UnknownArtists::Refuse, &skipping).await;

    ensure!(report.outcome.is_ok(), "{report:?}");
    let expected: Vec<(u64, String)> = (1..)
        .zip(&cases)
        .filter_map(|(number, (_, reason))| Some((number, reason.clone()?)))
        .collect();
    ensure!(told == expected, "expected {expected:#?}\ngot {told:#?}");
    ensure!(report.bad == expected.len() as u64 && report.line == cases.len() as u64, "{report:?}");
    ensure!(report.counts == AccountCounts { recorded: 5, artists: 0 }, "{report:?}");
    let order = ids(&exported(store, TimeRange::ALL).await?)?;
    ensure!(order == [1, 2, 10, 13, 15, 16].map(id), "{order:?}");
    Ok(())
}

/// What came before it is recorded, and nothing after it, whether the line or the store tells.
pub async fn a_bad_generation_stops_an_import(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    store.artists().find_or_create(&given::name("J Dilla")?, &given::author()).await?;
    loaded(store, &lines([line(0)])?).await?;
    let taken = body::changed(line(0)?, "/generation_time_ms", json!(7))?;
    for (round, bad) in (1..).zip([
        "{\"artist\": 7}".to_owned(),
        line_of(99, "Nobody")?.to_string(),
        taken.to_string(),
    ]) {
        for (turn, batch_lines) in [(0, 1), (1, 1_000)] {
            let first = round * 1_000 + turn * 100;
            let before = [line(first), line_of(first + 1, "J Dilla")];
            let after = [line_of(first + 2, "No One"), line(first + 3)];
            let input = format!("{}\n{bad}\n{}", lines(before)?, lines(after)?);
            let options = Options { batch_lines, ..Options::default() };
            let had = ids(&exported(store, TimeRange::ALL).await?)?.len();

            let (report, told) = imported(store, &input, UnknownArtists::Refuse, &options).await;

            let Err(Incomplete::BadLine(stopped)) = &report.outcome else {
                anyhow::bail!("{report:?}");
            };
            ensure!(stopped.line == 4 && report.line == 3, "{report:?}");
            ensure!(report.written == 2 && report.bad == 1 && told.len() == 1, "{report:?}");
            let order = ids(&exported(store, TimeRange::ALL).await?)?;
            ensure!(order.len() == had + 2, "{order:?}");
            ensure!(order.contains(&id(first)) && order.contains(&id(first + 1)), "{order:?}");
        }
    }
    Ok(())
}

/// The batch under way is recorded; running it again does the rest.
pub async fn an_interrupted_import_of_generations_can_be_run_again(
    fixture: &impl Fixture,
) -> anyhow::Result<()> {
    let input = lines((0..200).map(|number| line_of(number, "J Dilla")))?;
    let options = Options { batch_lines: 10, ..Options::default() };
    let (stop, stopped) = futures::channel::mpsc::unbounded();
    let store = fixture.store();

    let account = Account::of(store, CREATING);
    let report = import::run(Cursor::new(input.clone()), account, &options, stopped, |event| {
        if matches!(event, Event::Written { report, .. } if report.line == 50) {
            drop(stop.unbounded_send(()));
        }
    })
    .await;

    ensure!(matches!(report.outcome, Err(Incomplete::Interrupted)), "{report:?}");
    ensure!(report.line == 50 && account::totals(store).await?.generations == 50, "{report:?}");
    let rest = loaded(store, &input).await?;
    ensure!(rest.counts == AccountCounts { recorded: 200, artists: 0 }, "{rest:?}");
    ensure!(account::totals(store).await?.generations == 200);
    Ok(())
}

/// An import leaves nothing to be added up by those who read sums, however it sees to that: at the end where there was no
/// history, and as it goes beside one.
pub async fn an_import_brings_sums_up_to_date(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();

    for (numbers, recorded) in [(0..8_100, 8_100), (8_000..8_200, 8_200)] {
        loaded(store, &lines(numbers.map(line))?).await?;

        ensure!(store.generation_rollups().fold().await? == 0);
        let drift = store.accounts().verify(|_| ()).await?;
        ensure!(drift.different == 0, "{drift:?}");
        let sums = account::sums_by_kind(store).await?;
        let completed = sums.keys().all(|kind| kind.status == GenerationStatus::Completed);
        ensure!(completed && account::totals(store).await?.generations == recorded, "{sums:?}");
    }
    Ok(())
}

/// Only what was made from a time on and before another.
pub async fn a_range_of_time_can_be_exported(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    loaded(store, &lines((0..10).map(line))?).await?;
    let range = TimeRange::new("2026-11-21T08:00:03Z".parse()?, "2026-11-21T08:00:06Z".parse()?)?;

    let order = ids(&exported(store, range).await?)?;

    ensure!(order == [3, 4, 5].map(id), "{order:?}");
    Ok(())
}
