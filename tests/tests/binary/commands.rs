//! `groovebase import` and `groovebase export`: exit codes, and what they say.

use std::fs;

use groovebase_tests::{
    given::body,
    program::{Program, run},
};
use serde_json::json;

fn line(artist: &str) -> anyhow::Result<String> {
    Ok(format!("{}\n", body::changed(body::profile(), "/artist", json!(artist))?))
}

#[test]
fn what_one_writes_the_other_reads() -> anyhow::Result<()> {
    let (one, other) = (Program::new()?, Program::new()?);
    fs::write(one.file("artists.jsonl"), line("AC/DC")? + &line("Sigur Rós")?)?;

    let imported = one.expect(0, &["import", "artists.jsonl"])?;
    assert!(imported.output.contains("Imported 2 lines"), "{imported:?}");
    assert!(imported.output.contains("2 created"), "{imported:?}");
    let again = one.expect(0, &["import", "artists.jsonl"])?;
    assert!(again.output.contains("2 unchanged"), "{again:?}");
    let exported = one.expect(0, &["export", "all.jsonl"])?;
    assert!(exported.output.contains("Exported 2 artists"), "{exported:?}");
    let first = fs::read_to_string(one.file("all.jsonl"))?;
    assert_eq!(one.expect(0, &["export", "-"])?.output, first);

    let piped = run(other.command(&["import", "-"]), &first)?;
    assert_eq!(piped.code, Some(0), "{piped:?}");
    assert_eq!(other.expect(0, &["export", "-"])?.output, first);
    Ok(())
}

#[test]
fn a_bad_line_stops_or_is_skipped() -> anyhow::Result<()> {
    const BAD: &str = "line 2: /artist: must be a string, not a number";

    let program = Program::new()?;
    fs::write(program.file("a.jsonl"), line("A")? + "{\"artist\": 7}\n" + &line("B")?)?;

    let stopped = program.expect(1, &["import", "a.jsonl"])?;
    assert!(stopped.errors.contains(BAD), "{stopped:?}");
    assert!(stopped.errors.contains("Everything up to line 1 is stored"), "{stopped:?}");
    assert_eq!(program.expect(0, &["export", "-"])?.output.lines().count(), 1);
    let skipped = program.expect(0, &["import", "a.jsonl", "--on-error", "skip"])?;
    assert!(skipped.errors.contains(BAD), "{skipped:?}");
    assert!(skipped.output.contains("1 bad lines"), "{skipped:?}");
    assert_eq!(program.expect(0, &["export", "-"])?.output.lines().count(), 2);
    Ok(())
}

#[test]
fn members_that_mean_nothing_are_noticed_once() -> anyhow::Result<()> {
    let program = Program::new()?;
    let lines: String = (0..50)
        .flat_map(|number| [r#"{"genre": 1, "artist": "A"#.to_owned(), format!("{number}\"}}\n")])
        .collect();

    let imported = run(program.command(&["import", "-"]), &lines)?;

    assert_eq!(imported.code, Some(0), "{imported:?}");
    assert_eq!(imported.errors.matches("genre").count(), 1, "{imported:?}");
    assert!(imported.errors.contains("'genre' (50 lines)"), "{imported:?}");
    Ok(())
}

#[test]
fn files_that_are_not_there_are_named() -> anyhow::Result<()> {
    let program = Program::new()?;
    for arguments in [
        ["import", "missing.jsonl"],
        ["import", "."],
        ["export", "missing/all.jsonl"],
        ["export", "."],
    ] {
        let ended = program.expect(1, &arguments)?;
        let told = ended.errors.lines().last().unwrap_or_default();
        assert!(told.starts_with("groovebase: "), "{ended:?}");
    }
    let ended = program.expect(1, &["import", "missing.jsonl"])?;
    assert!(ended.errors.contains("cannot open missing.jsonl"), "{ended:?}");
    Ok(())
}

#[test]
fn generations_come_and_go_too() -> anyhow::Result<()> {
    let (one, other) = (Program::new()?, Program::new()?);
    let line = |number: u32, artist: &str| {
        let id = format!("01990a5d-ac96-774b-bcce-{number:012x}");
        let line = body::changed(body::generation_of(artist)?, "/id", json!(id))?;
        let time = format!("2026-11-2{number}T08:00:00Z");
        anyhow::Ok(format!("{}\n", body::changed(line, "/created_at", json!(time))?))
    };
    fs::write(one.file("a.jsonl"), line(1, "AC/DC")? + &line(2, "Sigur Rós")?)?;
    let import = ["import", "--kind", "generations", "a.jsonl"];

    let stopped = one.expect(1, &import)?;
    assert!(stopped.errors.contains("line 1: /artist: 'AC/DC' is not known"), "{stopped:?}");
    assert!(stopped.errors.contains("--create-artists"), "{stopped:?}");
    let creating = [&import[..], &["--create-artists"]].concat();
    let imported = one.expect(0, &creating)?;
    assert!(imported.output.contains("2 recorded, now or before"), "{imported:?}");
    assert!(imported.output.contains("2 artists created"), "{imported:?}");
    let again = one.expect(0, &creating)?;
    assert!(again.output.contains("0 artists created"), "{again:?}");
    let exported = one.expect(0, &["export", "--kind", "generations", "all.jsonl"])?;
    assert!(exported.output.contains("Exported 2 generations"), "{exported:?}");
    let first = fs::read_to_string(one.file("all.jsonl"))?;
    assert_eq!(first.lines().count(), 2);

    let piped =
        run(other.command(&["import", "--kind", "generations", "--create-artists", "-"]), &first)?;
    assert_eq!(piped.code, Some(0), "{piped:?}");
    let export = ["export", "--kind", "generations", "-"];
    assert_eq!(other.expect(0, &export)?.output, first);
    let late = other.expect(0, &[&export[..], &["--from", "2026-11-22T00:00:00Z"]].concat())?;
    assert_eq!(late.output.lines().count(), 1, "{late:?}");
    Ok(())
}

#[test]
fn times_that_mean_nothing_are_refused() -> anyhow::Result<()> {
    const FROM: &str = "--from=2026-11-22T00:00:00Z";

    let program = Program::new()?;
    let timeless = program.expect(1, &["export", "-", FROM])?;
    assert!(timeless.errors.contains("only generations can be chosen by time"), "{timeless:?}");
    let generations = ["export", "-", "--kind=generations", FROM];
    let backwards =
        program.expect(1, &[&generations[..], &["--to=2026-11-21T00:00:00Z"]].concat())?;
    assert!(backwards.errors.contains("--from and --to do not fit"), "{backwards:?}");
    program.expect(2, &["export", "-", "--kind=generations", "--from=yesterday"])?;
    Ok(())
}
