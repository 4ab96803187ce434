//! `groovebase demo`: every capability, and nothing left behind.

use std::fs;

use groovebase_tests::program::{Program, run};

#[test]
fn shows_every_capability_and_leaves_nothing_behind() -> anyhow::Result<()> {
    let program = Program::new()?;
    fs::create_dir(program.file("temporary"))?;
    let mut command = program.command(&["demo", "--once"]);
    command.env("TMPDIR", program.file("temporary"));

    let ended = run(command, "")?;

    assert_eq!(ended.code, Some(0), "{ended:?}");
    for capability in [
        "/profile\n",
        "?include=embedding",
        "/similar/",
        "explain=true",
        "\"unlike\"",
        "/similar/batch",
        "-X PUT",
        "-X DELETE",
        "If-None-Match",
        "If-Match",
        "/sources",
        "?q=",
        "/api/v1/generations",
        "/history",
        "Idempotency-Key",
        "/api/v1/stats\n",
        "/api/v1/stats/series?bucket=day",
        "\"total_generations\": 3",
        "/health",
        "/metrics",
        "/openapi.json",
        "/docs/",
        "304 Not Modified",
        "412 Precondition Failed",
        "artist_not_found",
        "invalid_body",
    ] {
        assert!(ended.output.contains(capability), "{capability:?} is not in {}", ended.output);
    }
    assert!(ended.output.contains("all answered as they should be"), "{}", ended.output);
    assert_eq!(fs::read_dir(program.file("temporary"))?.count(), 0);
    assert!(!program.file("groovebase.db").exists());
    Ok(())
}

#[test]
fn does_not_touch_the_configured_database() -> anyhow::Result<()> {
    let program = Program::new()?;
    program.expect(0, &["migrate", "up"])?;

    program.expect(0, &["demo", "--once"])?;

    assert_eq!(program.expect(0, &["export", "-"])?.output, "");
    Ok(())
}
