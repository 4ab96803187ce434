//! Settings that cannot be used stop the start and are named; secrets are not shown.

use groovebase_tests::program::{Ended, Program, run};

fn with(program: &Program, variables: &[(&str, &str)]) -> anyhow::Result<Ended> {
    let mut command = program.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.envs(variables.iter().copied());
    run(command, "")
}

#[test]
fn unknown_and_impossible_ones_are_named() -> anyhow::Result<()> {
    let program = Program::new()?;
    for (name, value, told) in [
        (
            "GROOVEBASE_DATABSE_URL",
            "sqlite://x.db",
            "unknown setting GROOVEBASE_DATABSE_URL in the environment",
        ),
        (
            "GROOVEBASE_DATABASE_URL",
            "mysql://x",
            "GROOVEBASE_DATABASE_URL in the environment is invalid",
        ),
        ("GROOVEBASE_DATABASE_URL", "", "GROOVEBASE_DATABASE_URL in the environment is invalid"),
        ("GROOVEBASE_HTTP_WORKERS", "0", "GROOVEBASE_HTTP_WORKERS in the environment is invalid"),
        ("GROOVEBASE_LOG_FORMAT", "xml", "GROOVEBASE_LOG_FORMAT in the environment is invalid"),
        ("GROOVEBASE_LOG", "groovebase_api=loud", "GROOVEBASE_LOG in the environment is invalid"),
        ("GROOVEBASE_CONFIG", "missing.toml", "missing.toml"),
    ] {
        let ended = with(&program, &[(name, value)])?;
        assert_eq!(ended.code, Some(2), "{name}={value}: {ended:?}");
        assert!(ended.errors.contains(told), "{name}={value}: {ended:?}");
    }
    for arguments in
        [vec!["serve", "--nonsense"], vec!["nonsense"], vec!["import"], vec!["--listen", "here"]]
    {
        program.expect(2, &arguments)?;
    }
    assert!(!program.file("groovebase.db").exists(), "nothing was begun");
    Ok(())
}

#[test]
fn files_are_held_to_the_same() -> anyhow::Result<()> {
    let program = Program::new()?;
    std::fs::write(program.file(".env"), "GROOVEBASE_LISTN=127.0.0.1:0\n")?;
    let ended = program.expect(2, &["migrate", "status"])?;
    assert!(ended.errors.contains("unknown setting GROOVEBASE_LISTN in .env"), "{ended:?}");

    std::fs::remove_file(program.file(".env"))?;
    std::fs::write(program.file("settings.toml"), "listen = \"127.0.0.1:0\"\npool = 3\n")?;
    let ended = program.expect(2, &["--config", "settings.toml", "migrate", "status"])?;
    assert!(
        ended.errors.contains("unknown setting pool in ") && ended.errors.contains("settings.toml"),
        "{ended:?}"
    );
    Ok(())
}

#[test]
fn a_password_is_never_shown() -> anyhow::Result<()> {
    let program = Program::new()?;
    // Nobody listens on the discard port. The service would wait until somebody does.
    let away = ["migrate", "status"].as_slice();
    for (arguments, url) in [
        (away, "postgres://user:hunter2@127.0.0.1:9/x"),
        (&["serve"], "postgres://user:hunter2@[/x"),
        (&["serve"], "hunter2"),
    ] {
        let mut command = program.command(arguments);
        command.env("GROOVEBASE_DATABASE_URL", url).env("GROOVEBASE_LOG", "trace");
        let ended = run(command, "")?;
        assert!(ended.code.is_some_and(|code| code != 0), "{ended:?}");
        assert!(!ended.errors.contains("hunter2"), "{ended:?}");
        assert!(!ended.errors.is_empty(), "{ended:?}");
    }
    Ok(())
}

#[test]
fn help_and_version_are_no_failures() -> anyhow::Result<()> {
    let program = Program::new()?;
    let help = program.expect(0, &["--help"])?;
    for command in ["serve", "migrate", "import", "export", "demo", "health"] {
        assert!(help.output.contains(command), "{help:?}");
    }
    let version = program.expect(0, &["--version"])?;
    assert!(version.output.starts_with("groovebase "), "{version:?}");
    Ok(())
}
