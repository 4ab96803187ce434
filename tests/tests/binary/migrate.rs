//! `groovebase migrate`: what it did, line by line, and whether it worked.

use groovebase_tests::{
    given::body,
    program::{Program, run},
};
use serde_json::json;

/// The states of the changes, one letter each.
fn status(program: &Program) -> anyhow::Result<String> {
    let ended = program.expect(0, &["migrate", "status"])?;
    Ok(ended.output.lines().filter_map(|line| line.chars().next()).collect())
}

#[test]
fn goes_up_and_down_by_steps() -> anyhow::Result<()> {
    let program = Program::new()?;
    let changes = status(&program)?.len();
    assert!(8 <= changes);
    assert_eq!(status(&program)?, "p".repeat(changes));

    let up = program.expect(0, &["migrate", "up", "2"])?;
    assert_eq!(up.output.lines().filter(|line| line.starts_with("applied m")).count(), 2);
    assert_eq!(status(&program)?, format!("aa{}", "p".repeat(changes - 2)));
    program.expect(0, &["migrate", "up"])?;
    assert_eq!(status(&program)?, "a".repeat(changes));
    assert_eq!(program.expect(0, &["migrate", "up"])?.output, "nothing to do\n");

    let down = program.expect(0, &["migrate", "down"])?;
    assert_eq!(down.output.lines().count(), 1, "{down:?}");
    assert!(down.output.starts_with("reverted m"), "{down:?}");
    assert_eq!(status(&program)?, format!("{}p", "a".repeat(changes - 1)));
    program.expect(0, &["migrate", "down", "100"])?;
    assert_eq!(status(&program)?, "p".repeat(changes));
    assert_eq!(program.expect(0, &["migrate", "down"])?.output, "nothing to do\n");
    Ok(())
}

#[test]
fn starting_afresh_needs_consent_once_there_is_something() -> anyhow::Result<()> {
    let program = Program::new()?;
    program.expect(0, &["migrate", "fresh"])?;
    let line = body::changed(body::profile(), "/artist", json!("J Dilla"))?.to_string();
    let imported = run(program.command(&["import", "-"]), &line)?;
    assert_eq!(imported.code, Some(0), "{imported:?}");

    let refused = program.expect(1, &["migrate", "fresh"])?;
    assert!(refused.errors.contains("only with --yes"), "{refused:?}");
    assert!(program.expect(0, &["export", "-"])?.output.contains("J Dilla"), "nothing happened");
    program.expect(0, &["migrate", "fresh", "--yes"])?;
    assert_eq!(program.expect(0, &["export", "-"])?.output, "");
    Ok(())
}

#[test]
fn what_does_not_work_is_a_failure() -> anyhow::Result<()> {
    let program = Program::new()?;
    program.expect(2, &["migrate"])?;
    program.expect(2, &["migrate", "sideways"])?;
    program.expect(2, &["migrate", "up", "-1"])?;
    std::fs::write(
        program.file("groovebase.db"),
        "This is a letter, not a database. ".repeat(100),
    )?;
    for command in [["migrate", "status"], ["migrate", "up"], ["export", "-"]] {
        let ended = program.expect(1, &command)?;
        assert!(ended.errors.contains("groovebase: "), "{ended:?}");
    }
    Ok(())
}
