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
