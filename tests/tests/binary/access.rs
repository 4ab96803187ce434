//! Who is let in: what is decided at the start, and keys from the command line.

use std::time::Instant;

use groovebase_tests::{
    http::Request,
    program::{PATIENCE, Program, Serving, until},
};

const ARTISTS: &str = "/api/v1/artists";

fn guarded(program: &Program) -> anyhow::Result<Serving> {
    Serving::start(program.command(&["serve", "--listen", "127.0.0.1:0", "--access", "on"]))
}

#[test]
fn to_be_open_to_the_network_has_to_be_said() -> anyhow::Result<()> {
    let program = Program::new()?;

    for command in ["serve", "demo"] {
        let refused = program.expect(1, &[command, "--access", "off", "--listen", "0.0.0.0:0"])?;
        assert!(refused.errors.contains("say --open-to-the-network"), "{refused:?}");
    }
    assert!(!program.file("groovebase.db").exists(), "nothing was begun");
    Ok(())
}

#[test]
fn a_server_needs_an_access_secret() -> anyhow::Result<()> {
    let program = Program::new()?;
    let short = program.expect(2, &["serve", "--access-secret", "hunter2"])?;

    assert!(short.errors.contains("at least 32 characters"), "{short:?}");
    assert!(!short.errors.contains("hunter2"), "{short:?}");
    Ok(())
}

#[tokio::test]
async fn a_key_from_the_command_line_opens_the_service() -> anyhow::Result<()> {
    let program = Program::new()?;
    let mut serving = guarded(&program)?;
    let address = serving.address().to_string();
    // The health check needs no key.
    let ready = until("the service is ready", || {
        let health = program.run(&["health", "--listen", &address])?;
        Ok((health.code == Some(0)).then_some(health))
    })?;
    assert_eq!(ready.output, "ready\n");
    let refused = serving.client().send(&Request::get(ARTISTS)).await?;
    assert_eq!(refused.status, 401, "{refused:?}");

    let made = program.expect(0, &["keys", "create", "--name", "ci", "--scope", "read"])?;
    let key = made.output.trim_end().to_owned();
    let ask = || Request::get(ARTISTS).with("authorization", format!("Bearer {key}"));
    let began = Instant::now();
    while serving.client().send(&ask()).await?.status != 200 {
        assert!(began.elapsed() < PATIENCE, "the service never heard of the key");
    }
    let line = serving.logged("Request answered")?;
    // What goes well is not told.
    let nowhere = Request::get("/nowhere").with("authorization", format!("Bearer {key}"));
    assert_eq!(serving.client().send(&nowhere).await?.status, 404);
    serving.terminate()?;
    let log = serving.ended()?.join("\n");

    assert!(line["span"]["request_id"].is_string(), "{line}");
    assert!(log.contains("Access is on") && log.contains("groovebase keys create"), "{log}");
    let (prefix, secret) = key.rsplit_once('_').expect("a key has a secret");
    assert!(log.contains(prefix) && !log.contains(secret), "{log}");
    assert!(!made.errors.contains(secret), "{made:?}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let about = std::fs::metadata(program.file("groovebase.db.secret"))?;
        assert_eq!(about.permissions().mode() & 0o777, 0o600);
    }

    // It is the same secret after the next start.
    let serving = guarded(&program)?;
    assert_eq!(serving.client().send(&ask()).await?.status, 200);
    serving.terminate()?;
    serving.ended()?;
    Ok(())
}

#[tokio::test]
async fn a_lost_access_secret_is_not_replaced_while_there_are_keys() -> anyhow::Result<()> {
    let program = Program::new()?;
    let create = ["keys", "create", "--name", "ci", "--scope", "read"];
    let serve = ["serve", "--listen", "127.0.0.1:0", "--access", "on"];
    let key = program.expect(0, &create)?.output.trim_end().to_owned();
    let id = key.split('_').nth(1).expect("a key has an id");
    let (file, elsewhere) = (program.file("groovebase.db.secret"), program.file("elsewhere"));
    std::fs::rename(&file, &elsewhere)?;

    for command in [&create[..], &serve[..], &["keys", "rotate", id]] {
        let refused = program.run(command)?;
        assert_ne!(refused.code, Some(0), "{refused:?}");
        for said in ["groovebase.db.secret is missing", "put it back", "keys revoke --all"] {
            assert!(refused.errors.contains(said), "{command:?}: {refused:?}");
        }
        assert!(!file.exists(), "{command:?}");
    }
    let listed = program.expect(0, &["keys", "list"])?;
    assert_eq!(listed.output.lines().count(), 1, "{listed:?}");

    // As the message says: put back, or given up.
    std::fs::rename(&elsewhere, &file)?;
    program.expect(0, &create)?;
    std::fs::remove_file(&file)?;
    let revoked = program.expect(0, &["keys", "revoke", "--all"])?;
    assert_eq!(revoked.output.matches("revoked gb_").count(), 2, "{revoked:?}");
    let serving = guarded(&program)?;
    let ask = Request::get(ARTISTS).with("authorization", format!("Bearer {key}"));
    assert_eq!(serving.client().send(&ask).await?.status, 401);
    assert!(file.exists());
    serving.terminate()?;
    serving.ended()?;
    program.expect(0, &create)?;
    Ok(())
}

#[tokio::test]
async fn a_service_for_this_machine_is_open() -> anyhow::Result<()> {
    let program = Program::new()?;
    let serving = program.serve()?;

    assert_eq!(serving.client().send(&Request::get(ARTISTS)).await?.status, 200);
    serving.terminate()?;
    let log = serving.ended()?.join("\n");
    assert!(log.contains("Access is off"), "{log}");
    assert!(!program.file("groovebase.db.secret").exists(), "nobody needed it");
    Ok(())
}
